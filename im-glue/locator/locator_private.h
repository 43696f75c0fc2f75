/* What the files of this module share: searches, what is remembered, and marks of who failed. */
#ifndef LOCATOR_PRIVATE_H
#define LOCATOR_PRIVATE_H

#include <stdlib.h>
#include <sys/queue.h>

#include "locator.h"
#include "table.h"

#define LOCATOR_FAILED_MAX 1000 /* marks of targets that failed: the oldest goes first */

/* What one question was answered. */
struct entry {
    UT_hash_handle by_key;
    UT_hash_handle by_number; /* while it is asked */
    TAILQ_ENTRY(entry) used;  /* least recently used first */
    TAILQ_ENTRY(entry) queued;
    TAILQ_HEAD(search_list, search) waiting;
    char *key; /* type and name */
    enum dns_type type;
    bool asked;      /* the answer has not come yet */
    bool known;      /* some answer has */
    uint64_t number; /* of the question */
    int64_t known_at_ms, until_ms;
    enum dns_outcome outcome;
    struct arena arena; /* of the records */
    const struct dns_record *records;
    size_t count;
};

TAILQ_HEAD(entry_list, entry);

struct search {
    TAILQ_ENTRY(search) all; /* in the order of their end, as the patience is one */
    TAILQ_ENTRY(search) waiting;
    struct entry *waits_for; /* NULL: nothing */
    char *uri;
    uint64_t cookie;
    int64_t began_ms;
};

struct failed {
    UT_hash_handle hh;
    char *name; /* of the target */
    int64_t until_ms;
};

struct found {
    TAILQ_ENTRY(found) all;
    struct locator_result result;
};

struct locator {
    struct locator_settings settings;
    int64_t now_ms;
    struct entry *entries, *asked; /* hashes by key and by number */
    struct entry_list used, questions;
    uint64_t last_number;
    TAILQ_HEAD(searches_list, search) searches;
    size_t searches_count;
    struct failed *failed; /* hash by name, oldest first */
    TAILQ_HEAD(found_list, found) found;
    struct arena given; /* name of the question handed out last */
};

/* locator_cache.c. NULL: not known yet, and asked for. What was known when the search began, or was found out since, is
 * good for it. */
struct entry *cache_get(struct locator *locator, const struct search *search, enum dns_type type, struct text name,
                        struct entry **missing_out);
void cache_free(struct locator *locator);

/* locator_failed.c */
bool failed_is(const struct locator *locator, const struct flow *target);
void failed_free(struct locator *locator);

/* locator_plan.c: NULL when all is known and the result is whole; else what it waits for first. */
struct entry *plan_make(struct locator *locator, const struct search *search, struct locator_result *result_out);

#endif
