/* One message for many: who is to get it, what is stored of that, and copies that are handed out at once. */
#ifndef HANDOUT_PRIVATE_H
#define HANDOUT_PRIVATE_H

#include "conversation_private.h"

/* fan_out.c: one message for many */
struct fan_out {
    struct incoming *incoming;
    struct text address; /* of the group or of the exploder */
    struct work *work;
    struct planned *planned;
    struct deferred_figures all; /* what waits for anybody; read once */
    bool all_known;
};

/* False: too much for memory; answered and freed. */
bool fan_out_begin(struct fan_out *fan_out, struct incoming *incoming, struct text address, size_t recipients);
/* `entry`: what his entry of a list says beside his address, as entry_adapt takes it; may be empty. */
void fan_out_add(struct fan_out *fan_out, struct text group, struct text recipient, struct text entry);
void fan_out_note(struct fan_out *fan_out, struct text group, struct text recipient, enum fate_step_kind kind,
                  struct text detail);
void fan_out_end(struct fan_out *fan_out); /* the sender hears of it when all is on disk */

/* entry.c: what the URI of an entry of a list says beside whom it means. `entry`: the URI and its header fields, a '?'
 * between them. False: there is nothing to be said to this recipient alone; else the message as he gets it, in the
 * arena of the request. */
bool entry_says_more(struct text uri, struct text headers);
bool entry_adapt(const struct incoming *incoming, struct text entry, struct incoming *own_out);

/* acceptance.c: copies and records that must be on disk before the sender hears 202 */
struct work *acceptance_new(struct incoming *incoming, size_t recipients);
void acceptance_add_copy(struct work *work, const struct incoming *incoming, struct served *served, struct fate fate,
                         bool may_store);
/* A copy that is worth nothing later: never kept, and on its way when the sender has his answer. */
void acceptance_add_passing(struct work *work, const struct incoming *incoming, struct served *served,
                            struct fate fate);
/* A copy for who is there, out of one fan-out record for all of them. */
void acceptance_hand_out(struct work *work, const struct incoming *incoming, struct served *served, struct text group,
                         bool may_store);
void acceptance_add_record(struct work *work, struct fate fate, enum fate_step_kind kind, struct text detail);
void acceptance_note_failed(struct work *work,
                            struct text recipient); /* he does not get it; his sender may want to know */
void acceptance_submit(struct work *work, const struct incoming *incoming, struct text group); /* empty: to one user */

/* --- copies of one message that are handed out to many at once, out of one fan-out record (deferred.h) --------------
 * In memory each knows what became of it; both records are written once, when all are known. */

#define HANDOUT_MS         1000 /* who has not answered by then gets a record of his own; a kill doubles what others took */
#define HANDOUT_COPIES_MAX 1000  /* of one record, which has some 40 bytes for each; more are handed out by several */
#define HANDOUT_BEHIND_MAX 16    /* copies for one user at once; what comes then is kept for him as any other */
#define HANDOUT_BYTES      16384 /* of a copy in memory beside its message: the parsed one, branches, its fate */
#define HANDOUT_INLINE_MAX 32    /* copies whose record has the bytes in it, as each record of their own would */
#define HANDOUT_COMMITS    1     /* that one adds to an acceptance */

enum copy_state {
    COPY_WAITS, /* for the disk, or for the one before it */
    COPY_SENT,
    COPY_KEPT, /* nobody takes it now: it is to have a record of its own */
    COPY_ENDED /* taken, refused for good, or has its own */
};

struct handout_copy {
    struct handout *handout;
    struct served *served;
    struct delivery *delivery; /* while it is sent */
    struct text group;
    enum copy_state state;
    bool once;
    bool tried, choosy;   /* it was sent, and no contact took it; …or it is only this one that none takes */
    int status;           /* of that; of what is refused */
    bool told;            /* refused, and its sender is to hear it */
    bool storing;         /* its own record is on its way to the disk */
    bool answered;        /* …and all is known meanwhile, with `status` */
    struct fate fate;     /* unless it is sent */
    struct deferred *own; /* its own record; NULL: not made yet */
    size_t commit;        /* while it is stored: its place in the work */
    TAILQ_ENTRY(handout_copy) entry; /* of one user, in the order of their arrival; until it ends */
};

/* Messages of one id that are handed out now: several if it has many recipients, or its sender uses one id twice. */
struct handed_id {
    UT_hash_handle hh;
    char *key;
    TAILQ_HEAD(handed_list, handout) handouts;
};

struct handout {
    struct conversation *conversation;
    struct arena arena;
    struct deferred_fan_out record;
    struct fate_fan_out trace;
    struct text_builder entries; /* of the trace: those who took it, or refused it for good */
    struct text message;
    struct sip_message *read;       /* the same; NULL: not yet */
    struct copies_pattern *pattern; /* of it; NULL: not made yet, or cannot be */
    enum message_content content;
    struct fate_step received;
    struct handout_copy *copies;
    size_t count, open;                 /* open: waits or is sent */
    bool accepted;                      /* the record is on the disk */
    bool traced, erased;                /* the trace is as it shall be; the record is gone */
    bool ending;                        /* that is on its way to the disk */
    size_t trace_commit, record_commit; /* while it is: their places in that work; the second also in the acceptance */
    struct handed_id *id;
    TAILQ_ENTRY(handout) same; /* of one message id, the oldest first */
    int64_t settle_at_ms;      /* monotonic; 0: not in the list of those that may have to be settled */
    TAILQ_ENTRY(handout) due, all;
    struct handout *next; /* of those that end in one work */
};

/* handout.c */
/* May this copy be handed out so? Else it gets a record of its own at once. `his`: what waits for him. */
bool handout_may_take(struct conversation *conversation, const struct incoming *incoming, const struct served *served,
                      const struct deferred_figures *his);
struct handout *handout_new(const struct incoming *incoming, struct text group, size_t copies_max);
void handout_add(struct handout *handout, struct served *served, struct text group, bool once);
/* What must be on the disk before it is accepted. `content`: the name of its bytes; empty: they are `message`. `with`:
 * these bytes, if they are in the same work. */
void handout_add_commits(struct work *work, struct handout *handout, struct text content, struct text message,
                         const struct commit *with);
/* It is on the disk: off they go. `read` is the message, owned from now on. */
void handout_begin(struct handout *handout, const struct work *work, struct sip_message *read);
/* It was not accepted: what may be on the disk is taken back, with a trace of why. Frees it. */
void handout_take_back(struct work *work, struct handout *handout);
void handout_delivery_finished(struct delivery *delivery, int status);
void handout_free(struct handout *handout);
void handout_free_all(struct conversation *conversation);

/* What becomes of the newest message of that id to that recipient that is handed out now, as far as its trace will
 * begin: false if there is none. */
bool handout_fate(const struct conversation *conversation, struct text message_id, struct text recipient,
                  struct fate *fate_out);
/* How many have got or will get theirs of it; `others`: recipients of its traces so far, of whom those are left out who
 * are among them. */
size_t handout_recipients(const struct conversation *conversation, struct text message_id, struct fate *others,
                          size_t *others_count);

/* What its copies for clients are made of; NULL: each is made of the message itself. */
const struct copies_pattern *handout_pattern(const struct handout_copy *copy);

void handout_leave(struct handout_copy *copy);    /* it has ended: the next one of its user may go */
void handout_keep_waiting(struct served *served); /* what waits for him in memory comes after what is kept for him */
void handout_detach(struct delivery *delivery);   /* it outlives its copy */

/* handout_ids.c */
void handout_enter(struct handout *handout);
void handout_depart(struct handout *handout);

/* handout_end.c */
#define HANDOUT_END_COMMITS (1 + DEFERRED_END_COMMITS)
void handout_rest(struct handout *handout); /* all is known of it */
void handout_expect(struct handout *handout);
void handout_run_deadlines(struct conversation *conversation);
int64_t handout_deadline(const struct conversation *conversation);
void handout_settle_all(
    struct conversation *conversation); /* what is known of all that are on their way goes to the disk */
/* What ends it, after those copies have their own records (`with`: the last; NULL: none). */
void handout_add_end(struct work *work, struct handout *handout, const struct commit *with);
void handout_ended(struct handout *handout, const struct work *work); /* may free it */

/* handout_load.c: what a server that died has left gets records of its own. */
void handout_load(struct conversation *conversation);

#endif
