/* What became of a message, for each recipient; found by message id and by user. im-glue writes, xdms shows. There is a
 * record for each recipient, or one for many who got their copies at once. */
#ifndef FATE_FATE_H
#define FATE_FATE_H

#include "document.h"

#define FATE_STEPS_MAX 64 /* of one record: later ones replace the last but one, so that the end is always there */

enum fate_step_kind {
    FATE_RECEIVED,  /* accepted from the sender */
    FATE_REFUSED,   /* not passed on: detail says which rule or code */
    FATE_SENT,      /* to a contact */
    FATE_DELIVERED, /* a contact answered 2xx */
    FATE_STORED,    /* kept for later */
    FATE_FAILED,    /* an attempt failed: detail says how; others may follow */
    FATE_EXPIRED,
    FATE_DELETED,  /* before it was delivered: detail says by whom */
    FATE_REPORTED, /* a report came (IMDN): detail says what */
    FATE_DISPLAYED /* a report says that it was shown to its recipient */
};

const char *fate_step_name(enum fate_step_kind kind); /* "received" */

struct fate_step {
    enum fate_step_kind kind;
    int64_t when_ms;
    struct text detail; /* for people: "403 rule blocked", "sip:bob@127.0.0.1:5070 200" */
};

struct fate {
    struct text message_id;        /* imdn.Message-ID if there is one, else the Call-ID */
    struct text sender, recipient; /* canonical */
    struct text group;             /* group URI it came through, or empty */
    struct text call_id;           /* of the request received */
    const struct fate_step *steps;
    size_t steps_count;
};

/* The whole record as a commit for document_internal_submit: claims make it findable by sender and by recipient, newest
 * last. All memory is in `arena`. */
struct commit fate_commit(const struct fate *fate, struct arena *arena);

/* A copy with one step more. */
struct fate fate_with(const struct fate *fate, enum fate_step_kind kind, int64_t when_ms, struct text detail,
                      struct arena *arena);

/* The newest, whichever record it is in: two messages may have the same id. */
enum status fate_get(const struct documents *documents, struct text message_id, struct text recipient,
                     struct arena *arena, struct fate *fate_out);
/* The same, of records of one recipient alone. */
enum status fate_get_own(const struct documents *documents, struct text message_id, struct text recipient,
                         struct arena *arena, struct fate *fate_out);

/* --- one record for many recipients ------------------------------------------------------------------------------- */

/* What became of a message for those to whom its copies were handed out at once, when that is known. */
struct fate_fan_out {
    struct text name; /* no other record of its message has it; no blank in it */
    struct text message_id, sender, call_id;
    struct text group; /* of all whose entry has no other */
    int64_t received_ms;
    struct text entries; /* as fate_entry_add made them */
    uint64_t version;    /* over which it is written; VERSION_ABSENT: it is new */
};

/* What became of it for fate->recipient. A first step "received" at the time of all goes without saying. */
void fate_entry_add(struct text_builder *entries, const struct fate_fan_out *fan_out, const struct fate *fate);
struct commit fate_fan_out_commit(const struct fate_fan_out *fan_out, struct arena *arena);
struct commit fate_fan_out_removal(const struct fate_fan_out *fan_out, struct arena *arena);
/* All but what is about one of the recipients. */
struct text fate_entries_without(struct text entries, struct text recipient, struct arena *arena);

/* A report about the message of `fate`, of each kind one: "delivery", "display" or "processing", with its status. It
 * has a record of its own, which is written without a look at the other: they may be on their way at once. */
struct commit fate_report_commit(const struct fate *fate, struct text kind, struct text status, int64_t when_ms,
                                 struct arena *arena);
/* Adds what was reported about it as steps, in the order of time. */
enum status fate_add_reports(const struct documents *documents, struct arena *arena, struct fate *fate);
/* Is there one of that kind, about this message of this sender? NOT_FOUND, FAILED. */
enum status fate_report_get(const struct documents *documents, const struct fate *fate, struct text kind,
                            struct arena *arena, struct text *status_out);

/* --- who was erased ----------------------------------------------------------------------------------------------- */

/* Records are written later than what they tell of: of somebody who was erased in between none may come back. */
struct fate_erasures {
    uint64_t version; /* another whenever one begins or ends; VERSION_ABSENT: there was none ever */
    int64_t last_ms;  /* wall clock: when one began or ended */
    bool running;     /* some have not ended */
};

/* Two looks at most, one if nobody ever was erased. FAILED: everything is in question. */
enum status fate_erasures(const struct documents *documents, struct arena *arena, struct fate_erasures *erasures_out);
/* OK, and nothing is changed, as long as none has begun or ended since: for others to be written only with it. */
struct commit fate_no_erasure_since(const struct fate_erasures *erasures, struct arena *arena);
/* Its sender or its recipient is being erased, or was after it began. Two looks, if it began before the last. */
bool fate_is_erased(const struct documents *documents, const struct fate_erasures *erasures, const struct fate *fate,
                    struct arena *arena);
struct commit fate_no_commit(void); /* instead of its record: OK, and changes nothing */
/* A commit of a fate or of a report that was not carried out: changes nothing any more if it is about somebody who was
 * erased, or if a later record of the same message was written; others as they are. A record for many that has one of
 * them ends in CONFLICT, to be made anew. */
void fate_revise(const struct documents *documents, const struct fate_erasures *erasures, struct arena *arena,
                 struct commit *commit);

#define FATE_ERASURE_COMMITS 2
/* An erasure begins (before it looks for anything) or has ended. */
void fate_note_erasure(struct text address, int64_t when_ms, bool running, struct arena *arena,
                       struct commit commits[FATE_ERASURE_COMMITS]);

/* Records of one message, or the newest of one user (as sender or recipient), oldest first, at most `limit`, with what
 * was reported about them as steps. */
enum status fate_of_message(const struct documents *documents, struct text message_id, size_t limit,
                            struct arena *arena, struct fate **fates_out, size_t *count_out);
enum status fate_of_user(const struct documents *documents, struct text address, size_t limit, struct arena *arena,
                         struct fate **fates_out, size_t *count_out);

/* When it began; 0: not known. */
int64_t fate_first_ms(const struct fate *fate);
/* Those of several reads, in the order of time, and of one time in that of recipients. */
void fate_sort(struct fate *fates, size_t count);

/* Commits that delete records of messages from the user and to the user, at most `limit`, with room for one more; out
 * of records for many only what is about the user goes. */
enum status fate_removals(const struct documents *documents, struct text address, size_t limit, struct text who,
                          struct arena *arena, struct commit **commits_out, size_t *count_out);

#endif
