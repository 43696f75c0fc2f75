/* Stored messages of one user (deferred.h), handed over one after another whenever he can be reached. What ends them
 * is in queue_end.c. */
#include "conversation_private.h"
#include "delivery_private.h"
#include "domains_private.h"
#include "kept_private.h"

#define LEFT_PAGE      50    /* records read at once in search of one that is not to be fetched */
#define DELIVERY_BYTES 16384 /* beside its message: the parsed one, branches, its fate */

static enum status read_next(struct conversation *conversation, struct served *served, struct arena *arena,
                             struct deferred *deferred_out, bool *is_first_out);
static struct delivery *begin_delivery(struct conversation *conversation, struct served *served,
                                       const struct deferred *deferred);
static void send_stored(struct conversation *conversation, struct served *served, const struct deferred *deferred,
                        bool is_first);

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
    bool is_first,
        may_go = served_reachable(conversation, served) || (served->fetching && served_is_here(conversation, served));
    served->behind = !TAILQ_EMPTY(&served->copies);
    if (served->flushing || served->kept_relays || served->behind)
        return;
    if (!may_go)
        return domain_wait(conversation, served);
    queue_forget_retry(conversation, served);
    if (!has_room(conversation))
        return wait_for_room(conversation, served);
    if (queue_taken_is_full(conversation, served))
        return;
    served->flush_again = false;
    arena_init(&arena, "flush");
    enum status status = read_next(conversation, served, &arena, &deferred, &is_first);
    if (status == OK) {
        send_stored(conversation, served, &deferred, is_first);
    } else if (status != NOT_FOUND ||
               served->flush_after) { /* those that were passed over, or a store that does not answer */
        queue_pass_over(served, (struct text){0});
        queue_plan_retry(conversation, served);
    } else {
        served->fetching = served->fetching_all = false;
    }
    arena_clear(&arena);
}

void queue_flush_fresh(struct conversation *conversation, struct served *served, const struct fresh *fresh)
{
    const struct deferred *deferred = &fresh->deferred;
    bool is_next = !served->flushing && !served->taken_count && !served->kept_relays && TAILQ_EMPTY(&served->copies) &&
                   !served->flush_after && !served->domain && !deferred->away &&
                   deferred->expires_ms > conversation->now.wall_ms && has_room(conversation) &&
                   served_reachable(conversation, served) && deferral_holds(conversation, served, 1);
    if (!is_next)
        return queue_flush(conversation, served);
    queue_forget_retry(conversation, served);
    served->flush_again = false;
    struct delivery *delivery = begin_delivery(conversation, served, deferred);
    delivery->is_first = true;
    delivery->message = text_copy(&delivery->arena, fresh->message);
    deferred_plain_trace(&delivery->deferred, &delivery->arena, &delivery->fate);
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
        queue_plan_retry(conversation, served);
    else if (kept || served->behind)
        queue_flush(conversation, served);
}

void queue_registered(struct conversation *conversation, struct served *served)
{
    served->retries = 0;
    served->flush_again = true;
    queue_rewind(served);
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

static enum status read_wanted(struct conversation *conversation, struct served *served, const struct reading *reading,
                               struct arena *arena, struct deferred *deferred_out)
{
    size_t limit = reading->all ? 1 : LEFT_PAGE;
    struct deferred_page page = {.more = true};
    while (page.more) {
        arena_reset(arena);
        enum status status =
            deferred_list(conversation->documents, text_of(served->address), queue_from(served), limit, arena, &page);
        if (status != OK)
            return status;
        for (size_t i = 0; i < page.count; i++) {
            *deferred_out = page.items[i];
            if (!queue_is_taken(served, deferred_out->reference) && is_wanted(reading, deferred_out))
                return OK;
        }
        if (page.count && reading->all)
            queue_note_taken_to(served, page.items[page.count - 1].reference);
        else if (page.count)
            queue_pass_over(served, page.items[page.count - 1].reference);
    }
    return NOT_FOUND;
}

/* More waits than was taken, and yet nothing behind that: it is read from the first. */
static bool is_missing_some(const struct conversation *conversation, const struct served *served)
{
    struct deferred_figures figures;
    return served->taken_to && deferred_figures(conversation->documents, text_of(served->address), &figures) == OK &&
           figures.count > served->taken_count;
}

/* `is_first_out`: all that is before it was taken. */
static enum status read_next(struct conversation *conversation, struct served *served, struct arena *arena,
                             struct deferred *deferred_out, bool *is_first_out)
{
    struct reading reading = reading_of(conversation, served);
    enum status status = read_wanted(conversation, served, &reading, arena, deferred_out);
    if (status == NOT_FOUND && is_missing_some(conversation, served)) {
        queue_rewind(served);
        status = read_wanted(conversation, served, &reading, arena, deferred_out);
    }
    *is_first_out = reading.all && !served->flush_after;
    return status;
}

/* The record of the same message to the same user; another sender may have chosen the same id. */
struct fate queue_fate(struct conversation *conversation, const struct deferred *deferred, struct arena *arena)
{
    struct fate kept, fate;
    deferred_plain_trace(deferred, arena, &fate);
    if (!deferred->plain_trace &&
        fate_get_own(conversation->documents, fate.message_id, fate.recipient, arena, &kept) == OK &&
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
        delivery->best = QUEUE_GONE;
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
    queue_rewind(served);
    served->flushing = false;
    delivery_free(delivery);
    queue_plan_retry(conversation, served);
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

static void send_stored(struct conversation *conversation, struct served *served, const struct deferred *deferred,
                        bool is_first)
{
    struct delivery *delivery = begin_delivery(conversation, served, deferred);
    delivery->is_first = is_first;
    if (is_first)
        queue_note_taken_to(served, deferred->reference);
    if (read_stored(delivery) != OK)
        return try_later(delivery);
    delivery->fate = queue_fate(conversation, &delivery->deferred, &delivery->arena);
    if (delivery->best)
        return delivery_settle(delivery);
    if (delivery->deferred.expires_ms > conversation->now.wall_ms)
        return send_if_allowed(delivery);
    delivery->fate = fate_with(&delivery->fate, FATE_EXPIRED, conversation->now.wall_ms, TEXT(""), &delivery->arena);
    delivery->best = QUEUE_EXPIRED;
    delivery_settle(delivery);
}
