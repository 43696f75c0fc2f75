/* What xdms leaves to be looked at (deferred.h): messages that an owner or an admin deleted, or that are to be tried
 * now. */
#include "events_private.h"
#include "kept_private.h"
#include "log.h"

#define LOOKS_MS   2000 /* an admin who asks for a try, or an owner with two devices, waits so long at most */
#define LOOKS_PAGE 100  /* the next follows when it is on the disk */

static void looked(struct conversation *conversation, struct work *work)
{
    conversation->looking = false;
    bool more = work->count == LOOKS_PAGE && work_status(work) != FAILED;
    conversation->looks_at_ms = conversation->now.monotonic_ms + (more ? 0 : LOOKS_MS);
}

/* Contacts and settings have left the store; what they are here for ends with them. */
static void forget(struct conversation *conversation, struct served *served)
{
    log_info("user is gone user=%s contacts=%zu", served->address, served->contacts_count);
    while (served->contacts_count)
        served_remove_contact(conversation, served, text_of(served->contacts[0].name));
    publication_free_all(served);
    queue_forget_retry(conversation, served);
    events_end(conversation, text_of(served->address));
}

static void look(struct conversation *conversation, const struct deferred_asked *asked)
{
    struct served *served = served_find(conversation, asked->owner);
    if (served && asked->look == DEFERRED_LOOK_RETRY)
        queue_registered(conversation, served);
    if (served && asked->look == DEFERRED_LOOK_GONE)
        forget(conversation, served);
    if (asked->look == DEFERRED_LOOK_CHANGED)
        summary_changed(conversation, asked->owner);
}

/* Two reads, however much waits. */
static void count_waiting(struct conversation *conversation)
{
    struct arena arena;
    arena_init(&arena, "count");
    deferred_figures(conversation->documents, TEXT(""), &conversation->deferred);
    deferred_oldest(conversation->documents, TEXT(""), &arena, &conversation->deferred_since_ms);
    arena_clear(&arena);
}

void looks_run(struct conversation *conversation)
{
    struct deferred_asked *asked;
    size_t count;
    if (conversation->looking || conversation->now.monotonic_ms < conversation->looks_at_ms)
        return;
    conversation->looks_at_ms = conversation->now.monotonic_ms + LOOKS_MS;
    count_waiting(conversation);
    struct work *work = work_new(conversation, LOOKS_PAGE, looked);
    if (deferred_looks(conversation->documents, LOOKS_PAGE, &work->arena, &asked, &count) != OK || count == 0)
        return work_drop(work);
    for (size_t i = 0; i < count; i++) {
        look(conversation, &asked[i]);
        work->commits[work->count++] = asked[i].done;
    }
    conversation->looking = true;
    work_submit(work);
}

int64_t looks_deadline(const struct conversation *conversation)
{
    return conversation->looking ? INT64_MAX : conversation->looks_at_ms;
}
