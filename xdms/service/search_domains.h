/* Searches of other servers: each request goes to some of those that the settings name, side by side, and ends with the
 * last answer or at its deadline. The one file of the service that knows the HTTP library of clients. */
#ifndef SEARCH_DOMAINS_H
#define SEARCH_DOMAINS_H

#include "service.h"

#define DOMAINS_MAX             32          /* servers behind one URL */
#define DOMAIN_ANSWER_BYTES_MAX (8u << 20)  /* SEARCH_BYTES_MAX */
#define DOMAINS_BYTES_MAX       (32u << 20) /* of answers to all requests that still wait for another one */
#define DOMAIN_REQUESTS_MAX     256 /* to all servers at once, a socket each; who needs more has to come again */

/* Says that another server passes it on, and which: nobody passes such a request on again. */
#define SEARCH_HOP "X-XDM-Search-From"

struct search_domains; /* shared by threads; NULL: there are none */

/* "example.org=https://xdm.example.org/xcap-root, …". NULL and a line in `error_out` for what is none; NULL without one
 * for an empty list. */
struct search_domains *search_domains_new(const struct service_search_settings *settings, struct text domain,
                                          struct arena *arena, struct text *error_out);
bool search_domains_good(struct text list, struct arena *arena, struct text *error_out);
void search_domains_free(struct search_domains *domains); /* when all jobs are done */

size_t search_domains_count(const struct search_domains *domains);
struct text search_domains_name(const struct search_domains *domains, size_t index);

/* One server's answer to a job. */
struct domain_answer {
    size_t domain;       /* index */
    size_t skip;         /* of the page that is asked for, taken already */
    struct text after;   /* which page: empty for the first */
    struct text next;    /* page behind it; empty: none */
    bool cut;            /* there is one, but nobody here knows how to ask for it */
    struct text body;    /* of a 200 */
    struct text missing; /* why there is none; empty: there is one */
    /* private */
    struct domain_job *job;
    void *headers;
    struct text_builder received;
    bool too_long;
    char reason[256]; /* CURL_ERROR_SIZE */
};

struct domain_job {
    struct text query; /* of the request target: "target=…" */
    struct text body, type;
    struct text asker;             /* canonical: told as X-XCAP-Asserted-Identity */
    struct domain_answer *answers; /* of the domains that are asked: `domain` is filled in */
    size_t count;
    struct arena *arena;         /* the job's alone until `done` */
    void (*done)(void *context); /* on a thread of the domains; the job may be gone after it */
    void *context;
    /* private */
    struct search_domains *domains;
    size_t waiting, bytes;
    struct domain_job *next;
};

/* False: too many wait. */
bool search_domains_ask(struct search_domains *domains, struct domain_job *job);

#endif
