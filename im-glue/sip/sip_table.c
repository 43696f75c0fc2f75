/* Tables of chained entries that grow without a pause: while they do, what was there moves to its new place bucket by
 * bucket, a few with each entry that is added. */
#include <stdlib.h>

#include "sip_agent_private.h"

#define BUCKETS_MIN 64
#define MOVED_EACH  4 /* done long before the table is full again */

static void *next_of(void *entry, size_t next_offset)
{
    void *next;
    memcpy(&next, (char *)entry + next_offset, sizeof(next));
    return next;
}

void **table_place(const struct table *table, uint64_t hash)
{
    if (table->old) {
        size_t index = hash & (table->old_count - 1);
        if (index >= table->moved)
            return &table->old[index];
    }
    return table->bucket_count ? &table->buckets[hash & (table->bucket_count - 1)] : NULL;
}

static void move_some(struct table *table, size_t next_offset, size_t hash_offset)
{
    for (int i = 0; i < MOVED_EACH && table->moved < table->old_count; i++) {
        for (void *entry = table->old[table->moved++], *next; entry; entry = next) {
            uint64_t hash;
            memcpy(&hash, (char *)entry + hash_offset, sizeof(hash));
            next = next_of(entry, next_offset);
            void **place = &table->buckets[hash & (table->bucket_count - 1)];
            memcpy((char *)entry + next_offset, place, sizeof(*place));
            *place = entry;
        }
    }
    if (table->moved < table->old_count)
        return;
    free(table->old);
    table->old = NULL;
    table->old_count = table->moved = 0;
}

void table_prepare(struct table *table, size_t next_offset, size_t hash_offset)
{
    if (table->old)
        move_some(table, next_offset, hash_offset);
    if (table->count < table->bucket_count || table->old)
        return;
    table->old = table->buckets;
    table->old_count = table->bucket_count;
    table->bucket_count = table->bucket_count ? table->bucket_count * 2 : BUCKETS_MIN;
    table->buckets = memory_new(table->bucket_count * sizeof(*table->buckets));
}

void table_put(struct table *table, uint64_t hash, void *entry, size_t next_offset)
{
    void **place = table_place(table, hash);
    memcpy((char *)entry + next_offset, place, sizeof(*place));
    *place = entry;
    table->count++;
}

void table_take_out(struct table *table, uint64_t hash, const void *entry, size_t next_offset)
{
    void **place = table_place(table, hash);
    while (*place != entry)
        place = (void **)((char *)*place + next_offset);
    *place = next_of(*place, next_offset);
    table->count--;
}

void table_clear(struct table *table)
{
    free(table->old);
    free(table->buckets);
    *table = (struct table){0};
}
