/* Searches of both ports: run in slices beside the workers, so that none of these is held by one. */
#ifndef SERVICE_SEARCH_H
#define SERVICE_SEARCH_H

#include "search_domains.h"
#include "search_match.h"
#include "search_run.h"
#include "service_own.h"

#define SEARCHER_THREADS     2 /* half of the work of a small machine at most; each search has its turn after a slice */
#define SEARCHES_WAITING_MAX 256 /* of all clients; more are asked to come again */

struct searchers; /* threads and those that wait for them */

struct search_task {
    struct search *search;
    struct http_request *request; /* resumed when the search has ended */
    bool handed, ended;
    struct search_task *next; /* the searchers' */
};

struct searchers *searchers_new(void);
void searchers_free(struct searchers *searchers); /* after those that were taken */

/* The first slice is run here; most searches end in it. HTTP_WAITING: the rest is run by others, call again when
 * resumed. REFUSED: too many wait. */
enum status search_task_run(struct searchers *searchers, struct search_task *task, enum http_progress *progress_out,
                            struct refusal *refusal);

/* search_merge.c: what several servers found, put together. */
struct search_merge;
struct search_merge *search_merge_new(const struct search_query *query, struct arena *arena); /* NULL: no order */
void search_merge_add(struct search_merge *merge, struct text made);    /* of the server before those that answer */
bool search_merge_answer(struct search_merge *merge, struct text body); /* of the next one; false: it is no answer */
size_t search_merge_results(struct search_merge *merge, size_t results_max, const struct text **results_out);

/* search_peers.c. NULL without a list; `error_out`: what is none. */
struct search_peers *search_peers_new(struct text list, struct text own, struct arena *arena, struct text *error_out);

/* Who asks, when a server of search.peers passes on a search. NOT_FOUND: none does; look at it as at any request. */
enum status search_peer_identify(const struct service *service, const struct http_request *request,
                                 struct requester *requester_out, struct refusal *refusal);

struct search_limits service_search_limits(const struct service *service);

/* Value of "name=value" in a raw query, percent-decoded. False: it is not there, or no UTF-8 without NUL. */
bool service_parameter(struct arena *arena, struct text query, const char *name, struct text *value_out);

/* A request for a usage as such, named by its AUID alone (usage_post). False: it is none. */
bool xcap_post_find(struct xcap_call *call);
enum status xcap_post_admit(struct xcap_call *call, struct refusal *refusal);
enum status xcap_post(struct xcap_call *call, struct http_response *response, enum http_progress *progress_out,
                      struct refusal *refusal);

#endif
