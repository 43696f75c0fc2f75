/* The end of a handout: when all is known, or it has taken long enough, whoever has not taken his copy gets a record of
 * his own, and one transaction writes the trace and deletes the fan-out record. */
#include "delivery_private.h"
#include "handout_private.h"
#include "kept_private.h"
#include "log.h"

static void settled(struct conversation *conversation, struct work *work);

/* --- when --------------------------------------------------------------------------------------------------------- */

void handout_expect(struct handout *handout)
{
    struct conversation *conversation = handout->conversation;
    handout->settle_at_ms = conversation->now.monotonic_ms + HANDOUT_MS;
    TAILQ_INSERT_TAIL(&conversation->handouts_due, handout, due);
}

static void expect_no_more(struct handout *handout)
{
    if (handout->settle_at_ms)
        TAILQ_REMOVE(&handout->conversation->handouts_due, handout, due);
    handout->settle_at_ms = 0;
}

int64_t handout_deadline(const struct conversation *conversation)
{
    const struct handout *first = TAILQ_FIRST(&conversation->handouts_due);
    return first ? first->settle_at_ms : INT64_MAX;
}

/* --- records of their own ----------------------------------------------------------------------------------------- */

static bool needs_own(const struct handout_copy *copy)
{
    return copy->state != COPY_ENDED || copy->told;
}

static bool is_needed(const struct handout *handout)
{
    bool needed = false;
    for (size_t i = 0; i < handout->count && !needed; i++)
        needed = needs_own(&handout->copies[i]);
    return needed;
}

static struct deferred *make_own(const struct handout_copy *copy)
{
    struct handout *handout = copy->handout;
    struct conversation *conversation = handout->conversation;
    struct arena *arena = &handout->arena;
    const struct deferred_copy recorded = {copy->fate.recipient, copy->group, copy->once};
    enum deferred_priority place = deferral_place(conversation, handout->record.shared.priority);
    struct text why = copy->status ? text_format(arena, "%d", copy->status) : TEXT("no answer");
    struct deferred *own = arena_new(arena, struct deferred);
    *own = deferred_of_copy(&handout->record, &recorded, place, arena);
    deferral_cut_lifetime(copy->served, own);
    own->away =
        copy->tried ? queue_is_away(copy->status) : !copy->delivery && !served_reachable(conversation, copy->served);
    if (copy->tried)
        *own = deferred_tried(own, why, conversation->now.wall_ms, arena);
    if (copy->told) {
        own->outcome = DEFERRED_REFUSED;
        own->ended_ms = conversation->now.wall_ms;
        own->error = why;
    }
    return own;
}

/* Each only with the one before: the fan-out record stays until all have their own. */
static const struct commit *add_own(struct work *work, struct handout_copy *copy, const struct commit *with)
{
    if (!copy->own)
        copy->own = make_own(copy);
    else /* it may be there, from a transaction of which nobody knows what became */
        copy->own->version = VERSION_ANY;
    copy->commit = work->count;
    copy->storing = true;
    copy->served->nothing_waits = false;
    struct commit *own = &work->commits[work->count++];
    *own = deferred_commit(copy->own, &work->arena);
    own->only_with = with;
    if (copy->state == COPY_ENDED) /* the trace of all has it */
        return own;
    if (copy->delivery)
        copy->delivery->storing = true;
    work_add_fate(work, copy->delivery ? &copy->delivery->fate : &copy->fate);
    work->commits[work->count - 1].only_with = own;
    return own;
}

/* Of a user who was erased meanwhile nothing may come back. */
static void forget_erased(struct handout_copy *copy)
{
    struct delivery *delivery = copy->delivery;
    copy->told = false;
    if (copy->state == COPY_ENDED)
        return;
    deferred_count_end(DEFERRED_DELETED);
    if (delivery) {
        handout_detach(delivery);
        delivery->untold = true;
        delivery->may_store = false;
        copy->delivery = NULL;
        copy->handout->open--;
    }
    handout_leave(copy);
}

static bool stands_next(const struct handout_copy *copy, const struct deferred_fan_out *there, size_t *at)
{
    bool stands = *at < there->count && text_equal(there->copies[*at].owner, copy->fate.recipient);
    *at += stands;
    return stands;
}

/* The record as it was read names those who are left, in the same order. */
static void take_record(struct handout *handout, const struct deferred_fan_out *there, struct arena *arena)
{
    struct text entries = builder_text(&handout->entries);
    for (size_t i = 0, at = 0; i < handout->count; i++)
        if (!stands_next(&handout->copies[i], there, &at))
            entries = fate_entries_without(entries, handout->copies[i].fate.recipient, arena);
    builder_init(&handout->entries, &handout->arena);
    builder_add(&handout->entries, entries);
    handout->record.version = there->version;
    handout->record.untraced = there->untraced;
}

/* What follows is written only if they still are in it: the record is written as it was read. NULL: it is not there. */
static const struct commit *forget_all_erased(struct work *work, struct handout *handout)
{
    struct deferred_fan_out there = {0};
    size_t at = 0;
    enum status status =
        deferred_fan_out_get(handout->conversation->documents, handout->record.name, &work->arena, &there);
    if (status == OK && there.version != handout->record.version)
        take_record(handout, &there, &work->arena);
    for (size_t i = 0; i < handout->count && (status == OK || status == NOT_FOUND); i++)
        if (!stands_next(&handout->copies[i], &there, &at))
            forget_erased(&handout->copies[i]);
    if (status != OK)
        return NULL;
    work->commits[work->count] = deferred_fan_out_commit(&there, &work->arena);
    return &work->commits[work->count++];
}

static bool has_trace(const struct handout *handout)
{
    return !handout->record.untraced && handout->entries.length > 0;
}

static bool is_erased(struct handout *handout, struct text address)
{
    const struct fate own = {.sender = address, .recipient = address, .steps = &handout->received, .steps_count = 1};
    return erased_is_about(handout->conversation, &own, &handout->arena);
}

/* Nobody is taken out of a record any more that is gone. */
static void leave_out_erased(struct handout *handout)
{
    struct text before = builder_text(&handout->entries), entries = before;
    handout->record.untraced = handout->record.untraced || is_erased(handout, handout->record.shared.sender);
    for (size_t i = 0; i < handout->count; i++)
        if (is_erased(handout, handout->copies[i].fate.recipient))
            entries = fate_entries_without(entries, handout->copies[i].fate.recipient, &handout->arena);
    if (entries.length == before.length)
        return;
    builder_init(&handout->entries, &handout->arena);
    builder_add(&handout->entries, entries);
}

/* The record goes if it is as im-glue knows it, else somebody was erased out of it; the trace comes with that. */
void handout_add_end(struct work *work, struct handout *handout, const struct commit *with)
{
    struct deferred_fan_out record = handout->record;
    handout->ending = true;
    handout->record_commit = work->count;
    if (with) /* that begins with the record as it was read */
        record.version = 0;
    if (!handout->erased) {
        work->count += deferred_fan_out_end(&record, &work->arena, work->commits + work->count);
        for (size_t i = handout->record_commit; i < work->count; i++)
            work->commits[i].only_with = i == handout->record_commit ? with : &work->commits[handout->record_commit];
        with = &work->commits[handout->record_commit];
    } else {
        leave_out_erased(handout);
    }
    handout->trace_commit = work->count;
    if (handout->traced || !has_trace(handout))
        return;
    handout->trace.entries = builder_text(&handout->entries);
    handout->trace.version = VERSION_ANY; /* it may be there, from a transaction of which nobody knows what became */
    work->commits[work->count] = fate_fan_out_commit(&handout->trace, &work->arena);
    work->commits[work->count++].only_with = with;
}

static void settle_with_own(struct handout *handout)
{
    struct work *work = work_new(handout->conversation, 1 + handout->count * 2 + HANDOUT_END_COMMITS, settled);
    const struct commit *last = forget_all_erased(work, handout);
    if (!is_needed(handout)) {
        work_drop(work);
        return work_note_handout(handout);
    }
    for (size_t i = 0; i < handout->count; i++)
        if (needs_own(&handout->copies[i]))
            last = add_own(work, &handout->copies[i], last);
    handout_add_end(work, handout, last);
    work->details = handout;
    work_submit(work);
}

static void settle(struct handout *handout)
{
    expect_no_more(handout);
    handout->ending = true; /* from here on: nothing that is kept now settles it once more */
    for (size_t i = 0; i < handout->count; i++)
        if (handout->copies[i].state == COPY_WAITS)
            handout_keep_waiting(handout->copies[i].served);
    if (is_needed(handout))
        return settle_with_own(handout);
    work_note_handout(handout);
}

void handout_rest(struct handout *handout)
{
    if (handout->accepted && !handout->ending)
        settle(handout);
}

void handout_run_deadlines(struct conversation *conversation)
{
    struct handout *first;
    while ((first = TAILQ_FIRST(&conversation->handouts_due)) && first->settle_at_ms <= conversation->now.monotonic_ms)
        settle(first);
}

void handout_settle_all(struct conversation *conversation)
{
    while (!TAILQ_EMPTY(&conversation->handouts_due))
        settle(TAILQ_FIRST(&conversation->handouts_due));
}

/* --- on the disk -------------------------------------------------------------------------------------------------- */

/* An ordinary stored message from here on, and it is on its way. */
static void go_on(struct handout_copy *copy)
{
    struct served *served = copy->served;
    struct delivery *delivery = copy->delivery;
    delivery->storing = false;
    delivery->deferred = deferral_copy(copy->own, &delivery->arena);
    handout_detach(delivery);
    copy->delivery = NULL;
    copy->handout->open--;
    handout_keep_waiting(served);
    served->flushing = true;
    handout_leave(copy);
    if (copy->answered)
        queue_delivery_finished(delivery, copy->status);
    delivery_settle(delivery);
}

static void stored(struct handout_copy *copy)
{
    struct conversation *conversation = copy->handout->conversation;
    if (copy->told) {
        copy->told = false;
        return expiry_note_ended(conversation);
    }
    expiry_note(conversation, copy->own->expires_ms);
    if (copy->delivery)
        return go_on(copy);
    if (copy->choosy)
        queue_pass_over(copy->served, copy->own->reference);
    handout_leave(copy);
}

/* As before: what contacts have said meanwhile counts now. */
static void not_stored(struct handout_copy *copy)
{
    struct delivery *delivery = copy->delivery;
    if (!delivery)
        return;
    delivery->storing = false;
    if (copy->answered)
        handout_delivery_finished(delivery, copy->status);
    copy->answered = false;
    delivery_settle(delivery);
}

/* Somebody was erased meanwhile: he is not written anew. */
static void read_record(struct handout *handout)
{
    struct deferred_fan_out there;
    struct arena arena;
    arena_init(&arena, "record");
    enum status status = deferred_fan_out_get(handout->conversation->documents, handout->record.name, &arena, &there);
    handout->erased = handout->traced = status == NOT_FOUND; /* it went with a transaction that was not heard of */
    if (status == OK)
        take_record(handout, &there, &arena);
    arena_clear(&arena);
}

void handout_ended(struct handout *handout, const struct work *work)
{
    enum status status = handout->erased ? OK : work->commits[handout->record_commit].status;
    handout->ending = false;
    if (status == CONFLICT)
        read_record(handout);
    handout->erased = handout->erased || status == OK;
    handout->traced =
        handout->traced || (status == OK && (!has_trace(handout) || work->commits[handout->trace_commit].status == OK));
    if (handout->traced && handout->erased)
        return handout_free(handout);
    log_warning("fan-out record not ended yet call-id=%.*s message-id=%.*s", TEXT_ARG(handout->record.shared.call_id),
                TEXT_ARG(handout->record.shared.message_id));
    handout_expect(handout);
}

static void settled(struct conversation *conversation, struct work *work)
{
    struct handout *handout = work->details;
    (void)conversation;
    for (size_t i = 0; i < handout->count; i++) {
        struct handout_copy *copy = &handout->copies[i];
        if (!copy->storing)
            continue;
        copy->storing = false;
        copy->own->version = work->commits[copy->commit].version;
        if (work->commits[copy->commit].status == OK)
            stored(copy);
        else
            not_stored(copy);
    }
    handout_ended(handout, work);
}
