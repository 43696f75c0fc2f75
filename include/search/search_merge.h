/* What several servers found, put together page by page: each server tells what it has in its own order, a page takes
 * from the front of each, and what was not taken is asked for again. Knows nothing of how servers are reached. */
#ifndef SEARCH_SEARCH_MERGE_H
#define SEARCH_SEARCH_MERGE_H

#include "search_match.h"

#define SEARCH_SOURCES_MAX     33     /* this server, and DOMAINS_MAX others */
#define SEARCH_ANSWER_TAGS_MAX 200000 /* of another server: its tree takes some 20 MiB */
#define SEARCH_PLACE_BYTES_MAX 4096   /* `after` of one server: two parts of a key, escaped, fit */
#define SEARCH_PLACE_SKIPS_MAX 100000 /* more than any page holds */

/* Where a server is gone on with: its page behind `after` (empty: its first), without the first `skip` of what is on
 * it. */
struct search_place {
    struct text name; /* "home", or a domain */
    size_t skip;
    struct text after;
};

/* "home:2:,example.org:0:sip%3Acarol…", as it stands in a request target. False: it is none, or names more than
 * `places_max` or one twice. */
bool search_places_read(struct text written, struct arena *arena, struct search_place *places, size_t places_max,
                        size_t *count_out);
void search_place_write(struct text_builder *places, const struct search_place *place);

struct search_merge; /* all in `arena` */

/* Sources are numbered from 0: of two equal ones the first comes first. NULL for `query`: no order is known, so one
 * source comes after the other. */
struct search_merge *search_merge_new(const struct search_query *query, size_t sources, struct arena *arena);

/* What a source found, one after another, from the start of its page. */
void search_merge_add(struct search_merge *merge, size_t source, struct text made);

/* All that stands in the body of its answer; false: it is no answer. */
bool search_merge_answer(struct search_merge *merge, size_t source, struct text body);

/* Whose page it is: what was taken from it already, and whether there is another page behind it. */
void search_merge_place(struct search_merge *merge, size_t source, size_t skip, bool more);

/* In the order of the query, as far as what it orders by is among what is returned; of what several sources have that
 * of the first. Ends at `results_max`, at SEARCH_BYTES_MAX, and where a source has told all of its page and has more:
 * what it tells next may come before what the others have. */
size_t search_merge_results(struct search_merge *merge, size_t results_max, const struct text **results_out);

/* After that: how many from the start of its page have been taken, those of pages before included. */
size_t search_merge_taken(const struct search_merge *merge, size_t source);
size_t search_merge_given(const struct search_merge *merge, size_t source);

#endif
