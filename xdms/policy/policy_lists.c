/* Who is in which external list: asked by identity, so that the number of lists costs nothing. It must not know where
 * lists come from. */
#include <assert.h>

#include "policy_parts.h"

struct policy_lists *policy_lists_new(struct arena *arena)
{
    struct policy_lists *lists = arena_new(arena, struct policy_lists);
    lists->arena = arena;
    return lists;
}

static void make_room(struct policy_lists *lists)
{
    if (lists->identities.count <= lists->anchors_capacity)
        return;
    size_t capacity = lists->anchors_capacity ? lists->anchors_capacity * 2 : 16;
    struct policy_set *anchors = arena_array(lists->arena, struct policy_set, capacity);
    if (lists->anchors_capacity)
        memcpy(anchors, lists->anchors, lists->anchors_capacity * sizeof(*anchors));
    lists->anchors = anchors;
    lists->anchors_capacity = capacity;
}

void policy_lists_add(struct policy_lists *lists, size_t anchor, struct text identity)
{
    uint32_t number = policy_names_add(&lists->identities, lists->arena, identity);
    if (number == 0)
        return;
    make_room(lists);
    struct policy_set *set = &lists->anchors[number - 1];
    uint32_t last = set->count ? set->ids[set->count - 1] : 0;
    assert(last <= anchor + 1); /* ascending: the set needs no closing */
    if (last != anchor + 1)
        policy_set_add(set, lists->arena, (uint32_t)anchor + 1);
}
