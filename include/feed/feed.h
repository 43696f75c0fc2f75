/* A cursor over the changes of the store. Readers walk records; nobody announces anything. Not thread-safe: one feed
 * per reader. */
#ifndef FEED_FEED_H
#define FEED_FEED_H

#include "arena.h"
#include "status.h"
#include "text.h"

struct store;
struct feed;

struct feed_change {
    struct text usage, owner, name;
    uint64_t number;
    bool deletion;
};

struct feed *feed_new(struct store *store); /* starts at the newest change */
void feed_free(struct feed *feed);

/* For caches: a reader that is further behind has lost what is between, since walking it would take longer than to fill
 * a cache anew. 0 (the beginning): only what the store has dropped is lost. */
void feed_set_behind_max(struct feed *feed, uint64_t changes);

/* Next change; false when there is none, which costs one read of a number. *lost_out is true only with false, and means
 * that every cache built on this feed must be emptied: changes were dropped before they were read, and the feed goes on
 * from the newest; or they cannot be read now, and the feed goes on from where it is. The texts live until the next
 * call. */
bool feed_next(struct feed *feed, struct feed_change *change_out, bool *lost_out);

#endif
