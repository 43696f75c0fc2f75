/* PUT and DELETE: fills a document_change with what the request says and answers with what became of it. */
#include "clock.h"
#include "service_own.h"

static const struct text *header_kept(const struct http_request *request, const char *name);

void change_begin(struct document_change *change, const struct service *service, const struct http_request *request,
                  const struct document_place *place)
{
    *change = (struct document_change){
        .documents = service->documents,
        .place = *place,
        .deletion = service_method_of(request->method) == METHOD_DELETE,
        .body = request->body,
        .if_match = header_kept(request, "If-Match"),
        .if_none_match = header_kept(request, "If-None-Match"),
        .unmodified_since_ms = request_date_ms(request, "If-Unmodified-Since"),
        .content_type_fits = true,
        .root_uri = service->settings.root_uri,
        .arena = request->arena,
    };
}

enum status change_name_owner(struct document_change *change)
{
    struct user user;
    struct text_builder addresses;
    if (change->place.tree != XCAP_USERS || change->deletion)
        return OK;
    enum status status = user_get(change->documents, change->place.key.owner, change->arena, &user);
    if (status != OK)
        return status == NOT_FOUND ? OK : status;
    builder_init(&addresses, change->arena);
    for (size_t i = 0; i < user.aliases_count; i++)
        builder_add_format(&addresses, i ? " %.*s" : "%.*s", TEXT_ARG(user.aliases[i]));
    change->owner_addresses = builder_text(&addresses);
    return OK;
}

int64_t request_date_ms(const struct http_request *request, const char *name)
{
    struct text value;
    int64_t wall_ms;
    return http_header(request, name, &value) && clock_parse_http_date(value, &wall_ms) ? wall_ms : 0;
}

static const struct text *header_kept(const struct http_request *request, const char *name)
{
    struct text value;
    if (!http_header(request, name, &value))
        return NULL;
    struct text *kept = arena_new(request->arena, struct text);
    *kept = http_header_joined(request, name);
    return kept;
}

void change_done(void *request)
{
    http_resume(request);
}

void change_count(const struct service *service, const struct document_change *change)
{
    const struct service_metrics *metrics = &service->metrics;
    if (change->status == OK)
        metric_add(change->version == 0 ? metrics->deleted : change->created ? metrics->created : metrics->replaced, 1);
}

/* "<?xml …?>" is no part of an element, but some clients put it there. One that names another encoding stays, and is
 * refused. */
static struct text without_declaration(struct text body)
{
    struct text rest = text_trim(body);
    size_t end = text_find(rest, TEXT("?>"));
    if (!text_starts_with(rest, TEXT("<?xml ")) || end == rest.length)
        return body;
    struct text declaration = text_slice(rest, 0, end);
    bool coded = text_find(declaration, TEXT("encoding")) < declaration.length;
    bool utf8 = text_find(declaration, TEXT("UTF-8")) < declaration.length ||
                text_find(declaration, TEXT("utf-8")) < declaration.length;
    return coded && !utf8 ? body : text_slice(rest, end + strlen("?>"), rest.length);
}

static enum status begin(struct xcap_call *call)
{
    const struct requester *who = &call->caller.requester;
    change_begin(&call->change, call->service, call->request, &call->place);
    if (call->selector && call->service->settings.element_declarations)
        call->change.body = without_declaration(call->change.body);
    call->change.selector = call->selector;
    call->change.who = call->caller.requester.address;
    call->changing = true;
    /* who is here under the only address that he has needs no look-up */
    bool plain = who->identities_count == 1 && text_equal(who->address, call->place.key.owner);
    return plain ? OK : change_name_owner(&call->change);
}

static struct text refused_type(const struct xcap_call *call, enum content_fit fit, struct text wanted)
{
    return fit == CONTENT_CODED ? TEXT("The content must not be coded.")
                                : text_format(call->request->arena, "The content type must be %.*s.", TEXT_ARG(wanted));
}

/* A missing document or parent is told before a wrong type, and a wrong condition before a wrong body, so the document
 * is looked at: when the type is wrong, and when the client waits to be asked for the body. */
enum status xcap_check_content(struct xcap_call *call, struct refusal *refusal)
{
    struct text wanted = content_type_of(&call->place, call->selector, call->request->arena);
    enum content_fit fit = content_fit(call->request, wanted);
    struct text expected;
    if (fit == CONTENT_FITS && !http_header(call->request, "Expect", &expected))
        return OK;
    if (begin(call) != OK)
        return FAILED;
    call->changing = false; /* there may be no body yet */
    call->change.content_type_fits = fit == CONTENT_FITS || fit == CONTENT_OTHER_CHARSET;
    enum status status = document_change_look(&call->change);
    *refusal = call->change.refusal;
    if (status == REFUSED && refusal->kind == REFUSAL_MEDIA_TYPE)
        refusal->phrase = refused_type(call, fit, wanted);
    if (status == OK && fit == CONTENT_OTHER_CHARSET)
        return refuse_conflict(refusal, "not-utf-8", TEXT("The body is not in UTF-8, says its content type."));
    return status;
}

enum document_step xcap_change(struct xcap_call *call, struct http_response *response, enum status *status_out,
                               struct refusal *refusal)
{
    struct document_change *change = &call->change;
    if (!call->changing && begin(call) != OK) {
        *status_out = FAILED;
        return DOCUMENT_FINISHED;
    }
    if (document_change_run(change, change_done, call->request) == DOCUMENT_WAITING)
        return DOCUMENT_WAITING;
    *status_out = change->status;
    *refusal = change->refusal;
    change_count(call->service, change);
    if (change->status == OK) {
        response->status = change->created ? 201 : 200;
        if (change->version != 0)
            http_response_header(response, "ETag", document_etag(change->version, call->request->arena));
    }
    return DOCUMENT_FINISHED;
}
