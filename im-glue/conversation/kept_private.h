/* What is kept for users: the messages that wait for them, one after another, until they are handed over or end, their
 * histories, what they ask for of that, what they are told of it, and what xdms wants of it. */
#ifndef KEPT_PRIVATE_H
#define KEPT_PRIVATE_H

#include "conversation_private.h"

/* deferral.c: records of what is kept */
#define DEFERRAL_COMMITS 2 /* a record, and bytes that are not in it, before the first of them */
struct deferred deferral_of(const struct incoming *incoming, const struct fate *fate);
/* In two steps, for what is seldom kept: without From and To as people read them, and those. */
struct deferred deferral_unnamed(const struct incoming *incoming, const struct fate *fate);
void deferral_name(struct deferred *deferred, struct request *request, struct arena *arena);
/* Of one that the server itself makes: what became of other messages. */
struct deferred deferral_of_report(const struct conversation *conversation, const struct fate *fate, size_t size);
/* Adds the record to the work, and before the first one of a message its bytes: `content` is empty then, or NULL where
 * nobody else gets the same. Gives the place of the record in the work. The arena of the work has the names. */
size_t deferral_add(struct work *work, struct served *served, struct deferred *deferred, struct text message,
                    struct text *content);
void deferral_remove(struct work *work, const struct deferred *deferred); /* whatever became of it */
void deferral_arrived(struct served *served, size_t bytes); /* what was added is on the disk, or will never be */
uint64_t deferral_order(struct conversation *conversation);
bool deferral_has_room(struct conversation *conversation, const struct served *served, size_t bytes);
/* The queue of his in which it stands, where the house says whether urgent ones come first. */
enum deferred_priority deferral_place(const struct conversation *conversation, enum deferred_priority priority);
void deferral_cut_lifetime(const struct served *served, struct deferred *deferred); /* to what his account says */
struct deferred deferral_copy(const struct deferred *deferred, struct arena *arena);
/* So many wait for him; false: others, or not readable. */
bool deferral_holds(struct conversation *conversation, const struct served *served, uint64_t count);
bool deferral_is_empty(struct conversation *conversation, const struct served *served); /* false: or not readable */
void deferral_refuse(struct incoming *incoming, struct text recipient); /* for lack of room; answered and freed */

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

/* queue.c: stored messages of one user, one after another */
/* The trace of it, with the steps so far, in the arena. */
struct fate queue_fate(struct conversation *conversation, const struct deferred *deferred, struct arena *arena);
/* Is it handed over without being fetched, as much as waits now? */
bool queue_hands_over(struct conversation *conversation, const struct served *served, const struct deferred *deferred);
bool queue_hands_over_all(struct conversation *conversation, const struct served *served); /* whatever it is */
void queue_flush(struct conversation *conversation, struct served *served); /* does nothing while one is on its way */
/* The same when a message has just been stored: what is known of it need not be read. */
struct fresh {
    struct deferred deferred; /* with the version of its record */
    struct text message;
    const struct sip_message *read; /* the message */
};
void queue_flush_fresh(struct conversation *conversation, struct served *served, const struct fresh *fresh);
void queue_handed_out(struct conversation *conversation,
                      struct served *served); /* nothing is any more, as handout.c does it */
void queue_pass_over(struct served *served, struct text reference);
void queue_registered(struct conversation *conversation, struct served *served); /* there is a new way to him */
void queue_run_waiting(struct conversation *conversation);                       /* those for whom there is room now */

/* queue_end.c: what becomes of them */
#define QUEUE_EXPIRED 700 /* instead of a contact's status */
#define QUEUE_GONE    701 /* likewise: it has ended already */
void queue_delivery_finished(struct delivery *delivery, int status);
void queue_count_attempt(int status, bool keep);
bool queue_is_away(int status);       /* does a contact that says so, or nothing, count as gone? */
bool queue_may_try_again(int status); /* would the same message find the user later? */

void queue_trace_late(struct conversation *conversation, const struct deferred *delivered); /* it had ended */

/* queue_taken.c: what a contact took, until its end is on the disk */
bool queue_takes_late(const struct delivery *delivery, int status); /* does nobody wait for that end? */
void queue_take_late(struct delivery *delivery);
bool queue_is_taken(const struct served *served, struct text reference);
/* Too many of them: the queue goes on when some are on the disk. */
bool queue_taken_is_full(struct conversation *conversation, struct served *served);
/* Of `count` records of his, as the store says: are some not among them? */
bool queue_has_others(struct conversation *conversation, const struct served *served, uint64_t count);
void queue_taken_ended(struct conversation *conversation, const struct work *records);
/* Those whose end the disk did not take, once more. */
int64_t queue_taken_deadline(const struct conversation *conversation);
void queue_taken_run(struct conversation *conversation);
void queue_taken_stop(struct conversation *conversation); /* at once, and for the last time */
void queue_taken_drop(struct conversation *conversation);
/* Where his queue is read from: behind what was taken, or passed over. */
struct text queue_from(const struct served *served);
void queue_note_taken_to(struct served *served, struct text reference);
void queue_note_arrival(struct served *served, struct text reference); /* perhaps before that */
void queue_rewind(struct served *served);                              /* from the first */

/* queue_retry.c: what could not be handed over is tried again */
void queue_plan_retry(struct conversation *conversation, struct served *served);
void queue_forget_retry(struct conversation *conversation, struct served *served);
void queue_run_deadlines(struct conversation *conversation);
int64_t queue_deadline(const struct conversation *conversation);

/* recheck.c: may he still get what was kept for him? REFUSED: a rule of his blocks its sender by now. FAILED: his rules
 * cannot be read. `stored`: the message. */
enum status recheck_rules(struct delivery *delivery, const struct sip_message *stored, struct text *rule_out);

/* expiry.c: what ends though nobody comes, and who is told */
void expiry_run(struct conversation *conversation);
void expiry_note(struct conversation *conversation, int64_t expires_ms); /* something expires then */
void expiry_note_ended(struct conversation *conversation);               /* somebody is to be told */
int64_t expiry_deadline(const struct conversation *conversation);
void expiry_sweep(struct conversation *conversation);

/* ended.c: tells senders of messages that were not delivered, if they asked for it; see expiry.c */
#define ENDED_PAGE    100 /* in one transaction */
#define ENDED_COMMITS 4   /* most that is added for one */
/* What is added to the work is committed together with the removal of the records. */
void ended_tell(struct work *work, const struct deferred *items, size_t count);
/* What has to be on the disk before the record of that end may go; NULL: nothing. */
const struct commit *ended_report(const struct work *work, const struct deferred *item);
void ended_told(const struct work *work);

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
