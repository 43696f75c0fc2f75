/* What an engine is to store.c, and what engines share. Seen by the store module and its tests alone. */
#ifndef STORE_ENGINE_H
#define STORE_ENGINE_H

#include "store.h"

/* Limits and arguments are as in store.h; store.c has brought `limit` into 1…STORE_PAGE_MAX. */
struct store_engine {
    void (*close)(void *state);
    enum status (*read)(void *state, const struct document_key *key, struct arena *arena, struct stored *found_out);
    enum status (*read_claims)(void *state, const struct document_key *key, struct arena *arena,
                               struct stored *found_out, struct claim **claims_out, size_t *count_out);
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
                           struct key_page *page_out, struct text **values_out, bool heads);
    enum status (*changes)(void *state, uint64_t after, size_t limit, struct arena *arena,
                           struct change_page *page_out);
    uint64_t (*last_change)(void *state);
    enum status (*backup)(void *state, const char *folder, struct arena *arena, struct text *error_out);
    enum status (*check)(void *state, store_problem_fn *problem, void *context);
};

/* `holders` without `heads`: keys and values alone. `read` with an arena fills everything; without one (NULL) version
 * and time alone. */

struct store *store_new(const struct store_engine *engine, void *state);
void *store_state(const struct store *store, const struct store_engine *engine); /* asserts that it is of that engine */

/* Within the limits of store.h, and no NUL where none may be. Engines answer FAILED to others, unharmed. */
bool commit_within_limits(const struct commit *commit);

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
