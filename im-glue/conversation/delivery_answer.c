/* What contacts answer to a message: which answer counts, and by which other way it is tried when one fails. */
#include "delivery_private.h"
#include "domains_private.h"
#include "kept_private.h"
#include "log.h"
#include "target_private.h"

void delivery_note(struct delivery *delivery, enum fate_step_kind kind, struct text contact, int status)
{
    struct arena *arena = &delivery->arena;
    struct text detail = contact;
    if (status)
        detail = TEXT_CONCAT(arena, contact, TEXT(" "), text_number(arena, (uint64_t)status));
    delivery->fate = fate_with(&delivery->fate, kind, delivery->conversation->now.wall_ms, detail, arena);
}

/* Its sender has been told so. */
static bool is_kept(const struct delivery *delivery)
{
    return delivery->copy || delivery->deferred.reference.length;
}

/* RFC 3261 §16.7 step 6 for the little that matters here: a 6xx speaks for the user, whatever other contacts say. What
 * would be refused again beats what may pass: to its sender, because all contacts must be busy or away for a message
 * to be kept; but a kept one stays while some contact may still take it. */
static int rank(const struct delivery *delivery, int status)
{
    if (status >= 600)
        return 4;
    if (!queue_may_try_again(status))
        return is_kept(delivery) ? 1 : 3;
    bool silent = status == 408 || status >= 500;
    return (silent ? 1 : 2) + is_kept(delivery);
}

struct text delivery_place(const struct branch *branch)
{
    struct arena *arena = &branch->delivery->arena;
    if (!branch->outbound || branch->flow.peer.ss_family == AF_UNSPEC)
        return branch->contact;
    return text_format(arena, "%.*s by %s %.*s", TEXT_ARG(branch->contact), flow_kind_name(branch->flow.kind),
                       TEXT_ARG(flow_peer_text(&branch->flow, arena)));
}

void delivery_note_failed(struct branch *branch, int status)
{
    delivery_note(branch->delivery, FATE_FAILED, delivery_place(branch), status);
}

void delivery_take_refusal(struct branch *branch, int status)
{
    struct delivery *delivery = branch->delivery;
    delivery_note_failed(branch, status);
    if (delivery->best && rank(delivery, status) <= rank(delivery, delivery->best))
        return;
    delivery->best = status;
    delivery->said = branch->said;
}

/* RFC 3862 readers are few: who refuses the wrapping gets what is in it. */
static bool try_plainer(struct branch *branch)
{
    struct delivery *delivery = branch->delivery;
    struct sip_message *stored = delivery_read(delivery);
    if (!stored)
        return false;
    struct flow flow = branch->flow;
    branch->plainer++;
    delivery_send_branch(branch, stored, &flow);
    sip_message_free(stored);
    return true;
}

/* RFC 3263 §4.3: another target of the domain. */
static bool take_failover(struct branch *branch, int status)
{
    delivery_note_failed(branch, status);
    return outbound_try_again(branch);
}

void delivery_take_final(struct branch *branch, int status)
{
    struct delivery *delivery = branch->delivery;
    delivery->branches--;
    log_debug("delivery call-id=%.*s message-id=%.*s to=%s contact=%.*s status=%d", TEXT_ARG(delivery->fate.call_id),
              TEXT_ARG(delivery->fate.message_id), delivery->recipient->address, TEXT_ARG(branch->contact), status);
    if (!delivery->finished && status < 300) {
        delivery_note(delivery, FATE_DELIVERED, delivery_place(branch), status);
        delivery_finish(delivery, status);
    } else if (!delivery->finished && (status != 415 || !try_plainer(branch))) {
        delivery_take_refusal(branch, status);
    }
    delivery_settle(delivery);
}

static struct contact *contact_of(const struct branch *branch)
{
    struct served *recipient = branch->delivery->recipient;
    for (size_t i = 0; i < recipient->contacts_count; i++)
        if (text_equal(text_of(recipient->contacts[i].name), branch->name))
            return &recipient->contacts[i];
    return NULL;
}

/* A client that does not listen, or stands behind a NAT, while the connection of its REGISTER is open. */
static bool take_source(struct branch *branch, struct contact *contact, const struct sip_message *stored)
{
    if (!flow_is_connected(&branch->flow) || branch->flow.connection != 0 ||
        !connection_open(branch->delivery->conversation, &contact->source))
        return false;
    contact->by_source = true; /* the next message need not try */
    delivery_send_branch(branch, stored, &contact->source);
    return true;
}

/* It takes datagrams alone; large ones, too, if they arrive. */
static bool take_datagram(struct branch *branch, struct contact *contact, const struct sip_message *stored)
{
    struct flow flow = branch->flow;
    if (!branch->grown)
        return false;
    flow.kind = FLOW_UDP;
    contact->udp_alone = true;
    branch->grown = false;
    delivery_send_branch(branch, stored, &flow);
    return true;
}

/* RFC 5626 §5.3: the device may have an older flow that works. */
static bool take_other_flow(struct branch *branch, const struct contact *contact, const struct sip_message *stored)
{
    struct delivery *delivery = branch->delivery;
    size_t index = (size_t)(contact - delivery->recipient->contacts);
    const struct contact *other = target_other_flow(delivery->conversation, delivery->recipient, index, stored);
    if (other)
        delivery_send_to(delivery, stored, other);
    return other != NULL;
}

/* Its edge proxy says that the flow is gone: it leads nowhere until it is registered again. */
static bool take_lost_flow(struct branch *branch)
{
    struct delivery *delivery = branch->delivery;
    struct contact *contact = contact_of(branch);
    struct sip_message *stored = NULL;
    if (!contact || !contact->reg_id)
        return false;
    contact->lost = true;
    if (!delivery->finished)
        stored = delivery_read(delivery);
    bool tried = stored && take_other_flow(branch, contact, stored);
    if (tried)
        delivery_note_failed(branch, 430);
    sip_message_free(stored);
    return tried;
}

static bool is_tried_elsewhere(struct branch *branch, int status)
{
    return (status == 430 && take_lost_flow(branch)) ||
           (status == 503 && branch->outbound && take_failover(branch, status));
}

void delivery_take_response(struct branch *branch, int status)
{
    struct delivery *delivery = branch->delivery;
    if (!is_tried_elsewhere(branch, status))
        return delivery_take_final(branch, status);
    delivery->branches--;
    delivery_settle(delivery);
}

static bool try_another_way(struct branch *branch)
{
    struct delivery *delivery = branch->delivery;
    struct contact *contact = delivery->finished ? NULL : contact_of(branch);
    struct sip_message *stored = contact ? delivery_read(delivery) : NULL;
    bool tried = stored && (take_datagram(branch, contact, stored) || take_source(branch, contact, stored) ||
                            take_other_flow(branch, contact, stored));
    sip_message_free(stored);
    return tried;
}

void delivery_take_failure(struct branch *branch, enum sip_failure failure)
{
    struct delivery *delivery = branch->delivery;
    int status = failure == SIP_FAILURE_TIMEOUT ? 408 : 503;
    if (!(branch->outbound ? take_failover(branch, status) : try_another_way(branch)))
        return delivery_take_final(branch, status);
    delivery->branches--;
    delivery_settle(delivery);
}
