/* What is kept for users beside their way: their histories, what they ask for of what is kept, what they are told of
 * it, and what xdms wants of it. A part of conversation_private.h. */
#ifndef CONVERSATION_KEPT_PRIVATE_H
#define CONVERSATION_KEPT_PRIVATE_H

#include "conversation_private.h"

/* recheck.c: may he still get what was kept for him? REFUSED: a rule of his blocks its sender by now. FAILED: his rules
 * cannot be read. `stored`: the message. */
enum status recheck_rules(struct delivery *delivery, const struct sip_message *stored, struct text *rule_out);

/* deferral.c, displaced.c: room for what comes */
/* What there is too much of if that comes, for one and for all; false: it can be read and nothing is. */
struct deferral_excess {
    uint64_t count, bytes;
    bool ever; /* it is too large whatever goes */
};
bool deferral_exceeds(struct conversation *conversation, const struct served *served, size_t bytes,
                      struct deferral_excess *excess_out);
/* The same where it is known how much waits for him, and for all. */
bool deferral_excess_of(const struct conversation *conversation, const struct served *served,
                        const struct deferred_figures *his, const struct deferred_figures *all, size_t bytes,
                        struct deferral_excess *excess_out);
/* displaced.c: the same as deferral_has_room, where the oldest give way if the house wants so. */
bool deferral_make_room(struct conversation *conversation, struct served *served, size_t bytes);

/* recording.c: histories of those who ask for one */
#define RECORDING_COMMITS 3 /* most that is added to one work: a message and two entries */
bool recording_is_asked(const struct conversation *conversation, const struct served *served);
void recording_add_sent(struct work *work, const struct incoming *incoming, struct text group); /* accepted */
void recording_add_relayed(struct work *work, const struct delivery *delivery);  /* the sender's, of what is to one */
void recording_add_received(struct work *work, const struct delivery *delivery); /* a contact took it */
void recording_done(struct conversation *conversation, const struct work *work); /* what it wrote is on disk */
void recording_trim(struct conversation *conversation, struct served *served);   /* keeps he too much? */
void recording_sweep(struct conversation *conversation);                         /* what is over */

/* summary_event.c: how much waits is told to whom it waits for */
void summary_changed(struct conversation *conversation, struct text address);
void summary_written(struct conversation *conversation, const struct work *work); /* it may have changed that */
void summary_came(struct conversation *conversation, struct served *served);      /* he was not there before */
void summary_run_deadlines(struct conversation *conversation);
int64_t summary_deadline(const struct conversation *conversation);

/* services.c: the addresses at which users ask for what is kept for them */
bool services_are(const struct conversation *conversation, struct text target);
void services_receive(struct request *request, struct text target); /* a MESSAGE; its sender is known */

/* looks.c */
void looks_run(struct conversation *conversation);
int64_t looks_deadline(const struct conversation *conversation);

#endif
