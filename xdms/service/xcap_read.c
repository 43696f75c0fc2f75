/* GET and HEAD: a document, or the node of it that a selector names, unless the client has it already. */
#include "clock.h"
#include "service_own.h"

static enum status answer_unchanged(const struct xcap_call *call, const struct stored *found,
                                    struct http_response *response, struct refusal *refusal, bool *answered_out);
static void add_version(const struct xcap_call *call, const struct stored *found, struct text tag,
                        struct http_response *response);
static enum status answer(const struct xcap_call *call, const struct stored *found, struct text bytes,
                          struct http_response *response);

/* If-Match, If-None-Match, If-Modified-Since, If-Unmodified-Since, and others that are none. */
static bool has_condition(const struct http_request *request)
{
    for (size_t i = 0; i < request->headers_count; i++)
        if (text_starts_with_nocase(request->headers[i].name, TEXT("If-")))
            return true;
    return false;
}

/* What is asked for: a node, a part of a document that is made, or all of the document. */
static enum status read_bytes(const struct xcap_call *call, struct http_response *response, struct stored *found_out,
                              struct text *bytes_out, struct refusal *refusal)
{
    const struct documents *documents = call->service->documents;
    struct arena *arena = call->request->arena;
    struct document_part part;
    struct text next = {0};
    bool in_part;
    int64_t began_ms = clock_wall_ms(); /* what comes while it is read he may not see */
    if (call->selector)
        return document_read_node(documents, &call->place, call->selector, arena, found_out, bytes_out);
    enum status status = xcap_part_asked(call, &part, &in_part, refusal);
    if (status == OK)
        status = in_part ? document_read_part(documents, &call->place, &part, arena, found_out, &next)
                         : document_read(documents, &call->place, arena, found_out);
    if (status == FAILED)
        refusal->phrase = found_out->bytes;
    if (status == OK) {
        *bytes_out = found_out->bytes;
        xcap_part_link(call, &part, next, response);
    }
    if (status == OK && !in_part && call->method == METHOD_GET &&
        requester_is(&call->caller.requester, call->place.key.owner))
        document_records_listed(documents, &call->place, began_ms, arena);
    return status;
}

/* A condition counts only where the answer would else be 200 (RFC 9110 §13.2.1). For a whole document its version says
 * so without a look at the bytes; of a node only the bytes tell whether it is there. */
enum status xcap_read(struct xcap_call *call, struct http_response *response, struct refusal *refusal)
{
    const struct documents *documents = call->service->documents;
    struct arena *arena = call->request->arena;
    struct stored found;
    bool answered = false;
    bool paged =
        !call->selector && content_prefers_page(call->request, content_type_of(&call->place, call->selector, arena));
    /* what is computed has no version before it is made */
    bool conditional = has_condition(call->request);
    if (conditional && !call->selector && !paged && call->place.row->kind == USAGE_STORED) {
        enum status status = document_read_version(documents, &call->place, &found);
        if (status == OK)
            status = answer_unchanged(call, &found, response, refusal, &answered);
        if (status != OK || answered)
            return status;
    }
    struct text bytes;
    enum status status = read_bytes(call, response, &found, &bytes, refusal);
    if (status == OK && paged && respond_page(call, bytes, response))
        return OK;
    if (status == OK && conditional)
        status = answer_unchanged(call, &found, response, refusal, &answered);
    if (status != OK || answered)
        return status;
    return answer(call, &found, bytes, response);
}

/* Other bytes, other tag: what is compressed has one of its own, which conditions take as well. */
static enum status answer(const struct xcap_call *call, const struct stored *found, struct text bytes,
                          struct http_response *response)
{
    const struct service_settings *settings = &call->service->settings;
    struct arena *arena = call->request->arena;
    if (settings->raw_attributes && call->selector && call->selector->terminal == XCAP_ATTRIBUTE)
        bytes = text_slice(bytes, 1, bytes.length - 1);
    bool coded = content_gzip(call->request, settings->gzip_bytes_min, &bytes);
    respond_document(response, 200, content_type_of(&call->place, call->selector, arena), bytes);
    if (coded)
        http_response_header(response, "Content-Encoding", TEXT("gzip"));
    add_version(call, found, coded ? document_etag_gzip(found->version, arena) : document_etag(found->version, arena),
                response);
    return OK;
}

/* Tags are exact and count alone where there are any; times of changes are for clients that keep no tags. */
static bool reader_has_it(const struct http_request *request, const struct stored *found, struct text *tag_out)
{
    bool gzip = content_accepts_gzip(request);
    struct text value;
    if (http_header(request, "If-None-Match", &value))
        return document_reader_has(http_header_joined(request, "If-None-Match"), found->version, gzip, request->arena,
                                   tag_out);
    int64_t since_ms = request_date_ms(request, "If-Modified-Since");
    *tag_out = document_etag(found->version, request->arena);
    return since_ms && !document_modified_since(found, since_ms);
}

static enum status answer_unchanged(const struct xcap_call *call, const struct stored *found,
                                    struct http_response *response, struct refusal *refusal, bool *answered_out)
{
    const struct http_request *request = call->request;
    struct text value, tag;
    if (http_header(request, "If-Match", &value)) {
        if (!document_if_match(http_header_joined(request, "If-Match"), found->version))
            return refuse(refusal, REFUSAL_PRECONDITION, "The document is not the one named by If-Match.");
    } else {
        int64_t since_ms = request_date_ms(request, "If-Unmodified-Since");
        if (since_ms && found->modified_ms > 0 && document_modified_since(found, since_ms))
            return refuse(refusal, REFUSAL_PRECONDITION, "The document was changed later than that.");
    }
    *answered_out = reader_has_it(request, found, &tag);
    if (*answered_out) {
        response->status = 304;
        add_version(call, found, tag, response);
    }
    return OK;
}

static void add_version(const struct xcap_call *call, const struct stored *found, struct text tag,
                        struct http_response *response)
{
    struct arena *arena = call->request->arena;
    http_response_header(response, "ETag", tag);
    /* of a document, a browser would have got a page */
    http_response_header(response, "Vary", call->selector ? TEXT("Accept-Encoding") : TEXT("Accept, Accept-Encoding"));
    if (found->modified_ms > 0) /* what is computed has no time */
        http_response_header(response, "Last-Modified", clock_write_http_date(arena, found->modified_ms));
    /* A cache cannot know that the change of one node changes others (RFC 4825 §9). */
    http_response_header(response, "Cache-Control", TEXT("private, no-cache"));
}
