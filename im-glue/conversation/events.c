/* SUBSCRIBE and NOTIFY: who may watch what here, and the way of what is due to leave. The states are of the packages,
 * dialogs and moments of the notifier and the subscriber. */
#include "events_private.h"
#include "log.h"
#include "user.h"

#define WATCHING_EIGHTHS 3 /* of the memory of requests, for either side: a quarter is left for requests alone */

static void open_table(struct conversation *conversation)
{
    const struct conversation_settings *settings = &conversation->settings;
    struct event_table *table = conversation->events = memory_new(sizeof(*table));
    struct text list = settings->list_events, name;
    arena_init(&table->arena, "events");
    table->packages[table->count++] = &registration_event.package;
    table->packages[table->count++] = &summary_event.package;
    if (settings->settings_event.length) {
        settings_event_open(settings, &table->arena, &table->settings);
        table->packages[table->count++] = &table->settings.package;
    }
    while (table->lists_count < CONVERSATION_LIST_EVENTS_MAX && text_next_item(&list, &name)) {
        struct event_kind *kind = &table->lists[table->lists_count];
        if (!list_event_open(conversation, name, &table->arena, kind))
            return;
        table->packages[table->count++] = &kind->package;
        table->lists_count++;
    }
}

void events_open(struct conversation *conversation)
{
    const struct conversation_settings *settings = &conversation->settings;
    struct arena arena;
    arena_init(&arena, "events");
    open_table(conversation);
    conversation->notifier = notifier_new(&(struct notifier_settings){
        .packages = conversation->events->packages,
        .packages_count = conversation->events->count,
        .subscriptions_max = settings->watchers.all_max,
        .of_one_max = settings->watchers.of_one_max,
        .bytes_max = settings->bytes_max / 8 * WATCHING_EIGHTHS,
    });
    conversation->subscriber = subscriber_new(&(struct subscriber_settings){
        .from = text_format(&arena, "sip:%s", settings->agent.host),
        .host = text_of(settings->agent.host),
        .t1_ms = settings->agent.t1_ms,
        .subscriptions_max = settings->watchers.watched_max,
        .bytes_max = settings->bytes_max / 8 * WATCHING_EIGHTHS,
    });
    TAILQ_INIT(&conversation->event_branches);
    arena_clear(&arena);
}

void events_close(struct conversation *conversation)
{
    event_sending_free_all(conversation);
    notifier_free(conversation->notifier);
    subscriber_free(conversation->subscriber);
    arena_clear(&conversation->events->arena);
    free(conversation->events);
}

bool events_is_owner(struct request *request, const struct user *user)
{
    return requester_is(&request->who, user->address);
}

struct text events_allowed(const struct conversation *conversation, struct arena *arena)
{
    return notifier_packages(conversation->notifier, arena);
}

void events_changed(struct conversation *conversation, const struct event_kind *kind, struct text address)
{
    notifier_changed(conversation->notifier, &kind->package, address);
}

void events_end(struct conversation *conversation, struct text address)
{
    for (size_t i = 0; i < conversation->events->count; i++)
        notifier_end(conversation->notifier, conversation->events->packages[i], address, "noresource");
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
    const struct event_kind *kind = (const struct event_kind *)read.package;
    if (!read.known && kind->is_meant && !kind->is_meant(request))
        return request_answer_with(request, 489, NULL, "Allow-Events", events_allowed(conversation, &request->arena));
    if (!request_authenticate(request, false)) /* 401, as RFC 6665 §4.2.1.3 wants it */
        return;
    struct text target =
        read.known ? read.resource : uri_canonical(&request->arena, sip_request_uri(request->message, &request->arena));
    switch (user_find(conversation->documents, target, &request->arena, &user)) {
    case OK: break;
    case NOT_FOUND:
        if (read.known)
            notifier_end(conversation->notifier, read.package, target, "noresource");
        return request_answer(request, 404, "No Such User");
    default: return request_answer_with(request, 500, "User Not Readable", "Retry-After", TEXT("5"));
    }
    if (!kind->may_watch(request, &user)) {
        if (read.known)
            notifier_reject(conversation->notifier, read.known, request->user);
        return request_answer(request, 403, "Not Your State");
    }
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

/* He may have been erased: what is left is to say so. */
static void end_if_gone(struct conversation *conversation, const struct notice *notice, struct arena *arena)
{
    struct user user;
    if (user_find(conversation->documents, notice->resource, arena, &user) == NOT_FOUND)
        notifier_end(conversation->notifier, notice->package, notice->resource, "noresource");
}

static void send_notice(struct conversation *conversation, struct notice *notice)
{
    const struct event_kind *kind = (const struct event_kind *)notice->package;
    const struct event_way way = {notice->target, notice->route, notice->flow};
    struct sip_message *message = notice->message;
    struct arena arena;
    arena_init(&arena, "notice");
    sip_header_set(message, "Contact", own_contact(conversation, &notice->flow, &arena));
    sip_header_set(message, "User-Agent", TEXT(CONVERSATION_PRODUCT));
    struct text body = kind->write(conversation, notice, &arena);
    if (body.length)
        sip_body_set(message, text_of(notice->package->type), body);
    event_send(conversation, true, notice->subscription, message, &way);
    end_if_gone(conversation, notice, &arena);
    arena_clear(&arena);
}

static void send_errand(struct conversation *conversation, struct errand *errand)
{
    const struct event_way way = {errand->target, errand->route, errand->flow};
    struct sip_message *message = errand->message;
    struct arena arena;
    arena_init(&arena, "errand");
    sip_header_set(message, "Contact", own_contact(conversation, &errand->flow, &arena));
    sip_header_set(message, "P-Asserted-Identity", text_format(&arena, "<sip:%s>", conversation->settings.agent.host));
    sip_header_set(message, "User-Agent", TEXT(CONVERSATION_PRODUCT));
    event_send(conversation, false, errand->subscription, message, &way);
    arena_clear(&arena);
}

/* --- over a restart --- */

#define COMMITS_MAX 64 /* of one write */
#define SPREAD_MS   5  /* between two NOTIFYs when the server starts */

static bool add_change(struct work *work)
{
    struct conversation *conversation = work->conversation;
    struct notifier_change change;
    if (!notifier_change_next(conversation->notifier, conversation->now, &work->arena, &change))
        return false;
    if (change.gone)
        work_add_deletion(work, DOCUMENT_SUBSCRIPTIONS, change.resource, change.name);
    else
        work->commits[work->count++] = (struct commit){
            .key = {TEXT(DOCUMENT_SUBSCRIPTIONS), change.resource, change.name},
            .expected = VERSION_ANY,
            .bytes = change.record,
            .who = TEXT("im-glue"),
        };
    return true;
}

/* What is lost with a crash before it is on disk, its watcher asks for again. */
static void write_changes(struct conversation *conversation)
{
    for (bool more = true; more;) {
        struct work *work = work_new(conversation, COMMITS_MAX, work_ignore);
        while (work->count < COMMITS_MAX && (more = add_change(work)))
            ;
        if (work->count) {
            work_submit(work);
            continue;
        }
        work_drop(work);
    }
}

static void load_one(struct conversation *conversation, const struct document_key *key, struct arena *arena)
{
    struct stored stored;
    int64_t at_ms = conversation->now.monotonic_ms + (int64_t)notifier_count(conversation->notifier) * SPREAD_MS;
    if (document_internal_read(conversation->documents, key, arena, &stored) == OK &&
        !notifier_restore(conversation->notifier, stored.bytes, conversation->now, at_ms)) {
        struct work *work = work_new(conversation, 1, work_ignore);
        work_add_deletion(work, DOCUMENT_SUBSCRIPTIONS, stored.key.owner, stored.key.name);
        work_submit(work);
    }
}

void events_load(struct conversation *conversation)
{
    served_load_records(conversation, DOCUMENT_SUBSCRIPTIONS, load_one);
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
    write_changes(conversation);
}

int64_t events_deadline(const struct conversation *conversation)
{
    int64_t ours = notifier_deadline(conversation->notifier), theirs = subscriber_deadline(conversation->subscriber);
    return ours < theirs ? ours : theirs;
}
