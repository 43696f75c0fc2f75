/* Searches of both ports: run in slices beside the workers, so that none of these is held by one. */
#ifndef SERVICE_SEARCH_H
#define SERVICE_SEARCH_H

#include "search_domains.h"
#include "search_merge.h"
#include "search_run.h"
#include "service_own.h"

#define SEARCHER_THREADS     2 /* half of the work of a small machine at most; each search has its turn after a slice */
#define SEARCH_US_MAX        30000000 /* unless settings say otherwise: a client waits no longer */
#define SEARCHES_WAITING_MAX 256      /* of all clients; more are asked to come again */

struct searchers; /* threads and those that wait for them */

struct search_task {
    struct search *search;
    struct http_request *request; /* resumed when the search has ended */
    bool handed, ended;
    int64_t began_us;
    struct search_task *next; /* the searchers' */
};

struct searchers *searchers_new(int64_t us_max);  /* for one search, with what it waits for others */
void searchers_free(struct searchers *searchers); /* after those that were taken */

/* The first slice is run here; most searches end in it. HTTP_WAITING: the rest is run by others, call again when
 * resumed. REFUSED: too many wait. */
enum status search_task_run(struct searchers *searchers, struct search_task *task, enum http_progress *progress_out,
                            struct refusal *refusal);

/* What lies in the arena of a request for a search. */
struct search_call {
    struct search_task task;
    struct search_order order; /* at home: what all others are asked, too */
    struct text id;
    bool home;             /* this server is searched */
    size_t home_skip;      /* of the page, taken already */
    struct domain_job job; /* others: none if its count is 0 */
    bool asked;
    bool merged; /* what is found comes in pages of several servers, even if one alone is left */
};

/* search_answer.c: of a search that has ended, here and everywhere. */
void search_answer(struct xcap_call *call, struct search_call *search, struct http_response *response);

/* Those that an answer has even if it is an error. */
void search_answer_headers(const struct xcap_call *call, const struct search_call *search,
                           const struct search_outcome *outcome, struct http_response *response);

/* search_peers.c. NULL without a list; `error_out`: what is none. */
struct search_peers *search_peers_new(struct text list, struct text own, struct arena *arena, struct text *error_out);

/* Who asks, when a server of search.peers passes on a search. NOT_FOUND: none does; look at it as at any request. */
enum status search_peer_identify(const struct service *service, const struct http_request *request,
                                 struct requester *requester_out, struct refusal *refusal);

struct search_limits service_search_limits(const struct service *service);

/* Value of "name=value" in a raw query, as it stands there; NULL bytes: it is not there. */
struct text service_raw_parameter(struct text query, const char *name);

/* The same, percent-decoded. False: it is not there, or no UTF-8 without NUL. */
bool service_parameter(struct arena *arena, struct text query, const char *name, struct text *value_out);

/* A request for a usage as such, named by its AUID alone (usage_post). False: it is none. */
bool xcap_post_find(struct xcap_call *call);
enum status xcap_post_admit(struct xcap_call *call, struct refusal *refusal);
enum status xcap_post(struct xcap_call *call, struct http_response *response, enum http_progress *progress_out,
                      struct refusal *refusal);

#endif
