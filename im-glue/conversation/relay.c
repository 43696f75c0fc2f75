/* A message to one user who can be reached: its sender hears what the contacts say. When they are silent, or none takes
 * it now, it is kept after all and he hears 202. */
#include "delivery_private.h"
#include "domains_private.h"
#include "incoming_private.h"
#include "kept_private.h"
#include "log.h"
#include "own_report.h"

/* Its record on the way to the disk: it is that of the delivery when it is there. */
struct keeping {
    struct deferred deferred;
    size_t commit; /* its place in the work */
    struct own_report report;
};

static void keep_done(struct conversation *conversation, struct work *work);
static bool record(struct delivery *delivery, int told);

/* Nothing here may live in the arena of the request, which is answered and freed before the delivery ends. */
static struct delivery *new_delivery(const struct incoming *incoming, struct served *served, struct fate fate)
{
    struct conversation *conversation = incoming->request->conversation;
    struct delivery *delivery = delivery_new(conversation, served);
    delivery->message = text_copy(&delivery->arena, incoming->message);
    fate.message_id = text_copy(&delivery->arena, fate.message_id);
    fate.sender = text_copy(&delivery->arena, fate.sender);
    fate.recipient = text_of(served->address);
    fate.group = text_copy(&delivery->arena, fate.group);
    fate.call_id = text_copy(&delivery->arena, fate.call_id);
    delivery->fate = fate_with(&fate, FATE_RECEIVED, conversation->now.wall_ms, TEXT(""), &delivery->arena);
    delivery->deferred = deferral_unnamed(incoming, &delivery->fate); /* most are never kept */
    delivery->deferred.group_name = text_copy(&delivery->arena, delivery->deferred.group_name);
    delivery->deferred.subject = text_copy(&delivery->arena, delivery->deferred.subject);
    delivery->deferred.type = text_copy(&delivery->arena, delivery->deferred.type);
    delivery->deferred.route = text_copy(&delivery->arena, delivery->deferred.route);
    delivery->wants_processing = incoming->wanted.processing && !served->domain; /* its own server says so */
    delivery->untold = incoming->composing;
    delivery->again = incoming->request->visit.again;
    return delivery;
}

void relay_begin(struct incoming *incoming, struct served *served, bool may_store)
{
    struct fate fate = incoming_fate(incoming, text_of(served->address), (struct text){0});
    struct delivery *delivery = new_delivery(incoming, served, fate);
    const struct visit *visit = &incoming->request->visit;
    delivery->request = incoming->request;
    delivery->route = text_copy(&delivery->arena, visit->route);
    delivery->onward = (visit->originating || visit->returns) && visit->route.length;
    delivery->may_store = may_store;
    delivery_expect_answer(delivery);
    delivery_send_read(delivery, incoming->request->onward);
}

struct delivery *relay_new_passing(const struct incoming *incoming, struct served *served, struct fate fate)
{
    return new_delivery(incoming, served, fate);
}

/* What a contact says, as the sender of the message hears it. */
static int answer_for(int status)
{
    if (status == 401 || status == 407) /* a challenge between us and a contact says nothing to the sender */
        return 403;
    if (queue_may_try_again(status) || (status >= 300 && status < 400)) /* nor does another place to look */
        return 480;
    return status;
}

static enum message_content content_of(const struct delivery *delivery)
{
    return delivery->untold ? CONTENT_COMPOSING : message_content_of(&delivery->deferred);
}

static struct own_report report(struct work *work, const struct delivery *delivery, const char *status)
{
    struct own_report_draft draft =
        own_report_draft(work, &delivery->fate, delivery->fate.recipient, delivery->deferred.route, 1);
    if (delivery->wants_processing)
        own_report_say(&draft, delivery->fate.recipient, true, TEXT("processing"), text_of(status));
    return own_report_add(&draft);
}

static void answer_sender(struct delivery *delivery, int told)
{
    struct conversation *conversation = delivery->conversation;
    struct request *request = delivery->request;
    bool is_elsewhere = delivery->recipient->domain || delivery->onward;
    delivery->request = NULL;
    if (!request)
        return;
    if (told == 500 && delivery->store_failed)
        return request_answer_with(request, told, "Message Not Stored", "Retry-After", TEXT("10"));
    if (delivery->nowhere)
        return request_answer_with(
            request, told, NULL, "Warning",
            text_format(&request->arena, "399 %s \"No such domain\"", conversation->settings.agent.host));
    /* What is being stored is told as that. */
    if (told < 300 && delivery->wants_processing && !delivery->storing && !delivery->onward)
        return own_report_answer(request, told, &delivery->fate, delivery->deferred.route, TEXT("processed"));
    struct sip_message *response = request_response(request, told, NULL);
    if (told >= 300 && (is_elsewhere || told == delivery->best)) /* what is told as something else says nothing of it */
        outbound_add_answer(delivery, response);
    request_send(request, response);
}

static void answer(struct delivery *delivery, int status)
{
    struct conversation *conversation = delivery->conversation;
    bool is_ours = !delivery->recipient->domain && !delivery->onward;
    int told = is_ours ? answer_for(status) : outbound_answer_for(status);
    if (delivery->store_failed && queue_may_try_again(status))
        told = 500;
    message_count(delivery->fate.group, content_of(delivery), told < 300 ? MESSAGE_RELAYED : MESSAGE_REFUSED);
    if (told >= 300)
        delivery->fate = fate_with(&delivery->fate, FATE_REFUSED, conversation->now.wall_ms,
                                   text_format(&delivery->arena, "%d", told), &delivery->arena);
    /* The record of one of ours is made when it is here for him. */
    if (!delivery->untold && (!delivery->onward || delivery->recipient->domain))
        work_note_fate(conversation, &delivery->fate);
    if (told >= 300 || !record(delivery, told))
        answer_sender(delivery, told);
}

/* --- histories ---------------------------------------------------------------------------------------------------- */

/* A store that took no entry does not undo that the message has arrived. */
static void recorded(struct conversation *conversation, struct work *work)
{
    struct delivery *delivery = work->delivery;
    const int *told = work->details;
    (void)conversation;
    if (work_status(work) != OK)
        log_error("message not in histories call-id=%.*s message-id=%.*s status=%s", TEXT_ARG(delivery->fate.call_id),
                  TEXT_ARG(delivery->fate.message_id), status_name(work_status(work)));
    delivery->recording = false;
    answer_sender(delivery, *told);
    delivery_settle(delivery);
}

/* In the histories of both, as far as they want one; the sender hears of it when they are on the disk. False: nobody
 * wants it. */
static bool record(struct delivery *delivery, int told)
{
    struct conversation *conversation = delivery->conversation;
    if (!recording_is_asked(conversation, delivery->recipient) &&
        !recording_is_asked(conversation, served_find(conversation, delivery->fate.sender)))
        return false;
    struct work *work = work_new(conversation, RECORDING_COMMITS, recorded);
    recording_add_relayed(work, delivery);
    recording_add_received(work, delivery);
    if (work->count == 0)
        return work_drop(work), false;
    work->delivery = delivery;
    work->details = arena_new(&work->arena, int);
    *(int *)work->details = told;
    delivery->recording = true;
    work_submit(work);
    return true;
}

/* The outcome goes to the sender; what can be tried again later is kept instead. */
void relay_finished(struct delivery *delivery, int status)
{
    bool is_unheard = delivery->recipient->domain ? outbound_is_unheard(status) : queue_may_try_again(status);
    if (is_unheard && delivery->may_store &&
        deferral_make_room(delivery->conversation, delivery->recipient, delivery->message.length)) {
        delivery->finished = false;
        return relay_keep(delivery);
    }
    answer(delivery, status);
}

void relay_keep(struct delivery *delivery)
{
    struct conversation *conversation = delivery->conversation;
    struct work *work =
        work_new(conversation, DEFERRAL_COMMITS + 1 + OWN_REPORT_COMMITS + 1 + RECORDING_COMMITS, keep_done);
    struct keeping *keeping = arena_new(&work->arena, struct keeping);
    delivery->fate = fate_with(&delivery->fate, FATE_STORED, conversation->now.wall_ms,
                               TEXT("no contact has taken it yet"), &delivery->arena);
    delivery->storing = true;
    delivery->recipient->kept_relays++;
    deferral_name(&delivery->deferred, delivery->request, &delivery->arena);
    keeping->deferred = delivery->deferred;
    keeping->deferred.away = queue_is_away(delivery->best);
    work->details = keeping;
    work->delivery = delivery;
    keeping->commit = deferral_add(work, delivery->recipient, &keeping->deferred, delivery->message, NULL);
    work_add_fate(work, &delivery->fate);
    keeping->report = report(work, delivery, "stored");
    recording_add_relayed(work, delivery);
    work_submit(work);
}

static void taken_back(struct conversation *conversation, struct work *work)
{
    work->served->kept_relays--;
    queue_flush(conversation, work->served);
}

/* The copy must go before the queue goes on, or it would be sent as well. */
static void take_back(struct delivery *delivery, const struct deferred *deferred)
{
    struct work *work = work_new(delivery->conversation, 2, taken_back);
    work->served = delivery->recipient;
    deferral_remove(work, deferred);
    work_submit(work);
}

static void forget_report(const struct work *failed, const struct own_report *report)
{
    struct work *work = work_new(failed->conversation, OWN_REPORT_COMMITS + 1, work_ignore);
    own_report_failed(report);
    own_report_take_back(work, failed, report);
    work_submit(work);
}

static void keep_done(struct conversation *conversation, struct work *work)
{
    struct delivery *delivery = work->delivery;
    struct served *served = delivery->recipient;
    struct request *request = delivery->request;
    const struct keeping *keeping = work->details;
    delivery->storing = false;
    deferral_arrived(served, keeping->deferred.size);
    if (delivery->finished) { /* a contact answered meanwhile, and so was the sender */
        take_back(delivery, &keeping->deferred);
        own_report_done(work, &keeping->report);
    } else if (work_status(work) != OK) { /* whatever the contacts still say is the answer */
        log_error("message not stored call-id=%.*s message-id=%.*s status=%s", TEXT_ARG(delivery->fate.call_id),
                  TEXT_ARG(delivery->fate.message_id), status_name(work_status(work)));
        forget_report(work, &keeping->report);
        delivery->may_store = false;
        delivery->store_failed = true;
        take_back(delivery, &keeping->deferred);
    } else {
        delivery->request = NULL;
        delivery->deferred = keeping->deferred;
        delivery->deferred.content = text_copy(&delivery->arena, keeping->deferred.content);
        delivery->deferred.message = keeping->deferred.message; /* the delivery's own */
        delivery->deferred.reference = text_copy(&delivery->arena, keeping->deferred.reference);
        delivery->deferred.version = work->commits[keeping->commit].version;
        delivery->late = true;
        message_count((struct text){0}, content_of(delivery), MESSAGE_STORED);
        expiry_note(conversation, keeping->deferred.expires_ms);
        request_answer(request, 202, NULL);
        own_report_done(work, &keeping->report);
    }
    delivery_settle(delivery);
}
