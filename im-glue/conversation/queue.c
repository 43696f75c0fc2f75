/* Stored messages: documents in "#deferred", handed over one after another in the order of their arrival whenever their
 * owner can be reached, and deleted when a contact has answered 2xx. */
#include "conversation_private.h"
#include "log.h"
#include "metrics.h"
#include "record.h"

static void send_stored(struct conversation *conversation, struct served *served, const struct stored *stored);
static void carry_on(struct conversation *conversation, struct work *work);

/* Names grow with time and never repeat, also across restarts within one clock. */
struct text queue_new_name(struct conversation *conversation, struct arena *arena)
{
    uint64_t order = (uint64_t)conversation->now.wall_ms << 16;
    conversation->last_order = order > conversation->last_order ? order : conversation->last_order + 1;
    return text_format(arena, "%016llx", (unsigned long long)conversation->last_order);
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
    record_add(&record, "message", delivery->message);
    return (struct commit){
        .key = {TEXT(DOCUMENT_DEFERRED), text_copy(arena, text_of(delivery->recipient->address)),
                text_copy(arena, name)},
        .expected = VERSION_ABSENT,
        .bytes = builder_text(&record),
        .who = TEXT("im-glue"),
    };
}

void queue_flush(struct conversation *conversation, struct served *served)
{
    if (served->flushing || served->late_relays || !served_reachable(conversation, served))
        return;
    struct document_key prefix = {TEXT(DOCUMENT_DEFERRED), text_of(served->address), {0}};
    struct key_page page = {0};
    struct stored stored;
    struct arena arena;
    served->retry_at_ms = 0;
    arena_init(&arena, "flush");
    if (document_internal_list(conversation->documents, &prefix, NULL, 1, &arena, &page) == OK && page.count &&
        document_internal_read(conversation->documents, &page.keys[0], &arena, &stored) == OK)
        send_stored(conversation, served, &stored);
    arena_clear(&arena);
}

static void send_stored(struct conversation *conversation, struct served *served, const struct stored *stored)
{
    struct text record = stored->bytes;
    struct delivery *delivery = delivery_new(conversation, served);
    struct arena *arena = &delivery->arena;
    struct text message_id = text_copy(arena, record_text(record, "message-id"));
    served->flushing = true;
    delivery->queue_name = text_copy(arena, stored->key.name);
    delivery->message = text_copy(arena, record_text(record, "message"));
    delivery->may_store = record_number(record, "may-store", 1) != 0;
    delivery->expires_ms = record_number(record, "expires-ms", INT64_MAX);
    if (fate_get(conversation->documents, message_id, text_of(served->address), arena, &delivery->fate) != OK)
        delivery->fate = (struct fate){
            .message_id = message_id,
            .sender = text_copy(arena, record_text(record, "sender")),
            .recipient = text_of(served->address),
            .group = text_copy(arena, record_text(record, "group")),
            .call_id = text_copy(arena, record_text(record, "call-id")),
        };
    if (delivery->expires_ms > conversation->now.wall_ms)
        return delivery_send(delivery);
    delivery->fate = fate_with(&delivery->fate, FATE_EXPIRED, conversation->now.wall_ms, TEXT(""), arena);
    delivery->best = 410; /* not tried again */
    delivery_settle(delivery);
}

bool queue_may_try_again(int status)
{
    return status == 0 || status == 408 || status == 430 || status == 480 || status == 486 ||
           (status >= 500 && status < 600 && status != 501 && status != 505 && status != 513);
}

struct carry {
    bool kept, late;
};

void queue_delivery_finished(struct delivery *delivery, int status)
{
    struct conversation *conversation = delivery->conversation;
    bool keep = delivery->may_store && queue_may_try_again(status);
    struct work *work = work_new(conversation, 2, carry_on);
    struct carry *carry = arena_new(&work->arena, struct carry);
    *carry = (struct carry){.kept = keep, .late = delivery->late};
    work->details = carry;
    work->served = delivery->recipient;
    if (!keep) {
        work_add_deletion(work, DOCUMENT_DEFERRED, text_of(delivery->recipient->address), delivery->queue_name);
        if (status >= 300)
            log_info("message given up id=%.*s to=%s status=%d", TEXT_ARG(delivery->fate.message_id),
                     delivery->recipient->address, status);
    }
    work_add_fate(work, &delivery->fate);
    metric_add(
        metric_counter("im_glue_stored_deliveries_total",
                       status < 300 ? "outcome=\"delivered\"" : (keep ? "outcome=\"kept\"" : "outcome=\"dropped\""),
                       "Attempts to hand over stored messages."),
        1);
    work_submit(work);
}

static int64_t retry_delay_ms(unsigned retries)
{
    /* A phone in a lift, a phone that restarts, a phone that is off: later ones wait for its next registration. */
    static const int64_t delays_ms[] = {60000, 300000, 1800000, 7200000};
    return retries < sizeof(delays_ms) / sizeof(delays_ms[0]) ? delays_ms[retries] : 0;
}

/* A message that stays in the store although it should have left would be sent twice: the same order as for failures.
 */
static void carry_on(struct conversation *conversation, struct work *work)
{
    struct served *served = work->served;
    const struct carry *carry = work->details;
    if (carry->late)
        served->late_relays--;
    else
        served->flushing = false;
    if (!carry->kept && work_status(work) == OK) {
        served->retries = 0;
        if (served->stored_count > 0)
            served->stored_count--;
        return queue_flush(conversation, served);
    }
    int64_t delay_ms = retry_delay_ms(served->retries++);
    if (delay_ms)
        served->retry_at_ms = conversation->now.monotonic_ms + delay_ms;
}
