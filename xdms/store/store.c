/* Takes the calls of store.h to the engine behind the handle, and keeps what all engines share: limits, pages, and
 * waiting for a result. Knows no engine. */
#include "store.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "store_engine.h"

struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t woken;
    bool done;
};

enum status store_check(struct store *store, store_problem_fn *problem, void *context)
{
    return store->engine->check(store->state, problem, context);
}

static void waiter_wake(void *context);
static bool part_within_limits(struct text part, size_t length_max);

struct store *store_new(const struct store_engine *engine, void *state)
{
    struct store *store = memory_new(sizeof(*store));
    store->engine = engine;
    store->state = state;
    return store;
}

void *store_state(const struct store *store, const struct store_engine *engine)
{
    assert(store->engine == engine);
    return store->state;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    store->engine->close(store->state);
    free(store);
}

enum status store_get(struct store *store, const struct document_key *key, struct arena *arena,
                      struct stored *found_out)
{
    assert(arena);
    *found_out = (struct stored){0};
    return store->engine->read(store->state, key, arena, found_out);
}

enum status store_head(struct store *store, const struct document_key *key, struct stored *found_out)
{
    *found_out = (struct stored){0};
    return store->engine->read(store->state, key, NULL, found_out);
}

enum status store_commit(struct store *store, struct commit *commits, size_t count)
{
    struct waiter waiter = {.done = false};
    pthread_mutex_init(&waiter.lock, NULL);
    pthread_cond_init(&waiter.woken, NULL);
    store_submit(store, commits, count, waiter_wake, &waiter);
    pthread_mutex_lock(&waiter.lock);
    while (!waiter.done)
        pthread_cond_wait(&waiter.woken, &waiter.lock);
    pthread_mutex_unlock(&waiter.lock);
    pthread_cond_destroy(&waiter.woken);
    pthread_mutex_destroy(&waiter.lock);

    for (size_t i = 0; i < count; i++)
        if (commits[i].status != OK)
            return commits[i].status;
    return OK;
}

void store_submit(struct store *store, struct commit *commits, size_t count, commit_done_fn *done, void *context)
{
    store->engine->submit(store->state, commits, count, done, context);
}

enum status store_find(struct store *store, struct text kind, struct text value, struct arena *arena,
                       struct document_key *key_out)
{
    *key_out = (struct document_key){0};
    return store->engine->find(store->state, kind, value, arena, key_out);
}

enum status store_tally(struct store *store, struct text kind, struct text value, struct tally *tally_out)
{
    *tally_out = (struct tally){0};
    return store->engine->tally(store->state, kind, value, tally_out);
}

enum status store_first_tally(struct store *store, struct text kind, struct arena *arena, struct text *value_out)
{
    *value_out = (struct text){0};
    return store->engine->first_tally(store->state, kind, arena, value_out);
}

static size_t page_limit(size_t limit)
{
    if (limit == 0)
        return 1;
    return limit > STORE_PAGE_MAX ? STORE_PAGE_MAX : limit;
}

enum status store_list(struct store *store, const struct document_key *prefix, const struct document_key *after,
                       size_t limit, struct arena *arena, struct key_page *page_out)
{
    limit = page_limit(limit);
    page_init(page_out, arena, limit);
    return store->engine->list(store->state, prefix, after, limit, arena, page_out);
}

enum status store_holders(struct store *store, struct text kind, struct text value_prefix,
                          const struct text *after_value, const struct document_key *after, size_t limit,
                          struct arena *arena, struct key_page *page_out, struct text **values_out)
{
    assert(!after == !after_value);
    limit = page_limit(limit);
    page_init(page_out, arena, limit);
    if (values_out)
        *values_out = arena_array(arena, struct text, limit);
    return store->engine->holders(store->state, kind, value_prefix, after_value, after, limit, arena, page_out,
                                  values_out);
}

enum status store_changes(struct store *store, uint64_t after, size_t limit, struct arena *arena,
                          struct change_page *page_out)
{
    limit = page_limit(limit);
    *page_out = (struct change_page){.changes = arena_array(arena, struct change, limit)};
    return store->engine->changes(store->state, after, limit, arena, page_out);
}

uint64_t store_last_change(struct store *store)
{
    return store->engine->last_change(store->state);
}

enum status store_backup(struct store *store, const char *folder, struct arena *arena, struct text *error_out)
{
    *error_out = TEXT("");
    return store->engine->backup(store->state, folder, arena, error_out);
}

static void waiter_wake(void *context)
{
    struct waiter *waiter = context;
    /* Signalled under the lock: the waiter frees both as soon as it gets the lock back. */
    pthread_mutex_lock(&waiter->lock);
    waiter->done = true;
    pthread_cond_signal(&waiter->woken);
    pthread_mutex_unlock(&waiter->lock);
}

static bool part_within_limits(struct text part, size_t length_max)
{
    return part.length <= length_max && (part.length == 0 || !memchr(part.bytes, 0, part.length));
}

bool commit_within_limits(const struct commit *commit)
{
    const struct document_key *key = &commit->key;
    if (key->usage.length == 0 || !part_within_limits(key->usage, STORE_PART_MAX) ||
        !part_within_limits(key->owner, STORE_PART_MAX) || !part_within_limits(key->name, STORE_PART_MAX))
        return false;
    if (commit->who.length > STORE_PART_MAX || commit->bytes.length > STORE_DOCUMENT_MAX ||
        commit->claims_count > STORE_CLAIMS_MAX)
        return false;
    for (size_t i = 0; i < commit->claims_count; i++)
        if ((commit->claims[i].shared && commit->claims[i].counted) ||
            !part_within_limits(commit->claims[i].kind, STORE_PART_MAX) ||
            !part_within_limits(commit->claims[i].value, STORE_VALUE_MAX))
            return false;
    return true;
}

void commits_refuse(struct commit *commits, size_t count, enum status status)
{
    for (size_t i = 0; i < count; i++) {
        commits[i].status = status;
        commits[i].version = 0;
        commits[i].taken_value = (struct text){0};
    }
}

struct document_key key_copy(struct arena *arena, const struct document_key *key)
{
    return (struct document_key){text_copy(arena, key->usage), text_copy(arena, key->owner),
                                 text_copy(arena, key->name)};
}

int key_compare(const struct document_key *a, const struct document_key *b)
{
    int order = text_compare(a->usage, b->usage);
    if (order == 0)
        order = text_compare(a->owner, b->owner);
    return order ? order : text_compare(a->name, b->name);
}

static bool part_matches(struct text part, struct text wanted)
{
    return !wanted.bytes || text_equal(part, wanted);
}

bool key_matches(const struct document_key *key, const struct document_key *prefix)
{
    return part_matches(key->usage, prefix->usage) && part_matches(key->owner, prefix->owner) &&
           part_matches(key->name, prefix->name);
}

void page_init(struct key_page *page, struct arena *arena, size_t limit)
{
    *page = (struct key_page){
        .keys = arena_array(arena, struct document_key, limit),
        .versions = arena_array(arena, uint64_t, limit),
        .modified_ms = arena_array(arena, int64_t, limit),
        .sizes = arena_array(arena, size_t, limit),
    };
}

void page_add(struct key_page *page, struct document_key key, uint64_t version, int64_t modified_ms, size_t size)
{
    page->keys[page->count] = key;
    page->versions[page->count] = version;
    page->modified_ms[page->count] = modified_ms;
    page->sizes[page->count] = size;
    page->count++;
}
