/* Searches among the documents of a usage: what the manifest lets be found (usage_search.h), as far as the asker may
 * see it. A search is run in slices, so that none keeps a thread, and each reading of the store is a page. It knows no
 * protocol. */
#ifndef SEARCH_SEARCH_RUN_H
#define SEARCH_SEARCH_RUN_H

#include "document.h"

struct search_asker {
    const struct text *identities; /* canonical; the first is the address of record, whose home is his */
    size_t identities_count;
    unsigned roles;  /* USAGE_ROLE_BIT */
    bool everything; /* asks for the operator: finds what nobody else may find, too */
};

/* What one search may cost; whoever needs more is told so. */
struct search_limits {
    size_t documents_max; /* that are read */
    uint64_t work_max;    /* nodes of documents and comparisons */
    size_t results_max;   /* of one page, whatever is asked for */
};

#define SEARCH_SORTED_MAX     10000      /* that are found and put in order: all are kept until the last is found */
#define SEARCH_CANDIDATES_MAX 20000      /* that an index may lead to; more, and it is no help */
#define SEARCH_BYTES_MAX      (8u << 20) /* of all results of a page, and of keys to sort by */
#define SEARCH_SLICE          64         /* documents after which a search lets others go first */

#define SEARCH_LIMITS_STANDARD ((struct search_limits){20000, 20000000, 1000})

/* All texts live as long as the search. */
struct search_order {
    struct text target; /* "<auid>/users/", "<auid>/users/<xui>/", "<auid>/global/" */
    struct text query;
    size_t results_max; /* 0: as many as may be */
    struct text after;  /* `next` of the page before; empty: from the start */
    struct search_asker asker;
    struct search_limits limits;
};

/* Usages and documents are those in force: the caller has entered (documents_enter) until it lets go of the search. */
struct search;

/* REFUSED: 400 for a target that is none, 404 for an unknown usage and one where nothing can be searched, 403, and 409
 * constraint-failure for what is wrong with the query, its place included. FAILED. */
enum status search_new(const struct documents *documents, const struct search_order *order, struct arena *arena,
                       struct search **search_out, struct refusal *refusal);

enum search_progress { SEARCH_ENDED, SEARCH_GOES_ON };

/* Goes on for about so many documents. What has ended is not called again. */
enum search_progress search_run(struct search *search, size_t documents);

/* Its time is over: the next search_run ends it before the next document, as any limit does. */
void search_expire(struct search *search);

struct search_outcome {
    enum status status;         /* OK, REFUSED: a limit was met, see `refusal`; FAILED */
    struct refusal refusal;     /* 409 constraint-failure: what the query may cost */
    const struct text *results; /* elements as search_make writes them, in an element of SEARCH_NAMESPACE */
    size_t results_count;
    struct text next; /* there may be more: `after` of the next page. Also of a search that met a limit, if it can be
                         carried on from there */
    bool indexed;     /* documents were found by an index or in one home alone; else they were read one after another */
    size_t documents; /* that were read */
};

const struct search_outcome *search_outcome(const struct search *search); /* of one that has ended */
void search_free(struct search *search); /* at any time, before its arena goes; NULL: nothing */

#define SEARCH_NAMESPACE "urn:oma:xml:xdm:search"

#endif
