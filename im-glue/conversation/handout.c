/* Handing out: who may get a copy so, in what order each user gets his, and what the contacts say. */
#include "delivery_private.h"
#include "handout_private.h"
#include "incoming_private.h"
#include "kept_private.h"
#include "log.h"

bool handout_may_take(struct conversation *conversation, const struct incoming *incoming, const struct served *served,
                      const struct deferred_figures *his)
{
    const struct handout_copy *last = TAILQ_LAST(&served->copies, handout_copies);
    bool behind = queue_has_others(conversation, served, his->count) || served->flushing || served->kept_relays ||
                  served->arriving || (last && last->state == COPY_KEPT) || served->copies_count >= HANDOUT_BEHIND_MAX;
    return !behind && !served->domain && !incoming->is_own &&
           incoming->expires_ms > conversation->now.wall_ms + HANDOUT_MS &&
           conversation->delivery_bytes + HANDOUT_BYTES < conversation->settings.bytes_max &&
           served_reachable(conversation, served) && !recording_is_asked(conversation, served);
}

struct handout *handout_new(const struct incoming *incoming, struct text group, size_t copies_max)
{
    struct conversation *conversation = incoming->request->conversation;
    struct handout *handout = memory_new(sizeof(*handout));
    struct fate fate = incoming_fate(incoming, (struct text){0}, group);
    const struct deferred shared = deferral_of(incoming, &fate);
    arena_init(&handout->arena, "handout");
    handout->conversation = conversation;
    handout->content = incoming_content(incoming);
    handout->record.name = deferred_content_name(deferral_order(conversation), &handout->arena);
    handout->record.shared = deferral_copy(&shared, &handout->arena);
    handout->received = (struct fate_step){.kind = FATE_RECEIVED, .when_ms = conversation->now.wall_ms};
    handout->trace = (struct fate_fan_out){
        .name = handout->record.name,
        .message_id = handout->record.shared.message_id,
        .sender = handout->record.shared.sender,
        .call_id = handout->record.shared.call_id,
        .group = handout->record.shared.group,
        .received_ms = conversation->now.wall_ms,
    };
    handout->copies = arena_alloc_raw(&handout->arena, copies_max * sizeof(*handout->copies));
    builder_init(&handout->entries, &handout->arena);
    TAILQ_INSERT_TAIL(&conversation->handouts_all, handout, all);
    handout_enter(handout);
    return handout;
}

void handout_add(struct handout *handout, struct served *served, struct text group, bool once)
{
    struct handout_copy *copy = &handout->copies[handout->count++];
    const struct deferred *shared = &handout->record.shared;
    bool same = text_equal(group, shared->group);
    *copy = (struct handout_copy){
        .handout = handout,
        .served = served,
        .once = once,
        .group = same ? shared->group : text_copy(&handout->arena, group),
    };
    copy->fate = (struct fate){
        .message_id = shared->message_id,
        .sender = shared->sender,
        .recipient = text_of(served->address),
        .group = copy->group,
        .call_id = shared->call_id,
        .steps = &handout->received,
        .steps_count = 1,
    };
    handout->open++;
    handout->conversation->delivery_bytes += HANDOUT_BYTES;
    served->copies_count++;
    TAILQ_INSERT_TAIL(&served->copies, copy, entry);
}

void handout_add_commits(struct work *work, struct handout *handout, struct text content, struct text message,
                         const struct commit *with)
{
    struct deferred_copy *copies = arena_array(&handout->arena, struct deferred_copy, handout->count);
    for (size_t i = 0; i < handout->count; i++) {
        const struct handout_copy *copy = &handout->copies[i];
        copies[i] = (struct deferred_copy){copy->fate.recipient, copy->group, copy->once};
    }
    handout->record.copies = copies;
    handout->record.count = handout->count;
    handout->record.shared.content = text_copy(&handout->arena, content);
    handout->message = text_copy(&handout->arena, message);
    handout->record.shared.message = content.length ? (struct text){0} : handout->message;
    handout->record_commit = work->count;
    work->commits[work->count] = deferred_fan_out_commit(&handout->record, &work->arena);
    work->commits[work->count++].only_with = with;
}

/* --- on their way ------------------------------------------------------------------------------------------------- */

static void send_copy(struct handout_copy *copy)
{
    struct handout *handout = copy->handout;
    struct delivery *delivery = delivery_new(handout->conversation, copy->served);
    copy->state = COPY_SENT;
    copy->delivery = delivery;
    delivery->copy = copy;
    delivery->held = HANDOUT_BYTES; /* counted already */
    delivery->message = handout->message;
    delivery->fate = copy->fate;
    delivery->may_store = !copy->once;
    delivery_send_read(delivery, handout->read);
}

static void keep_copy(struct handout_copy *copy)
{
    struct handout *handout = copy->handout;
    copy->state = COPY_KEPT;
    copy->served->handout_kept = true;
    if (--handout->open == 0)
        handout_rest(handout);
}

void handout_keep_waiting(struct served *served)
{
    struct handout_copy *copy;
    TAILQ_FOREACH(copy, &served->copies, entry)
    {
        if (copy->state != COPY_WAITS)
            continue;
        copy->handout->conversation->delivery_bytes -= HANDOUT_BYTES;
        keep_copy(copy);
    }
}

/* The first goes, if it waits for nothing else. */
static void send_next(struct conversation *conversation, struct served *served)
{
    struct handout_copy *first;
    while ((first = TAILQ_FIRST(&served->copies)) && first->state == COPY_WAITS && first->handout->accepted) {
        if (!served_reachable(conversation, served))
            return handout_keep_waiting(served);
        send_copy(first);
    }
    if (first && first->state == COPY_KEPT)
        handout_keep_waiting(served);
}

void handout_leave(struct handout_copy *copy)
{
    struct served *served = copy->served;
    struct conversation *conversation = copy->handout->conversation;
    copy->state = COPY_ENDED;
    TAILQ_REMOVE(&served->copies, copy, entry);
    served->copies_count--;
    send_next(conversation, served);
    if (TAILQ_EMPTY(&served->copies))
        queue_handed_out(conversation, served);
}

static void make_pattern(struct handout *handout)
{
    struct copies_pattern pattern = {0};
    if (handout->read && delivery_prepare_copies(handout->read, &handout->arena, &pattern)) {
        handout->pattern = arena_new(&handout->arena, struct copies_pattern);
        *handout->pattern = pattern;
        return;
    }
    sip_message_free(pattern.message);
}

/* Without a group in it, a copy is the message itself. */
const struct copies_pattern *handout_pattern(const struct handout_copy *copy)
{
    return copy->group.length ? copy->handout->pattern : NULL;
}

void handout_begin(struct handout *handout, const struct work *work, struct sip_message *read)
{
    handout->record.version = work->commits[handout->record_commit].version;
    handout->read = read;
    handout->accepted = true;
    make_pattern(handout);
    handout_expect(handout);
    for (size_t i = 0; i < handout->count; i++) {
        message_count(handout->copies[i].group, handout->content, MESSAGE_STORED);
        if (handout->copies[i].state == COPY_WAITS)
            send_next(handout->conversation, handout->copies[i].served);
    }
    if (handout->open == 0)
        handout_rest(handout);
}

void handout_detach(struct delivery *delivery)
{
    struct fate *fate = &delivery->fate;
    struct text *texts[] = {&fate->message_id, &fate->sender, &fate->group, &fate->call_id, &delivery->message};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        *texts[i] = text_copy(&delivery->arena, *texts[i]);
    delivery->copy = NULL;
}

/* Its steps live with the delivery. */
static void keep_fate(struct handout_copy *copy, const struct delivery *delivery)
{
    struct arena *arena = &copy->handout->arena;
    const struct fate *fate = &delivery->fate;
    struct fate_step *steps = arena_array(arena, struct fate_step, fate->steps_count);
    for (size_t i = 0; i < fate->steps_count; i++) {
        steps[i] = fate->steps[i];
        steps[i].detail = text_copy(arena, steps[i].detail);
    }
    copy->fate.steps = steps;
    copy->fate.steps_count = fate->steps_count;
}

static void give_up(struct handout_copy *copy, struct delivery *delivery, int status)
{
    struct conversation *conversation = delivery->conversation;
    log_info("message given up call-id=%.*s message-id=%.*s to=%s status=%d", TEXT_ARG(delivery->fate.call_id),
             TEXT_ARG(delivery->fate.message_id), delivery->recipient->address, status);
    delivery->fate = fate_with(&delivery->fate, FATE_REFUSED, conversation->now.wall_ms,
                               text_format(&delivery->arena, "%d given up", status), &delivery->arena);
    copy->told = copy->handout->record.shared.told;
    copy->status = status;
}

static void end_copy(struct handout_copy *copy, struct delivery *delivery, int status)
{
    struct handout *handout = copy->handout;
    if (status >= 300)
        give_up(copy, delivery, status);
    message_count(copy->group, handout->content, status < 300 ? MESSAGE_DELIVERED : MESSAGE_DROPPED);
    deferred_count_end(status < 300 ? DEFERRED_DELIVERED : DEFERRED_REFUSED);
    fate_entry_add(&handout->entries, &handout->trace, &delivery->fate);
    if (delivery->branches)
        handout_detach(delivery);
    handout_leave(copy);
    if (--handout->open == 0)
        handout_rest(handout);
}

void handout_delivery_finished(struct delivery *delivery, int status)
{
    struct handout_copy *copy = delivery->copy;
    bool may_come = delivery->may_store && queue_may_try_again(status);
    if (copy->storing) { /* its own record says it, when it is there */
        copy->answered = true;
        copy->status = status;
        return;
    }
    queue_count_attempt(status, may_come);
    copy->delivery = NULL;
    delivery->copy = NULL;
    if (!may_come)
        return end_copy(copy, delivery, status);
    keep_fate(copy, delivery);
    copy->tried = true;
    copy->status = status;
    copy->choosy = delivery->choosy || (status >= 500 && status != 503);
    keep_copy(copy);
    handout_keep_waiting(copy->served);
}

/* --- not accepted, and the end of all ----------------------------------------------------------------------------- */

void handout_take_back(struct work *work, struct handout *handout)
{
    struct conversation *conversation = handout->conversation;
    work->count += deferred_fan_out_end(&handout->record, &work->arena, work->commits + work->count);
    for (size_t i = 0; i < handout->count; i++) {
        const struct fate fate = fate_with(&handout->copies[i].fate, FATE_FAILED, conversation->now.wall_ms,
                                           TEXT("500 not stored"), &work->arena);
        fate_entry_add(&handout->entries, &handout->trace, &fate);
    }
    handout->trace.entries = builder_text(&handout->entries);
    work->has_fates = true;
    work->commits[work->count++] = fate_fan_out_commit(&handout->trace, &work->arena);
    for (size_t i = 0; i < handout->count; i++) {
        if (handout->copies[i].state == COPY_WAITS)
            conversation->delivery_bytes -= HANDOUT_BYTES;
        handout_leave(&handout->copies[i]);
    }
    handout_free(handout);
}

void handout_free(struct handout *handout)
{
    struct conversation *conversation = handout->conversation;
    TAILQ_REMOVE(&conversation->handouts_all, handout, all);
    handout_depart(handout);
    if (handout->settle_at_ms)
        TAILQ_REMOVE(&conversation->handouts_due, handout, due);
    if (handout->pattern)
        sip_message_free(handout->pattern->message);
    sip_message_free(handout->read);
    arena_clear(&handout->arena);
    free(handout);
}

void handout_free_all(struct conversation *conversation)
{
    while (!TAILQ_EMPTY(&conversation->handouts_all))
        handout_free(TAILQ_FIRST(&conversation->handouts_all));
}
