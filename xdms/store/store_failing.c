/* Makes one chosen write fail, so that tests can walk the paths of a broken store. Passes everything else to the
 * engine inside. */
#include <stdatomic.h>
#include <stdlib.h>

#include "store_engine.h"

struct failing {
    struct store *inner;
    atomic_uint left; /* writes until the one that fails, with it; 0: past */
    enum status status;
};

static void failing_close(void *state)
{
    struct failing *failing = state;
    store_close(failing->inner);
    free(failing);
}

static enum status failing_read(void *state, const struct document_key *key, struct arena *arena,
                                struct stored *found_out)
{
    struct failing *failing = state;
    return arena ? store_get(failing->inner, key, arena, found_out) : store_head(failing->inner, key, found_out);
}

static bool fails_now(struct failing *failing)
{
    unsigned left = atomic_load(&failing->left);
    while (left > 0)
        if (atomic_compare_exchange_weak(&failing->left, &left, left - 1))
            return left == 1;
    return false;
}

static void failing_submit(void *state, struct commit *commits, size_t count, commit_done_fn *done, void *context)
{
    struct failing *failing = state;
    if (!fails_now(failing)) {
        store_submit(failing->inner, commits, count, done, context);
        return;
    }
    commits_refuse(commits, count, failing->status);
    done(context);
}

static enum status failing_find(void *state, struct text kind, struct text value, struct arena *arena,
                                struct document_key *key_out)
{
    struct failing *failing = state;
    return store_find(failing->inner, kind, value, arena, key_out);
}

static enum status failing_list(void *state, const struct document_key *prefix, const struct document_key *after,
                                size_t limit, struct arena *arena, struct key_page *page_out)
{
    struct failing *failing = state;
    return store_list(failing->inner, prefix, after, limit, arena, page_out);
}

static enum status failing_holders(void *state, struct text kind, struct text value_prefix,
                                   const struct text *after_value, const struct document_key *after, size_t limit,
                                   struct arena *arena, struct key_page *page_out, struct text **values_out)
{
    struct failing *failing = state;
    return store_holders(failing->inner, kind, value_prefix, after_value, after, limit, arena, page_out, values_out);
}

static enum status failing_changes(void *state, uint64_t after, size_t limit, struct arena *arena,
                                   struct change_page *page_out)
{
    struct failing *failing = state;
    return store_changes(failing->inner, after, limit, arena, page_out);
}

static uint64_t failing_last_change(void *state)
{
    struct failing *failing = state;
    return store_last_change(failing->inner);
}

static enum status failing_backup(void *state, const char *folder, struct arena *arena, struct text *error_out)
{
    struct failing *failing = state;
    return store_backup(failing->inner, folder, arena, error_out);
}

static enum status failing_check(void *state, store_problem_fn *problem, void *context)
{
    struct failing *failing = state;
    return store_check(failing->inner, problem, context);
}

static const struct store_engine failing_engine = {
    .close = failing_close,
    .read = failing_read,
    .submit = failing_submit,
    .find = failing_find,
    .list = failing_list,
    .holders = failing_holders,
    .changes = failing_changes,
    .last_change = failing_last_change,
    .backup = failing_backup,
    .check = failing_check,
};

struct store *store_open_failing(struct store *inner, unsigned nth, enum status status)
{
    struct failing *failing = memory_new(sizeof(*failing));
    failing->inner = inner;
    atomic_init(&failing->left, nth);
    failing->status = status;
    return store_new(&failing_engine, failing);
}
