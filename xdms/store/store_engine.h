/* What an engine is to store.c, and what engines share. Seen by the store module and its tests alone. */
#ifndef STORE_ENGINE_H
#define STORE_ENGINE_H

#include <pthread.h>

#include "store.h"
#include "store_index.h"

/* What an engine does for store_index.h. `find` may leave its keys in any order, and name one twice; `build` makes its
 * transactions by way of `store`, the handle. */
struct store_index_engine {
    void (*indexer_set)(void *state, store_indexer_fn *indexer, void *context);
    enum status (*ready)(void *state, const struct store_index *index, uint64_t signature, bool *ready_out);
    enum status (*begin)(void *state, struct store *store, const struct store_index *index, uint64_t signature);
    enum status (*build)(void *state, struct store *store, const struct store_index *index, uint64_t signature,
                         const volatile bool *stop, struct store_index_work *work_out);
    enum status (*find)(void *state, const struct store_index *index, uint64_t signature,
                        const struct store_look_up *look_up, size_t most, struct arena *arena,
                        struct document_key **keys_out, size_t *count_out);
    enum status (*check)(void *state, const struct store_index *index, uint64_t signature, store_problem_fn *problem,
                         void *context);
};

/* Limits and arguments are as in store.h; store.c has brought `limit` into 1…STORE_PAGE_MAX. */
struct store_engine {
    void (*close)(void *state);
    enum status (*read)(void *state, const struct document_key *key, struct arena *arena, struct stored *found_out);
    void (*submit)(void *state, struct commit *commits, size_t count, commit_done_fn *done, void *context);
    enum status (*find)(void *state, struct text kind, struct text value, struct arena *arena,
                        struct document_key *key_out);
    enum status (*tally)(void *state, struct text kind, struct text value,
                         struct tally *tally_out); /* zeros at first */
    enum status (*first_tally)(void *state, struct text kind, struct arena *arena, struct text *value_out);
    enum status (*list)(void *state, const struct document_key *prefix, const struct document_key *after, size_t limit,
                        struct arena *arena, struct key_page *page_out);
    enum status (*holders)(void *state, struct text kind, struct text value_prefix, const struct text *after_value,
                           const struct document_key *after, size_t limit, struct arena *arena,
                           struct key_page *page_out, struct text **values_out);
    enum status (*changes)(void *state, uint64_t after, size_t limit, struct arena *arena,
                           struct change_page *page_out);
    uint64_t (*last_change)(void *state);
    enum status (*backup)(void *state, const char *folder, struct arena *arena, struct text *error_out);
    enum status (*check)(void *state, store_problem_fn *problem, void *context);
    const struct store_index_engine *index;
};

/* `read` with an arena fills everything; without one (NULL) version
 * and time alone. */

/* What a handle is. */
struct store {
    const struct store_engine *engine;
    void *state;
};

struct store *store_new(const struct store_engine *engine, void *state);
void *store_state(const struct store *store, const struct store_engine *engine); /* asserts that it is of that engine */

/* Within the limits of store.h, and no NUL where none may be. Engines answer FAILED to others, unharmed. */
bool commit_within_limits(const struct commit *commit);

/* Who works out entries: set by one thread, asked by others. */
struct store_indexer {
    pthread_rwlock_t lock;
    store_indexer_fn *work_out;
    void *context;
};

void indexer_init(struct store_indexer *indexer);
void indexer_clear(struct store_indexer *indexer);
void indexer_set(struct store_indexer *indexer, store_indexer_fn *work_out, void *context);
/* False: there is none, or it has other rules than those of `signature`. */
bool indexer_ask(struct store_indexer *indexer, uint64_t signature, const struct document_key *key, struct text bytes,
                 struct arena *arena, struct store_entries *entries_out);
bool index_has(const struct store_index *index, const struct document_key *key);
int entry_compare(const struct store_entry *a, const struct store_entry *b);

/* A transaction of the engine's own, among the commits of others: a commit that has one is nothing else. It may be run
 * again, if the transaction could not be made; the bytes of the commit say about how much it writes. 0 or an error of
 * the engine. */
struct store_job {
    int (*run)(struct store_job *job, void *transaction);
};

/* Makes the results of a commit that was refused before any engine looked at it. */
void commits_refuse(struct commit *commits, size_t count, enum status status);

struct document_key key_copy(struct arena *arena, const struct document_key *key);
int key_compare(const struct document_key *a, const struct document_key *b);

/* The parts of `prefix` that are given equal those of `key`. */
bool key_matches(const struct document_key *key, const struct document_key *prefix);

void page_init(struct key_page *page, struct arena *arena, size_t limit);
void page_add(struct key_page *page, struct document_key key, uint64_t version, int64_t modified_ms, size_t size);

/* The committer: one thread that takes all submissions that wait, within bounds, and gives them to `commit` as one
 * batch in the order of submission; then calls their `done`. */
struct store_queue;
typedef void queue_commit_fn(void *state, struct commit **commits, size_t count);

struct store_queue *queue_new(queue_commit_fn *commit, void *state); /* NULL: no thread to be had */
void queue_free(struct store_queue *queue);                          /* after all that was submitted */
void queue_submit(struct store_queue *queue, struct commit *commits, size_t count, commit_done_fn *done, void *context);

#endif
