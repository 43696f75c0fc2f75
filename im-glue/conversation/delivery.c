/* One message on its way to one user: a request to each live contact, the first 2xx wins (RFC 3428 §6). What the
 * outcome means is decided in pager.c (somebody waits for it) or queue.c (it was stored). */
#include "delivery_private.h"
#include "domains_private.h"
#include "handout_private.h"
#include "incoming_private.h"
#include "kept_private.h"
#include "target_private.h"

#define UDP_BYTES_MAX 65000 /* a datagram holds 65507 with the Via that is still added */

struct delivery *delivery_new(struct conversation *conversation, struct served *recipient)
{
    struct delivery *delivery = memory_take(sizeof(*delivery));
    memset(delivery, 0, offsetof(struct delivery, bytes_inside));
    arena_init_in(&delivery->arena, "delivery", delivery->bytes_inside, sizeof(delivery->bytes_inside));
    delivery->conversation = conversation;
    delivery->recipient = recipient;
    recipient->deliveries++;
    if (recipient->domain)
        domain_enter(recipient->domain);
    TAILQ_INSERT_TAIL(&conversation->deliveries, delivery, all);
    conversation->deliveries_count++;
    return delivery;
}

static void stop_expecting(struct delivery *delivery)
{
    if (delivery->answer_by_ms)
        TAILQ_REMOVE(&delivery->conversation->relays, delivery, relays);
    delivery->answer_by_ms = 0;
}

void delivery_expect_answer(struct delivery *delivery)
{
    struct conversation *conversation = delivery->conversation;
    delivery->answer_by_ms = conversation->now.monotonic_ms + conversation->settings.answer_ms;
    TAILQ_INSERT_TAIL(&conversation->relays, delivery, relays);
}

void delivery_free(struct delivery *delivery)
{
    struct conversation *conversation = delivery->conversation;
    struct served *recipient = delivery->recipient;
    stop_expecting(delivery);
    if (delivery->sent_as.length)
        HASH_DEL(conversation->sent, delivery);
    TAILQ_REMOVE(&conversation->deliveries, delivery, all);
    conversation->deliveries_count--;
    conversation->delivery_bytes -= delivery->held;
    if (delivery->request)
        request_free(delivery->request);
    arena_clear(&delivery->arena);
    memory_give(delivery, sizeof(*delivery));
    recipient->deliveries--;
    if (recipient->domain)
        domain_leave(conversation, recipient->domain);
}

/* RFC 3261 §18.1.1: what may be cut into fragments on its way goes over a connection, if it can be made. */
struct flow delivery_flow_for_size(struct branch *branch, const struct flow *flow, const struct contact *contact)
{
    const struct delivery *delivery = branch->delivery;
    struct flow chosen = *flow;
    size_t most = delivery->conversation->settings.datagram_bytes_max;
    bool alone = contact && (contact->by_source || contact->udp_alone);
    branch->grown = flow->kind == FLOW_UDP && !alone && delivery->message.length > most;
    if (branch->grown)
        chosen.kind = FLOW_TCP;
    return chosen;
}

bool delivery_send_branch(struct branch *branch, const struct sip_message *stored, const struct flow *flow)
{
    struct delivery *delivery = branch->delivery;
    struct conversation *conversation = delivery->conversation;
    if (flow->kind == FLOW_UDP && delivery->message.length > UDP_BYTES_MAX) {
        delivery_take_refusal(branch, 513);
        return false;
    }
    struct sip_message *message = delivery_message_for(delivery, stored, branch);
    if (!message) { /* the contact is no address for this message, but others may be */
        delivery_take_refusal(branch, 480);
        return false;
    }
    for (unsigned i = 0; i < branch->plainer; i++) {
        if (content_make_plainer(message, &delivery->arena))
            continue;
        sip_message_free(message);
        delivery_take_refusal(branch, 415);
        return false;
    }
    branch->flow = *flow;
    delivery_note_sent(delivery, message);
    delivery->branches++;
    delivery_note(delivery, FATE_SENT, delivery_place(branch), 0);
    sip_agent_request(conversation->agent, message, flow, (uint64_t)(uintptr_t)branch, conversation->now.monotonic_ms);
    return true;
}

void delivery_send_to(struct delivery *delivery, const struct sip_message *stored, const struct contact *contact)
{
    struct branch *branch = arena_new(&delivery->arena, struct branch);
    struct flow flow = contact_flow(contact);
    branch->delivery = delivery;
    branch->name = text_copy(&delivery->arena, text_of(contact->name));
    branch->contact = target_address(delivery->recipient, contact, stored, &delivery->arena);
    branch->path = text_copy(&delivery->arena, text_of(contact->path));
    branch->core = contact->core;
    struct text hop = contact_unknown_hop(contact);
    if (hop.length)
        return outbound_search(branch, text_copy(&delivery->arena, hop));
    flow = delivery_flow_for_size(branch, &flow, contact);
    delivery_send_branch(branch, stored, &flow);
}

static void send_to_all(struct delivery *delivery, const struct sip_message *stored)
{
    const struct served *recipient = delivery->recipient;
    struct text preference;
    for (size_t i = 0; i < recipient->contacts_count; i++)
        if (target_is(delivery->conversation, recipient, i, stored, &delivery->arena))
            delivery_send_to(delivery, stored, &recipient->contacts[i]);
    if (delivery->branches || delivery->best)
        return;
    delivery->best = 480;
    delivery->choosy = sip_header(stored, "Accept-Contact", 0, &delivery->arena, &preference) ||
                       sip_header(stored, "Reject-Contact", 0, &delivery->arena, &preference);
}

void delivery_send(struct delivery *delivery)
{
    struct sip_message *stored = delivery_read(delivery);
    delivery_send_read(delivery, stored);
    sip_message_free(stored);
}

void delivery_send_read(struct delivery *delivery, const struct sip_message *stored)
{
    struct text way = delivery->route.length ? (struct text){0} : core_way(delivery->conversation, delivery->recipient);
    if (way.length) /* nothing has been learned of him, but where his core is */
        delivery->route = TEXT_CONCAT(&delivery->arena, TEXT("<"), way, TEXT(">"));
    if (stored && (delivery->recipient->domain || delivery->route.length))
        outbound_send(delivery, stored);
    else if (stored)
        send_to_all(delivery, stored);
    else /* damaged in the store: no contact will ever get it, and it must not stand before the others */
        delivery->best = 493;
    delivery_settle(delivery);
}

void delivery_finish(struct delivery *delivery, int status)
{
    delivery->finished = true;
    stop_expecting(delivery);
    if (delivery->copy)
        handout_delivery_finished(delivery, status);
    else if (delivery->deferred.reference.length)
        queue_delivery_finished(delivery, status);
    else
        relay_finished(delivery, status);
}

void delivery_settle(struct delivery *delivery)
{
    if (delivery->branches || delivery->storing || delivery->recording)
        return;
    if (!delivery->finished)
        delivery_finish(delivery, delivery->best);
    if (!delivery->storing && !delivery->recording) /* what nobody took may be kept after all */
        delivery_free(delivery);
}

/* The sender of a relayed message does not wait for a silent contact until his own transaction gives up. */
void delivery_run_deadlines(struct conversation *conversation)
{
    struct delivery *delivery;
    while ((delivery = TAILQ_FIRST(&conversation->relays)) &&
           delivery->answer_by_ms <= conversation->now.monotonic_ms) {
        stop_expecting(delivery);
        if (delivery->best >= 600) {
            delivery_finish(delivery, delivery->best);
            delivery_settle(delivery);
        } else if (delivery->may_store &&
                   deferral_make_room(conversation, delivery->recipient, delivery->message.length)) {
            relay_keep(delivery);
        }
    }
}

int64_t delivery_deadline(const struct conversation *conversation)
{
    const struct delivery *first = TAILQ_FIRST(&conversation->relays);
    return first ? first->answer_by_ms : INT64_MAX;
}
