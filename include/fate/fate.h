/* What became of a message: one record per message and recipient, found by message id and by user. im-glue writes,
 * xdms shows. */
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

enum status fate_get(const struct documents *documents, struct text message_id, struct text recipient,
                     struct arena *arena, struct fate *fate_out);

/* A report about the message of `fate`, of each kind one: "delivery", "display" or "processing", with its status. It
 * has a record of its own, which is written without a look at the other: they may be on their way at once. */
struct commit fate_report_commit(const struct fate *fate, struct text kind, struct text status, int64_t when_ms,
                                 struct arena *arena);
/* Is there one of that kind, about this message of this sender? NOT_FOUND, FAILED. */
enum status fate_report_get(const struct documents *documents, const struct fate *fate, struct text kind,
                            struct arena *arena, struct text *status_out);

/* Records of one message, or the newest of one user (as sender or recipient), oldest first, at most `limit`, with what
 * was reported about them as steps. */
enum status fate_of_message(const struct documents *documents, struct text message_id, size_t limit,
                            struct arena *arena, struct fate **fates_out, size_t *count_out);
enum status fate_of_user(const struct documents *documents, struct text address, size_t limit, struct arena *arena,
                         struct fate **fates_out, size_t *count_out);

/* Commits that delete records of messages from the user and to the user, at most `limit`, with room for one more. */
enum status fate_removals(const struct documents *documents, struct text address, size_t limit, struct text who,
                          struct arena *arena, struct commit **commits_out, size_t *count_out);

#endif
