/* Servers that are not this one: of other domains, and the core that this one stands behind. */
#ifndef DOMAINS_PRIVATE_H
#define DOMAINS_PRIVATE_H

#include "conversation_private.h"
#include "uri.h"

/* domain.c: those that are not ours */
bool domain_is_ours(const struct conversation *conversation, struct text domain);
bool domain_is_server(const struct conversation *conversation, const struct uri *uri); /* nobody in it, but itself */
bool domain_is_below(struct text domain, struct text upper); /* "a.example.net" is below "example.net" */
bool domain_is_listed(struct text list, struct text domain);
struct text domain_route(struct text routes, struct text domain);                     /* empty: by DNS */
struct served *domain_served(struct conversation *conversation, struct text address); /* somebody there */
bool domain_has_room(const struct conversation *conversation, const struct domain *domain);
void domain_wait(struct conversation *conversation, struct served *served); /* if his domain has no room */
void domain_enter(struct domain *domain);
void domain_leave(struct conversation *conversation, struct domain *domain);
void domain_run_waiting(struct conversation *conversation); /* those for whom there is room now */
void domain_load(struct conversation *conversation);
void domain_sweep(struct conversation *conversation);
void domain_free_all(struct conversation *conversation);

/* outbound.c: messages to other domains */
bool outbound_allows(const struct conversation *conversation, struct text address);
/* 0: a request of this sender may leave for that domain. */
int outbound_refusal(struct request *request, struct text address, const char **warning_out);
bool outbound_may(struct incoming *incoming, struct text address); /* false: answered and freed */
bool outbound_is_loose(struct text hop);                           /* it is to be asked as a Route */
void outbound_send(struct delivery *delivery, const struct sip_message *stored);
void outbound_search(struct branch *branch, struct text hop); /* sends it when the servers of the hop are known */

/* redirect.c: true if the answer leads to another place, to which the message is on its way. */
bool redirect_follow(struct branch *branch, const struct sip_message *response);
/* What the certificate of that hop must name; NULL: its address. */
const char *outbound_certificate_name(struct text hop, struct arena *arena);
bool outbound_try_again(struct branch *branch); /* the target has failed: another way instead */
void outbound_run(struct conversation *conversation);
void outbound_prepare(const struct delivery *delivery, struct sip_message *message);
int outbound_answer_for(int status);
/* What a refusal says beside its code, for the sender: noted, and put into his answer. */
void outbound_note_answer(struct branch *branch, const struct sip_message *response);
void outbound_add_answer(const struct delivery *delivery, struct sip_message *response);
bool outbound_is_unheard(int status); /* the other domain has said nothing */

/* isc.c: what a core sends here on its way */
void isc_read(struct request *request);
bool isc_is_loop(const struct request *request);
/* True: it is ours for this recipient, and goes on or is refused as a loop. */
bool isc_take_own(struct incoming *incoming, struct served *served);
/* May it go back to the core for this recipient of ours? */
bool isc_goes_back(const struct conversation *conversation, const struct request *request, const struct served *served);
void isc_go_on(struct incoming *incoming, struct text address); /* its sender's turn is over */

/* inbound.c: whom another server speaks for. False: answered and freed. */
bool inbound_take(struct request *request);

#endif
