/* What the files of a search share. */
#ifndef SEARCH_OWN_H
#define SEARCH_OWN_H

#include "document_index.h"
#include "search_match.h"
#include "search_run.h"

/* Which entries of indexes lead to all documents that can fit; NULL: no index helps. search_plan.c */
const struct store_look_up *search_plan(const struct usage_searchable *searchable,
                                        const struct search_expression *condition, struct arena *arena);

/* Which field of the manifest a path of a query stands for, or lies in; NULL: none. search_fields.c */
const struct usage_field *search_field(const struct usage_searchable *searchable, const struct search_path *path,
                                       bool exactly);

/* Refuses paths that are no fields. Adds the roles that each field wants to `masks`, once each; there is room for
 * SEARCH_MASKS_MAX. */
#define SEARCH_MASKS_MAX 65
enum status search_fields_check(const struct usage_searchable *searchable, const struct search_query *query,
                                const struct search_order *order, struct arena *arena, unsigned *masks,
                                size_t *masks_count, struct refusal *refusal);

/* Where documents come from: one after another by key, or a list of keys that an index led to. search_source.c */
struct search_source {
    const struct documents *documents;
    const struct usage *usage;
    enum xcap_tree tree;
    struct text owner; /* of one home; no bytes: all */
    bool listed;       /* `list` holds all keys, in order */
    struct document_key *list;
    size_t list_count, list_at;
    struct key_page page;
    size_t page_at;
    struct arena page_arena;
    struct document_key after; /* in `after_arena` */
    struct arena after_arena;
    bool has_after, ended;
};

/* What stands before `after`, if given, is left out. */
void search_source_open(struct search_source *source, const struct document_key *after);
/* By what the index led to. */
void search_source_open_list(struct search_source *source, struct document_key *list, size_t count,
                             const struct document_key *after);
/* Is it of the usage, the tree and the home that is looked through? */
bool search_source_has(const struct search_source *source, const struct document_key *key);
enum status search_source_next(struct search_source *source, struct document_key *key_out); /* NOT_FOUND: no more */
void search_source_close(struct search_source *source);

/* --- one search: search_order.c begins it, search_run.c runs it ------------------------------------------------ */

/* One that is found, and not made yet because others may come before it. */
struct search_found {
    struct document_key key;
    size_t record;
    struct text *keys;
    size_t place; /* among all: keeps equal ones as they were */
};

struct search {
    const struct documents *documents;
    struct arena *arena; /* the caller's */
    struct search_order order;
    const struct usage *usage;
    const struct usage_searchable *searchable;
    struct search_query query;
    struct search_source source;
    bool opened;
    unsigned masks[SEARCH_MASKS_MAX];
    size_t masks_count;
    size_t results_max;
    uint64_t work;             /* left */
    size_t skip;               /* sorted: results of earlier pages; else records of `first` */
    struct document_key first; /* of which the page before had but a part, or nothing; it is not in the source */
    bool has_first;
    struct text *results;
    size_t bytes;               /* of results and keys */
    struct search_found *found; /* sorted: all, while they are looked for; then those of the page, to be made */
    size_t found_count, found_capacity, made_at;
    bool making;
    bool expired;
    struct arena document_arena; /* of one document */
    struct search_outcome outcome;
};

/* Is it the asker's home; do these roles suffice for all that the query names? */
bool search_is_owner(const struct search *search, struct text owner);
bool search_roles_do(const struct search *search, unsigned roles);

#endif
