/* One message on its way to one user: a request to each live contact, the first 2xx wins (RFC 3428 §6). What the
 * outcome means is decided in pager.c (somebody waits for it) or queue.c (it was stored). */
#include "conversation_private.h"
#include "log.h"
#include "uri.h"

static void finish(struct delivery *delivery, int status);

struct delivery *delivery_new(struct conversation *conversation, struct served *recipient)
{
    struct delivery *delivery = memory_new(sizeof(*delivery));
    arena_init(&delivery->arena, "delivery");
    delivery->conversation = conversation;
    delivery->recipient = recipient;
    TAILQ_INSERT_TAIL(&conversation->deliveries, delivery, all);
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
    delivery->answer_by_ms = conversation->now.monotonic_ms + CONVERSATION_ANSWER_MS_MAX;
    TAILQ_INSERT_TAIL(&conversation->relays, delivery, relays);
}

void delivery_free(struct delivery *delivery)
{
    stop_expecting(delivery);
    TAILQ_REMOVE(&delivery->conversation->deliveries, delivery, all);
    if (delivery->request)
        request_free(delivery->request);
    arena_clear(&delivery->arena);
    free(delivery);
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
        delivery->call_id = text_format(arena, "%.*s@%s", TEXT_ARG(random_hex(arena, 32)), host);
        delivery->from = from.display.length ? text_format(arena, "\"%.*s\" <%.*s>;tag=%.*s", TEXT_ARG(from.display),
                                                           TEXT_ARG(from.uri), TEXT_ARG(tag))
                                             : text_format(arena, "<%.*s>;tag=%.*s", TEXT_ARG(from.uri), TEXT_ARG(tag));
    }
    return sip_header_set(message, "From", delivery->from) == OK &&
           sip_header_set(message, "To", text_format(arena, "<%s>", delivery->recipient->address)) == OK &&
           sip_header_set(message, "Call-ID", delivery->call_id) == OK &&
           sip_header_set(message, "CSeq", TEXT("1 MESSAGE")) == OK;
}

/* The stored message as this contact gets it: its own Request-URI, no trace of the hops before us. */
static struct sip_message *address_message(struct delivery *delivery, struct text contact)
{
    struct sip_message *message = NULL;
    struct sip_fault fault;
    if (sip_message_parse(delivery->message, &message, &fault) != OK || !message) {
        sip_message_free(message);
        return NULL;
    }
    sip_header_remove(message, "Via");
    if (sip_request_uri_set(message, contact) == OK && (!delivery->fate.group.length || make_own(delivery, message)))
        return message;
    sip_message_free(message);
    return NULL;
}

static bool send_branch(struct delivery *delivery, struct text contact, const struct flow *flow)
{
    struct conversation *conversation = delivery->conversation;
    struct sip_message *message = address_message(delivery, contact);
    if (!message)
        return false;
    struct branch *branch = arena_new(&delivery->arena, struct branch);
    branch->delivery = delivery;
    branch->contact = contact;
    delivery->branches++;
    sip_agent_request(conversation->agent, message, flow, (uint64_t)(uintptr_t)branch, conversation->now.monotonic_ms);
    return true;
}

void delivery_send(struct delivery *delivery)
{
    struct conversation *conversation = delivery->conversation;
    const struct served *recipient = delivery->recipient;
    for (size_t i = 0; i < recipient->contacts_count; i++) {
        const struct contact *contact = &recipient->contacts[i];
        struct flow flow;
        if (contact->expires_ms <= conversation->now.wall_ms)
            continue;
        contact_flow(contact, &flow);
        struct text uri = text_copy(&delivery->arena, text_of(contact->uri));
        if (!send_branch(delivery, uri, &flow))
            continue;
        delivery->fate = fate_with(&delivery->fate, FATE_SENT, conversation->now.wall_ms, uri, &delivery->arena);
    }
    if (delivery->branches == 0)
        delivery->best = 480;
    delivery_settle(delivery);
}

/* RFC 3261 §16.7 step 6 for the little that matters here: a 6xx beats all, then what tells the sender most. */
static int better(int known, int status)
{
    if (known == 0 || status >= 600)
        return status;
    if (known >= 600)
        return known;
    bool known_silent = known == 408 || known >= 500;
    return known_silent ? status : known;
}

static void finish(struct delivery *delivery, int status)
{
    delivery->finished = true;
    stop_expecting(delivery);
    if (delivery->queue_name.length)
        queue_delivery_finished(delivery, status);
    else
        pager_relay_finished(delivery, status);
}

void delivery_settle(struct delivery *delivery)
{
    if (delivery->branches || delivery->storing)
        return;
    if (!delivery->finished)
        finish(delivery, delivery->best);
    if (!delivery->storing) /* what nobody took may be kept after all */
        delivery_free(delivery);
}

void delivery_take_response(struct branch *branch, int status)
{
    struct delivery *delivery = branch->delivery;
    struct conversation *conversation = delivery->conversation;
    delivery->branches--;
    log_debug("delivery message=%.*s contact=%.*s status=%d", TEXT_ARG(delivery->fate.message_id),
              TEXT_ARG(branch->contact), status);
    if (!delivery->finished) {
        enum fate_step_kind kind = status < 300 ? FATE_DELIVERED : FATE_FAILED;
        struct text detail = text_format(&delivery->arena, "%.*s %d", TEXT_ARG(branch->contact), status);
        delivery->fate = fate_with(&delivery->fate, kind, conversation->now.wall_ms, detail, &delivery->arena);
        if (status < 300)
            finish(delivery, status);
        else
            delivery->best = better(delivery->best, status);
    }
    delivery_settle(delivery);
}

/* The sender of a relayed message does not wait for a silent contact until his own transaction gives up. */
void delivery_run_deadlines(struct conversation *conversation)
{
    struct delivery *delivery;
    while ((delivery = TAILQ_FIRST(&conversation->relays)) &&
           delivery->answer_by_ms <= conversation->now.monotonic_ms) {
        stop_expecting(delivery);
        if (delivery->may_store)
            pager_store_silent(delivery);
    }
}

int64_t delivery_deadline(const struct conversation *conversation)
{
    const struct delivery *first = TAILQ_FIRST(&conversation->relays);
    return first ? first->answer_by_ms : INT64_MAX;
}
