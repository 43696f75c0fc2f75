/* Stored messages: documents in "#deferred", handed over one after another in the order of their arrival whenever their
 * owner can be reached, and deleted when a contact has answered 2xx. */
#include "conversation_private.h"
#include "log.h"
#include "metrics.h"
#include "record.h"

#define DELIVERY_BYTES 16384 /* beside its message: the parsed one, branches, its fate */

static enum status read_next(struct conversation *conversation, struct served *served, struct arena *arena,
                             struct stored *stored_out);
static enum status read_wanted(struct conversation *conversation, struct served *served, struct arena *arena,
                               struct stored *stored_out);
static void send_stored(struct conversation *conversation, struct served *served, const struct stored *stored);
static void plan_retry(struct conversation *conversation, struct served *served);
static void carry_on(struct conversation *conversation, struct work *work);

/* Names grow with time and never repeat, also across restarts within one clock. */
struct text queue_new_name(struct conversation *conversation, struct arena *arena)
{
    uint64_t order = (uint64_t)conversation->now.wall_ms << 16;
    conversation->last_order = order > conversation->last_order ? order : conversation->last_order + 1;
    return text_format(arena, "%016llx-%s", (unsigned long long)conversation->last_order, conversation->order_suffix);
}

struct commit queue_commit(const struct delivery *delivery, struct text name, struct arena *arena)
{
    struct text_builder record;
    builder_init(&record, arena);
    record_add(&record, "message-id", delivery->fate.message_id);
    record_add(&record, "sender", delivery->fate.sender);
    record_add(&record, "group", delivery->fate.group);
    record_add(&record, "call-id", delivery->fate.call_id);
    record_add_number(&record, "expires-ms", delivery->expires_ms);
    record_add_number(&record, "may-store", delivery->may_store);
    record_add_number(&record, "away", !served_reachable(delivery->conversation, delivery->recipient));
    record_add(&record, "message", delivery->message);
    return (struct commit){
        .key = {TEXT(DOCUMENT_DEFERRED), text_copy(arena, text_of(delivery->recipient->address)),
                text_copy(arena, name)},
        .expected = VERSION_ABSENT,
        .bytes = builder_text(&record),
        .who = TEXT("im-glue"),
    };
}

static void pass_over(struct served *served, struct text name)
{
    free(served->flush_after);
    served->flush_after = NULL;
    if (name.length == 0)
        return;
    served->flush_after = text_keep(name);
}

static bool has_room(const struct conversation *conversation)
{
    return conversation->delivery_bytes < conversation->settings.bytes_max;
}

static void wait_for_room(struct conversation *conversation, struct served *served)
{
    if (served->waits)
        return;
    served->waits = true;
    conversation->waiting_count++;
    TAILQ_INSERT_TAIL(&conversation->waiting, served, wait);
}

/* First come, first served. */
void queue_run_waiting(struct conversation *conversation)
{
    struct served *served;
    while (has_room(conversation) && (served = TAILQ_FIRST(&conversation->waiting))) {
        TAILQ_REMOVE(&conversation->waiting, served, wait);
        served->waits = false;
        conversation->waiting_count--;
        queue_flush(conversation, served);
    }
}

void queue_flush(struct conversation *conversation, struct served *served)
{
    struct stored stored;
    struct arena arena;
    if (served->flushing || served->kept_relays || !served_reachable(conversation, served))
        return;
    queue_forget_retry(conversation, served);
    if (!has_room(conversation))
        return wait_for_room(conversation, served);
    served->flush_again = false;
    arena_init(&arena, "flush");
    enum status status = read_wanted(conversation, served, &arena, &stored);
    if (status == OK) {
        send_stored(conversation, served, &stored);
    } else if (status == NOT_FOUND && !served->flush_after) {
        served->stored_count = 0;
    } else { /* those that were passed over, or a store that does not answer */
        pass_over(served, (struct text){0});
        plan_retry(conversation, served);
    }
    arena_clear(&arena);
}

void queue_registered(struct conversation *conversation, struct served *served)
{
    served->retries = 0;
    served->flush_again = true;
    pass_over(served, (struct text){0});
    queue_flush(conversation, served);
}

static enum status read_next(struct conversation *conversation, struct served *served, struct arena *arena,
                             struct stored *stored_out)
{
    struct document_key prefix = {TEXT(DOCUMENT_DEFERRED), text_of(served->address), {0}}, after = prefix;
    struct key_page page = {0};
    after.name = text_of(served->flush_after);
    enum status status =
        document_internal_list(conversation->documents, &prefix, served->flush_after ? &after : NULL, 1, arena, &page);
    if (status != OK || page.count == 0)
        return status == OK ? NOT_FOUND : status;
    status = document_internal_read(conversation->documents, &page.keys[0], arena, stored_out);
    return status == NOT_FOUND ? FAILED : status; /* somebody else works on this queue: look again later */
}

/* What came while he was away is left for who wants to fetch it. */
static enum status read_wanted(struct conversation *conversation, struct served *served, struct arena *arena,
                               struct stored *stored_out)
{
    bool all = publication_settings(conversation, served).push;
    enum status status = read_next(conversation, served, arena, stored_out);
    while (status == OK && !all && record_number(stored_out->bytes, "away", 0)) {
        pass_over(served, stored_out->key.name);
        arena_reset(arena);
        status = read_next(conversation, served, arena, stored_out);
    }
    return status;
}

/* The record of the same message to the same user; another sender may have chosen the same id. */
static struct fate read_fate(struct conversation *conversation, struct delivery *delivery, struct text record)
{
    struct arena *arena = &delivery->arena;
    struct fate kept;
    struct fate fate = {
        .message_id = text_copy(arena, record_text(record, "message-id")),
        .sender = text_copy(arena, record_text(record, "sender")),
        .recipient = text_of(delivery->recipient->address),
        .group = text_copy(arena, record_text(record, "group")),
        .call_id = text_copy(arena, record_text(record, "call-id")),
    };
    if (fate_get(conversation->documents, fate.message_id, fate.recipient, arena, &kept) == OK &&
        text_equal(kept.sender, fate.sender)) {
        fate.steps = kept.steps;
        fate.steps_count = kept.steps_count;
    }
    return fate;
}

static void send_stored(struct conversation *conversation, struct served *served, const struct stored *stored)
{
    struct text record = stored->bytes;
    struct delivery *delivery = delivery_new(conversation, served);
    struct arena *arena = &delivery->arena;
    served->flushing = true;
    delivery->queue_name = text_copy(arena, stored->key.name);
    delivery->message = text_copy(arena, record_text(record, "message"));
    delivery->held = DELIVERY_BYTES + 2 * delivery->message.length;
    conversation->delivery_bytes += delivery->held;
    delivery->may_store = record_number(record, "may-store", 1) != 0;
    delivery->expires_ms = record_number(record, "expires-ms", INT64_MAX);
    delivery->fate = read_fate(conversation, delivery, record);
    if (delivery->expires_ms > conversation->now.wall_ms)
        return delivery_send(delivery);
    delivery->fate = fate_with(&delivery->fate, FATE_EXPIRED, conversation->now.wall_ms, TEXT(""), arena);
    delivery->best = 410; /* not tried again */
    message_count(delivery->fate.group, MESSAGE_EXPIRED);
    delivery_settle(delivery);
}

bool queue_may_try_again(int status)
{
    return status == 0 || status == 408 || status == 430 || status == 480 || status == 486 ||
           (status >= 500 && status < 600 && status != 501 && status != 505 && status != 513);
}

struct carry {
    bool kept, late;
    struct text passed_over; /* its name, when the contact is there but does not take this one now */
};

void queue_delivery_finished(struct delivery *delivery, int status)
{
    struct conversation *conversation = delivery->conversation;
    bool keep = delivery->may_store && queue_may_try_again(status);
    struct work *work = work_new(conversation, 2 + RECORDING_COMMITS, carry_on);
    struct carry *carry = arena_new(&work->arena, struct carry);
    *carry = (struct carry){.kept = keep, .late = delivery->late};
    if (keep && (delivery->choosy || (status >= 500 && status != 503)))
        carry->passed_over = text_copy(&work->arena, delivery->queue_name);
    work->details = carry;
    work->served = delivery->recipient;
    if (!keep) {
        work_add_deletion(work, DOCUMENT_DEFERRED, text_of(delivery->recipient->address), delivery->queue_name);
        if (status >= 300)
            log_info("message given up call-id=%.*s message-id=%.*s to=%s status=%d", TEXT_ARG(delivery->fate.call_id),
                     TEXT_ARG(delivery->fate.message_id), delivery->recipient->address, status);
        if (status >= 300 && status != 410)
            delivery->fate = fate_with(&delivery->fate, FATE_REFUSED, conversation->now.wall_ms,
                                       text_format(&delivery->arena, "%d given up", status), &delivery->arena);
    }
    if (!keep && status != 410)
        message_count(delivery->fate.group, status < 300 ? MESSAGE_DELIVERED : MESSAGE_DROPPED);
    work_add_fate(work, &delivery->fate);
    if (!keep && status < 300)
        recording_add_received(work, delivery);
    metric_add(
        metric_counter("im_glue_stored_deliveries_total",
                       status < 300 ? "outcome=\"delivered\"" : (keep ? "outcome=\"kept\"" : "outcome=\"dropped\""),
                       "Attempts to hand over stored messages."),
        1);
    work_submit(work);
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
    if (!carry->kept && work_status(work) == OK) {
        served->retries = 0;
        if (served->stored_count > 0)
            served->stored_count--;
        return queue_flush(conversation, served);
    }
    if (carry->passed_over.length)
        pass_over(served, carry->passed_over);
    if (carry->passed_over.length || served->flush_again)
        return queue_flush(conversation, served);
    plan_retry(conversation, served);
}

/* --- later --- */

/* A phone in a lift, a phone that restarts, a phone that is off: later ones wait for its next registration. */
static void plan_retry(struct conversation *conversation, struct served *served)
{
    static const int64_t delays_ms[CONVERSATION_RETRIES] = {60000, 300000, 1800000, 7200000};
    queue_forget_retry(conversation, served);
    if (served->retries >= CONVERSATION_RETRIES)
        return;
    served->retry_list = served->retries++;
    served->retry_at_ms = conversation->now.monotonic_ms + delays_ms[served->retry_list];
    TAILQ_INSERT_TAIL(&conversation->retries[served->retry_list], served, retry);
}

void queue_forget_retry(struct conversation *conversation, struct served *served)
{
    if (served->retry_at_ms)
        TAILQ_REMOVE(&conversation->retries[served->retry_list], served, retry);
    served->retry_at_ms = 0;
}

void queue_run_deadlines(struct conversation *conversation)
{
    for (size_t i = 0; i < CONVERSATION_RETRIES; i++) {
        struct served *served;
        while ((served = TAILQ_FIRST(&conversation->retries[i])) &&
               served->retry_at_ms <= conversation->now.monotonic_ms) {
            queue_forget_retry(conversation, served);
            queue_flush(conversation, served);
        }
    }
}

int64_t queue_deadline(const struct conversation *conversation)
{
    int64_t deadline = INT64_MAX;
    for (size_t i = 0; i < CONVERSATION_RETRIES; i++) {
        const struct served *first = TAILQ_FIRST(&conversation->retries[i]);
        if (first && first->retry_at_ms < deadline)
            deadline = first->retry_at_ms;
    }
    return deadline;
}
