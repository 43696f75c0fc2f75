/* One OPTIONS on its way to those who can answer it: the contacts of a user, or a server of another domain. */
#ifndef CONVERSATION_OPTIONS_PRIVATE_H
#define CONVERSATION_OPTIONS_PRIVATE_H

#include "events_private.h"

/* To another domain, or to a core: which of its servers is asked next. */
struct query_hop {
    struct flow targets[LOCATOR_TARGETS_MAX];
    size_t count, next;
    const char *name; /* that its certificate must hold; NULL: its address */
    struct text address, route;
    bool trusted; /* RFC 3325 §5: with who asks */
};

struct query {
    struct conversation *conversation;
    struct request *request; /* NULL once answered */
    struct arena arena;
    unsigned branches;
    int best;              /* refusal so far; 0: nobody answered */
    int64_t answer_by_ms;  /* monotonic: then silence is an answer, while who asks still waits for one */
    uint64_t hops;         /* of the request */
    struct query_hop *hop; /* NULL: to contacts */
    TAILQ_ENTRY(query) all;
};

struct query *query_new(struct request *request, uint64_t hops);
void query_settle(struct query *query); /* answered and freed when no branch is left */

/* The question without what is meant for this server; NULL: no address, or no route. */
struct sip_message *query_message(const struct query *query, struct text address, struct text route, bool trusted);

/* options_domain.c */
void query_ask_domain(struct request *request, struct text address, uint64_t hops);
void query_ask_core(struct request *request, struct text address, struct text way, uint64_t hops);
bool query_try_next(struct branch *branch); /* another server of the domain; false: there is none, or nobody waits */

#endif
