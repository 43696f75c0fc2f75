/* The admin port and the policy port: who may come in, and which function answers which path. Knows nothing of what
 * those do. */
#include <stddef.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "service_admin.h"
#include "service_decide.h"

#define BODY_ANY SIZE_MAX /* as large as the port lets in */
#define ITS_OWN  "*"      /* parameters that the handler judges */

struct admin_route {
    const char *method;
    const char *path; /* '*' stands for one segment, given to the handler as `argument` */
    admin_handler_fn *handle;
    size_t body_max;
    bool at_policy;         /* also at the policy port */
    bool waits;             /* for the disk, inside */
    const char *parameters; /* of the query, separated by spaces; NULL: none */
};

static const struct admin_route routes[] = {
    {"GET", "/api/v1/users", admin_users_list, 0, .parameters = "after limit"},
    {"POST", "/api/v1/users", admin_users_create, ADMIN_JSON_MAX, .waits = true},
    {"GET", "/api/v1/users/*", admin_user_show, 0},
    {"PUT", "/api/v1/users/*", admin_user_put, ADMIN_JSON_MAX, .waits = true},
    {"DELETE", "/api/v1/users/*", admin_user_delete, 0, .waits = true, .parameters = "everything"},
    {"GET", "/api/v1/users/*/messages", admin_user_messages, 0, .parameters = "limit"},
    {"GET", "/api/v1/users/*/queue", admin_user_queue, 0, .parameters = "after limit"},
    {"DELETE", "/api/v1/users/*/queue", admin_queue_drop, 0, .waits = true, .parameters = "reference"},
    {"POST", "/api/v1/users/*/queue/retry", admin_queue_retry, 0, .waits = true},
    {"GET", "/api/v1/queue", admin_queue, 0, .parameters = "after limit"},
    {"GET", "/api/v1/erasures", admin_erasures, 0, .parameters = "after limit"},
    {"GET", "/api/v1/groups", admin_groups_list, 0, .parameters = "after limit"},
    {"GET", "/api/v1/groups/*", admin_group_show, 0},
    {"PUT", "/api/v1/groups/*", admin_group_put, BODY_ANY, .parameters = "owner name"},
    {"DELETE", "/api/v1/groups/*", admin_group_delete, 0},
    {"GET", "/api/v1/messages/*", admin_message_show, 0, .parameters = "limit"},
    {"GET", "/api/v1/users/*/groups", admin_user_groups, 0, .waits = true},
    {"POST", "/api/v1/search", admin_search, ADMIN_JSON_MAX},
    {"POST", "/api/v1/reindex", admin_reindex, ADMIN_JSON_MAX},
    {"POST", "/api/v1/backup", admin_backup, ADMIN_JSON_MAX},
    {"POST", "/api/v1/import", admin_import, BODY_ANY, .parameters = "existing"},
    {"GET", "/policy/v1/decide", decide_get, 0, true, .parameters = ITS_OWN},
    {"POST", "/policy/v1/decide", decide_post, DECIDE_JSON_MAX, true},
    {"GET", "/policy/v1/explain", explain_get, 0, true, .parameters = ITS_OWN},
    {"GET", "/api/v1/openapi.json", admin_openapi, 0, true},
};

#define ROUTES_COUNT (sizeof(routes) / sizeof(routes[0]))

static struct admin_call *call_new(struct service *service, struct http_request *request, enum service_port port);
static bool preview(struct admin_call *call, struct http_response *response);
static enum http_progress handle(struct admin_call *call, struct http_response *response);
static enum http_progress answer(struct admin_call *call);
static bool admit(struct admin_call *call);
static bool check_caller(struct admin_call *call);
static bool check_asker(struct admin_call *call);
static bool find_route(struct admin_call *call);
static bool path_matches(struct text pattern, struct text path, struct text *argument_out);
static void finish(const struct admin_call *call);

bool service_admin_preview(void *service, struct http_request *request, struct http_response *response)
{
    return preview(call_new(service, request, SERVICE_ADMIN), response);
}

bool service_policy_preview(void *service, struct http_request *request, struct http_response *response)
{
    return preview(call_new(service, request, SERVICE_POLICY), response);
}

enum http_progress service_admin(void *service, struct http_request *request, struct http_response *response)
{
    return handle(request->state ? request->state : call_new(service, request, SERVICE_ADMIN), response);
}

enum http_progress service_policy(void *service, struct http_request *request, struct http_response *response)
{
    return handle(request->state ? request->state : call_new(service, request, SERVICE_POLICY), response);
}

static bool preview(struct admin_call *call, struct http_response *response)
{
    struct text length_text;
    uint64_t length;
    call->response = response;
    bool admitted = admit(call);
    if (admitted && call->route->body_max && http_header(call->request, "Content-Length", &length_text) &&
        text_to_u64(length_text, &length) && length > call->route->body_max) {
        admin_error(call, 413, TEXT("The body is too large."));
        admitted = false;
    }
    if (!admitted)
        finish(call);
    return admitted;
}

static enum http_progress handle(struct admin_call *call, struct http_response *response)
{
    call->response = response;
    if (!call->generation)
        call->generation = documents_enter(call->service->documents);
    if (call->route || admit(call)) {
        if (call->route->body_max && call->request->body.length > call->route->body_max)
            admin_error(call, 413, TEXT("The body is too large."));
        else if (answer(call) == HTTP_WAITING)
            return HTTP_WAITING;
    }
    finish(call);
    documents_leave(call->service->documents, call->generation);
    return HTTP_DONE;
}

static void answer_apart(struct clerk_task *task)
{
    struct admin_call *call = (struct admin_call *)((char *)task - offsetof(struct admin_call, task));
    call->response = &call->apart;
    call->route->handle(call);
    call->answered = true;
    http_resume(call->request);
}

static enum http_progress answer(struct admin_call *call)
{
    struct clerk *clerk = call->service->clerk;
    if (!call->route->waits || !clerk)
        return call->route->handle(call);
    if (call->answered) {
        *call->response = call->apart;
        return HTTP_DONE;
    }
    call->task.run = answer_apart;
    clerk_take(clerk, &call->task);
    return HTTP_WAITING;
}

static struct admin_call *call_new(struct service *service, struct http_request *request, enum service_port port)
{
    struct admin_call *call = arena_new(request->arena, struct admin_call);
    call->service = service;
    call->request = request;
    call->port = port;
    call->began_us = clock_monotonic_us();
    request->state = call;
    return call;
}

static void finish(const struct admin_call *call)
{
    service_account(call->service, call->port, call->request, call->response,
                    call->port == SERVICE_ADMIN ? TEXT("admin") : TEXT("policy"), TEXT(""), call->began_us);
}

static bool admit(struct admin_call *call)
{
    bool known = call->port == SERVICE_ADMIN ? check_caller(call) : check_asker(call);
    return known && find_route(call);
}

static bool has_token(const struct admin_call *call, struct text token)
{
    struct text value;
    if (!http_header(call->request, "Authorization", &value) || !text_starts_with_nocase(value, TEXT("Bearer ")))
        return false;
    return secret_equal(text_trim(text_slice(value, 7, value.length)), token);
}

static void answer_wait(struct admin_call *call, int64_t wait_ms)
{
    admin_error(call, 429, TEXT("Too many wrong tokens; wait before the next try."));
    http_response_header(call->response, "Retry-After",
                         text_format(call->request->arena, "%lld", (long long)((wait_ms + 999) / 1000)));
}

static void answer_wrong(struct admin_call *call, const char *name, bool waits)
{
    struct arena *arena = call->request->arena;
    struct text given;
    if (http_header(call->request, "Authorization", &given)) /* who has none does not guess */
        log_warning("authentication failed user=%s peer=%.*s%s", name,
                    TEXT_ARG(http_peer_text(call->request->peer, arena)), waits ? " and has to wait" : "");
    admin_error(call, 401, text_format(arena, "The %s token is missing or wrong.", name));
    http_response_header(call->response, "WWW-Authenticate", text_format(arena, "Bearer realm=\"%s\"", name));
}

/* Whoever guesses at a token waits like those who guess at passwords. `name`: "admin", "policy". */
static bool check_token(struct admin_call *call, struct text token, const char *name)
{
    struct guard *guard = call->service->settings.guard;
    struct trust_address address;
    struct text given;
    bool known = service_client(call->service, call->request, &address);
    const struct guard_source source = {text_of(name), known ? &address : NULL};
    int64_t now_ms = clock_wall_ms();
    int64_t wait_ms = guard ? guard_wait_ms(guard, &source, now_ms) : 0;
    bool good = wait_ms == 0 && has_token(call, token);
    if (good && guard)
        guard_succeeded(guard, &source, now_ms);
    if (wait_ms)
        answer_wait(call, wait_ms);
    else if (!good)
        answer_wrong(call, name,
                     guard && http_header(call->request, "Authorization", &given) &&
                         guard_failed(guard, &source, now_ms));
    return good;
}

static bool host_is_loopback(struct text host)
{
    if (text_starts_with(host, TEXT("[")))
        return text_equal(host, TEXT("[::1]")) || text_starts_with(host, TEXT("[::1]:"));
    struct text name, port, octet, rest;
    uint64_t number;
    text_cut(host, ':', &name, &port);
    if (text_equal_nocase(name, TEXT("localhost")))
        return true;
    rest = name;
    for (int i = 0; i < 4; i++) { /* "127.evil.example" must not pass */
        bool more = text_cut(rest, '.', &octet, &rest);
        if (more != (i < 3) || !text_to_u64(octet, &number) || number > 255 || (i == 0 && number != 127))
            return false;
    }
    return true;
}

/* Without a token the loopback interface is the guard, or a certificate, and any page in a browser can use these: such
 * a request carries Origin, or, after a name was rebound to 127.0.0.1, the name in Host. */
static bool check_caller(struct admin_call *call)
{
    struct text value;
    if (call->service->settings.admin_token.length)
        return check_token(call, call->service->settings.admin_token, "admin");
    const char *refusal = NULL;
    bool is_certified = call->request->client_names_count > 0;
    if (!is_certified && !http_peer_is_loopback(call->request->peer))
        refusal = "Without an admin token only this machine, or who shows a certificate, may use the admin API.";
    else if (http_header(call->request, "Origin", &value))
        refusal = "Without an admin token no web page may use the admin API.";
    else if (!is_certified && http_header(call->request, "Host", &value) && !host_is_loopback(value))
        refusal = "Without an admin token the admin API is reached by a loopback address only.";
    if (refusal)
        admin_error(call, 403, text_of(refusal));
    return !refusal;
}

static bool peer_may_ask(const struct admin_call *call)
{
    struct trust_address address;
    return trust_address_of(call->request->peer, &address) &&
           trust_ranges_have(&call->service->settings.policy_peers, &address);
}

/* IM servers are known by their address, and by a token if there is one. Certificates say nothing: phones have them,
 * too. Without it no page in a browser of such a machine may ask: Origin shows it, and where a name was rebound
 * Sec-Fetch-Site does. */
static bool check_asker(struct admin_call *call)
{
    struct text value;
    if (!peer_may_ask(call)) {
        admin_error(call, 403, TEXT("This address is not among those that may ask (policy.peers)."));
        return false;
    }
    if (call->service->settings.policy_token.length)
        return check_token(call, call->service->settings.policy_token, "policy");
    bool by_page = http_header(call->request, "Origin", &value) ||
                   (http_header(call->request, "Sec-Fetch-Site", &value) && !text_equal(value, TEXT("none")));
    if (by_page)
        admin_error(call, 403, TEXT("Without a policy token no web page may ask."));
    return !by_page;
}

static bool decode(struct arena *arena, struct text raw, struct text *decoded_out)
{
    return percent_decode(arena, raw, decoded_out) && utf8_valid(*decoded_out) &&
           text_find_char(*decoded_out, '\0') == decoded_out->length;
}

static bool parameters_fit(struct admin_call *call)
{
    const char *names = call->route->parameters ? call->route->parameters : "";
    bool fit = strcmp(names, ITS_OWN) == 0 || admin_parameters_known(call, names);
    if (!fit)
        call->route = NULL;
    return fit;
}

static bool find_route(struct admin_call *call)
{
    struct arena *arena = call->request->arena;
    struct text method = call->request->method, path, query;
    struct text_builder allow;
    builder_init(&allow, arena);
    text_cut(call->request->target, '?', &path, &call->query);
    if (text_equal(method, TEXT("HEAD")))
        method = TEXT("GET");
    for (size_t i = 0; i < ROUTES_COUNT; i++) {
        struct text raw = {0};
        if (!path_matches(text_of(routes[i].path), path, &raw) ||
            (call->port == SERVICE_POLICY && !routes[i].at_policy))
            continue;
        if (text_equal(method, text_of(routes[i].method))) {
            call->route = &routes[i];
            if (decode(arena, raw, &call->argument) && decode(arena, call->query, &query))
                return parameters_fit(call);
            call->route = NULL;
            admin_error(call, 400, TEXT("The path or the query has a broken escape."));
            return false;
        }
        builder_add_format(&allow, "%s%s", allow.length ? ", " : "", routes[i].method);
        if (strcmp(routes[i].method, "GET") == 0)
            builder_add(&allow, TEXT(", HEAD"));
    }
    if (allow.length == 0) {
        admin_error(call, 404, TEXT("There is no such path."));
        return false;
    }
    admin_error(call, 405, TEXT("This method is not allowed here."));
    http_response_header(call->response, "Allow", builder_text(&allow));
    return false;
}

static bool path_matches(struct text pattern, struct text path, struct text *argument_out)
{
    struct text want, have;
    bool more_pattern, more_path;
    do {
        more_pattern = text_cut(pattern, '/', &want, &pattern);
        more_path = text_cut(path, '/', &have, &path);
        if (text_equal(want, TEXT("*")) && have.length)
            *argument_out = have;
        else if (!text_equal(want, have))
            return false;
    } while (more_pattern && more_path);
    return more_pattern == more_path;
}
