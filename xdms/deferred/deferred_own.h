/* What the files of this module share. */
#ifndef DEFERRED_OWN_H
#define DEFERRED_OWN_H

#include "deferred.h"

/* Counted claims: of one owner, of all (the empty value), of those who refer to a content, and of the second that one
 * waits since: the first of these is when the oldest came. */
#define CLAIM_OWNED   "deferred-of"
#define CLAIM_CONTENT "deferred-content"
#define CLAIM_SINCE   "deferred-since"
/* Shared claims, whose values are times: of what waits, and of what has ended. */
#define CLAIM_EXPIRY "deferred-expiry"
#define CLAIM_ENDED  "deferred-ended"

#define ORDER_LENGTH 16 /* hex digits, so that byte order is that of time */
#define ORDER_SHIFT  16 /* an order is milliseconds, and a number among those of one */

int64_t deferred_arrival(struct text content); /* as its name tells; INT64_MAX: it does not */
struct text deferred_time_text(int64_t when_ms, struct arena *arena);
bool deferred_read(const struct stored *stored, struct deferred *deferred_out); /* texts point into it */

#define ERASE_PAGE    100 /* records read at once */
#define ERASE_COMMITS (DEFERRED_END_COMMITS + 2)

/* What ends it by its owner's or an admin's hand, with its trace: at most ERASE_COMMITS. */
size_t deferred_erasure(const struct documents *documents, const struct deferred *deferred, struct text who,
                        int64_t now_ms, struct arena *arena, struct commit *commits);

#endif
