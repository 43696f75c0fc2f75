/* Entries and numbers as documents change: what a transaction adds and takes away is collected, sorted and written at
 * its end, since many documents of one batch touch the same pages. */
#include <stdlib.h>

#include "log.h"
#include "store_lmdb_index.h"

#define PENDING_MAX 200000 /* changes of entries that are collected, some dozen MB */

/* An entry that comes or goes. */
struct pending {
    struct text key; /* in the arena */
    uint32_t number;
    uint32_t place; /* among all: of two with one key and number the later one counts */
    bool take;
};

struct lmdb_indexing {
    struct lmdb_indexes indexes;
    bool loaded, changed;
    struct arena arena; /* of texts of the indexes */
    struct pending *pending;
    size_t count, capacity;
    struct arena keys; /* of what is pending */
};

struct lmdb_indexing *lmdb_indexing_new(void)
{
    struct lmdb_indexing *indexing = memory_new(sizeof(*indexing));
    arena_init(&indexing->arena, "indexes");
    arena_init(&indexing->keys, "entries");
    return indexing;
}

void lmdb_indexing_free(struct lmdb_store *store)
{
    arena_clear(&store->indexing->arena);
    arena_clear(&store->indexing->keys);
    free(store->indexing->pending);
    free(store->indexing);
}

static void pending_forget(struct lmdb_indexing *indexing)
{
    indexing->count = 0;
    arena_reset(&indexing->keys);
}

void lmdb_indexing_forget(struct lmdb_store *store)
{
    struct lmdb_indexing *indexing = store->indexing;
    pending_forget(indexing);
    indexing->loaded = indexing->changed = false;
    arena_reset(&indexing->arena);
}

int lmdb_indexing_load(struct lmdb_store *store, MDB_txn *txn, struct lmdb_indexes **indexes_out)
{
    struct lmdb_indexing *indexing = store->indexing;
    int error = indexing->loaded ? 0 : lmdb_indexes_read(store, txn, &indexing->indexes);
    if (error)
        return error;
    for (size_t i = 0; !indexing->loaded && i < indexing->indexes.count; i++) /* the map changes under writes */
        indexing->indexes.list[i].usage = text_copy(&indexing->arena, indexing->indexes.list[i].usage);
    indexing->loaded = true;
    *indexes_out = &indexing->indexes;
    return 0;
}

struct arena *lmdb_indexing_arena(struct lmdb_store *store)
{
    return &store->indexing->arena;
}

void lmdb_indexing_changed(struct lmdb_store *store)
{
    store->indexing->changed = true;
}

/* --- entries ----------------------------------------------------------------------------------------------------- */

static int pending_order(const void *a, const void *b)
{
    const struct pending *left = a, *right = b;
    int order = text_compare(left->key, right->key);
    if (order == 0)
        order = (left->number > right->number) - (left->number < right->number);
    return order ? order : (left->place > right->place) - (left->place < right->place);
}

static int pending_apply(MDB_cursor *cursor, const struct pending *pending)
{
    struct entry_number number = entry_number_write(pending->number);
    MDB_val key = val_of(pending->key), value = entry_number_val(&number);
    if (pending->take) {
        int error = mdb_cursor_put(cursor, &key, &value, MDB_NODUPDATA);
        return error == MDB_KEYEXIST ? 0 : error;
    }
    int error = mdb_cursor_get(cursor, &key, &value, MDB_GET_BOTH);
    if (!error)
        error = mdb_cursor_del(cursor, 0);
    return error == MDB_NOTFOUND ? 0 : error;
}

int lmdb_indexing_flush(struct lmdb_store *store, MDB_txn *txn)
{
    struct lmdb_indexing *indexing = store->indexing;
    MDB_cursor *cursor;
    if (indexing->count == 0)
        return 0;
    int error = mdb_cursor_open(txn, store->entries, &cursor);
    if (error)
        return error;
    qsort(indexing->pending, indexing->count, sizeof(indexing->pending[0]), pending_order);
    for (size_t i = 0; !error && i < indexing->count; i++) {
        const struct pending *now = &indexing->pending[i], *next = now + 1;
        bool last = i + 1 == indexing->count || now->number != next->number || !text_equal(now->key, next->key);
        if (last)
            error = pending_apply(cursor, now);
    }
    mdb_cursor_close(cursor);
    pending_forget(indexing);
    return error;
}

static int pending_add(struct lmdb_store *store, MDB_txn *txn, unsigned table, const struct store_entry *entry,
                       uint32_t number, bool take)
{
    struct lmdb_indexing *indexing = store->indexing;
    struct entry_key key;
    int error = indexing->count == PENDING_MAX ? lmdb_indexing_flush(store, txn) : 0;
    if (indexing->count == indexing->capacity) {
        indexing->capacity = indexing->capacity ? 2 * indexing->capacity : 256;
        indexing->pending = memory_resize(indexing->pending, indexing->capacity * sizeof(indexing->pending[0]));
    }
    struct text written = text_copy(&indexing->keys, entry_key_write(&key, table, entry->field, entry->value));
    indexing->pending[indexing->count] = (struct pending){written, number, (uint32_t)indexing->count, take};
    indexing->count++;
    return error;
}

static int add_all(struct lmdb_store *store, MDB_txn *txn, unsigned table, const struct store_entries *entries,
                   uint32_t number, bool take)
{
    int error = 0;
    for (size_t i = 0; !error && i < entries->count; i++)
        error = pending_add(store, txn, table, &entries->list[i], number, take);
    return error;
}

/* Those of `entries` that `others` lack. */
static int add_difference(struct lmdb_store *store, MDB_txn *txn, unsigned table, const struct store_entries *entries,
                          const struct store_entries *others, uint32_t number, bool take)
{
    int error = 0;
    size_t at = 0;
    for (size_t i = 0; !error && i < entries->count; i++) {
        const struct store_entry *entry = &entries->list[i];
        while (at < others->count && entry_compare(&others->list[at], entry) < 0)
            at++;
        if (at == others->count || entry_compare(&others->list[at], entry) != 0)
            error = pending_add(store, txn, table, entry, number, take);
    }
    return error;
}

/* --- a document --------------------------------------------------------------------------------------------------- */

struct changed {
    struct lmdb_index *index;
    const struct commit *commit;
    const struct head *old;
    uint32_t number;
    struct store_entries before, after;
};

/* Nobody knows any more what leads to the documents. */
static int give_up(struct lmdb_store *store, struct lmdb_index *index)
{
    struct lmdb_indexing *indexing = store->indexing;
    log_warning("an index is given up, since a document was changed by other rules: it has to be built again "
                "usage=%.*s folder=%s",
                TEXT_ARG(index->usage), store->folder);
    indexing->changed = true;
    int error = lmdb_table_bury(&indexing->indexes, &index->serving);
    return error ? error : lmdb_table_bury(&indexing->indexes, &index->building);
}

static int entries_before(struct lmdb_store *store, MDB_txn *txn, struct changed *changed, bool *known_out)
{
    struct text stored, bytes;
    if (!changed->old || !changed->old->number)
        return 0;
    int error = lmdb_bytes(store, txn, changed->old, &stored);
    if (error)
        return error;
    if (!lmdb_unpack(stored, changed->old->size, &store->scratch, &bytes))
        return MDB_CORRUPTED;
    *known_out = indexer_ask(&store->indexer, changed->index->signature, &changed->commit->key, bytes, &store->scratch,
                             &changed->before);
    return 0;
}

/* The table that answers has all entries of the document, one that is built may have some of them. While entries are
 * appended to it, nothing else is put in, so that it stays in order: the document is remembered, and mended later; one
 * that is deleted, too, since its entries may be about to be appended. */
static int change_tables(struct lmdb_store *store, MDB_txn *txn, const struct changed *changed)
{
    static const struct store_entry touched = {FIELD_TOUCHED, TEXT_INIT("")};
    const struct lmdb_index *index = changed->index;
    uint32_t number = changed->number;
    int error = 0;
    if (index->serving) {
        error = add_difference(store, txn, index->serving, &changed->before, &changed->after, number, false);
        if (!error)
            error = add_difference(store, txn, index->serving, &changed->after, &changed->before, number, true);
    }
    if (error || !index->building)
        return error;
    error = add_all(store, txn, index->building, &changed->before, number, false);
    if (!error && !index->appending)
        error = add_all(store, txn, index->building, &changed->after, number, true);
    if (error)
        return error;
    return pending_add(store, txn, index->building, &touched, number, index->appending);
}

static int change_entries(struct lmdb_store *store, MDB_txn *txn, struct changed *changed)
{
    struct lmdb_indexing *indexing = store->indexing;
    bool known = true;
    int error = entries_before(store, txn, changed, &known);
    if (!error && known && !changed->commit->deletion)
        known = indexer_ask(&store->indexer, changed->index->signature, &changed->commit->key, changed->commit->bytes,
                            &store->scratch, &changed->after);
    if (!error && !known)
        return give_up(store, changed->index);
    if (!error && !changed->number && !changed->commit->deletion) {
        indexing->changed = true;
        error = lmdb_number_give(store, txn, &indexing->indexes, changed->index->slot, &changed->commit->key,
                                 &changed->number);
    }
    return error || !changed->number ? error : change_tables(store, txn, changed);
}

int lmdb_indexing_change(struct lmdb_store *store, MDB_txn *txn, const struct commit *commit, const struct head *old,
                         uint32_t *number_out)
{
    struct lmdb_indexes *indexes;
    struct changed changed = {.commit = commit, .old = old, .number = old ? old->number : 0};
    int error = lmdb_indexing_load(store, txn, &indexes);
    if (error)
        return error;
    changed.index = lmdb_index_of(indexes, commit->key.usage, commit->key.owner.length > 0);
    if (changed.index && (changed.index->serving || changed.index->building))
        error = change_entries(store, txn, &changed);
    if (!error && commit->deletion && changed.number) {
        struct entry_number number = entry_number_write(changed.number);
        MDB_val key = entry_number_val(&number);
        error = mdb_del(txn, store->numbers, &key, NULL);
    }
    *number_out = changed.number;
    return error == MDB_NOTFOUND ? 0 : error;
}

int lmdb_indexing_write(struct lmdb_store *store, MDB_txn *txn)
{
    const struct lmdb_indexing *indexing = store->indexing;
    int error = lmdb_indexing_flush(store, txn);
    if (error || !indexing->changed)
        return error;
    struct text record = lmdb_indexes_write(&indexing->indexes, &store->scratch);
    return lmdb_put(txn, store->meta, META_INDEXES, record, 0);
}
