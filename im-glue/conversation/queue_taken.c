/* Stored messages that a contact has taken: nobody waits for their ends, so that these go to the disk with other
 * records that nobody waits for, while the queue goes on. Until they are there, the queue knows them here. */
#include "conversation_private.h"
#include "kept_private.h"

/* Of one user: what a kill hands over once more to him at most. */
#define TAKEN_MAX 64

struct taken {
    TAILQ_ENTRY(taken) entry; /* of one user */
    struct taken *next;       /* of those in one work */
    struct served *served;
    struct deferred deferred; /* as far as it is asked for: reference, size, what its trace is found by */
    size_t end;               /* its place in the work */
};

/* Other domains have a queue for many; what goes into a history waits for it. */
bool queue_takes_late(const struct delivery *delivery, int status)
{
    const struct served *served = delivery->recipient;
    return status < 300 && delivery->is_first && !served->domain && !served->fetching &&
           !recording_is_asked(delivery->conversation, served);
}

static struct taken *taken_new(struct work *records, const struct delivery *delivery)
{
    const struct deferred *deferred = &delivery->deferred;
    struct taken *taken = arena_new(&records->arena, struct taken);
    *taken = (struct taken){.next = records->taken, .served = delivery->recipient, .end = records->count};
    taken->deferred = (struct deferred){
        .owner = text_of(delivery->recipient->address),
        .reference = text_copy(&records->arena, deferred->reference),
        .message_id = text_copy(&records->arena, deferred->message_id),
        .call_id = text_copy(&records->arena, deferred->call_id),
        .sender = text_copy(&records->arena, deferred->sender),
        .group = text_copy(&records->arena, deferred->group),
        .received_ms = deferred->received_ms,
        .size = deferred->size,
    };
    records->taken = taken;
    return taken;
}

void queue_take_late(struct delivery *delivery)
{
    struct conversation *conversation = delivery->conversation;
    struct served *served = delivery->recipient;
    struct work *records = work_records(conversation);
    struct taken *taken = taken_new(records, delivery);
    records->count += deferred_end(&delivery->deferred, DEFERRED_DELIVERED, TEXT(""), conversation->now.wall_ms,
                                   &records->arena, &records->commits[records->count]);
    work_add_fate(records, &delivery->fate);
    records->commits[records->count - 1].only_with = &records->commits[taken->end]; /* as for every end */
    TAILQ_INSERT_TAIL(&served->taken, taken, entry);
    served->taken_count++;
    served->taken_bytes += taken->deferred.size;
    work_records_added(conversation);
}

bool queue_is_taken(const struct served *served, struct text reference)
{
    const struct taken *taken;
    TAILQ_FOREACH(taken, &served->taken, entry)
    {
        if (text_equal(taken->deferred.reference, reference))
            return true;
    }
    return false;
}

bool queue_taken_is_full(struct conversation *conversation, struct served *served)
{
    if (served->taken_count < TAKEN_MAX)
        return false;
    served->taken_full = true;
    work_submit_records(conversation);
    return true;
}

/* Here every record of his that is not among them waits. How many of them the disk has already is not known, so that
 * sums alone do not always tell. */
bool queue_has_others(struct conversation *conversation, const struct served *served, uint64_t count)
{
    struct deferred_page page = {0};
    struct arena arena;
    bool others = count > served->taken_count;
    if (others || count == 0)
        return others;
    arena_init(&arena, "taken");
    others = deferred_list(conversation->documents, text_of(served->address), TEXT(""), served->taken_count + 1, &arena,
                           &page) != OK;
    for (size_t i = 0; i < page.count && !others; i++)
        others = !queue_is_taken(served, page.items[i].reference);
    arena_clear(&arena);
    return others;
}

/* What is still there although it should have left comes once more, in the order of failures. */
static void taken_ended(struct conversation *conversation, struct taken *taken, enum status status)
{
    struct served *served = taken->served;
    TAILQ_REMOVE(&served->taken, taken, entry);
    served->taken_count--;
    served->taken_bytes -= taken->deferred.size;
    if (status == OK)
        deferred_count_end(DEFERRED_DELIVERED);
    else if (status == CONFLICT)
        queue_trace_late(conversation, &taken->deferred);
    else
        queue_plan_retry(conversation, served);
    if (status != OK || served->taken_count == 0)
        queue_rewind(served);
}

void queue_taken_ended(struct conversation *conversation, const struct work *records)
{
    struct taken *next;
    for (struct taken *taken = records->taken; taken; taken = next) {
        struct served *served = taken->served;
        next = taken->next;
        taken_ended(conversation, taken, records->commits[taken->end].status);
        if (served->taken_full) {
            served->taken_full = false;
            queue_flush(conversation, served);
        }
    }
}

/* --- where the queue goes on -------------------------------------------------------------------------------------- */

void queue_rewind(struct served *served)
{
    free(served->taken_to);
    served->taken_to = NULL;
}

void queue_note_taken_to(struct served *served, struct text reference)
{
    queue_rewind(served);
    served->taken_to = text_keep(reference);
}

void queue_note_arrival(struct served *served, struct text reference)
{
    if (served->taken_to && text_compare(reference, text_of(served->taken_to)) < 0)
        queue_rewind(served);
}

struct text queue_from(const struct served *served)
{
    struct text passed = text_of(served->flush_after), taken = text_of(served->taken_to);
    return text_compare(passed, taken) < 0 ? taken : passed;
}
