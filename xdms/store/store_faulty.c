/* Makes chosen calls fail, so that tests can walk the paths of a broken store. Passes everything else to the engine
 * inside. */
#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "store_engine.h"

struct held {
    struct held *next;
    struct commit *commits;
    size_t count;
    commit_done_fn *done;
    void *context;
};

struct faulty {
    struct store *inner;
    struct store_fault faults[STORE_FAULTS_MAX];
    size_t faults_count;
    atomic_uint calls[STORE_CALLS]; /* made so far */
    atomic_bool failed;
    bool holds, overtakes;
    struct held *held, **held_end; /* in the order of their submission */
};

/* Counts a call; the fault that it meets, or NULL. */
static const struct store_fault *fault_of(struct faulty *faulty, enum store_call call)
{
    unsigned number = atomic_fetch_add(&faulty->calls[call], 1) + 1;
    for (size_t i = 0; i < faulty->faults_count; i++) {
        const struct store_fault *fault = &faulty->faults[i];
        bool begun = fault->call == call && number >= fault->nth;
        if (begun && (fault->count == 0 || number - fault->nth < fault->count)) {
            atomic_store(&faulty->failed, true);
            return fault;
        }
    }
    return NULL;
}

static void faulty_close(void *state)
{
    struct faulty *faulty = state;
    store_close(faulty->inner);
    free(faulty);
}

static enum status faulty_read(void *state, const struct document_key *key, struct arena *arena,
                               struct stored *found_out)
{
    struct faulty *faulty = state;
    const struct store_fault *fault = fault_of(faulty, STORE_CALL_READ);
    if (fault)
        return fault->status;
    return arena ? store_get(faulty->inner, key, arena, found_out) : store_head(faulty->inner, key, found_out);
}

static void submit_deletions(struct faulty *faulty, struct commit *commits, size_t count, enum status status)
{
    for (size_t i = 0; i < count; i++) {
        if (commits[i].deletion)
            store_commit(faulty->inner, &commits[i], 1);
        else
            commits_refuse(&commits[i], 1, status);
    }
}

static void carry_out(struct faulty *faulty, struct commit *commits, size_t count, commit_done_fn *done, void *context)
{
    const struct store_fault *fault = fault_of(faulty, STORE_CALL_COMMIT);
    if (!fault) {
        store_submit(faulty->inner, commits, count, done, context);
        return;
    }
    if (fault->deletions_pass) {
        submit_deletions(faulty, commits, count, fault->status);
        return done(context);
    }
    if (fault->carried_out)
        store_commit(faulty->inner, commits, count);
    commits_refuse(commits, count, fault->status);
    done(context);
}

static void faulty_submit(void *state, struct commit *commits, size_t count, commit_done_fn *done, void *context)
{
    struct faulty *faulty = state;
    if (!faulty->holds || faulty->overtakes)
        return carry_out(faulty, commits, count, done, context);
    struct held *held = memory_new(sizeof(*held));
    *held = (struct held){NULL, commits, count, done, context};
    *faulty->held_end = held;
    faulty->held_end = &held->next;
}

static enum status faulty_find(void *state, struct text kind, struct text value, struct arena *arena,
                               struct document_key *key_out)
{
    struct faulty *faulty = state;
    const struct store_fault *fault = fault_of(faulty, STORE_CALL_FIND);
    return fault ? fault->status : store_find(faulty->inner, kind, value, arena, key_out);
}

static enum status faulty_tally(void *state, struct text kind, struct text value, struct tally *tally_out)
{
    struct faulty *faulty = state;
    const struct store_fault *fault = fault_of(faulty, STORE_CALL_READ);
    return fault ? fault->status : store_tally(faulty->inner, kind, value, tally_out);
}

static enum status faulty_first_tally(void *state, struct text kind, struct arena *arena, struct text *value_out)
{
    struct faulty *faulty = state;
    const struct store_fault *fault = fault_of(faulty, STORE_CALL_READ);
    return fault ? fault->status : store_first_tally(faulty->inner, kind, arena, value_out);
}

static enum status faulty_list(void *state, const struct document_key *prefix, const struct document_key *after,
                               size_t limit, struct arena *arena, struct key_page *page_out)
{
    struct faulty *faulty = state;
    const struct store_fault *fault = fault_of(faulty, STORE_CALL_LIST);
    return fault ? fault->status : store_list(faulty->inner, prefix, after, limit, arena, page_out);
}

static enum status faulty_holders(void *state, struct text kind, struct text value_prefix,
                                  const struct text *after_value, const struct document_key *after, size_t limit,
                                  struct arena *arena, struct key_page *page_out, struct text **values_out)
{
    struct faulty *faulty = state;
    const struct store_fault *fault = fault_of(faulty, STORE_CALL_HOLDERS);
    if (fault)
        return fault->status;
    return store_holders(faulty->inner, kind, value_prefix, after_value, after, limit, arena, page_out, values_out);
}

static enum status faulty_changes(void *state, uint64_t after, size_t limit, struct arena *arena,
                                  struct change_page *page_out)
{
    struct faulty *faulty = state;
    const struct store_fault *fault = fault_of(faulty, STORE_CALL_CHANGES);
    return fault ? fault->status : store_changes(faulty->inner, after, limit, arena, page_out);
}

static uint64_t faulty_last_change(void *state)
{
    struct faulty *faulty = state;
    return fault_of(faulty, STORE_CALL_LAST) ? STORE_CHANGE_UNKNOWN : store_last_change(faulty->inner);
}

static enum status faulty_backup(void *state, const char *folder, struct arena *arena, struct text *error_out)
{
    struct faulty *faulty = state;
    const struct store_fault *fault = fault_of(faulty, STORE_CALL_BACKUP);
    if (!fault)
        return store_backup(faulty->inner, folder, arena, error_out);
    *error_out = text_format(arena, "%s: %s", folder, status_name(fault->status));
    return fault->status;
}

static enum status faulty_check(void *state, store_problem_fn *problem, void *context)
{
    struct faulty *faulty = state;
    const struct store_fault *fault = fault_of(faulty, STORE_CALL_CHECK);
    return fault ? fault->status : store_check(faulty->inner, problem, context);
}

/* --- indexes: looking up fails as other finding does, changing as commits do ------------------------------------ */

static void faulty_indexer_set(void *state, store_indexer_fn *indexer, void *context)
{
    struct faulty *faulty = state;
    store_indexer_set(faulty->inner, indexer, context);
}

static enum status faulty_index_ready(void *state, const struct store_index *index, uint64_t signature, bool *ready_out)
{
    struct faulty *faulty = state;
    const struct store_fault *fault = fault_of(faulty, STORE_CALL_READ);
    return fault ? fault->status : store_index_ready(faulty->inner, index, signature, ready_out);
}

static enum status faulty_index_begin(void *state, struct store *store, const struct store_index *index,
                                      uint64_t signature)
{
    struct faulty *faulty = state;
    const struct store_fault *fault = fault_of(faulty, STORE_CALL_COMMIT);
    (void)store;
    return fault ? fault->status : store_index_begin(faulty->inner, index, signature);
}

static enum status faulty_index_build(void *state, struct store *store, const struct store_index *index,
                                      uint64_t signature, const volatile bool *stop, struct store_index_work *work_out)
{
    struct faulty *faulty = state;
    const struct store_fault *fault = fault_of(faulty, STORE_CALL_COMMIT);
    (void)store;
    return fault ? fault->status : store_index_build(faulty->inner, index, signature, stop, work_out);
}

static enum status faulty_index_find(void *state, const struct store_index *index, uint64_t signature,
                                     const struct store_look_up *look_up, size_t most, struct arena *arena,
                                     struct document_key **keys_out, size_t *count_out)
{
    struct faulty *faulty = state;
    const struct store_fault *fault = fault_of(faulty, STORE_CALL_HOLDERS);
    return fault ? fault->status
                 : store_index_find(faulty->inner, index, signature, look_up, most, arena, keys_out, count_out);
}

static enum status faulty_index_check(void *state, const struct store_index *index, uint64_t signature,
                                      store_problem_fn *problem, void *context)
{
    struct faulty *faulty = state;
    const struct store_fault *fault = fault_of(faulty, STORE_CALL_CHECK);
    return fault ? fault->status : store_index_check(faulty->inner, index, signature, problem, context);
}

static const struct store_index_engine faulty_index = {
    .indexer_set = faulty_indexer_set,
    .ready = faulty_index_ready,
    .begin = faulty_index_begin,
    .build = faulty_index_build,
    .find = faulty_index_find,
    .check = faulty_index_check,
};

static const struct store_engine faulty_engine = {
    .close = faulty_close,
    .read = faulty_read,
    .submit = faulty_submit,
    .find = faulty_find,
    .tally = faulty_tally,
    .first_tally = faulty_first_tally,
    .list = faulty_list,
    .holders = faulty_holders,
    .changes = faulty_changes,
    .last_change = faulty_last_change,
    .backup = faulty_backup,
    .check = faulty_check,
    .index = &faulty_index,
};

struct store *store_open_faulty(struct store *inner, const struct store_fault *faults, size_t count)
{
    struct faulty *faulty = memory_new(sizeof(*faulty));
    faulty->inner = inner;
    faulty->held_end = &faulty->held;
    struct store *store = store_new(&faulty_engine, faulty);
    store_faulty_set(store, faults, count);
    return store;
}

bool store_faulty_set(struct store *store, const struct store_fault *faults, size_t count)
{
    struct faulty *faulty = store_state(store, &faulty_engine);
    assert(count <= STORE_FAULTS_MAX);
    faulty->faults_count = count;
    for (size_t i = 0; i < count; i++)
        faulty->faults[i] = faults[i];
    for (size_t i = 0; i < STORE_CALLS; i++)
        atomic_store(&faulty->calls[i], 0);
    return atomic_exchange(&faulty->failed, false);
}

unsigned store_faulty_calls(const struct store *store, enum store_call call)
{
    struct faulty *faulty = store_state(store, &faulty_engine);
    return atomic_load(&faulty->calls[call]);
}

void store_faulty_hold(struct store *store)
{
    struct faulty *faulty = store_state(store, &faulty_engine);
    faulty->holds = true;
}

void store_faulty_overtake(struct store *store, bool overtakes)
{
    struct faulty *faulty = store_state(store, &faulty_engine);
    faulty->overtakes = overtakes;
}

void store_faulty_release(struct store *store)
{
    struct faulty *faulty = store_state(store, &faulty_engine);
    faulty->holds = false;
    for (struct held *held; (held = faulty->held);) {
        faulty->held = held->next;
        if (!faulty->held)
            faulty->held_end = &faulty->held;
        carry_out(faulty, held->commits, held->count, held->done, held->context);
        free(held);
    }
}

struct store *store_open_failing(struct store *inner, unsigned nth, enum status status)
{
    const struct store_fault fault = {.call = STORE_CALL_COMMIT, .nth = nth, .count = 1, .status = status};
    return store_open_faulty(inner, &fault, nth ? 1 : 0);
}
