/* Documents that are records and not XML: users, bindings, stored messages, fates. The same store as all else, and
 * never in reach of an XCAP request. */
#include <assert.h>

#include "documents.h"

bool documents_internal(const struct document_key *key)
{
    return key->usage.length > 0 && key->usage.bytes[0] == '#';
}

enum status document_internal_read(const struct documents *documents, const struct document_key *key,
                                   struct arena *arena, struct stored *found_out)
{
    assert(documents_internal(key));
    return store_get(documents->store, key, arena, found_out);
}

enum status document_internal_head(const struct documents *documents, const struct document_key *key,
                                   struct stored *found_out)
{
    assert(documents_internal(key));
    return store_head(documents->store, key, found_out);
}

uint64_t document_newest_change(const struct documents *documents)
{
    return store_last_change(documents->store);
}

bool document_store_answers(const struct documents *documents, struct arena *arena)
{
    const struct document_key prefix = {.usage = TEXT(DOCUMENT_USERS)};
    struct key_page page;
    return document_internal_list(documents, &prefix, NULL, 1, arena, &page) == OK;
}

enum status document_internal_list(const struct documents *documents, const struct document_key *prefix,
                                   const struct document_key *after, size_t limit, struct arena *arena,
                                   struct key_page *page_out)
{
    assert(documents_internal(prefix));
    return store_list(documents->store, prefix, after, limit, arena, page_out);
}

enum status document_internal_holders(const struct documents *documents, struct text kind, struct text value_prefix,
                                      const struct text *after_value, const struct document_key *after, size_t limit,
                                      struct arena *arena, struct key_page *page_out, struct text **values_out)
{
    return store_holders(documents->store, kind, value_prefix, after_value, after, limit, arena, page_out, values_out);
}

enum status document_internal_tally(const struct documents *documents, struct text kind, struct text value,
                                    struct tally *tally_out)
{
    return store_tally(documents->store, kind, value, tally_out);
}

enum status document_internal_first_tally(const struct documents *documents, struct text kind, struct arena *arena,
                                          struct text *value_out)
{
    return store_first_tally(documents->store, kind, arena, value_out);
}

enum status document_owner(const struct documents *documents, struct text address, struct arena *arena,
                           struct text *owner_out)
{
    struct document_key holder;
    *owner_out = address;
    if (address.length == 0 || address.length > STORE_VALUE_MAX)
        return OK;
    enum status status = store_find(documents->store, TEXT(DOCUMENT_USER_ADDRESS), address, arena, &holder);
    if (status == OK && documents_internal(&holder))
        *owner_out = holder.owner;
    return status == NOT_FOUND ? OK : status;
}

/* What comes and goes with messages. Nobody follows its changes, and caches of what people keep need not be looked
 * through for it. */
static bool is_quiet(struct text usage)
{
    static const struct text quiet[] = {
        TEXT_INIT(DOCUMENT_CONTENTS), TEXT_INIT(DOCUMENT_DEFERRED), TEXT_INIT(DOCUMENT_FATES),
        TEXT_INIT(DOCUMENT_BINDINGS), TEXT_INIT(DOCUMENT_REPORTS),  TEXT_INIT(DOCUMENT_LOOKS),
        TEXT_INIT(DOCUMENT_LISTED),   TEXT_INIT(DOCUMENT_HISTORY),  TEXT_INIT(DOCUMENT_HISTORY_MESSAGES),
        TEXT_INIT(DOCUMENT_FAN_OUTS), TEXT_INIT(DOCUMENT_ERASED),
    };
    for (size_t i = 0; i < sizeof(quiet) / sizeof(quiet[0]); i++)
        if (text_equal(usage, quiet[i]))
            return true;
    return false;
}

void documents_mark_quiet(struct commit *commits, size_t count)
{
    for (size_t i = 0; i < count; i++)
        commits[i].quiet = is_quiet(commits[i].key.usage);
}

static void prepare(struct commit *commits, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert(documents_internal(&commits[i].key));
    documents_mark_quiet(commits, count);
}

void document_internal_submit(const struct documents *documents, struct commit *commits, size_t count,
                              commit_done_fn *done, void *context)
{
    prepare(commits, count);
    store_submit(documents->store, commits, count, done, context);
}

enum status document_internal_commit(const struct documents *documents, struct commit *commits, size_t count)
{
    prepare(commits, count);
    return store_commit(documents->store, commits, count);
}
