/* What ends though nobody comes for it: kept messages that expire, found by the time of it and a page at a time; those
 * that have ended and somebody is to be told; bytes that a store without room left behind. */
#include "conversation_private.h"
#include "kept_private.h"
#include "log.h"

#define EXPIRY_PAGE      100    /* messages that end in one transaction; the next follows when it is on the disk */
#define EXPIRY_PAGES_MAX 10     /* looked through for one that is not on its way */
#define EXPIRY_AGAIN_MS  1000   /* all that is due is on its way to somebody, or the store does not answer */
#define EXPIRY_LOOK_MS   60000  /* at least so often, should the clock have been set */
#define ENDED_LOOK_MS    5000   /* xdms deletes for users, and says so in the store alone */
#define ORPHANS_PAGE     200    /* messages a minute that are looked at for being nobody's */
#define ORPHANS_AGE_MS   600000 /* far more than a record may come after its bytes */

/* --- expiry ---------------------------------------------------------------------------------------------------- */

static void look_at(struct conversation *conversation, int64_t delay_ms)
{
    int64_t when_ms = conversation->now.monotonic_ms + delay_ms;
    if (when_ms < conversation->expiry.look_at_ms)
        conversation->expiry.look_at_ms = when_ms;
}

void expiry_note(struct conversation *conversation, int64_t expires_ms)
{
    int64_t left_ms = expires_ms - conversation->now.wall_ms;
    look_at(conversation, left_ms > 0 ? left_ms : 0);
}

/* What is on its way may still arrive, what was taken has; whoever waits for that ends it. */
static bool is_on_its_way(const struct conversation *conversation, const struct deferred *deferred)
{
    const struct served *served = served_find(conversation, deferred->owner);
    return served && (served->flushing || served->kept_relays || queue_is_taken(served, deferred->reference));
}

/* Of one that is due: its place in the work, and what it is counted as. */
struct expiring {
    size_t end;
    struct text group;
    enum message_content content;
};

struct expiries {
    struct expiring *items;
    size_t count;
};

static void count_expired(const struct work *work)
{
    const struct expiries *expiries = work->details;
    for (size_t i = 0; i < expiries->count; i++)
        if (work->commits[expiries->items[i].end].status == OK)
            message_count(expiries->items[i].group, expiries->items[i].content, MESSAGE_EXPIRED);
    deferred_count_ends(DEFERRED_EXPIRED, work->commits, work->count);
}

static void expired(struct conversation *conversation, struct work *work)
{
    count_expired(work);
    conversation->expiry.busy = false;
    conversation->expiry.look_at_ms = INT64_MAX;
    look_at(conversation, work_status(work) == FULL || work_status(work) == FAILED ? EXPIRY_AGAIN_MS : 0);
    expiry_note_ended(conversation);
}

static void expire(struct work *work, const struct deferred *deferred)
{
    struct conversation *conversation = work->conversation;
    struct expiries *expiries = work->details;
    int64_t now_ms = conversation->now.wall_ms;
    struct fate fate = queue_fate(conversation, deferred, &work->arena);
    fate = fate_with(&fate, FATE_EXPIRED, now_ms, TEXT(""), &work->arena);
    struct commit *end = &work->commits[work->count];
    expiries->items[expiries->count++] = (struct expiring){work->count, deferred->group, message_content_of(deferred)};
    work->count += deferred_end(deferred, DEFERRED_EXPIRED, TEXT(""), now_ms, &work->arena, end);
    work_add_fate(work, &fate);
    work->commits[work->count - 1].only_with = end;
}

/* One transaction of those that are due; an empty one: there are none. */
static struct work *work_of_due(struct conversation *conversation, enum status *status_out, bool *all_on_way_out)
{
    struct work *work = work_new(conversation, EXPIRY_PAGE * (DEFERRED_END_COMMITS + 1), expired);
    struct deferred_page page = {.more = true};
    const struct deferred *after = NULL;
    struct expiries *expiries = arena_new(&work->arena, struct expiries);
    expiries->items = arena_array(&work->arena, struct expiring, EXPIRY_PAGE);
    work->details = expiries;
    *status_out = OK;
    *all_on_way_out = false;
    for (int pages = 0; page.more && work->count == 0 && pages < EXPIRY_PAGES_MAX; pages++) {
        *status_out =
            deferred_due(conversation->documents, conversation->now.wall_ms, after, EXPIRY_PAGE, &work->arena, &page);
        if (*status_out != OK)
            break;
        for (size_t i = 0; i < page.count; i++)
            if (!is_on_its_way(conversation, &page.items[i]))
                expire(work, &page.items[i]);
        *all_on_way_out = *all_on_way_out || page.count > 0;
        after = page.count ? &page.items[page.count - 1] : NULL;
    }
    return work;
}

static void plan_next(struct conversation *conversation)
{
    struct arena arena;
    int64_t next_ms;
    arena_init(&arena, "expiry");
    conversation->expiry.look_at_ms = INT64_MAX;
    look_at(conversation, EXPIRY_LOOK_MS);
    if (deferred_next_expiry(conversation->documents, &arena, &next_ms) != OK)
        look_at(conversation, EXPIRY_AGAIN_MS);
    else if (next_ms != INT64_MAX)
        expiry_note(conversation, next_ms);
    arena_clear(&arena);
}

static void run_due(struct conversation *conversation)
{
    struct expiry *expiry = &conversation->expiry;
    enum status status = OK;
    bool all_on_way;
    if (expiry->busy || conversation->now.monotonic_ms < expiry->look_at_ms)
        return;
    struct work *work = work_of_due(conversation, &status, &all_on_way);
    if (work->count) {
        expiry->busy = true;
        return work_submit(work);
    }
    work_drop(work);
    plan_next(conversation);
    if (status != OK || all_on_way) { /* due, and yet not now */
        expiry->look_at_ms = INT64_MAX;
        look_at(conversation, EXPIRY_AGAIN_MS);
    }
}

/* --- who is told ------------------------------------------------------------------------------------------------- */

void expiry_note_ended(struct conversation *conversation)
{
    conversation->expiry.ended_at_ms = conversation->now.monotonic_ms;
}

static void told(struct conversation *conversation, struct work *work)
{
    struct expiry *expiry = &conversation->expiry;
    expiry->telling = false;
    ended_told(work);
    bool again = work_status(work) == OK || work_status(work) == CONFLICT;
    expiry->ended_at_ms = conversation->now.monotonic_ms + (again ? 0 : ENDED_LOOK_MS);
}

static bool is_told(const struct conversation *conversation, const struct deferred *ended)
{
    return ended->outcome != DEFERRED_DELETED || !conversation->settings.deferral.silent_deletions;
}

static void tell_those(struct work *work, const struct deferred_page *page)
{
    struct deferred *told = arena_array(&work->arena, struct deferred, page->count + 1);
    size_t count = 0;
    for (size_t i = 0; i < page->count; i++)
        if (is_told(work->conversation, &page->items[i]))
            told[count++] = page->items[i];
    ended_tell(work, told, count);
}

/* The record of the end goes in the transaction that has what tells of it: exactly once, also after a restart. */
static void run_ended(struct conversation *conversation)
{
    struct expiry *expiry = &conversation->expiry;
    struct deferred_page page;
    if (expiry->telling || conversation->now.monotonic_ms < expiry->ended_at_ms)
        return;
    expiry->ended_at_ms = conversation->now.monotonic_ms + ENDED_LOOK_MS;
    struct work *work = work_new(conversation, 0, told);
    if (deferred_ended(conversation->documents, NULL, ENDED_PAGE, &work->arena, &page) == OK && page.count) {
        work->commits = arena_array(&work->arena, struct commit, page.count * (DEFERRED_END_COMMITS + ENDED_COMMITS));
        tell_those(work, &page);
        for (size_t i = 0; i < page.count; i++) {
            struct commit *removal = &work->commits[work->count];
            work->count += deferred_forget(&page.items[i], &work->arena, removal);
            removal->only_with = ended_report(work, &page.items[i]);
        }
    }
    if (work->count == 0)
        return work_drop(work);
    expiry->telling = true;
    work_submit(work);
}

void expiry_run(struct conversation *conversation)
{
    run_due(conversation);
    run_ended(conversation);
}

int64_t expiry_deadline(const struct conversation *conversation)
{
    const struct expiry *expiry = &conversation->expiry;
    int64_t due_ms = expiry->busy ? INT64_MAX : expiry->look_at_ms;
    int64_t ended_ms = expiry->telling ? INT64_MAX : expiry->ended_at_ms;
    return due_ms < ended_ms ? due_ms : ended_ms;
}

/* --- what nobody refers to ---------------------------------------------------------------------------------------- */

void expiry_sweep(struct conversation *conversation)
{
    struct expiry *expiry = &conversation->expiry;
    struct work *work = work_new(conversation, 0, work_ignore);
    struct text next;
    int64_t before_ms = conversation->now.wall_ms - ORPHANS_AGE_MS;
    if (deferred_orphans(conversation->documents, before_ms, text_of(expiry->swept), ORPHANS_PAGE, &work->arena,
                         &work->commits, &work->count, &next) != OK)
        work->count = 0;
    free(expiry->swept);
    expiry->swept = next.length ? text_keep(next) : NULL;
    if (work->count == 0)
        return work_drop(work);
    log_warning("bytes of messages that nothing refers to are deleted count=%zu", work->count);
    work_submit(work);
}
