/* What users have written and read, for those who asked to keep it: an entry for each message in the view of its owner,
 * and the message itself once, however many keep it. im-glue writes, both programs read and delete. It must not know
 * SIP: what an owner saw is told by who writes. */
#ifndef HISTORY_HISTORY_H
#define HISTORY_HISTORY_H

#include "document.h"

#define HISTORY_RECIPIENTS_MAX 500 /* named in one entry: as many as a message with a list has at most */
#define HISTORY_REMOVE_MAX     500 /* entries of one transaction, so that others need not wait for it */

struct history_entry {
    struct text owner;      /* canonical */
    struct text reference;  /* names it among those of the owner; begins with the time, so they are in its order */
    bool sent;              /* by the owner; else he got it */
    int64_t when_ms;        /* accepted from its sender; wall clock, as below */
    int64_t until_ms;       /* kept until then */
    struct text from, to;   /* as the owner saw them */
    struct text group;      /* it went through, or empty */
    struct text group_name; /* as it was called then; may be empty */
    struct text subject, content_type, message_id;
    const struct text *recipients; /* those whom a list named, as far as the owner saw them */
    size_t recipients_count;
    size_t size; /* bytes of the message */
};

/* Fills `reference` and `size`. The same message of the same time in the same role has one reference: whoever writes
 * it twice, after a crash, has written it once. */
void history_name(struct history_entry *entry, struct text message, struct arena *arena);

/* For document_internal_submit, both in one call, the message first: it is written again by each who keeps it. Memory
 * is in `arena`; the message is not copied. */
struct commit history_commit_message(struct text message, struct arena *arena);
struct commit history_commit(const struct history_entry *entry, struct arena *arena);

/* NOT_FOUND, FAILED. `message_out` may be NULL. */
enum status history_get(const struct documents *documents, struct text owner, struct text reference,
                        struct arena *arena, struct history_entry *entry_out, struct text *message_out);

/* Of one owner, oldest first, after that reference (empty: from the first), at most `limit`. */
enum status history_list(const struct documents *documents, struct text owner, struct text after, size_t limit,
                         struct arena *arena, struct history_entry **entries_out, size_t *count_out, bool *more_out);

/* Behind which entry the newest `limit` stand; empty: there are no others. */
enum status history_newest(const struct documents *documents, struct text owner, size_t limit, struct arena *arena,
                           struct text *after_out);

/* How much an owner keeps, as of the last commit. */
struct history_figures {
    uint64_t count, bytes;
};
enum status history_figures(const struct documents *documents, struct text owner, struct history_figures *figures_out);

/* The oldest entries that together are as many and as much as `excess` says, at most HISTORY_REMOVE_MAX. */
enum status history_oldest(const struct documents *documents, struct text owner, const struct history_figures *excess,
                           struct arena *arena, struct text **references_out, size_t *count_out);

/* Commits that remove these entries, and with the last of each message the message, for one document_internal_submit;
 * one of them for an entry that is not there is OK and changes nothing. */
#define HISTORY_REMOVE_COMMITS 2 /* for each entry */
size_t history_remove(struct text owner, const struct text *references, size_t count, struct text who,
                      struct arena *arena, struct commit *commits);

/* All of an owner, waiting inside, HISTORY_REMOVE_MAX at a time. */
enum status history_erase(const struct documents *documents, struct text owner, struct text who);

/* The same for entries whose time is over, whoever the owners are; looks at nothing else. `more_out`: call again when
 * they are done. */
enum status history_expire(const struct documents *documents, int64_t now_ms, struct arena *arena,
                           struct commit **commits_out, size_t *commits_count_out, bool *more_out);

/* The newest of an owner as the document that he reads and may shorten (documents_set_records). */
extern const struct document_records history_records;

#endif
