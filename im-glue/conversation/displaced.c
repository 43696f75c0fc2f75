/* What waits longest gives way to what comes, where too much waits for somebody and the house wants it so. It ends like
 * all that ends without delivery: with its trace, told to its sender if he asked, counted. */
#include "conversation_private.h"
#include "kept_private.h"
#include "log.h"

/* By one message: more small ones than that are worth more than a large one. Where a limit was lowered, so many go with
 * each that comes. */
#define DISPLACED_MAX 100

struct displaced {
    unsigned count;
    size_t bytes;
};

static void displaced_done(struct conversation *conversation, struct work *work)
{
    const struct displaced *displaced = work->details;
    work->served->leaving -= displaced->count;
    work->served->leaving_bytes -= displaced->bytes;
    deferred_count_ends(DEFERRED_DISPLACED, work->commits, work->count);
    expiry_note_ended(conversation);
}

static bool is_on_its_way(const struct conversation *conversation, const struct served *served,
                          const struct deferred *deferred)
{
    const struct delivery *delivery;
    if (queue_is_taken(served, deferred->reference))
        return true;
    if (served->deliveries == 0)
        return false;
    TAILQ_FOREACH(delivery, &conversation->deliveries, all)
    {
        if (delivery->recipient == served && text_equal(delivery->deferred.reference, deferred->reference))
            return true;
    }
    return false;
}

static void displace(struct work *work, const struct deferred *deferred)
{
    struct conversation *conversation = work->conversation;
    struct displaced *displaced = work->details;
    struct text why = TEXT("gave way to a newer message");
    int64_t now_ms = conversation->now.wall_ms;
    struct fate fate = queue_fate(conversation, deferred, &work->arena);
    fate = fate_with(&fate, FATE_DELETED, now_ms, why, &work->arena);
    struct commit *end = &work->commits[work->count];
    work->count += deferred_end(deferred, DEFERRED_DISPLACED, why, now_ms, &work->arena, end);
    work_add_fate(work, &fate);
    work->commits[work->count - 1].only_with = end; /* whoever ended it otherwise has said so */
    displaced->count++;
    displaced->bytes += deferred->size;
    work->served->left_order = deferred_order_of(deferred->reference);
}

/* Enough of the earliest that are not on their way to him. False: there is not enough. */
static bool choose(struct conversation *conversation, const struct served *served, struct deferral_excess excess,
                   struct arena *arena, struct deferred_page *page)
{
    size_t kept = 0;
    uint64_t after = served->leaving ? served->left_order : 0, count = 0, bytes = 0;
    if (excess.ever || deferred_list_earliest(conversation->documents, text_of(served->address), after, DISPLACED_MAX,
                                              arena, page) != OK)
        return false;
    for (size_t i = 0; i < page->count && (count < excess.count || bytes < excess.bytes); i++) {
        if (is_on_its_way(conversation, served, &page->items[i]))
            continue;
        count++;
        bytes += page->items[i].size;
        page->items[kept++] = page->items[i];
    }
    page->count = kept;
    return (count >= excess.count || count == DISPLACED_MAX) && bytes >= excess.bytes;
}

/* They go in a transaction before that of what comes, or in the same one. */
bool deferral_make_room(struct conversation *conversation, struct served *served, size_t bytes)
{
    struct deferral_excess excess;
    struct deferred_page page;
    if (!deferral_exceeds(conversation, served, bytes, &excess))
        return true;
    if (!conversation->settings.deferral.drop_oldest)
        return false;
    struct work *work = work_new(conversation, DISPLACED_MAX * (DEFERRED_END_COMMITS + 1), displaced_done);
    struct displaced *displaced = arena_new(&work->arena, struct displaced);
    work->details = displaced;
    work->served = served;
    if (!choose(conversation, served, excess, &work->arena, &page))
        return work_drop(work), false;
    for (size_t i = 0; i < page.count; i++)
        displace(work, &page.items[i]);
    served->leaving += displaced->count;
    served->leaving_bytes += displaced->bytes;
    log_info("messages give way user=%s count=%u", served->address, displaced->count);
    work_submit(work);
    return true;
}
