/* What the files of searches in other domains share. */
#ifndef SEARCH_DOMAINS_OWN_H
#define SEARCH_DOMAINS_OWN_H

#include <pthread.h>

#include "metrics.h"
#include "search_domains.h"

/* How a request ended: also what is counted. */
enum domain_end {
    DOMAIN_ANSWERED,
    DOMAIN_LATE,
    DOMAIN_UNREACHABLE,
    DOMAIN_UNTRUSTED,
    DOMAIN_REFUSED,
    DOMAIN_TOO_LONG,
    DOMAIN_ENDS
};

struct domain {
    struct text name, url;
    bool fails; /* has been told in the log */
};

struct search_domains {
    struct arena arena;
    struct domain list[DOMAINS_MAX];
    size_t count;
    struct text own; /* our domain */
    int64_t ms_max;
    char *server_ca, *certificate, *key; /* NULL: none */
    bool unverified;
    struct metric *ends[DOMAIN_ENDS];
    size_t bytes; /* of all answers that are kept */
    void *multi;  /* of the HTTP library */
    pthread_t thread;
    pthread_mutex_t lock; /* for what follows */
    struct domain_job *first;
    size_t requests;
    bool closing;
};

/* search_domains_list.c. False: a line in `error_out`. */
bool search_domains_read(struct search_domains *domains, struct text list, struct arena *arena, struct text *error_out);

/* search_domains_told.c: to the asker, who waits for it, in the log and in metrics. */
void search_domains_register(struct search_domains *domains);
void search_domains_tell(struct search_domains *domains, struct domain_answer *answer, enum domain_end end,
                         long status);

#endif
