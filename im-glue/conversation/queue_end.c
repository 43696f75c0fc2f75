/* What becomes of a stored message that was handed over: it ends when a contact has answered 2xx or none ever will;
 * else it stays for later. */
#include "conversation_private.h"
#include "kept_private.h"
#include "log.h"
#include "metrics.h"

bool queue_is_away(int status)
{
    return status == 0 || status == 408 || status == 430 || status == 480 || status == 503;
}

bool queue_may_try_again(int status)
{
    return status == 0 || status == 408 || status == 430 || status == 480 || status == 482 || status == 486 ||
           (status >= 500 && status < 600 && status != 501 && status != 505 && status != 513);
}

static void carry_on(struct conversation *conversation, struct work *work);

struct carry {
    bool kept, late;
    enum deferred_outcome outcome; /* unless it is kept */
    enum message_content content;
    struct text group;
    struct text passed_over;          /* its reference, when the contact is there but does not take this one now */
    const struct deferred *delivered; /* what a trace is found by, of what a contact took; else NULL */
};

enum attempt { ATTEMPT_DELIVERED, ATTEMPT_KEPT, ATTEMPT_DROPPED, ATTEMPTS };

static enum attempt attempt_of(int status, bool keep)
{
    if (status < 300)
        return ATTEMPT_DELIVERED;
    return keep ? ATTEMPT_KEPT : ATTEMPT_DROPPED;
}

void queue_count_attempt(int status, bool keep)
{
    enum attempt attempt = attempt_of(status, keep);
    static const char *const labels[] = {"outcome=\"delivered\"", "outcome=\"kept\"", "outcome=\"dropped\""};
    static struct metric *counters[ATTEMPTS]; /* of the one thread of this module */
    if (!counters[attempt])
        counters[attempt] = metric_counter("im_glue_stored_deliveries_total", labels[attempt],
                                           "Attempts to hand over stored messages.");
    metric_add(counters[attempt], 1);
}

static enum deferred_outcome outcome_of(int status)
{
    if (status == QUEUE_EXPIRED)
        return DEFERRED_EXPIRED;
    return status < 300 ? DEFERRED_DELIVERED : DEFERRED_REFUSED;
}

/* It waits no more. */
static void add_end(struct work *work, struct delivery *delivery, int status)
{
    struct arena *arena = &delivery->arena;
    int64_t now_ms = work->conversation->now.wall_ms;
    struct text why = status < 300 ? TEXT("") : text_format(arena, "%d", status);
    enum deferred_outcome outcome = outcome_of(status);
    if (outcome == DEFERRED_REFUSED) {
        log_info("message given up call-id=%.*s message-id=%.*s to=%s status=%d", TEXT_ARG(delivery->fate.call_id),
                 TEXT_ARG(delivery->fate.message_id), delivery->recipient->address, status);
        delivery->fate =
            fate_with(&delivery->fate, FATE_REFUSED, now_ms, text_format(arena, "%d given up", status), arena);
    }
    if (outcome != DEFERRED_EXPIRED)
        message_count(delivery->fate.group, message_content_of(&delivery->deferred),
                      status < 300 ? MESSAGE_DELIVERED : MESSAGE_DROPPED);
    work->count += deferred_end(&delivery->deferred, outcome, why, now_ms, &work->arena, &work->commits[work->count]);
}

static struct deferred *copy_for_trace(const struct deferred *deferred, struct arena *arena)
{
    struct deferred *copy = arena_new(arena, struct deferred);
    *copy = (struct deferred){
        .owner = text_copy(arena, deferred->owner),
        .message_id = text_copy(arena, deferred->message_id),
        .call_id = text_copy(arena, deferred->call_id),
        .sender = text_copy(arena, deferred->sender),
        .group = text_copy(arena, deferred->group),
        .received_ms = deferred->received_ms,
    };
    return copy;
}

/* Its owner erased it, or it was said to be over, while a contact was taking it. */
void queue_trace_late(struct conversation *conversation, const struct deferred *delivered)
{
    struct arena *arena = &work_records(conversation)->arena;
    struct fate fate = queue_fate(conversation, delivered, arena);
    fate = fate_with(&fate, FATE_DELIVERED, conversation->now.wall_ms, TEXT("when it had ended"), arena);
    work_note_fate(conversation, &fate);
}

static void add_try(struct work *work, const struct delivery *delivery, int status)
{
    struct text why = status ? text_format(&work->arena, "%d", status) : TEXT("no answer");
    struct deferred tried = deferred_tried(&delivery->deferred, why, work->conversation->now.wall_ms, &work->arena);
    tried.away = tried.away || (queue_is_away(status) && !tried.again);
    work->commits[work->count++] = deferred_commit(&tried, &work->arena);
}

/* The next one need not wait for the disk. */
static void finish_late(struct delivery *delivery, int status)
{
    struct served *served = delivery->recipient;
    message_count(delivery->fate.group, message_content_of(&delivery->deferred), MESSAGE_DELIVERED);
    queue_count_attempt(status, false);
    queue_take_late(delivery);
    served->retries = 0;
    served->flushing = false;
    queue_flush(delivery->conversation, served);
}

void queue_delivery_finished(struct delivery *delivery, int status)
{
    struct conversation *conversation = delivery->conversation;
    if (queue_takes_late(delivery, status))
        return finish_late(delivery, status);
    queue_rewind(delivery->recipient);
    bool gone = status == QUEUE_GONE;
    bool keep = delivery->may_store && queue_may_try_again(status);
    struct work *work = work_new(conversation, DEFERRED_END_COMMITS + 1 + RECORDING_COMMITS, carry_on);
    struct carry *carry = arena_new(&work->arena, struct carry);
    *carry = (struct carry){.kept = keep,
                            .late = delivery->late,
                            .outcome = outcome_of(status),
                            .content = message_content_of(&delivery->deferred),
                            .group = text_copy(&work->arena, delivery->deferred.group)};
    if (keep && (delivery->choosy || (status >= 500 && status != 503)))
        carry->passed_over = text_copy(&work->arena, delivery->deferred.reference);
    work->details = carry;
    work->served = delivery->recipient;
    if (gone)
        return work_submit(work);
    if (status < 300)
        carry->delivered = copy_for_trace(&delivery->deferred, &work->arena);
    if (keep)
        add_try(work, delivery, status);
    else
        add_end(work, delivery, status);
    work_add_fate(work, &delivery->fate);
    work->commits[work->count - 1].only_with = &work->commits[0]; /* whoever ended it otherwise has said so */
    if (status < 300 && !keep)
        recording_add_received(work, delivery);
    queue_count_attempt(status, keep);
    work_submit(work);
}

/* CONFLICT: it has ended otherwise meanwhile, as by its owner. */
static bool is_settled(const struct work *work)
{
    for (size_t i = 0; i < work->count; i++)
        if (work->commits[i].status != OK && work->commits[i].status != CONFLICT)
            return false;
    return true;
}

/* Whoever ended it otherwise has counted it. */
static void count_end(const struct work *work)
{
    const struct carry *carry = work->details;
    if (carry->kept || work->count == 0)
        return;
    deferred_count_ends(carry->outcome, work->commits, work->count);
    if (carry->outcome == DEFERRED_EXPIRED && work->commits[0].status == OK)
        message_count(carry->group, carry->content, MESSAGE_EXPIRED);
}

/* The record of what was delivered is gone, so that nobody is to be told. */
static bool may_have_ended(const struct work *work)
{
    const struct carry *carry = work->details;
    bool gone = work->count && work->commits[0].deletion && work->commits[0].status == OK;
    return !carry->kept && !gone;
}

/* A message that stays in the store although it should have left would be sent twice: the same order as for failures.
 */
static void carry_on(struct conversation *conversation, struct work *work)
{
    struct served *served = work->served;
    const struct carry *carry = work->details;
    if (carry->late)
        served->kept_relays--;
    else
        served->flushing = false;
    if (may_have_ended(work))
        expiry_note_ended(conversation);
    count_end(work);
    if (carry->delivered && work->commits[0].status == CONFLICT)
        queue_trace_late(conversation, carry->delivered);
    if (!carry->kept && is_settled(work)) {
        served->retries = 0;
        return queue_flush(conversation, served);
    }
    if (carry->passed_over.length)
        queue_pass_over(served, carry->passed_over);
    if (carry->passed_over.length || served->flush_again)
        return queue_flush(conversation, served);
    queue_plan_retry(conversation, served);
}
