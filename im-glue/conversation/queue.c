/* Stored messages of one user (deferred.h), handed over one after another whenever he can be reached, and ended when a
 * contact has answered 2xx or none ever will. */
#include "conversation_private.h"
#include "domains_private.h"
#include "kept_private.h"
#include "log.h"
#include "metrics.h"

#define LEFT_PAGE      50    /* records read at once in search of one that is not to be fetched */
#define EXPIRED        700   /* instead of a contact's status */
#define GONE           701   /* likewise: it has ended already */
#define DELIVERY_BYTES 16384 /* beside its message: the parsed one, branches, its fate */

static enum status read_wanted(struct conversation *conversation, struct served *served, struct arena *arena,
                               struct deferred *deferred_out);
static struct fate new_fate(const struct deferred *deferred, struct arena *arena);
static struct delivery *begin_delivery(struct conversation *conversation, struct served *served,
                                       const struct deferred *deferred);
static void send_stored(struct conversation *conversation, struct served *served, const struct deferred *deferred);
static void plan_retry(struct conversation *conversation, struct served *served);
static void carry_on(struct conversation *conversation, struct work *work);

void queue_pass_over(struct served *served, struct text name)
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
    struct deferred deferred;
    struct arena arena;
    bool may_go = served_reachable(conversation, served) || (served->fetching && served_is_here(conversation, served));
    served->behind = !TAILQ_EMPTY(&served->copies);
    if (served->flushing || served->kept_relays || served->behind)
        return;
    if (!may_go)
        return domain_wait(conversation, served);
    queue_forget_retry(conversation, served);
    if (!has_room(conversation))
        return wait_for_room(conversation, served);
    served->flush_again = false;
    arena_init(&arena, "flush");
    enum status status = read_wanted(conversation, served, &arena, &deferred);
    if (status == OK) {
        send_stored(conversation, served, &deferred);
    } else if (status != NOT_FOUND ||
               served->flush_after) { /* those that were passed over, or a store that does not answer */
        queue_pass_over(served, (struct text){0});
        plan_retry(conversation, served);
    } else {
        served->fetching = served->fetching_all = false;
    }
    arena_clear(&arena);
}

void queue_flush_fresh(struct conversation *conversation, struct served *served, const struct fresh *fresh)
{
    const struct deferred *deferred = &fresh->deferred;
    bool is_next = !served->flushing && !served->kept_relays && TAILQ_EMPTY(&served->copies) && !served->flush_after &&
                   !served->domain && !deferred->away && deferred->expires_ms > conversation->now.wall_ms &&
                   has_room(conversation) && served_reachable(conversation, served) &&
                   deferral_holds(conversation, served, 1);
    if (!is_next)
        return queue_flush(conversation, served);
    queue_forget_retry(conversation, served);
    served->flush_again = false;
    struct delivery *delivery = begin_delivery(conversation, served, deferred);
    delivery->message = text_copy(&delivery->arena, fresh->message);
    delivery->fate = new_fate(&delivery->deferred, &delivery->arena);
    delivery_send_read(delivery, fresh->read);
}

/* The same order as for failures, if somebody did not take his. */
void queue_handed_out(struct conversation *conversation, struct served *served)
{
    bool kept = served->handout_kept;
    served->handout_kept = false;
    if (!kept)
        served->retries = 0;
    if (kept && !served->flushing && !served->flush_after && !served->flush_again)
        plan_retry(conversation, served);
    else if (kept || served->behind)
        queue_flush(conversation, served);
}

void queue_registered(struct conversation *conversation, struct served *served)
{
    served->retries = 0;
    served->flush_again = true;
    queue_pass_over(served, (struct text){0});
    queue_flush(conversation, served);
}

/* What came while he was away is left for who wants to fetch it, or is too much or too large to be handed over. */
struct reading {
    struct deferred_push push;
    uint64_t waiting;
    bool all, pushed;
};

static struct reading reading_of(struct conversation *conversation, const struct served *served)
{
    struct deferred_figures figures = {0};
    struct reading reading = {.push = conversation->settings.deferral.push};
    reading.pushed = publication_settings(conversation, served).push;
    reading.all = served->fetching_all || (reading.pushed && !reading.push.count_max && !reading.push.bytes_max);
    if (!reading.all && deferred_figures(conversation->documents, text_of(served->address), &figures) == OK)
        reading.waiting = figures.count;
    return reading;
}

static bool is_wanted(const struct reading *reading, const struct deferred *deferred)
{
    bool handed_over =
        reading->pushed && deferred_way(&reading->push, deferred, reading->waiting) == DEFERRED_BY_MESSAGE;
    return reading->all || !deferred->away || handed_over;
}

bool queue_hands_over_all(struct conversation *conversation, const struct served *served)
{
    return reading_of(conversation, served).all;
}

bool queue_hands_over(struct conversation *conversation, const struct served *served, const struct deferred *deferred)
{
    struct reading reading = reading_of(conversation, served);
    return is_wanted(&reading, deferred);
}

static enum status read_wanted(struct conversation *conversation, struct served *served, struct arena *arena,
                               struct deferred *deferred_out)
{
    struct reading reading = reading_of(conversation, served);
    size_t limit = reading.all ? 1 : LEFT_PAGE;
    struct deferred_page page = {.more = true};
    while (page.more) {
        arena_reset(arena);
        enum status status = deferred_list(conversation->documents, text_of(served->address),
                                           text_of(served->flush_after), limit, arena, &page);
        if (status != OK)
            return status;
        for (size_t i = 0; i < page.count; i++) {
            *deferred_out = page.items[i];
            if (is_wanted(&reading, deferred_out))
                return OK;
        }
        if (page.count)
            queue_pass_over(served, page.items[page.count - 1].reference);
    }
    return NOT_FOUND;
}

/* As it was when the message came, for who was there. */
static struct fate new_fate(const struct deferred *deferred, struct arena *arena)
{
    struct fate fate = {
        .message_id = deferred->message_id,
        .sender = deferred->sender,
        .recipient = deferred->owner,
        .group = deferred->group,
        .call_id = deferred->call_id,
    };
    return fate_with(&fate, FATE_RECEIVED, deferred->received_ms, TEXT(""), arena);
}

/* Most messages wait for who comes back and takes them: what their traces say is known. */
static struct fate plain_fate(const struct deferred *deferred, struct arena *arena)
{
    struct fate fate = new_fate(deferred, arena);
    return deferred->away ? fate_with(&fate, FATE_STORED, deferred->received_ms, TEXT(QUEUE_AWAY), arena) : fate;
}

/* The record of the same message to the same user; another sender may have chosen the same id. */
struct fate queue_fate(struct conversation *conversation, const struct deferred *deferred, struct arena *arena)
{
    struct fate kept, fate = new_fate(deferred, arena);
    if (deferred->plain_trace)
        return plain_fate(deferred, arena);
    if (fate_get_own(conversation->documents, fate.message_id, fate.recipient, arena, &kept) == OK &&
        text_equal(kept.sender, fate.sender)) {
        fate.steps = kept.steps;
        fate.steps_count = kept.steps_count;
    }
    return fate;
}

/* Its outcome is known already if there is nothing to be sent. */
static enum status read_stored(struct delivery *delivery)
{
    struct conversation *conversation = delivery->conversation;
    struct arena *arena = &delivery->arena;
    struct deferred now;
    enum status status = deferred_message_get(conversation->documents, &delivery->deferred, arena, &delivery->message);
    if (status != NOT_FOUND)
        return status;
    status = deferred_get(conversation->documents, delivery->deferred.owner, delivery->deferred.reference, arena, &now);
    if (status == NOT_FOUND || (status == OK && now.outcome != DEFERRED_WAITING))
        delivery->best = GONE;
    else if (status == OK) /* damage: nobody will ever get it, and it must not stand before the others */
        delivery->best = 493;
    return status == NOT_FOUND ? OK : status;
}

static struct delivery *begin_delivery(struct conversation *conversation, struct served *served,
                                       const struct deferred *deferred)
{
    struct delivery *delivery = delivery_new(conversation, served);
    served->flushing = true;
    delivery->held = DELIVERY_BYTES + 2 * deferred->size;
    conversation->delivery_bytes += delivery->held;
    delivery->deferred = deferral_copy(deferred, &delivery->arena);
    delivery->may_store = !deferred->once;
    return delivery;
}

static void try_later(struct delivery *delivery)
{
    struct conversation *conversation = delivery->conversation;
    struct served *served = delivery->recipient;
    served->flushing = false;
    delivery_free(delivery);
    plan_retry(conversation, served);
}

/* Where people are blocked politely, nobody is told. */
static void refuse_blocked(struct delivery *delivery, struct text rule)
{
    const struct conversation *conversation = delivery->conversation;
    struct text detail = text_format(&delivery->arena, "403 rule '%.*s' of the recipient", TEXT_ARG(rule));
    delivery->fate = fate_with(&delivery->fate, FATE_REFUSED, conversation->now.wall_ms, detail, &delivery->arena);
    delivery->deferred.told = delivery->deferred.told && !conversation->settings.block_politely;
    delivery->best = 403;
    delivery_settle(delivery);
}

static void send_if_allowed(struct delivery *delivery)
{
    struct sip_message *stored = delivery_read(delivery);
    struct text rule;
    switch (stored ? recheck_rules(delivery, stored, &rule) : OK) {
    case OK: delivery_send_read(delivery, stored); break;
    case REFUSED: refuse_blocked(delivery, rule); break;
    default: try_later(delivery);
    }
    sip_message_free(stored);
}

static void send_stored(struct conversation *conversation, struct served *served, const struct deferred *deferred)
{
    struct delivery *delivery = begin_delivery(conversation, served, deferred);
    if (read_stored(delivery) != OK)
        return try_later(delivery);
    delivery->fate = queue_fate(conversation, &delivery->deferred, &delivery->arena);
    if (delivery->best)
        return delivery_settle(delivery);
    if (delivery->deferred.expires_ms > conversation->now.wall_ms)
        return send_if_allowed(delivery);
    delivery->fate = fate_with(&delivery->fate, FATE_EXPIRED, conversation->now.wall_ms, TEXT(""), &delivery->arena);
    delivery->best = EXPIRED;
    delivery_settle(delivery);
}

bool queue_is_away(int status)
{
    return status == 0 || status == 408 || status == 430 || status == 480 || status == 503;
}

bool queue_may_try_again(int status)
{
    return status == 0 || status == 408 || status == 430 || status == 480 || status == 482 || status == 486 ||
           (status >= 500 && status < 600 && status != 501 && status != 505 && status != 513);
}

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
    if (status == EXPIRED)
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
    };
    return copy;
}

/* Its owner erased it, or it was said to be over, while a contact was taking it. */
static void trace_late(struct conversation *conversation, const struct deferred *delivered)
{
    struct work *work = work_new(conversation, 1, work_ignore);
    struct fate fate = queue_fate(conversation, delivered, &work->arena);
    fate = fate_with(&fate, FATE_DELIVERED, conversation->now.wall_ms, TEXT("when it had ended"), &work->arena);
    work_add_fate(work, &fate);
    work_submit(work);
}

static void add_try(struct work *work, const struct delivery *delivery, int status)
{
    struct text why = status ? text_format(&work->arena, "%d", status) : TEXT("no answer");
    struct deferred tried = deferred_tried(&delivery->deferred, why, work->conversation->now.wall_ms, &work->arena);
    tried.away = tried.away || (queue_is_away(status) && !tried.again);
    work->commits[work->count++] = deferred_commit(&tried, &work->arena);
}

void queue_delivery_finished(struct delivery *delivery, int status)
{
    struct conversation *conversation = delivery->conversation;
    bool gone = status == GONE;
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
        trace_late(conversation, carry->delivered);
    if (!carry->kept && is_settled(work)) {
        served->retries = 0;
        return queue_flush(conversation, served);
    }
    if (carry->passed_over.length)
        queue_pass_over(served, carry->passed_over);
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
    bool registers = !served->domain && !core_way(conversation, served).length;
    if (served->retries >= CONVERSATION_RETRIES && registers)
        return;
    if (served->retries >= CONVERSATION_RETRIES) /* nobody registers there: until the message expires */
        served->retries = CONVERSATION_RETRIES - 1;
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
