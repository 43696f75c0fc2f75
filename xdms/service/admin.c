/* The admin port and the policy port: which function answers which path. Knows nothing of what those do. */
#include <stddef.h>
#include <string.h>

#include "clock.h"
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
    {"GET", "/api/v1/users/*/documents", admin_user_documents, 0, .parameters = "after limit"},
    {"GET", "/api/v1/documents/*", admin_document_show, 0},
    {"POST", "/api/v1/search", admin_search, ADMIN_JSON_MAX},
    {"POST", "/api/v1/reindex", admin_reindex, ADMIN_JSON_MAX},
    {"POST", "/api/v1/backup", admin_backup, ADMIN_JSON_MAX},
    {"POST", "/api/v1/import", admin_import, BODY_ANY, .parameters = "existing"},
    {"GET", "/policy/v1/decide", decide_get, 0, true, .parameters = ITS_OWN},
    {"POST", "/policy/v1/decide", decide_post, DECIDE_JSON_MAX, true},
    {"GET", "/policy/v1/explain", explain_get, 0, true, .parameters = ITS_OWN},
    {"GET", "/api/v1/openapi.json", admin_openapi, 0, true},
};

/* Its files need no token: they hold nothing, and ask for it. */
static const struct admin_route page_route = {"GET", "/", admin_page, 0};

#define ROUTES_COUNT (sizeof(routes) / sizeof(routes[0]))

static struct admin_call *call_new(struct service *service, struct http_request *request, enum service_port port);
static bool preview(struct admin_call *call, struct http_response *response);
static enum http_progress handle(struct admin_call *call, struct http_response *response);
static enum http_progress answer(struct admin_call *call);
static bool admit(struct admin_call *call);
static bool find_page(struct admin_call *call);
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

static bool find_page(struct admin_call *call)
{
    struct text method = call->request->method;
    call->route = &page_route;
    if (text_equal(method, TEXT("GET")) || text_equal(method, TEXT("HEAD")))
        return true;
    call->route = NULL;
    admin_error(call, 405, TEXT("This method is not allowed here."));
    http_response_header(call->response, "Allow", TEXT("GET, HEAD"));
    return false;
}

static bool admit(struct admin_call *call)
{
    struct text path, query;
    text_cut(call->request->target, '?', &path, &query);
    if (call->port == SERVICE_ADMIN && admin_page_has(path))
        return admin_check_page(call) && find_page(call);
    bool known = call->port == SERVICE_ADMIN ? admin_check_caller(call) : admin_check_asker(call);
    return known && find_route(call);
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
