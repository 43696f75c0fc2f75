/* Walks the change records of a store page by page. Knows nothing of what the documents are. */
#include "feed.h"

#include <stdlib.h>

#include "store.h"

#define FEED_PAGE 256 /* records read at once: a reader that was away catches up in few reads */

struct feed {
    struct store *store;
    uint64_t seen;       /* number of the last record taken from the store */
    uint64_t behind_max; /* 0: any */
    struct change_page page;
    size_t position;
    struct arena arena; /* of the page */
};

struct feed *feed_new(struct store *store)
{
    struct feed *feed = memory_new(sizeof(*feed));
    feed->store = store;
    feed->seen = store_last_change(store);
    arena_init(&feed->arena, "feed");
    return feed;
}

void feed_free(struct feed *feed)
{
    if (!feed)
        return;
    arena_clear(&feed->arena);
    free(feed);
}

void feed_set_behind_max(struct feed *feed, uint64_t changes)
{
    feed->behind_max = changes;
}

static void go_on_from(struct feed *feed, uint64_t last, bool *lost_out)
{
    /* What is read after caches were emptied holds all changes up to `last` already. */
    feed->page.count = 0;
    feed->seen = last;
    *lost_out = true;
}

/* False when there is nothing to be had, now or for good. */
static bool read_page(struct feed *feed, bool *lost_out)
{
    uint64_t last = store_last_change(feed->store);
    if (last == feed->seen && last != STORE_CHANGE_UNKNOWN)
        return false;
    arena_reset(&feed->arena);
    feed->position = 0;
    feed->page = (struct change_page){0};
    bool far = feed->behind_max && last > feed->seen && last - feed->seen > feed->behind_max;
    if (far && last != STORE_CHANGE_UNKNOWN && feed->seen != STORE_CHANGE_UNKNOWN) {
        go_on_from(feed, last, lost_out);
        return false;
    }
    if (last == STORE_CHANGE_UNKNOWN ||
        store_changes(feed->store, feed->seen, FEED_PAGE, &feed->arena, &feed->page) != OK) {
        feed->page.count = 0; /* read again at the next call */
        *lost_out = true;
        return false;
    }
    if (feed->page.lost || last < feed->seen) {
        go_on_from(feed, last, lost_out);
        return false;
    }
    return feed->page.count > 0;
}

bool feed_next(struct feed *feed, struct feed_change *change_out, bool *lost_out)
{
    *lost_out = false;
    if (feed->position == feed->page.count && !read_page(feed, lost_out))
        return false;
    const struct change *change = &feed->page.changes[feed->position++];
    feed->seen = change->number;
    *change_out = (struct feed_change){
        .usage = change->key.usage,
        .owner = change->key.owner,
        .name = change->key.name,
        .number = change->number,
        .deletion = change->deletion,
    };
    return true;
}
