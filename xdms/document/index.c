/* Tells the store how documents are indexed, and which indexes there are to be: manifests say so. */
#include "document_index.h"

#include "documents.h"

static struct store_index index_of(const struct usage *usage, enum xcap_tree tree)
{
    return (struct store_index){usage->auid, tree == XCAP_USERS};
}

static uint64_t signature_of(const struct usage *usage, enum xcap_tree tree)
{
    const struct usage_searchable *searchable = usage ? usage_searchable(usage, tree) : NULL;
    return searchable ? searchable->signature : 0;
}

/* The usages in force may be replaced meanwhile: entries live in the arena, and what they were made by is their
 * signature. */
void document_index_entries(void *context, const struct document_key *key, struct text bytes, struct arena *arena,
                            struct store_entries *entries_out)
{
    const struct documents *documents = context;
    uint64_t generation = documents_enter(documents);
    const struct usage_set *usages = documents_usages(documents); /* none: a program that reads records alone */
    const struct usage *usage = usages ? usage_find(usages, key->usage) : NULL;
    enum xcap_tree tree = key->owner.length ? XCAP_USERS : XCAP_GLOBAL;
    const struct usage_entry *entries;
    entries_out->signature = signature_of(usage, tree);
    if (entries_out->signature) {
        entries_out->count = usage_index_entries(usage, tree, bytes, arena, &entries);
        struct store_entry *list = arena_array(arena, struct store_entry, entries_out->count);
        for (size_t i = 0; i < entries_out->count; i++)
            list[i] = (struct store_entry){entries[i].index, entries[i].value};
        entries_out->list = list;
    }
    documents_leave(documents, generation);
}

enum status document_index_ready(const struct documents *documents, const struct usage *usage, enum xcap_tree tree,
                                 bool *ready_out)
{
    const struct store_index index = index_of(usage, tree);
    *ready_out = false;
    return signature_of(usage, tree) ? store_index_ready(documents->store, &index, signature_of(usage, tree), ready_out)
                                     : OK;
}

enum status document_index_open(const struct documents *documents, size_t *missing_out)
{
    const struct usage_set *set = documents_usages(documents);
    enum status status = OK;
    *missing_out = 0;
    for (size_t i = 0; status == OK && i < 2 * usage_count(set); i++) {
        const struct usage *usage = usage_at(set, i / 2);
        enum xcap_tree tree = i % 2 ? XCAP_GLOBAL : XCAP_USERS;
        const struct store_index index = index_of(usage, tree);
        bool ready = true;
        if (!signature_of(usage, tree))
            continue;
        status = document_index_ready(documents, usage, tree, &ready);
        if (status == OK && !ready)
            status = store_index_begin(documents->store, &index, signature_of(usage, tree));
        *missing_out += status == CONFLICT;
        status = status == CONFLICT ? OK : status;
    }
    return status;
}

enum status document_index_rebuild(const struct documents *documents, const struct usage *usage,
                                   const volatile bool *stop, struct store_index_work *work_out)
{
    enum status status = OK;
    *work_out = (struct store_index_work){0};
    for (int tree = 0; status == OK && tree < 2; tree++) {
        const struct store_index index = index_of(usage, (enum xcap_tree)tree);
        uint64_t signature = signature_of(usage, (enum xcap_tree)tree);
        struct store_index_work work;
        if (!signature)
            continue;
        status = store_index_build(documents->store, &index, signature, stop, &work);
        work_out->documents += work.documents;
        work_out->entries += work.entries;
    }
    return status;
}

enum status document_index_find(const struct documents *documents, const struct usage *usage, enum xcap_tree tree,
                                const struct store_look_up *look_up, size_t most, struct arena *arena,
                                struct document_key **keys_out, size_t *count_out)
{
    const struct store_index index = index_of(usage, tree);
    uint64_t signature = signature_of(usage, tree);
    *count_out = 0;
    return signature ? store_index_find(documents->store, &index, signature, look_up, most, arena, keys_out, count_out)
                     : NOT_FOUND;
}

enum status document_index_check(const struct documents *documents, store_problem_fn *problem, void *context)
{
    const struct usage_set *set = documents_usages(documents);
    enum status all = OK;
    for (size_t i = 0; i < 2 * usage_count(set); i++) {
        const struct usage *usage = usage_at(set, i / 2);
        enum xcap_tree tree = i % 2 ? XCAP_GLOBAL : XCAP_USERS;
        const struct store_index index = index_of(usage, tree);
        enum status status = OK;
        if (signature_of(usage, tree))
            status = store_index_check(documents->store, &index, signature_of(usage, tree), problem, context);
        if (status != OK && all != FAILED)
            all = status == CONFLICT ? CONFLICT : FAILED;
    }
    return all;
}
