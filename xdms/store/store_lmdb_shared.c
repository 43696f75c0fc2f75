/* Entries of shared claims, as a transaction writes them. Nothing in it reads them, so that they are collected and
 * written in the order of their keys: those of one page one after another, each behind the one before without a way
 * from the root. */
#include <stdlib.h>

#include "store_lmdb.h"

#define COLLECTED_MAX 65536 /* some 10 MB; then they are written, and others are collected */

struct lmdb_shared_entry {
    uint64_t order; /* of the bytes behind what all keys begin with: tells most of them apart */
    struct text key, record;
    uint32_t nth; /* of two with one key the later one counts */
    bool take;
};

int lmdb_shared_note(struct lmdb_store *store, MDB_txn *txn, struct text key, struct text record, bool take)
{
    struct lmdb_shared *shared = &store->sharing;
    if (shared->count == shared->room) {
        shared->room = shared->room ? 2 * shared->room : 64;
        shared->entries = memory_resize(shared->entries, shared->room * sizeof(*shared->entries));
    }
    shared->entries[shared->count] = (struct lmdb_shared_entry){
        .key = text_copy(&shared->arena, key),
        .record = text_copy(&shared->arena, record),
        .nth = (uint32_t)shared->count,
        .take = take,
    };
    shared->count++;
    return shared->count == COLLECTED_MAX ? lmdb_shared_write(store, txn) : 0;
}

static size_t common_length(struct text a, struct text b, size_t most)
{
    size_t length = 0;
    while (length < most && length < a.length && length < b.length && a.bytes[length] == b.bytes[length])
        length++;
    return length;
}

static uint64_t order_of(struct text key, size_t from)
{
    uint64_t order = 0;
    for (size_t i = from; i < from + sizeof(order); i++)
        order = order << 8 | (i < key.length ? (unsigned char)key.bytes[i] : 0);
    return order;
}

static int compare(const void *a, const void *b)
{
    const struct lmdb_shared_entry *left = a, *right = b;
    if (left->order != right->order)
        return left->order < right->order ? -1 : 1;
    int order = text_compare(left->key, right->key);
    return order ? order : (left->nth > right->nth) - (left->nth < right->nth);
}

static void sort(struct lmdb_shared *shared)
{
    size_t common = SIZE_MAX;
    for (size_t i = 1; i < shared->count; i++)
        common = common_length(shared->entries[0].key, shared->entries[i].key, common);
    for (size_t i = 0; i < shared->count; i++)
        shared->entries[i].order = order_of(shared->entries[i].key, common);
    if (shared->count > 1)
        qsort(shared->entries, shared->count, sizeof(*shared->entries), compare);
}

static int entry_write(MDB_cursor *cursor, const struct lmdb_shared_entry *entry)
{
    MDB_val key = val_of(entry->key), value = val_of(entry->record);
    if (entry->take)
        return mdb_cursor_put(cursor, &key, &value, 0);
    int error = mdb_cursor_get(cursor, &key, &value, MDB_SET);
    if (!error)
        error = mdb_cursor_del(cursor, 0);
    return error == MDB_NOTFOUND ? 0 : error; /* a document may name one claim twice */
}

int lmdb_shared_write(struct lmdb_store *store, MDB_txn *txn)
{
    struct lmdb_shared *shared = &store->sharing;
    MDB_cursor *cursor;
    if (shared->count == 0)
        return 0;
    sort(shared);
    int error = mdb_cursor_open(txn, store->shared, &cursor);
    if (error)
        return error;
    for (size_t i = 0; !error && i < shared->count; i++) {
        const struct lmdb_shared_entry *entry = &shared->entries[i];
        bool outdone = i + 1 < shared->count && text_equal(entry->key, entry[1].key);
        if (!outdone)
            error = entry_write(cursor, entry);
    }
    mdb_cursor_close(cursor);
    lmdb_shared_forget(store);
    return error;
}

void lmdb_shared_forget(struct lmdb_store *store)
{
    store->sharing.count = 0;
    arena_reset(&store->sharing.arena);
}

void lmdb_shared_free(struct lmdb_store *store)
{
    free(store->sharing.entries);
    arena_clear(&store->sharing.arena);
}
