/* OPTIONS (RFC 3261 §11): for this server it is answered here; for a user it is put to his clients, so that others
 * learn what they can do, and for one of another domain to its server (options_domain.c). Who is away, does not want to
 * be seen or blocks who asks is 480 to them, all alike. */
#include "domains_private.h"
#include "incoming_private.h"
#include "kept_private.h"
#include "options_private.h"
#include "target_private.h"
#include "user.h"

#define ACCEPTED                                                                                                       \
    "text/plain, message/cpim, message/imdn+xml, multipart/mixed, application/im-iscomposing+xml, "                    \
    "application/resource-lists+xml, " CONTENT_ADVERTISEMENT

/* Who asks has his answer, or is about to: the rest only waits for the other contacts. */
static struct request *take_request_of(struct query *query)
{
    struct request *request = query->request;
    if (!request)
        return NULL;
    query->request = NULL;
    TAILQ_REMOVE(&query->conversation->queries, query, all);
    TAILQ_INSERT_TAIL(&query->conversation->queries_answered, query, all);
    return request;
}

static void query_free(struct query *query)
{
    if (query->request)
        TAILQ_REMOVE(&query->conversation->queries, query, all);
    else
        TAILQ_REMOVE(&query->conversation->queries_answered, query, all);
    if (query->request)
        request_free(query->request);
    arena_clear(&query->arena);
    free(query);
}

void query_free_all(struct conversation *conversation)
{
    while (!TAILQ_EMPTY(&conversation->queries))
        query_free(TAILQ_FIRST(&conversation->queries));
    while (!TAILQ_EMPTY(&conversation->queries_answered))
        query_free(TAILQ_FIRST(&conversation->queries_answered));
}

/* --- for this server --- */

/* `supported`: extensions that may be required there; empty: none. */
static void answer_here(struct request *request, struct text supported)
{
    const struct conversation_settings *settings = &request->conversation->settings;
    struct sip_message *response = request_response(request, 200, NULL);
    sip_header_add(response, "Allow", TEXT(CONVERSATION_METHODS));
    sip_header_add(response, "Accept-Encoding", TEXT(CONTENT_ENCODINGS));
    sip_header_add(response, "Accept", settings->types_allowed.length ? settings->types_allowed : TEXT(ACCEPTED));
    if (supported.length)
        sip_header_add(response, "Supported", supported);
    /* RFC 3903 §10: what is published is there, too */
    sip_header_add(response, "Allow-Events", events_allowed(request->conversation, &request->arena));
    sip_header_add(
        response, "Contact",
        text_format(&request->arena,
                    "<sip:%s:%u>;+g.oma.sip-im;methods=\"MESSAGE,NOTIFY,OPTIONS,PUBLISH,REGISTER,SUBSCRIBE\"",
                    settings->agent.host, settings->agent.port));
    request_send(request, response);
}

/* --- for a user --- */

struct sip_message *query_message(const struct query *query, struct text address, struct text route, bool trusted)
{
    static const char *const hop_headers[] = {"Via",
                                              "Route",
                                              "Record-Route",
                                              "Authorization",
                                              "Proxy-Authorization",
                                              "Contact",
                                              "P-Asserted-Identity",
                                              "P-Preferred-Identity"};
    struct sip_message *message = sip_message_clone(query->request->message);
    uint64_t left = query->hops > 70 ? 69 : query->hops - 1;
    char digits[TEXT_DIGITS_MAX];
    size_t length = text_write_number(left, digits);
    for (size_t i = 0; i < sizeof(hop_headers) / sizeof(hop_headers[0]); i++)
        sip_header_remove(message, hop_headers[i]);
    if (!trusted)
        request_hide_core_headers(message);
    else if (!request_peer_is_trusted(query->request))
        request_remove_core_headers(message);
    sip_header_set(message, "Max-Forwards", (struct text){digits + TEXT_DIGITS_MAX - length, length});
    if (sip_request_uri_set(message, text_slice(address, 0, text_find_char(address, '?'))) == OK &&
        (route.length == 0 || sip_header_set(message, "Route", route) == OK))
        return message;
    sip_message_free(message);
    return NULL;
}

static void ask_contact(struct query *query, const struct served *served, const struct contact *contact)
{
    struct conversation *conversation = query->conversation;
    struct text address = target_address(served, contact, query->request->message, &query->arena);
    struct sip_message *message = query_message(query, address, text_of(contact->path), contact->core);
    if (!message)
        return;
    struct branch *branch = arena_new(&query->arena, struct branch);
    struct flow flow = contact_flow(contact);
    branch->query = query;
    query->branches++;
    sip_agent_request(conversation->agent, message, &flow, (uint64_t)(uintptr_t)branch, conversation->now.monotonic_ms);
}

/* A client's challenge or silence says nothing to who asks. */
static void answer_best(struct query *query)
{
    struct request *request = take_request_of(query);
    int status = query->best;
    if (request && query->hop)
        return request_answer(request, outbound_answer_for(status), NULL);
    if (request)
        request_answer(request, status < 400 || status == 401 || status == 407 || status == 408 ? 480 : status, NULL);
}

void query_settle(struct query *query)
{
    if (query->branches)
        return;
    answer_best(query);
    query_free(query);
}

/* They are in the order of their beginning, and so of their end. */
void query_run_deadlines(struct conversation *conversation)
{
    struct query *query;
    while ((query = TAILQ_FIRST(&conversation->queries)) && query->answer_by_ms <= conversation->now.monotonic_ms)
        answer_best(query);
}

int64_t query_deadline(const struct conversation *conversation)
{
    const struct query *first = TAILQ_FIRST(&conversation->queries);
    return first ? first->answer_by_ms : INT64_MAX;
}

struct query *query_new(struct request *request, uint64_t hops)
{
    struct conversation *conversation = request->conversation;
    struct query *query = memory_new(sizeof(*query));
    arena_init(&query->arena, "query");
    query->conversation = conversation;
    query->request = request;
    query->hops = hops;
    query->answer_by_ms = conversation->now.monotonic_ms + conversation->settings.answer_ms;
    TAILQ_INSERT_TAIL(&conversation->queries, query, all);
    return query;
}

static void ask_all(struct request *request, const struct served *served, uint64_t hops)
{
    struct conversation *conversation = request->conversation;
    struct query *query = query_new(request, hops);
    for (size_t i = 0; i < served->contacts_count && served_reachable(conversation, served); i++)
        if (target_is(conversation, served, i, request->message, &request->arena))
            ask_contact(query, served, &served->contacts[i]);
    query_settle(query);
}

/* What a client says of itself, and nothing of the way to it. */
static void pass_answer(struct request *request, const struct sip_message *answer)
{
    static const char *const passed[] = {"Allow",     "Accept",  "Accept-Encoding", "Accept-Language", "Allow-Events",
                                         "Supported", "Contact", "User-Agent",      "Content-Encoding"};
    struct sip_message *response = request_response(request, sip_status(answer), NULL);
    struct text value;
    for (size_t i = 0; i < sizeof(passed) / sizeof(passed[0]); i++)
        for (size_t n = 0; sip_header(answer, passed[i], n, &request->arena, &value); n++)
            sip_header_add(response, passed[i], value);
    if (sip_body(answer).length && sip_header(answer, "Content-Type", 0, &request->arena, &value))
        sip_body_set(response, value, sip_body(answer));
    request_send(request, response);
}

void query_take_response(struct branch *branch, const struct sip_message *answer)
{
    struct query *query = branch->query;
    struct request *request = query->request;
    int status = sip_status(answer);
    query->branches--;
    if (status == 503 && query_try_next(branch)) /* RFC 3263 §4.3 */
        return;
    if (request && status < 300) {
        pass_answer(take_request_of(query), answer);
    } else if (query->best == 0 || status >= 600 || (status < query->best && query->best < 600)) {
        query->best = status;
    }
    query_settle(query);
}

void query_take_failure(struct branch *branch)
{
    branch->query->branches--;
    if (!query_try_next(branch))
        query_settle(branch->query);
}

/* Blocked ones are told what they would be told of somebody who is away. */
static void ask_user(struct request *request, struct text address, uint64_t hops)
{
    struct conversation *conversation = request->conversation;
    struct group_decision decision;
    const struct group_sender sender = {
        .identities = request->who.identities,
        .identities_count = request->who.identities_count,
        .wall_ms = conversation->now.wall_ms,
    };
    if (group_decide(conversation->groups, address, &sender, &request->arena, &decision) != OK)
        return request_answer_with(request, 500, "Rules Not Readable", "Retry-After", TEXT("5"));
    if (decision.verdict == GROUP_BLOCK)
        return request_answer(request, 480, NULL);
    const struct served *served = served_get(conversation, address);
    struct text way = core_way(conversation, served);
    if (way.length && served_reachable(conversation, served))
        return query_ask_core(request, address, way, hops);
    ask_all(request, served, hops);
}

/* Whatever has this address. */
static void ask_about(struct request *request, struct text target, uint64_t hops)
{
    struct conversation *conversation = request->conversation;
    const struct group *group;
    struct user user;
    switch (user_find(conversation->documents, target, &request->arena, &user)) {
    case OK: return ask_user(request, user.address, hops);
    case NOT_FOUND: break;
    default: return request_answer_with(request, 500, "User Not Readable", "Retry-After", TEXT("5"));
    }
    switch (group_find(conversation->groups, target, &group)) {
    case OK: return answer_here(request, (struct text){0});
    case NOT_FOUND: break;
    default: return request_answer_with(request, 500, "Group Not Readable", "Retry-After", TEXT("5"));
    }
    if (domain_is_ours(conversation, uri_domain(target)))
        return request_answer(request, 404, NULL);
    query_ask_domain(request, target, hops);
}

void options_receive(struct request *request)
{
    struct conversation *conversation = request->conversation;
    struct text request_uri = sip_request_uri(request->message, &request->arena);
    struct text target = uri_canonical(&request->arena, request_uri);
    struct text hops_text = text_trim(request_header(request, "Max-Forwards"));
    uint64_t hops = 70;
    struct uri uri;
    if (!uri_parse(request_uri, &uri))
        return request_answer(request, 416, NULL);
    if (request_refuse_extensions(request, "Require", (struct text){0}) ||
        request_refuse_extensions(request, "Proxy-Require", (struct text){0}))
        return;
    if (hops_text.length && !text_to_u64(hops_text, &hops))
        return request_answer(request, 400, "Bad Max-Forwards");
    /* RFC 3261 §11: who may send it no further answers for himself */
    if (domain_is_server(conversation, &uri))
        return answer_here(request, TEXT(REGISTRAR_EXTENSIONS));
    if (exploder_is(conversation, target)) /* RFC 5365 §5 */
        return answer_here(request, TEXT(EXPLODER_EXTENSION));
    if (hops == 0 || services_are(conversation, target))
        return answer_here(request, (struct text){0});
    if (!request_authenticate(request, true) || !device_resolve(request))
        return;
    ask_about(request, uri_canonical(&request->arena, sip_request_uri(request->message, &request->arena)), hops);
}
