/* Stored messages that a contact has taken: nobody waits for their ends, so that these go to the disk with other
 * records that nobody waits for, while the queue goes on. Until they are there, the queue knows them here. */
#include "conversation_private.h"
#include "kept_private.h"

/* Of one user: what a kill hands over once more to him at most. */
#define TAKEN_MAX 64
#define AGAIN_MS  1000 /* ends that found no way to the disk: it may have room soon, and is not to be kept busy */

struct taken {
    TAILQ_ENTRY(taken) entry; /* of one user */
    struct taken *next;       /* of those in one work */
    struct served *served;
    struct deferred deferred; /* as far as it is asked for: reference, size, what its trace is found by */
    size_t end, count;        /* its place in the work, with its trace */
    bool unheard;             /* it was written perhaps: nobody has heard of it */
};

/* Other domains have a queue for many; what goes into a history waits for it. */
bool queue_takes_late(const struct delivery *delivery, int status)
{
    const struct served *served = delivery->recipient;
    return status < 300 && delivery->is_first && !served->domain && !served->fetching &&
           !recording_is_asked(delivery->conversation, served);
}

static struct taken *taken_new(struct work *records, struct served *served, const struct deferred *deferred)
{
    struct taken *taken = arena_new(&records->arena, struct taken);
    *taken = (struct taken){.next = records->taken, .served = served, .end = records->count};
    taken->deferred = (struct deferred){
        .owner = text_of(served->address),
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
    struct taken *taken = taken_new(records, served, &delivery->deferred);
    records->count += deferred_end(&delivery->deferred, DEFERRED_DELIVERED, TEXT(""), conversation->now.wall_ms,
                                   &records->arena, &records->commits[records->count]);
    work_add_fate(records, &delivery->fate);
    records->commits[records->count - 1].only_with = &records->commits[taken->end]; /* as for every end */
    taken->count = records->count - taken->end;
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

/* It ended otherwise, unless it is this very end that nobody has heard of. */
static void taken_ended(struct conversation *conversation, struct taken *taken, enum status status)
{
    struct served *served = taken->served;
    TAILQ_REMOVE(&served->taken, taken, entry);
    served->taken_count--;
    served->taken_bytes -= taken->deferred.size;
    if (status == OK || taken->unheard)
        deferred_count_end(DEFERRED_DELIVERED);
    else
        queue_trace_late(conversation, &taken->deferred);
    if (status != OK || served->taken_count == 0)
        queue_rewind(served);
}

static bool has_ended(enum status status)
{
    return status == OK || status == CONFLICT;
}

/* --- ends that found no way to the disk --------------------------------------------------------------------------- */

static void ended_again(struct conversation *conversation, struct work *work)
{
    queue_taken_ended(conversation, work);
}

static struct claim *copy_claims(const struct claim *claims, size_t count, struct arena *arena)
{
    struct claim *copies = arena_array(arena, struct claim, count);
    for (size_t i = 0; i < count; i++) {
        copies[i] = claims[i];
        copies[i].kind = text_copy(arena, claims[i].kind);
        copies[i].value = text_copy(arena, claims[i].value);
    }
    return copies;
}

static struct commit copy_commit(const struct commit *commit, struct arena *arena)
{
    struct commit copy = *commit;
    struct text *texts[] = {&copy.key.usage, &copy.key.owner, &copy.key.name, &copy.bytes, &copy.who};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        *texts[i] = text_copy(arena, *texts[i]);
    if (copy.claims_count)
        copy.claims = copy_claims(copy.claims, copy.claims_count, arena);
    if (copy.unless_held)
        copy.unless_held = copy_claims(copy.unless_held, 1, arena);
    return copy;
}

/* What they point to goes with the work that failed; and somebody may have been erased since. */
static void copy_commits(struct work *again, const struct work *failed, const struct taken *taken)
{
    const struct conversation *conversation = again->conversation;
    const struct commit *end = &again->commits[again->count];
    for (size_t i = 0; i < taken->count; i++) {
        struct commit *copy = &again->commits[again->count++];
        *copy = copy_commit(&failed->commits[taken->end + i], &again->arena);
        fate_revise(conversation->documents, &conversation->erasures, &again->arena, copy);
        copy->only_with = i ? end : NULL; /* to which all of it belongs; the guard comes before it */
    }
}

static void take_again(struct work *again, const struct work *failed, struct taken *taken)
{
    struct served *served = taken->served;
    struct taken *copy = taken_new(again, served, &taken->deferred);
    copy->count = taken->count;
    copy->unheard = taken->unheard || failed->commits[taken->end].status == UNCERTAIN;
    copy_commits(again, failed, taken);
    TAILQ_INSERT_AFTER(&served->taken, taken, copy, entry);
    TAILQ_REMOVE(&served->taken, taken, entry);
    queue_rewind(served);
}

/* A message that a contact has is not handed over again because the disk fails: its end is written later. */
static void plan_again(struct conversation *conversation, const struct work *failed)
{
    size_t count = 0;
    for (const struct taken *taken = failed->taken; taken; taken = taken->next)
        count += has_ended(failed->commits[taken->end].status) ? 0 : taken->count;
    if (count == 0)
        return;
    struct work *again = work_new(conversation, 1 + count, ended_again);
    erased_guard(again);
    for (struct taken *taken = failed->taken; taken; taken = taken->next)
        if (!has_ended(failed->commits[taken->end].status))
            take_again(again, failed, taken);
    again->at_ms = conversation->now.monotonic_ms + AGAIN_MS;
    again->next = NULL;
    *conversation->taken_again_end = again;
    conversation->taken_again_end = &again->next;
}

static struct work *first_again(struct conversation *conversation)
{
    struct work *first = conversation->taken_again;
    conversation->taken_again = first->next;
    if (!first->next)
        conversation->taken_again_end = &conversation->taken_again;
    return first;
}

int64_t queue_taken_deadline(const struct conversation *conversation)
{
    return conversation->taken_again ? conversation->taken_again->at_ms : INT64_MAX;
}

void queue_taken_run(struct conversation *conversation)
{
    while (queue_taken_deadline(conversation) <= conversation->now.monotonic_ms)
        work_submit_guarded(first_again(conversation));
}

void queue_taken_stop(struct conversation *conversation)
{
    while (conversation->taken_again)
        work_submit_guarded(first_again(conversation));
}

void queue_taken_drop(struct conversation *conversation)
{
    while (conversation->taken_again)
        work_drop(first_again(conversation));
}

void queue_taken_ended(struct conversation *conversation, const struct work *records)
{
    struct taken *next;
    plan_again(conversation, records);
    for (struct taken *taken = records->taken; taken; taken = next) {
        struct served *served = taken->served;
        next = taken->next;
        if (!has_ended(records->commits[taken->end].status))
            continue;
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
