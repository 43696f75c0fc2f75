/* XCAP requests from header section to answer, and what is refused before a body is needed. The order is: form of the
 * target, who asks, may they, then all that would tell them something (RFC 4825 §8 without its account probing, unless
 * xcap.absent-first wants that too). */
#include "clock.h"
#include "log.h"
#include "service_search.h"
#include "user.h"

static struct xcap_call *call_new(struct service *service, struct http_request *request);
static void enter(struct xcap_call *call);
static void leave(struct xcap_call *call);
static void finish(struct xcap_call *call, enum status status, const struct refusal *refusal,
                   struct http_response *response);
static enum status locate(struct xcap_call *call, struct refusal *refusal, struct refusal *unplaced);
static struct text target_of(const struct xcap_call *call);
static enum status options(struct xcap_call *call, struct refusal *refusal);
static enum status check_owner(const struct xcap_call *call, struct refusal *refusal);
static enum status resolve_owner(struct xcap_call *call);
static enum status authorise(const struct xcap_call *call, struct refusal *refusal);
static struct text allowed_methods(const struct xcap_call *call);
static bool is_read(enum service_method method);

bool service_xcap_preview(void *service, struct http_request *request, struct http_response *response)
{
    struct xcap_call *call = call_new(service, request);
    struct refusal refusal = {0};
    if (xcap_protects_body(request))
        return true;
    enter(call);
    enum status status = xcap_admit(call, &refusal);
    if (status == OK && call->method == METHOD_PUT)
        status = xcap_check_content(call, &refusal);
    if (status != OK)
        finish(call, status, &refusal, response);
    leave(call); /* a body may take its time, and need not come */
    return status == OK;
}

enum http_progress service_xcap(void *service, struct http_request *request, struct http_response *response)
{
    struct xcap_call *call = request->state ? request->state : call_new(service, request);
    struct refusal refusal = {0};
    enum status status = OK;
    enter(call);
    if (!call->admitted) {
        status = xcap_admit(call, &refusal);
        if (status == OK && call->method == METHOD_PUT)
            status = xcap_check_content(call, &refusal);
    }
    if (status == OK && call->method == METHOD_OPTIONS) {
        response->status = 200;
        http_response_header(response, "Allow", allowed_methods(call));
    } else if (status == OK && call->posted) {
        enum http_progress progress;
        status = xcap_post(call, response, &progress, &refusal);
        if (progress == HTTP_WAITING)
            return HTTP_WAITING;
    } else if (status == OK && is_read(call->method)) {
        status = xcap_read(call, response, &refusal);
    } else if (status == OK) {
        if (xcap_change(call, response, &status, &refusal) == DOCUMENT_WAITING)
            return HTTP_WAITING;
    }
    finish(call, status, &refusal, response);
    leave(call);
    return HTTP_DONE;
}

/* Usages that were replaced since the header section was looked at decide anew. */
static void enter(struct xcap_call *call)
{
    if (call->entered)
        return;
    uint64_t generation = documents_enter(call->service->documents);
    if (generation != call->generation)
        call->admitted = call->changing = call->posted = false;
    call->generation = generation;
    call->entered = true;
}

static void leave(struct xcap_call *call)
{
    documents_leave(call->service->documents, call->generation);
    call->entered = false;
}

static struct xcap_call *call_new(struct service *service, struct http_request *request)
{
    struct xcap_call *call = arena_new(request->arena, struct xcap_call);
    call->service = service;
    call->request = request;
    requester_of_nobody(&call->caller.requester);
    call->began_us = clock_monotonic_us();
    call->method = service_method_of(request->method);
    request->state = call;
    return call;
}

static void finish(struct xcap_call *call, enum status status, const struct refusal *refusal,
                   struct http_response *response)
{
    if (status != OK)
        respond_xcap_refusal(call, status, refusal, response);
    service_answer_caller(call->service, call->request, &call->caller, response);
    struct text auid = call->place.usage ? call->place.usage->auid : TEXT("");
    service_account(call->service, SERVICE_XCAP, call->request, response, call->caller.requester.address, auid,
                    call->began_us);
}

static bool is_read(enum service_method method)
{
    return method == METHOD_GET || method == METHOD_HEAD || method == METHOD_OPTIONS;
}

enum status xcap_admit(struct xcap_call *call, struct refusal *refusal)
{
    struct refusal unplaced = {0};
    call->admitted = true;
    if (xcap_post_find(call))
        return xcap_post_admit(call, refusal);
    if (call->method == METHOD_OPTIONS)
        return options(call, refusal);
    enum status status = locate(call, refusal, &unplaced);
    if (status == OK && call->service->settings.absent_first)
        status = unplaced.kind == REFUSAL_ABSENT ? REFUSED : check_owner(call, &unplaced);
    if (status == REFUSED && unplaced.kind)
        *refusal = unplaced;
    if (status != OK)
        return status;
    const struct document_place *place = &call->place;
    bool open =
        place->usage && is_read(call->method) && usage_allows(place->usage, place->tree, USAGE_READ, USAGE_ANYONE);
    if (!open && !call->authenticated) {
        status = service_identify(call->service, call->request, &call->caller, refusal);
        call->authenticated = status == OK;
    }
    if (status == OK)
        status = resolve_owner(call);
    if (status == OK && place->usage)
        status = authorise(call, refusal);
    if (status != OK)
        return status;
    if (unplaced.kind) {
        *refusal = unplaced;
        return REFUSED;
    }
    struct text allowed = allowed_methods(call), method = call->request->method;
    bool changes = call->method == METHOD_PUT || call->method == METHOD_DELETE;
    if (is_read(call->method) || (changes && text_find(allowed, method) < allowed.length))
        return OK;
    refuse(refusal, REFUSAL_METHOD, "This method is not allowed here.");
    refusal->allow = allowed;
    return REFUSED;
}

/* What probes and proxies ask before they know any user. It depends on the document services alone and needs no look
 * into the store; which services there are is told to anyone (RFC 4825 §12). */
static enum status options(struct xcap_call *call, struct refusal *refusal)
{
    struct refusal unplaced = {0};
    if (text_equal(call->request->target, TEXT("*"))) /* RFC 9110 §9.3.7: the server as a whole */
        return OK;
    enum status status = locate(call, refusal, &unplaced);
    if (status == OK && unplaced.kind) {
        *refusal = unplaced;
        return REFUSED;
    }
    return status;
}

/* REFUSED: the target itself is malformed or under no root, which is no secret. `unplaced` is what may be said after
 * authorisation. */
static enum status locate(struct xcap_call *call, struct refusal *refusal, struct refusal *unplaced)
{
    const struct service_settings *settings = &call->service->settings;
    struct arena *arena = call->request->arena;
    struct xcap_target target;
    if (call->request->target.length > settings->target_bytes_max)
        return refuse(refusal, REFUSAL_URI_TOO_LONG, "The request target is too long.");
    enum status status =
        xcap_target_parse(target_of(call), settings->roots, settings->roots_count, arena, &target, refusal);
    if (status != OK && (refusal->kind != REFUSAL_ABSENT || !target.rooted))
        return status;
    if (status != OK) {
        *unplaced = *refusal;
        return OK;
    }
    status = document_place(call->service->documents, &target, call->method == METHOD_PUT, arena, &call->place,
                            &call->selector, unplaced);
    call->place.root_uri = settings->root_uri;
    if (status == REFUSED && unplaced->kind == REFUSAL_CONFLICT) /* no such sub-directory */
        unplaced->content = document_ancestor(&call->place, settings->root_uri, arena);
    if (call->selector && call->selector->steps_count > settings->selector_steps_max)
        return refuse(refusal, REFUSAL_URI_TOO_LONG, "The node selector has too many steps.");
    return status == REFUSED ? OK : status;
}

/* Some phones end every path with a slash. What names nothing then is what it names without. */
static struct text target_of(const struct xcap_call *call)
{
    struct text target = call->request->target, path, query;
    text_cut(target, '?', &path, &query);
    if (!call->service->settings.trailing_slash || !text_ends_with(path, TEXT("/")))
        return target;
    return text_join(call->request->arena, text_slice(path, 0, path.length - 1),
                     text_slice(target, path.length, target.length));
}

static bool is_fixed(const struct xcap_call *call)
{
    return (call->place.row && call->place.row->kind == USAGE_COMPUTED) ||
           (call->selector && call->selector->terminal == XCAP_NAMESPACES);
}

/* A write of what nobody can write is no question of permission: it is answered 405. */
static enum usage_operation operation_of(const struct xcap_call *call)
{
    if (call->method == METHOD_DELETE && document_can_shrink(&call->place, call->selector))
        return USAGE_DELETE;
    if (is_fixed(call))
        return USAGE_READ;
    return call->method == METHOD_PUT ? USAGE_WRITE : call->method == METHOD_DELETE ? USAGE_DELETE : USAGE_READ;
}

/* The user in the target may be named by any of his addresses; his documents stand under one. */
static enum status resolve_owner(struct xcap_call *call)
{
    struct text *owner = &call->place.key.owner;
    if (!call->place.usage || call->place.tree == XCAP_GLOBAL || text_equal(*owner, call->caller.requester.address))
        return OK;
    return document_owner(call->service->documents, *owner, call->request->arena, owner);
}

static enum status authorise(const struct xcap_call *call, struct refusal *refusal)
{
    const struct document_place *place = &call->place;
    const struct requester *requester = &call->caller.requester;
    bool owned = place->tree == XCAP_USERS && requester_is(requester, place->key.owner);
    unsigned roles = requester->roles | (owned ? USAGE_ROLE_BIT(USAGE_OWNER) : 0);
    if (!usage_permits(place->usage, place->tree, operation_of(call), roles))
        return refuse(refusal, REFUSAL_FORBIDDEN, "You may not do this here.");
    return owned ? OK : check_owner(call, refusal);
}

static enum status check_owner(const struct xcap_call *call, struct refusal *refusal)
{
    struct user owner;
    if (!call->place.usage || call->place.tree == XCAP_GLOBAL)
        return OK;
    enum status status = user_find(call->service->documents, call->place.key.owner, call->request->arena, &owner);
    return status == NOT_FOUND ? refuse(refusal, REFUSAL_ABSENT, "This server knows no such user.") : status;
}

static struct text allowed_methods(const struct xcap_call *call)
{
    if (call->posted)
        return TEXT("POST, OPTIONS");
    if (document_can_shrink(&call->place, call->selector))
        return TEXT(XCAP_ALLOW_DELETE);
    return is_fixed(call) ? TEXT(XCAP_ALLOW_READ) : TEXT(XCAP_ALLOW_ALL);
}
