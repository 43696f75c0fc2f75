/* A NOTIFY or SUBSCRIBE of ours on its way: over the connection that the peer has, or where it stands behind a NAT,
 * else to the servers of its next hop one after another (RFC 3263 §4.3). */
#include "domains_private.h"
#include "events_private.h"

struct event_branch {
    struct branch branch;
    struct conversation *conversation;
    bool notice; /* else a SUBSCRIBE */
    uint64_t subscription;
    struct sip_message *message;
    size_t length; /* of the message, without the Via that is still added */
    struct text hop;
    struct flow source;
    struct flow targets[LOCATOR_TARGETS_MAX + 1];
    size_t count, next;
    bool searched; /* nothing but `targets` is left */
    bool grown;    /* by TCP because it is large, instead of UDP */
    struct arena arena;
    TAILQ_ENTRY(event_branch) all;
};

static void event_free(struct event_branch *event)
{
    TAILQ_REMOVE(&event->conversation->event_branches, event, all);
    sip_message_free(event->message);
    arena_clear(&event->arena);
    free(event);
}

void event_sending_free_all(struct conversation *conversation)
{
    while (!TAILQ_EMPTY(&conversation->event_branches))
        event_free(TAILQ_FIRST(&conversation->event_branches));
}

/* RFC 3261 §18.1.1. */
static void send_over(struct event_branch *event, const struct flow *flow, bool may_grow)
{
    struct conversation *conversation = event->conversation;
    struct flow chosen = *flow;
    event->grown = may_grow && flow->kind == FLOW_UDP && event->length > conversation->settings.datagram_bytes_max;
    if (event->grown)
        chosen.kind = FLOW_TCP;
    event->branch.flow = chosen;
    sip_agent_request(conversation->agent, sip_message_clone(event->message), &chosen,
                      (uint64_t)(uintptr_t)&event->branch, conversation->now.monotonic_ms);
}

static void search(struct event_branch *event)
{
    struct conversation *conversation = event->conversation;
    event->searched = true;
    locator_find(conversation->locator, event->hop, (uint64_t)(uintptr_t)&event->branch,
                 conversation->now.monotonic_ms);
}

/* RFC 3261 §8.1.2. */
static struct text next_hop(const struct event_way *way)
{
    struct name_addr first;
    return way->route.length && name_addr_parse(way->route, &first, NULL) ? first.uri : way->target;
}

static bool is_behind_nat(const struct event_way *way, struct arena *arena)
{
    struct uri uri;
    return way->route.length == 0 && /* a proxy is where it says it is */
           (!uri_parse(way->target, &uri) || contact_is_elsewhere(&way->source, &uri, (struct text){0}, arena));
}

void event_send(struct conversation *conversation, bool notice, uint64_t subscription, struct sip_message *message,
                const struct event_way *way)
{
    struct event_branch *event = memory_new(sizeof(*event));
    arena_init(&event->arena, "event");
    event->branch.event = event;
    event->conversation = conversation;
    event->notice = notice;
    event->subscription = subscription;
    event->message = message;
    event->length = sip_message_write(message, &event->arena).length;
    event->hop = text_copy(&event->arena, next_hop(way));
    event->source = way->source;
    TAILQ_INSERT_TAIL(&conversation->event_branches, event, all);
    if (flow_is_connected(&way->source) && way->source.connection)
        return send_over(event, &way->source, false);
    if (flow_is_connected(&way->source) || !is_behind_nat(way, &event->arena))
        return search(event);
    event->searched = true;
    send_over(event, &way->source, false);
}

static void give_up(struct event_branch *event, int status)
{
    struct conversation *conversation = event->conversation;
    int64_t now_ms = conversation->now.monotonic_ms;
    if (event->notice)
        notifier_answered(conversation->notifier, event->subscription, status, 0, now_ms);
    else
        subscriber_answered(conversation->subscriber, event->subscription, NULL, now_ms);
    event_free(event);
}

static void try_next(struct event_branch *event, int status)
{
    if (event->next < event->count)
        send_over(event, &event->targets[event->next++], true);
    else
        give_up(event, status);
}

/* A name that nobody knows may still be where its requests come from. */
void event_located(struct branch *branch, const struct locator_result *result)
{
    struct event_branch *event = branch->event;
    memcpy(event->targets, result->targets, result->count * sizeof(result->targets[0]));
    event->count = result->count;
    for (size_t i = 0; i < event->count; i++)
        event->targets[i].name = outbound_certificate_name(event->hop, &event->arena);
    if (event->count == 0 && event->source.kind == FLOW_UDP && event->source.peer.ss_family != AF_UNSPEC)
        event->targets[event->count++] = event->source;
    try_next(event, 503);
}

static uint32_t retry_after(const struct sip_message *answer, struct arena *arena)
{
    struct text value = {0};
    uint64_t seconds = 0;
    if (!sip_header(answer, "Retry-After", 0, arena, &value))
        return 0;
    text_to_u64(text_slice(value, 0, strspn(text_cstring(arena, value), "0123456789")), &seconds);
    return seconds < UINT32_MAX ? (uint32_t)seconds : UINT32_MAX;
}

void event_take_response(struct branch *branch, const struct sip_message *answer)
{
    struct event_branch *event = branch->event;
    struct conversation *conversation = event->conversation;
    int64_t now_ms = conversation->now.monotonic_ms;
    if (event->notice)
        notifier_answered(conversation->notifier, event->subscription, sip_status(answer),
                          retry_after(answer, &event->arena), now_ms);
    else
        subscriber_answered(conversation->subscriber, event->subscription, answer, now_ms);
    event_free(event);
}

void event_take_failure(struct branch *branch, enum sip_failure failure)
{
    struct event_branch *event = branch->event;
    struct flow flow = branch->flow;
    int status = failure == SIP_FAILURE_TIMEOUT ? 408 : 503;
    if (event->grown) { /* it takes datagrams alone */
        flow.kind = FLOW_UDP;
        return send_over(event, &flow, false);
    }
    if (!event->searched && failure == SIP_FAILURE_TRANSPORT) /* the connection may be gone, and the peer still there */
        return search(event);
    if (event->searched && event->count)
        locator_mark_failed(event->conversation->locator, &flow, event->conversation->now.monotonic_ms);
    try_next(event, status);
}
