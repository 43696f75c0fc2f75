/* Messages that wait for their recipients. The bytes of a message are kept once, whoever it is for; each recipient has
 * a small record of his own, found by him, by the time it expires, and counted with no walk over what is counted.
 * im-glue stores, delivers and lets expire; xdms shows what waits and erases it for its owner. Knows nothing of SIP. */
#ifndef DEFERRED_DEFERRED_H
#define DEFERRED_DEFERRED_H

#include "document.h"

struct fate;

#define DEFERRED_ERROR_MAX 256 /* bytes: a line for people; what peers wrote may be in it */

enum deferred_kind {
    DEFERRED_PAGER,   /* one MESSAGE */
    DEFERRED_LARGE,   /* too large for one: a session of its own */
    DEFERRED_SESSION, /* out of a session with its recipient */
    DEFERRED_REPORT,  /* tells what became of another message (IMDN) */
    DEFERRED_KINDS
};

enum deferred_priority { DEFERRED_URGENT, DEFERRED_NORMAL, DEFERRED_NOT_URGENT, DEFERRED_PRIORITIES };

enum deferred_outcome {
    DEFERRED_WAITING,
    DEFERRED_DELIVERED,
    DEFERRED_EXPIRED,
    DEFERRED_DELETED,   /* by its owner or an admin */
    DEFERRED_REFUSED,   /* by his clients, for good */
    DEFERRED_DISPLACED, /* gave way to newer ones */
    DEFERRED_OUTCOMES
};

const char *deferred_kind_name(enum deferred_kind kind);             /* "pager" */
const char *deferred_priority_name(enum deferred_priority priority); /* "urgent" */
const char *deferred_outcome_name(enum deferred_outcome outcome);    /* "expired" */

/* One message for one recipient. */
struct deferred {
    struct text owner;     /* canonical address of the recipient */
    struct text reference; /* "history-reference": nobody guesses it; in byte order of delivery */
    struct text content; /* where its bytes are, shared with the copies of others; empty: in the record, as `message` */
    struct text message; /* deferred_message_get gives the bytes, wherever they are */
    struct text message_id, call_id, sender, group;
    struct text group_name; /* as the group was called then; may be empty */
    struct text from, to;   /* as its recipient sees them, also where its sender is anonymous; may be empty */
    struct text route;      /* that reports about it take, as its sender wrote it (IMDN-Record-Route); may be empty */
    struct text subject, type; /* as its sender wrote them; may be empty */
    uint64_t size;             /* bytes of the whole message */
    enum deferred_kind kind;
    enum deferred_priority priority;
    int64_t received_ms, expires_ms; /* wall clock */
    bool away;                       /* came while its owner was not there: waits for him to fetch it if he wants so */
    bool once;                       /* its owner wants nothing kept: it is on its way to him, for one try */
    bool again;                      /* out of its owner's history, where it is not kept a second time */
    bool plain_trace;  /* its trace says that it came and, if he was `away`, that it was kept, and no more */
    bool told;         /* somebody is to be told if it is not delivered: deferred_ended has it then */
    unsigned tries;    /* to deliver it, in vain so far */
    int64_t tried_ms;  /* the last; 0: none */
    struct text error; /* of that, or why it ended; empty: none */
    enum deferred_outcome outcome; /* DEFERRED_WAITING until it has ended */
    int64_t ended_ms;
    uint64_t version; /* of the record that was read */
};

/* --- what im-glue writes ----------------------------------------------------------------------------------------- */

/* Numbers that grow with the clock and never repeat in a process: `last` is the one before. */
uint64_t deferred_order(uint64_t last, int64_t wall_ms);
struct text deferred_content_name(uint64_t order, struct arena *arena);
struct text deferred_reference(uint64_t order, enum deferred_priority priority, struct arena *arena);

/* The bytes of one message, and the record of one recipient: to be committed together, records as often as there are
 * recipients. What is for one alone and not longer than this has its bytes in the record. A record with a version is
 * written only over that version. */
#define DEFERRED_INLINE_MAX                                                                                            \
    1300 /* bytes: what SIP sends in a datagram, so nearly all; fits a page with what else is there */
struct commit deferred_content_commit(struct text content, struct text bytes, struct arena *arena);
struct commit deferred_commit(const struct deferred *deferred, struct arena *arena);

/* Writes nothing: OK as long as the record is as it was read or written last, CONFLICT else. For what is to be written
 * only then (only_with). */
struct commit deferred_unchanged(const struct deferred *deferred, struct arena *arena);

/* What its trace says as long as it is plain: it need be neither read nor there. */
#define DEFERRED_AWAY "recipient is away" /* why a message was kept */
void deferred_plain_trace(const struct deferred *deferred, struct arena *arena, struct fate *trace_out);

/* A try that failed, which its trace tells; the copy is to be committed. */
struct deferred deferred_tried(const struct deferred *deferred, struct text error, int64_t now_ms, struct arena *arena);

/* What ends it: the record goes or, with `told`, stays as one that has ended until deferred_forget, for whatever
 * outcome but DEFERRED_DELIVERED; its bytes go with the last record. All are to be committed together. CONFLICT of the
 * first: it changed or ended meanwhile, and nothing happened. */
#define DEFERRED_END_COMMITS 2
size_t deferred_end(const struct deferred *deferred, enum deferred_outcome outcome, struct text error, int64_t now_ms,
                    struct arena *arena, struct commit commits[DEFERRED_END_COMMITS]);

/* For monitoring (im_deferred_ended_total): counts those of the commits that have ended a record, now that their
 * results are known. Whoever commits an end calls it, so that each is counted once, by the program that ended it. */
void deferred_count_ends(enum deferred_outcome outcome, const struct commit *commits, size_t count);
void deferred_count_end(enum deferred_outcome outcome); /* of a copy that never had a record of its own */
void deferred_metrics_open(void);                       /* all outcomes from zero */

/* Whoever was to be told has been, in the transaction that these are committed in. */
size_t deferred_forget(const struct deferred *ended, struct arena *arena, struct commit commits[DEFERRED_END_COMMITS]);

/* Deletes the bytes if no record refers to them: for a transaction that went only half way. */
struct commit deferred_content_removal(struct text content, struct arena *arena);

/* --- copies for many who are there -------------------------------------------------------------------------------- */

/* The fan-out record: copies of one message that are being handed out to many at once. It is on the disk before its
 * sender hears that it was accepted, and goes when each copy was taken, refused for good, or has a record of its own.
 * Copies in it neither wait nor are counted. */
struct deferred_copy {
    struct text owner, group;
    bool once; /* as struct deferred */
};

struct deferred_fan_out {
    struct text name;       /* deferred_content_name: in the order of arrival */
    struct deferred shared; /* what all have in common, also the bytes if they are short; its group is that of all who
                             * have no other */
    const struct deferred_copy *copies;
    size_t count;
    bool untraced;    /* its sender was erased: nothing is written any more about what became of it */
    uint64_t version; /* as it was read; 0: it is new */
};

/* CONFLICT: it is not as it was read, since somebody in it was erased. */
struct commit deferred_fan_out_commit(const struct deferred_fan_out *fan_out, struct arena *arena);
/* The record goes, if it is of its version (0: of whichever), and its bytes if nobody else needs them. */
size_t deferred_fan_out_end(const struct deferred_fan_out *fan_out, struct arena *arena,
                            struct commit commits[DEFERRED_END_COMMITS]);
/* NOT_FOUND, FAILED. */
enum status deferred_fan_out_get(const struct documents *documents, struct text name, struct arena *arena,
                                 struct deferred_fan_out *found_out);
/* The record of its own that a copy gets: at the place in the queue of its owner that it has by its arrival. */
struct deferred deferred_of_copy(const struct deferred_fan_out *fan_out, const struct deferred_copy *copy,
                                 enum deferred_priority place, struct arena *arena);
/* Has this owner got his already, in a transaction that went only half way? */
bool deferred_copy_is_there(const struct documents *documents, const struct deferred *deferred, struct arena *arena);
/* What became of a message, or of the newest of a user, as fate_of_message and fate_of_user tell it, and of those that
 * are being handed out that they were received: that is all that is known of them outside of im-glue. */
enum status deferred_fates_of_message(const struct documents *documents, struct text message_id, size_t limit,
                                      struct arena *arena, struct fate **fates_out, size_t *count_out);
enum status deferred_fates_of_user(const struct documents *documents, struct text address, size_t limit,
                                   struct arena *arena, struct fate **fates_out, size_t *count_out);
/* Commits that take an owner out of all of them, also as their sender, at most `limit`, with room for one more. */
enum status deferred_fan_out_removals(const struct documents *documents, struct text owner, size_t limit,
                                      struct text who, struct arena *arena, struct commit **commits_out,
                                      size_t *count_out);

/* --- what both read ---------------------------------------------------------------------------------------------- */

/* NOT_FOUND, FAILED; also one that has ended. */
enum status deferred_get(const struct documents *documents, struct text owner, struct text reference,
                         struct arena *arena, struct deferred *deferred_out);
enum status deferred_message_get(const struct documents *documents, const struct deferred *deferred,
                                 struct arena *arena, struct text *bytes_out);

struct deferred_page {
    struct deferred *items;
    size_t count;
    bool more; /* continue after the last item */
};

/* What waits for `owner`, in the order of delivery, after the reference `after` (empty: from the first). */
enum status deferred_list(const struct documents *documents, struct text owner, struct text after, size_t limit,
                          struct arena *arena, struct deferred_page *page_out);

/* The earliest of them, whatever their priority, that came behind that place in the order (0: from the first). */
enum status deferred_list_earliest(const struct documents *documents, struct text owner, uint64_t order, size_t limit,
                                   struct arena *arena, struct deferred_page *page_out);
uint64_t deferred_order_of(struct text reference); /* 0: it has none */

/* What waits for anybody, by owner: for admins. `after` NULL: from the first. */
enum status deferred_list_all(const struct documents *documents, const struct deferred *after, size_t limit,
                              struct arena *arena, struct deferred_page *page_out);

/* What has expired and waits still, the longest expired first; what has ended and somebody is to be told, the earliest
 * first. What it costs depends on `limit`, not on how much waits. */
enum status deferred_due(const struct documents *documents, int64_t now_ms, const struct deferred *after, size_t limit,
                         struct arena *arena, struct deferred_page *page_out);
enum status deferred_ended(const struct documents *documents, const struct deferred *after, size_t limit,
                           struct arena *arena, struct deferred_page *page_out);

/* When the next one expires: INT64_MAX if none waits. */
enum status deferred_next_expiry(const struct documents *documents, struct arena *arena, int64_t *when_ms_out);

/* How much waits, for one owner or for all (empty), as of the last commit. */
struct deferred_figures {
    uint64_t count, bytes;
};
enum status deferred_figures(const struct documents *documents, struct text owner,
                             struct deferred_figures *figures_out);
/* Since when the oldest waits, of all in whole seconds; 0: none does. */
enum status deferred_oldest(const struct documents *documents, struct text owner, struct arena *arena,
                            int64_t *since_ms_out);

/* --- how it gets to its owner ------------------------------------------------------------------------------------- */

/* What came while he was away is handed over by MESSAGE when he comes, unless it is much or large: then he fetches it
 * (or, once there are sessions here, gets it in one). Zeros: any number, any size. */
struct deferred_push {
    uint64_t count_max, bytes_max;
};

enum deferred_way { DEFERRED_BY_MESSAGE, DEFERRED_LEFT_FOR_MANY, DEFERRED_LEFT_FOR_SIZE };

/* `waiting`: how many wait for him. What he asked for, and reports, are no matter of number or size. */
enum deferred_way deferred_way(const struct deferred_push *push, const struct deferred *deferred, uint64_t waiting);

/* --- what an owner or an admin erases, waiting inside ------------------------------------------------------------- */

/* With its trace. NOT_FOUND: it waits no more; CONFLICT: others worked on it without pause; FULL, FAILED, UNCERTAIN. */
enum status deferred_erase(const struct documents *documents, struct text owner, struct text reference, struct text who,
                           int64_t now_ms, struct arena *arena);
enum status deferred_erase_all(const struct documents *documents, struct text owner, struct text who, int64_t now_ms,
                               size_t *count_out);

/* When the owner last read the list of all that waited for him: what came before he knows of. 0: never. */
enum status deferred_listed(const struct documents *documents, struct text owner, struct arena *arena,
                            int64_t *when_ms_out);

/* The first DOCUMENT_RECORDS_MAX of an owner as the document that he reads and may shorten (documents_set_records). */
extern const struct document_records deferred_records;

/* --- what im-glue is asked to look at ----------------------------------------------------------------------------- */

enum deferred_look {
    DEFERRED_LOOK_CHANGED, /* what waits for the owner is not what it was */
    DEFERRED_LOOK_RETRY,   /* it is to be tried now, whatever was planned */
    DEFERRED_LOOK_GONE,    /* the owner has no account any more: whatever is remembered of him is to be forgotten */
    DEFERRED_LOOKS
};

/* Many of one kind for one owner are one. */
struct commit deferred_look(struct text owner, enum deferred_look look, struct arena *arena);

struct deferred_asked {
    struct text owner;
    enum deferred_look look;
    struct commit done; /* forgets it, unless it has been asked for again */
};

/* At most `limit`; what it costs does not depend on what waits. */
enum status deferred_looks(const struct documents *documents, size_t limit, struct arena *arena,
                           struct deferred_asked **asked_out, size_t *count_out);

/* --- soundness --------------------------------------------------------------------------------------------------- */

/* Looks at the bytes of up to `limit` messages that came before `before_ms`, after the content `after` (empty: from the
 * first); the commits delete those that nothing refers to. There are some only if a store without room took half of a
 * transaction. `next_out`: where to go on; empty at the end. */
enum status deferred_orphans(const struct documents *documents, int64_t before_ms, struct text after, size_t limit,
                             struct arena *arena, struct commit **commits_out, size_t *count_out,
                             struct text *next_out);

/* Records, also fan-out records, without bytes, and bytes that came before `before_ms` and are nobody's, while readers
 * and writers go on: `problem` gets one line for each. OK: none; CONFLICT: some; FAILED: could not be read. */
enum status deferred_check(const struct documents *documents, int64_t before_ms, store_problem_fn *problem,
                           void *context);

#endif
