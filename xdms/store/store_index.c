/* Takes the calls of store_index.h to the engine, and keeps what engines share about indexes. */
#include <assert.h>
#include <stdlib.h>

#include "store_engine.h"

void store_indexer_set(struct store *store, store_indexer_fn *indexer, void *context)
{
    store->engine->index->indexer_set(store->state, indexer, context);
}

enum status store_index_ready(struct store *store, const struct store_index *index, uint64_t signature, bool *ready_out)
{
    *ready_out = false;
    return store->engine->index->ready(store->state, index, signature, ready_out);
}

enum status store_index_begin(struct store *store, const struct store_index *index, uint64_t signature)
{
    return store->engine->index->begin(store->state, store, index, signature);
}

enum status store_index_build(struct store *store, const struct store_index *index, uint64_t signature,
                              const volatile bool *stop, struct store_index_work *work_out)
{
    *work_out = (struct store_index_work){0};
    return store->engine->index->build(store->state, store, index, signature, stop, work_out);
}

static int key_order(const void *a, const void *b)
{
    return key_compare(a, b);
}

enum status store_index_find(struct store *store, const struct store_index *index, uint64_t signature,
                             const struct store_look_up *look_up, size_t most, struct arena *arena,
                             struct document_key **keys_out, size_t *count_out)
{
    *keys_out = NULL;
    *count_out = 0;
    enum status status =
        store->engine->index->find(store->state, index, signature, look_up, most, arena, keys_out, count_out);
    if (*count_out > 1)
        qsort(*keys_out, *count_out, sizeof((*keys_out)[0]), key_order);
    return status;
}

enum status store_index_check(struct store *store, const struct store_index *index, uint64_t signature,
                              store_problem_fn *problem, void *context)
{
    return store->engine->index->check(store->state, index, signature, problem, context);
}

void indexer_init(struct store_indexer *indexer)
{
    *indexer = (struct store_indexer){.work_out = NULL};
    pthread_rwlock_init(&indexer->lock, NULL);
}

void indexer_clear(struct store_indexer *indexer)
{
    pthread_rwlock_destroy(&indexer->lock);
}

void indexer_set(struct store_indexer *indexer, store_indexer_fn *work_out, void *context)
{
    pthread_rwlock_wrlock(&indexer->lock);
    if (work_out || indexer->context == context) {
        indexer->work_out = work_out;
        indexer->context = work_out ? context : NULL;
    }
    pthread_rwlock_unlock(&indexer->lock);
}

/* Under the lock: who takes himself away must not be in use any more when he has done so. */
bool indexer_ask(struct store_indexer *indexer, uint64_t signature, const struct document_key *key, struct text bytes,
                 struct arena *arena, struct store_entries *entries_out)
{
    *entries_out = (struct store_entries){0};
    pthread_rwlock_rdlock(&indexer->lock);
    if (indexer->work_out)
        indexer->work_out(indexer->context, key, bytes, arena, entries_out);
    pthread_rwlock_unlock(&indexer->lock);
    for (size_t i = 0; i < entries_out->count; i++)
        assert(entries_out->list[i].field <= STORE_FIELDS_MAX &&
               entries_out->list[i].value.length <= STORE_ENTRY_VALUE_MAX);
    return signature && entries_out->signature == signature;
}

bool index_has(const struct store_index *index, const struct document_key *key)
{
    return (key->owner.length > 0) == index->owned && text_equal(key->usage, index->usage);
}

int entry_compare(const struct store_entry *a, const struct store_entry *b)
{
    return a->field != b->field ? (a->field > b->field) - (a->field < b->field) : text_compare(a->value, b->value);
}
