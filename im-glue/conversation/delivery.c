/* One message on its way to one user: a request to each live contact, the first 2xx wins (RFC 3428 §6). What the
 * outcome means is decided in pager.c (somebody waits for it) or queue.c (it was stored). */
#include "conversation_private.h"
#include "domains_private.h"
#include "handout_private.h"
#include "incoming_private.h"
#include "kept_private.h"
#include "log.h"
#include "target_private.h"
#include "uri.h"

#define UDP_BYTES_MAX 65000 /* a datagram holds 65507 with the Via that is still added */

static void finish(struct delivery *delivery, int status);

struct delivery *delivery_new(struct conversation *conversation, struct served *recipient)
{
    struct delivery *delivery = memory_new(sizeof(*delivery));
    arena_init(&delivery->arena, "delivery");
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

/* --- loops (RFC 3261 §16.3): a contact may lead back to us by way of others --- */

/* A copy out of a group is known by its Call-ID alone, which is its own. */
static struct text sent_key(struct text call_id, struct text cseq, const struct served *recipient, struct arena *arena)
{
    struct text number, method;
    text_cut(text_trim(cseq), ' ', &number, &method);
    struct text address = recipient ? text_of(recipient->address) : TEXT("");
    return TEXT_CONCAT(arena, number, TEXT(" "), address, TEXT(" "), call_id);
}

static void note_sent(struct delivery *delivery, const struct sip_message *message)
{
    struct conversation *conversation = delivery->conversation;
    struct delivery *other;
    struct text cseq;
    if (delivery->sent_as.length || !sip_header(message, "CSeq", 0, &delivery->arena, &cseq))
        return;
    const struct served *recipient = delivery->fate.group.length ? NULL : delivery->recipient;
    struct text key = sent_key(sip_call_id(message, &delivery->arena), cseq, recipient, &delivery->arena);
    HASH_FIND(hh, conversation->sent, key.bytes, key.length, other);
    if (other) /* a client that uses one twice */
        return;
    delivery->sent_as = key;
    HASH_ADD_KEYPTR(hh, conversation->sent, delivery->sent_as.bytes, delivery->sent_as.length, delivery);
}

static struct delivery *find_sent(const struct conversation *conversation, struct text key)
{
    struct delivery *found = NULL;
    HASH_FIND(hh, conversation->sent, key.bytes, key.length, found);
    return found;
}

static const struct delivery *find_own(struct request *request, const struct served *recipient)
{
    struct arena *arena = &request->arena;
    struct text call_id = sip_call_id(request->message, arena), cseq = request_header(request, "CSeq");
    const struct delivery *copy = find_sent(request->conversation, sent_key(call_id, cseq, NULL, arena));
    if (!recipient || (copy && copy->recipient == recipient))
        return copy;
    return find_sent(request->conversation, sent_key(call_id, cseq, recipient, arena));
}

bool delivery_is_ours(struct request *request, const struct served *recipient)
{
    return find_own(request, recipient) != NULL;
}

bool delivery_is_on_its_last_way(struct request *request, const struct served *recipient)
{
    const struct delivery *delivery = find_own(request, recipient);
    return delivery && !delivery->onward;
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
    free(delivery);
    recipient->deliveries--;
    if (recipient->domain)
        domain_leave(conversation, recipient->domain);
}

/* A copy out of a group is a request of its own (RFC 5365 §7.2): new Call-ID, CSeq and From tag, To the member. */
static bool make_own(struct delivery *delivery, struct sip_message *message)
{
    struct arena *arena = &delivery->arena;
    struct text from_field;
    struct name_addr from;
    if (!sip_header(message, "From", 0, arena, &from_field) || !name_addr_parse(from_field, &from, NULL))
        return false;
    if (delivery->call_id.length == 0) {
        const char *host = delivery->conversation->settings.agent.host;
        struct text tag = random_hex(arena, 16);
        delivery->call_id = TEXT_CONCAT(arena, random_hex(arena, 32), TEXT("@"), text_of(host));
        delivery->from = TEXT_CONCAT(arena, TEXT("<"), from.uri, TEXT(">;tag="), tag);
        if (from.display.length)
            delivery->from = TEXT_CONCAT(arena, TEXT("\""), from.display, TEXT("\" "), delivery->from);
    }
    return sip_header_set(message, "From", delivery->from) == OK &&
           sip_header_set(message, "To",
                          TEXT_CONCAT(arena, TEXT("<"), text_of(delivery->recipient->address), TEXT(">"))) == OK &&
           sip_header_set(message, "Call-ID", delivery->call_id) == OK &&
           sip_header_set(message, "CSeq", TEXT("1 MESSAGE")) == OK;
}

/* RFC 7315 §4.2: under which of his addresses he is called, since the Request-URI is his contact. What servers tell
 * each other is no client's. */
static void prepare_for_client(const struct delivery *delivery, const struct sip_message *stored,
                               struct sip_message *message, struct arena *arena)
{
    struct text address =
        delivery->fate.group.length ? text_of(delivery->recipient->address) : sip_request_uri(stored, arena);
    request_hide_core_headers(message);
    sip_header_set(message, "P-Called-Party-ID", TEXT_CONCAT(arena, TEXT("<"), address, TEXT(">")));
}

/* RFC 3325 §7: a core is told who sends, and to keep it for itself where he wants that. */
static void prepare_for_core(const struct delivery *delivery, struct sip_message *message, struct arena *arena)
{
    struct text value;
    if (sip_header(message, "P-Asserted-Identity", 0, arena, &value))
        return;
    sip_header_add(message, "P-Asserted-Identity", text_format(arena, "<%.*s>", TEXT_ARG(delivery->fate.sender)));
    if (!sip_header(message, "Privacy", 0, arena, &value))
        sip_header_add(message, "Privacy", TEXT("id"));
}

/* The message as this contact gets it: its own Request-URI, no trace of the hops before us. */
static struct sip_message *address_message(struct delivery *delivery, const struct sip_message *stored,
                                           const struct branch *branch)
{
    struct sip_message *message = sip_message_borrow(stored);
    /* RFC 3261 §19.1.1: header fields in a URI have no place in a Request-URI. */
    struct text uri = text_slice(branch->contact, 0, text_find_char(branch->contact, '?'));
    sip_header_remove(message, "Via");
    if (delivery->recipient->domain && !branch->core)
        outbound_prepare(delivery, message);
    else if (branch->core)
        prepare_for_core(delivery, message, &delivery->arena);
    else
        prepare_for_client(delivery, stored, message, &delivery->arena);
    if (branch->path.length && sip_header_set(message, "Route", branch->path) != OK) {
        sip_message_free(message);
        return NULL;
    }
    if (sip_request_uri_set(message, uri) == OK && (!delivery->fate.group.length || make_own(delivery, message)))
        return message;
    sip_message_free(message);
    return NULL;
}

struct sip_message *delivery_read(const struct delivery *delivery)
{
    struct sip_message *message = NULL;
    struct sip_fault fault;
    if (sip_message_parse(delivery->message, &message, &fault) == OK)
        return message;
    sip_message_free(message);
    return NULL;
}

static void note(struct delivery *delivery, enum fate_step_kind kind, struct text contact, int status)
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

/* For people: the contact; or the address at another domain, and who is asked there. */
static struct text place_of(const struct branch *branch)
{
    struct arena *arena = &branch->delivery->arena;
    if (!branch->outbound || branch->flow.peer.ss_family == AF_UNSPEC)
        return branch->contact;
    return text_format(arena, "%.*s by %s %.*s", TEXT_ARG(branch->contact), flow_kind_name(branch->flow.kind),
                       TEXT_ARG(flow_peer_text(&branch->flow, arena)));
}

void delivery_note_failed(struct branch *branch, int status)
{
    note(branch->delivery, FATE_FAILED, place_of(branch), status);
}

static void take_refusal(struct branch *branch, int status)
{
    struct delivery *delivery = branch->delivery;
    delivery_note_failed(branch, status);
    if (delivery->best && rank(delivery, status) <= rank(delivery, delivery->best))
        return;
    delivery->best = status;
    delivery->said = branch->said;
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
        take_refusal(branch, 513);
        return false;
    }
    struct sip_message *message = address_message(delivery, stored, branch);
    if (!message) { /* the contact is no address for this message, but others may be */
        take_refusal(branch, 480);
        return false;
    }
    for (unsigned i = 0; i < branch->plainer; i++) {
        if (content_make_plainer(message, &delivery->arena))
            continue;
        sip_message_free(message);
        take_refusal(branch, 415);
        return false;
    }
    branch->flow = *flow;
    note_sent(delivery, message);
    delivery->branches++;
    note(delivery, FATE_SENT, place_of(branch), 0);
    sip_agent_request(conversation->agent, message, flow, (uint64_t)(uintptr_t)branch, conversation->now.monotonic_ms);
    return true;
}

static void send_to(struct delivery *delivery, const struct sip_message *stored, const struct contact *contact)
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
            send_to(delivery, stored, &recipient->contacts[i]);
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

static void finish(struct delivery *delivery, int status)
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
        finish(delivery, delivery->best);
    if (!delivery->storing && !delivery->recording) /* what nobody took may be kept after all */
        delivery_free(delivery);
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
        note(delivery, FATE_DELIVERED, place_of(branch), status);
        finish(delivery, status);
    } else if (!delivery->finished && (status != 415 || !try_plainer(branch))) {
        take_refusal(branch, status);
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
        send_to(delivery, stored, other);
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

/* The sender of a relayed message does not wait for a silent contact until his own transaction gives up. */
void delivery_run_deadlines(struct conversation *conversation)
{
    struct delivery *delivery;
    while ((delivery = TAILQ_FIRST(&conversation->relays)) &&
           delivery->answer_by_ms <= conversation->now.monotonic_ms) {
        stop_expecting(delivery);
        if (delivery->best >= 600) {
            finish(delivery, delivery->best);
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
