/* Sets of canonical addresses that keep the order in which they were added. Knows nothing of where they come from. */
#include "group_private.h"

void address_set_init(struct address_set *set, struct arena *arena)
{
    *set = (struct address_set){.arena = arena};
}

static size_t slot_of(const struct address_set *set, struct text address)
{
    size_t slot = text_hash(address, text_hash_seed()) & (set->slots_count - 1);
    while (set->slots[slot] && !text_equal(set->addresses[set->slots[slot] - 1], address))
        slot = (slot + 1) & (set->slots_count - 1);
    return slot;
}

bool address_set_has(const struct address_set *set, struct text canonical)
{
    return set->count && set->slots[slot_of(set, canonical)] != 0;
}

/* Twice as many slots as addresses, so that a search is short. */
static void grow(struct address_set *set)
{
    size_t capacity = set->capacity ? set->capacity * 2 : 16;
    struct text *addresses = arena_array(set->arena, struct text, capacity);
    if (set->count)
        memcpy(addresses, set->addresses, set->count * sizeof(*addresses));
    set->addresses = addresses;
    set->capacity = capacity;
    set->slots_count = capacity * 2;
    set->slots = arena_array(set->arena, uint32_t, set->slots_count);
    for (size_t i = 0; i < set->count; i++)
        set->slots[slot_of(set, set->addresses[i])] = (uint32_t)i + 1;
}

void address_set_add(struct address_set *set, struct text canonical)
{
    if (canonical.length == 0 || address_set_has(set, canonical))
        return;
    if (set->count == ADDRESSES_MAX) {
        set->too_many = true;
        return;
    }
    if (set->count == set->capacity)
        grow(set);
    set->slots[slot_of(set, canonical)] = (uint32_t)set->count + 1;
    set->addresses[set->count++] = canonical;
}
