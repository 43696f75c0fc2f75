/* What a user said and got before, handed over again: copies that wait for him like messages, under the references of
 * the entries, and are not kept in the history a second time. */
#include "history.h"
#include "historylist.h"
#include "kept_private.h"
#include "services_private.h"

#define COPIES_MAX       HISTORYLIST_MAX      /* at once: the newest where no list says which */
#define COPIES_BYTES_MAX ((size_t)(4u << 20)) /* they are in memory until they are on disk */
#define COPY_LIFETIME_MS 3600000              /* who asked is there now */

struct copies {
    struct history_entry *entries;
    size_t count, bytes;
    size_t added, added_bytes; /* that is on its way to the disk */
};

static enum status find_named(const struct wish *wish, struct copies *copies, struct arena *arena)
{
    const struct documents *documents = wish->request->conversation->documents;
    copies->entries = arena_array(arena, struct history_entry, wish->count);
    for (size_t i = 0; i < wish->count; i++) {
        struct history_entry *entry = &copies->entries[copies->count];
        enum status status =
            history_get(documents, text_of(wish->served->address), wish->references[i], arena, entry, NULL);
        if (status != OK && status != NOT_FOUND)
            return status;
        copies->count += status == OK;
        copies->bytes += status == OK ? entry->size : 0;
    }
    return copies->bytes > COPIES_BYTES_MAX ? FULL : OK;
}

/* As many as may be at once. */
static enum status find_newest(const struct wish *wish, struct copies *copies, struct arena *arena)
{
    const struct documents *documents = wish->request->conversation->documents;
    struct text owner = text_of(wish->served->address), after;
    size_t count = 0, first;
    bool more;
    enum status status = history_newest(documents, owner, COPIES_MAX, arena, &after);
    if (status == OK)
        status = history_list(documents, owner, after, COPIES_MAX, arena, &copies->entries, &count, &more);
    for (first = count; first > 0 && copies->bytes + copies->entries[first - 1].size <= COPIES_BYTES_MAX; first--)
        copies->bytes += copies->entries[first - 1].size;
    copies->entries += first;
    copies->count = count - first;
    return status;
}

static enum status add_copy(struct work *work, struct served *served, const struct history_entry *entry,
                            struct text message)
{
    struct conversation *conversation = work->conversation;
    struct copies *copies = work->details;
    struct deferred deferred = {
        .owner = text_of(served->address),
        .message_id = entry->reference,
        .call_id = entry->reference,
        .sender = text_of(served->address),
        .from = entry->from,
        .to = entry->to,
        .subject = entry->subject,
        .type = entry->content_type,
        .size = message.length,
        .priority = DEFERRED_NOT_URGENT,
        .received_ms = conversation->now.wall_ms,
        .expires_ms = conversation->now.wall_ms + COPY_LIFETIME_MS,
        .again = true,
    };
    if (!deferral_has_room(conversation, served, message.length))
        return FULL;
    deferral_add(work, served, &deferred, message, NULL);
    copies->added++;
    copies->added_bytes += message.length;
    return OK;
}

static enum status add_copies(struct work *work, struct served *served)
{
    const struct copies *copies = work->details;
    const struct documents *documents = work->conversation->documents;
    enum status status = OK;
    for (size_t i = 0; i < copies->count && (status == OK || status == NOT_FOUND); i++) {
        struct history_entry entry;
        struct text message;
        status = history_get(documents, text_of(served->address), copies->entries[i].reference, &work->arena, &entry,
                             &message);
        if (status == OK)
            status = add_copy(work, served, &entry, message);
    }
    return status;
}

static void copied(struct conversation *conversation, struct work *work)
{
    const struct copies *copies = work->details;
    work->served->arriving -= (unsigned)copies->added;
    work->served->arriving_bytes -= copies->added_bytes;
    wish_granted(conversation, work);
}

static void answer_without(struct request *request, enum status status, bool has_list)
{
    switch (status) {
    case FULL: return request_answer_with(request, 480, "Deferred Message Quota Exceeded", "Retry-After", TEXT("60"));
    case OK:
    case NOT_FOUND: return has_list ? request_answer(request, 404, "No Such Message") : wish_answer_nothing(request);
    default: request_answer_with(request, 500, "Not Readable", "Retry-After", TEXT("5"));
    }
}

void wish_fetch_history(struct wish *wish)
{
    struct request *request = wish->request;
    struct work *work = work_new(request->conversation, COPIES_MAX * DEFERRAL_COMMITS, copied);
    struct copies *copies = arena_new(&work->arena, struct copies);
    work->details = copies;
    work->served = wish->served;
    enum status status =
        wish->has_list ? find_named(wish, copies, &work->arena) : find_newest(wish, copies, &work->arena);
    if (status == FULL) {
        work_drop(work);
        return request_answer(request, 413, "Too Much At Once");
    }
    if (status == OK && copies->count && !sender_charge_copies(request, 1, copies->bytes))
        return work_drop(work); /* he holds too much in memory, and has been told */
    if (status == OK)
        status = add_copies(work, wish->served);
    if (copies->added) {
        work->request = request;
        return work_submit(work);
    }
    work_drop(work);
    answer_without(request, status, wish->has_list);
}
