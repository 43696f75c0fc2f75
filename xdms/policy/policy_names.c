/* Numbers for names, and sets of such numbers. It must not know what the names stand for. */
#include <assert.h>
#include <stdlib.h>

#include "policy_parts.h"

#define NAMES_CAPACITY_FIRST 16 /* most policies name a handful of people */
#define SET_CAPACITY_FIRST   4

/* The slot that holds `text`, or the free one where it belongs. */
static uint32_t *find_slot(const struct policy_names *names, struct text text)
{
    uint32_t mask = names->capacity - 1;
    uint32_t at = (uint32_t)text_hash(text, text_hash_seed()) & mask;
    while (names->slots[at] && !text_equal(names->texts[names->slots[at] - 1], text))
        at = (at + 1) & mask;
    return &names->slots[at];
}

static void grow_names(struct policy_names *names, struct arena *arena)
{
    struct policy_names grown = {.count = names->count};
    grown.capacity = names->capacity ? names->capacity * 2 : NAMES_CAPACITY_FIRST;
    grown.slots = arena_array(arena, uint32_t, grown.capacity);
    grown.texts = arena_array(arena, struct text, grown.capacity / 2);
    for (uint32_t i = 0; i < names->count; i++) {
        grown.texts[i] = names->texts[i];
        *find_slot(&grown, names->texts[i]) = i + 1;
    }
    *names = grown;
}

uint32_t policy_names_add(struct policy_names *names, struct arena *arena, struct text text)
{
    if (text.length == 0)
        return 0;
    if (names->count == names->capacity / 2)
        grow_names(names, arena);
    uint32_t *slot = find_slot(names, text);
    if (*slot == 0) {
        names->texts[names->count] = text;
        *slot = ++names->count;
    }
    return *slot;
}

uint32_t policy_names_find(const struct policy_names *names, struct text text)
{
    return names->capacity ? *find_slot(names, text) : 0;
}

void policy_set_add(struct policy_set *set, struct arena *arena, uint32_t id)
{
    if (id == 0)
        return;
    if (set->count == set->capacity) {
        uint32_t capacity = set->capacity ? set->capacity * 2 : SET_CAPACITY_FIRST;
        uint32_t *ids = arena_array(arena, uint32_t, capacity);
        if (set->count)
            memcpy(ids, set->ids, set->count * sizeof(*ids));
        set->ids = ids;
        set->capacity = capacity;
    }
    set->ids[set->count++] = id;
}

static int compare_ids(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left;
    uint32_t b = *(const uint32_t *)right;
    return a < b ? -1 : a > b;
}

void policy_set_close(struct policy_set *set)
{
    if (set->count > 1)
        qsort(set->ids, set->count, sizeof(*set->ids), compare_ids);
}

bool policy_set_has(const struct policy_set *set, uint32_t id)
{
    uint32_t low = 0;
    uint32_t high = set->count;
    if (id == 0)
        return false;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (set->ids[middle] < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < set->count && set->ids[low] == id;
}
