/* The handle over a store and a usage set, and reading of documents that XCAP names. */
#include "documents.h"

#include <stdlib.h>

#include "document_index.h"

struct documents *documents_new(struct store *store, const struct usage_set *usages)
{
    struct documents *documents = memory_new(sizeof(*documents));
    documents->store = store;
    atomic_init(&documents->usages, usages);
    documents->readers = document_readers_new();
    documents->gates = document_gates_new();
    documents->made = document_made_new();
    documents->nodes = document_nodes_new();
    store_indexer_set(store, document_index_entries, documents);
    return documents;
}

void documents_free(struct documents *documents)
{
    document_readers_free(documents->readers);
    document_gates_free(documents->gates);
    document_made_free(documents->made);
    document_nodes_free(documents->nodes);
    free(documents);
}

const struct usage_set *documents_usages(const struct documents *documents)
{
    return atomic_load(&documents->usages);
}

struct store *documents_store(const struct documents *documents)
{
    return documents->store;
}

enum status document_read(const struct documents *documents, const struct document_place *place, struct arena *arena,
                          struct stored *found_out)
{
    if (place->row->kind != USAGE_COMPUTED)
        return store_get(documents->store, &place->key, arena, found_out);
    *found_out = (struct stored){.key = place->key};
    /* what is in a home is listed sooner than found to be unchanged; the list of usages is made when they are loaded */
    bool kept = place->row->source == USAGE_FROM_CONTENTS;
    if (kept && document_made_find(documents, place, arena, found_out))
        return OK;
    uint64_t change = store_last_change(documents->store);
    struct text next;
    enum status status = document_compute(documents, place, &(struct document_choice){0}, arena, found_out, &next);
    if (status == OK && kept && change != STORE_CHANGE_UNKNOWN)
        document_made_keep(documents, place, change, found_out);
    return status;
}

enum status document_read_version(const struct documents *documents, const struct document_place *place,
                                  struct stored *found_out)
{
    if (place->row->kind != USAGE_COMPUTED)
        return store_head(documents->store, &place->key, found_out);
    struct arena arena;
    arena_init(&arena, "computed");
    enum status status = document_read(documents, place, &arena, found_out);
    found_out->bytes = (struct text){0};
    arena_clear(&arena);
    return status;
}

enum status document_list(const struct documents *documents, const struct usage *usage, struct text owner,
                          const struct document_key *after, size_t limit, struct arena *arena,
                          struct key_page *page_out)
{
    /* Nothing and no bytes would mean all owners to the store; here it means the global tree. */
    const struct document_key prefix = {.usage = usage->auid, .owner = owner.bytes ? owner : TEXT("")};
    return store_list(documents->store, &prefix, after, limit, arena, page_out);
}

enum status document_list_all(const struct documents *documents, const struct usage *usage,
                              const struct document_key *after, size_t limit, struct arena *arena,
                              struct key_page *page_out)
{
    const struct document_key prefix = {.usage = usage->auid};
    return store_list(documents->store, &prefix, after, limit, arena, page_out);
}

enum status document_find(const struct documents *documents, struct text claim_kind, struct text claim_value,
                          struct arena *arena, struct stored *found_out)
{
    struct document_key key;
    enum status status = store_find(documents->store, claim_kind, claim_value, arena, &key);
    if (status != OK)
        return status;
    return documents_internal(&key) ? NOT_FOUND : store_get(documents->store, &key, arena, found_out);
}
