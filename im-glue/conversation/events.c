/* SUBSCRIBE and NOTIFY: who may watch what here, and the way of what is due to leave. The states are of the packages,
 * dialogs and moments of the notifier and the subscriber. */
#include "events_private.h"
#include "log.h"
#include "user.h"

static const struct event_package *const packages[] = {&registration_event.package};

/* A NOTIFY or SUBSCRIBE of ours on its way. */
struct event_branch {
    struct branch branch;
    struct conversation *conversation;
    bool notice; /* else a SUBSCRIBE */
    uint64_t subscription;
    struct sip_message *again; /* for another way, should the connection be gone; NULL: there is none */
    struct contact peer;       /* where it goes; texts in the arena */
    struct arena arena;
    TAILQ_ENTRY(event_branch) all;
};

void events_open(struct conversation *conversation)
{
    const struct conversation_settings *settings = &conversation->settings;
    struct arena arena;
    arena_init(&arena, "events");
    conversation->notifier =
        notifier_new(&(struct notifier_settings){packages, sizeof(packages) / sizeof(packages[0])});
    conversation->subscriber = subscriber_new(&(struct subscriber_settings){
        .from = text_format(&arena, "sip:%s", settings->agent.host),
        .host = text_of(settings->agent.host),
        .t1_ms = settings->agent.t1_ms,
    });
    TAILQ_INIT(&conversation->event_branches);
    arena_clear(&arena);
}

static void branch_free(struct event_branch *event)
{
    TAILQ_REMOVE(&event->conversation->event_branches, event, all);
    sip_message_free(event->again);
    arena_clear(&event->arena);
    free(event);
}

void events_close(struct conversation *conversation)
{
    while (!TAILQ_EMPTY(&conversation->event_branches))
        branch_free(TAILQ_FIRST(&conversation->event_branches));
    notifier_free(conversation->notifier);
    subscriber_free(conversation->subscriber);
}

struct text events_allowed(const struct conversation *conversation, struct arena *arena)
{
    return notifier_packages(conversation->notifier, arena);
}

void events_changed(struct conversation *conversation, const struct event_kind *kind, struct text address)
{
    notifier_changed(conversation->notifier, &kind->package, address);
}

bool events_watched(const struct conversation *conversation, const struct event_kind *kind, struct text address)
{
    return notifier_watched(conversation->notifier, &kind->package, address);
}

/* --- SUBSCRIBE of others --- */

/* Where the peer of this flow reaches us within a dialog. */
static struct text own_contact(const struct conversation *conversation, const struct flow *flow, struct arena *arena)
{
    const struct sip_agent_settings *agent = &conversation->settings.agent;
    if (flow->kind == FLOW_UDP)
        return text_format(arena, "<sip:%s:%u>", agent->host, agent->port);
    struct text transport = text_lower(arena, text_of(flow_kind_name(flow->kind)));
    if (flow->kind == FLOW_WS || flow->kind == FLOW_WSS) /* only over the connection that there is */
        return text_format(arena, "<sip:%s;transport=ws>", agent->host);
    return text_format(arena, "<sip:%s:%u;transport=%.*s>", agent->host,
                       flow->kind == FLOW_TLS && agent->tls_port ? agent->tls_port : agent->port, TEXT_ARG(transport));
}

static void refuse_subscription(struct request *request, const struct notifier_refusal *refusal)
{
    if (refusal->header)
        return request_answer_with(request, refusal->status, refusal->reason, refusal->header, refusal->value);
    request_answer(request, refusal->status, refusal->reason);
}

static void accept_subscription(struct request *request, const struct notifier_request *read, struct text resource)
{
    struct conversation *conversation = request->conversation;
    struct sip_message *response = request_response(request, 200, NULL);
    struct notifier_refusal refusal;
    const struct notifier_watch watch = {resource, request->user, request->flow};
    if (notifier_accept(conversation->notifier, request->message, read, &watch, response,
                        conversation->now.monotonic_ms, &refusal) != OK) {
        sip_message_free(response);
        return refuse_subscription(request, &refusal);
    }
    log_info("subscription package=%s to=%.*s by=%.*s seconds=%u", read->package->name, TEXT_ARG(resource),
             TEXT_ARG(request->user), (unsigned)read->seconds);
    sip_header_add(response, "Contact", own_contact(conversation, &request->flow, &request->arena));
    request_send(request, response);
}

void events_subscribe(struct request *request)
{
    struct conversation *conversation = request->conversation;
    struct notifier_request read;
    struct notifier_refusal refusal;
    struct user user;
    if (request_refuse_extensions(request, "Require", (struct text){0}))
        return;
    if (notifier_read(conversation->notifier, request->message, &request->arena, &read, &refusal) != OK)
        return refuse_subscription(request, &refusal);
    if (!request_authenticate(request, false)) /* 401, as RFC 6665 §4.2.1.3 wants it */
        return;
    struct text target =
        read.known ? read.resource : uri_canonical(&request->arena, sip_request_uri(request->message, &request->arena));
    const struct event_kind *kind = (const struct event_kind *)read.package;
    switch (user_find(conversation->documents, target, &request->arena, &user)) {
    case OK: break;
    case NOT_FOUND: return request_answer(request, 404, "No Such User");
    default: return request_answer_with(request, 500, "User Not Readable", "Retry-After", TEXT("5"));
    }
    if (!kind->may_watch(request, &user))
        return request_answer(request, 403, "Not Your State");
    accept_subscription(request, &read, user.address);
}

/* --- NOTIFY of others --- */

void events_notify(struct request *request)
{
    struct conversation *conversation = request->conversation;
    struct news news;
    if (request_refuse_extensions(request, "Require", (struct text){0}))
        return;
    int status = subscriber_notified(conversation->subscriber, request->message, &request->arena,
                                     conversation->now.monotonic_ms, &news);
    if (status == 489)
        return request_answer_with(request, status, NULL, "Allow-Events", TEXT("reg"));
    if (status == 200)
        return core_learn(request, &news);
    request_answer(request, status, NULL);
}

/* --- what leaves --- */

static void send_over(struct event_branch *event, struct sip_message *message, const struct flow *flow)
{
    struct conversation *conversation = event->conversation;
    event->branch.flow = *flow;
    sip_agent_request(conversation->agent, message, flow, (uint64_t)(uintptr_t)&event->branch,
                      conversation->now.monotonic_ms);
}

static struct event_branch *branch_new(struct conversation *conversation, uint64_t subscription)
{
    struct event_branch *event = memory_new(sizeof(*event));
    arena_init(&event->arena, "event");
    event->branch.event = event;
    event->conversation = conversation;
    event->subscription = subscription;
    TAILQ_INSERT_TAIL(&conversation->event_branches, event, all);
    return event;
}

/* As to a contact that registered from there. */
static void send_to(struct event_branch *event, struct sip_message *message, struct text target, struct text route,
                    const struct flow *source)
{
    struct uri uri;
    event->peer = (struct contact){
        .uri = text_cstring(&event->arena, target),
        .path = text_cstring(&event->arena, route),
        .source = *source,
    };
    event->peer.by_source =
        flow_is_connected(source) ||
        (route.length == 0 && /* a proxy is where it says it is */
         (!uri_parse(target, &uri) || contact_is_elsewhere(source, &uri, (struct text){0}, &event->arena)));
    struct flow flow = contact_flow(&event->peer);
    event->again = flow.connection ? sip_message_clone(message) : NULL;
    send_over(event, message, &flow);
}

static void send_notice(struct conversation *conversation, struct notice *notice)
{
    const struct event_kind *kind = (const struct event_kind *)notice->package;
    struct event_branch *event = branch_new(conversation, notice->subscription);
    struct sip_message *message = notice->message;
    event->notice = true;
    sip_header_set(message, "Contact", own_contact(conversation, &notice->flow, &event->arena));
    sip_header_set(message, "User-Agent", TEXT(CONVERSATION_PRODUCT));
    struct text body = kind->write(conversation, notice, &event->arena);
    if (body.length)
        sip_body_set(message, text_of(notice->package->type), body);
    send_to(event, message, notice->target, notice->route, &notice->flow);
}

static void send_errand(struct conversation *conversation, struct errand *errand)
{
    const char *host = conversation->settings.agent.host;
    struct event_branch *event = branch_new(conversation, errand->subscription);
    sip_header_set(errand->message, "Contact", own_contact(conversation, &errand->flow, &event->arena));
    sip_header_set(errand->message, "P-Asserted-Identity", text_format(&event->arena, "<sip:%s>", host));
    sip_header_set(errand->message, "User-Agent", TEXT(CONVERSATION_PRODUCT));
    send_to(event, errand->message, errand->target, errand->route, &errand->flow);
}

void events_run(struct conversation *conversation)
{
    int64_t now_ms = conversation->now.monotonic_ms;
    struct notice notice;
    struct errand errand;
    while (subscriber_next(conversation->subscriber, now_ms, &errand))
        send_errand(conversation, &errand);
    while (notifier_next(conversation->notifier, now_ms, &notice))
        send_notice(conversation, &notice);
}

int64_t events_deadline(const struct conversation *conversation)
{
    int64_t ours = notifier_deadline(conversation->notifier), theirs = subscriber_deadline(conversation->subscriber);
    return ours < theirs ? ours : theirs;
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

void events_take_response(struct branch *branch, const struct sip_message *answer)
{
    struct event_branch *event = branch->event;
    struct conversation *conversation = event->conversation;
    int64_t now_ms = conversation->now.monotonic_ms;
    if (event->notice)
        notifier_answered(conversation->notifier, event->subscription, sip_status(answer),
                          retry_after(answer, &event->arena), now_ms);
    else
        subscriber_answered(conversation->subscriber, event->subscription, answer, now_ms);
    branch_free(event);
}

/* The connection that it came over may be gone, and the peer still there. */
static bool try_address(struct event_branch *event)
{
    struct sip_message *message = event->again;
    event->again = NULL;
    if (!message)
        return false;
    event->peer.source.connection = 0;
    struct flow flow = contact_flow(&event->peer);
    send_over(event, message, &flow);
    return true;
}

void events_take_failure(struct branch *branch, enum sip_failure failure)
{
    struct event_branch *event = branch->event;
    struct conversation *conversation = event->conversation;
    int64_t now_ms = conversation->now.monotonic_ms;
    if (failure == SIP_FAILURE_TRANSPORT && try_address(event))
        return;
    if (event->notice)
        notifier_answered(conversation->notifier, event->subscription, failure == SIP_FAILURE_TIMEOUT ? 408 : 503, 0,
                          now_ms);
    else
        subscriber_answered(conversation->subscriber, event->subscription, NULL, now_ms);
    branch_free(event);
}
