/* Erasure of all that the server keeps about one user, in transactions of bounded size, and the record that proves it.
 * Whatever stops it, it goes on where it was: begin it again, or let erasure_resume do so at the next start. */
#ifndef ERASURE_ERASURE_H
#define ERASURE_ERASURE_H

#include "document.h"

/* In the order in which they are erased: without account and contacts nothing new comes. */
enum erasure_kind {
    ERASURE_ACCOUNT,
    ERASURE_BINDINGS, /* contacts that were registered */
    ERASURE_SETTINGS, /* what clients published, and what watches the user */
    ERASURE_DOCUMENTS,
    ERASURE_MESSAGES, /* that waited for the user; nobody is told of it */
    ERASURE_REPORTS,  /* that waited for the user */
    ERASURE_HISTORY,
    ERASURE_TRACES, /* of messages from the user and to the user */
    ERASURE_KINDS
};

const char *erasure_kind_name(enum erasure_kind kind); /* "account" */

struct erasure {
    struct text id;             /* in the order of time */
    struct text address;        /* canonical, of record */
    struct text who;            /* had it erased */
    int64_t began_ms, ended_ms; /* wall clock; 0: it has not ended */
    uint64_t counts[ERASURE_KINDS];
};

/* Writes its record, or takes up that of one for the same address that was cut short. FAILED, FULL. */
enum status erasure_begin(const struct documents *documents, struct text address, struct text who, int64_t now_ms,
                          struct arena *arena, struct erasure *erasure_out);

/* Works until nothing is left, waiting inside; the counts on disk are right after each transaction. FAILED, FULL,
 * UNCERTAIN: call again. `now_ms`: when that begins; its end is told with that and what it took. */
enum status erasure_run(const struct documents *documents, struct erasure *erasure, int64_t now_ms);

/* All that were cut short, one after another. */
enum status erasure_resume(const struct documents *documents, int64_t now_ms);

bool erasure_id_valid(struct text id); /* has the form of one; whether there is such a record is not looked at */

/* What was and is erased, newest first, after that id (empty: from the newest), at most `limit`. */
enum status erasure_list(const struct documents *documents, struct text after, size_t limit, struct arena *arena,
                         struct erasure **erasures_out, size_t *count_out, bool *more_out);

#endif
