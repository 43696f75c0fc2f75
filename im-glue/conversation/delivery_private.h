/* One message on its way to one user, whether somebody waits for its outcome or not. */
#ifndef DELIVERY_PRIVATE_H
#define DELIVERY_PRIVATE_H

#include "conversation_private.h"

/* relay.c: the sender waits for what the contacts say */
void relay_begin(struct incoming *incoming, struct served *served, bool may_store);
/* The same for a copy that nobody waits for and nobody keeps; delivery_send sends it. */
struct delivery *relay_new_passing(const struct incoming *incoming, struct served *served, struct fate fate);
void relay_finished(struct delivery *delivery, int status);
void relay_keep(struct delivery *delivery); /* the contact does not answer: keep the message, answer 202 */

/* delivery.c */
struct delivery *delivery_new(struct conversation *conversation, struct served *recipient);
void delivery_free(struct delivery *delivery);
void delivery_send(struct delivery *delivery); /* to every live contact; may finish and free it at once */
/* The same for who has its message read already; NULL: it cannot be read. */
void delivery_send_read(struct delivery *delivery, const struct sip_message *stored);
/* To the same place by a connection instead, where it is too large for datagrams. `contact`: NULL if it is none. */
struct flow delivery_flow_for_size(struct branch *branch, const struct flow *flow, const struct contact *contact);
/* One more request; false: the message cannot go there, which is noted. */
bool delivery_send_branch(struct branch *branch, const struct sip_message *stored, const struct flow *flow);
void delivery_expect_answer(struct delivery *delivery);
void delivery_settle(struct delivery *delivery); /* ends and frees it when nothing is outstanding any more */
void delivery_run_deadlines(struct conversation *conversation);
int64_t delivery_deadline(const struct conversation *conversation);
void delivery_send_to(struct delivery *delivery, const struct sip_message *stored, const struct contact *contact);
void delivery_finish(struct delivery *delivery, int status); /* its outcome is known */

/* delivery_message.c */
struct sip_message *delivery_read(const struct delivery *delivery); /* as stored; NULL: damaged */
/* As this contact gets it: its own Request-URI, no trace of the hops before us. NULL: it cannot go there. */
struct sip_message *delivery_message_for(struct delivery *delivery, const struct sip_message *stored,
                                         const struct branch *branch);
/* What is the same in all copies of a message that are handed out to clients. */
struct copies_pattern {
    struct sip_message *message; /* borrows from the stored one */
    struct text from;            /* up to the tag */
};
/* False: it cannot be. The caller frees the message. */
bool delivery_prepare_copies(const struct sip_message *stored, struct arena *arena, struct copies_pattern *pattern_out);
void delivery_note_sent(struct delivery *delivery, const struct sip_message *message); /* known when it comes back */
/* Is the request what we are sending to that recipient ourselves? NULL: it came to a group or with a list, and we are
 * sending it to anybody as a copy. Somebody else may get it from him: that is a spiral. */
bool delivery_is_ours(struct request *request, const struct served *recipient);
/* …and what it was sent for is to reach him: his rules have been asked. */
bool delivery_is_on_its_last_way(struct request *request, const struct served *recipient);

/* delivery_answer.c */
void delivery_take_response(struct branch *branch, int status);
void delivery_take_final(struct branch *branch, int status); /* nothing else is tried */
void delivery_take_failure(struct branch *branch, enum sip_failure failure);
void delivery_take_refusal(struct branch *branch, int status);
void delivery_note(struct delivery *delivery, enum fate_step_kind kind, struct text contact, int status);
void delivery_note_failed(struct branch *branch, int status);
/* For people: the contact; or the address at another domain, and who is asked there. */
struct text delivery_place(const struct branch *branch);

#endif
