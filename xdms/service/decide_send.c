/* Sends an answer as JSON, XML or one word, with a tag and how long it may be kept. Knows nothing of what it says. */
#include <stdlib.h>

#include "clock.h"
#include "service_decide.h"

#define NAMESPACE_ANSWER "urn:xdms:policy"

static unsigned quality_of(struct text accept, struct text type)
{
    struct text item, range, parameters, group;
    unsigned best = 0, precision = 0;
    text_cut(type, '/', &group, &item);
    while (accept.length) {
        text_cut(accept, ',', &item, &accept);
        text_cut(item, ';', &range, &parameters);
        range = text_trim(range);
        struct text kind, rest;
        text_cut(range, '/', &kind, &rest);
        unsigned fit = text_equal_nocase(range, type)                                  ? 3
                       : text_equal(rest, TEXT("*")) && text_equal_nocase(kind, group) ? 2
                       : text_equal(range, TEXT("*/*"))                                ? 1
                                                                                       : 0;
        if (fit > precision) {
            precision = fit;
            best = content_quality(parameters);
        }
    }
    return best;
}

bool decide_accepts(const struct http_request *request, const char *type)
{
    struct text accept = http_header_joined(request, "Accept");
    return quality_of(accept, text_of(type)) > quality_of(accept, TEXT("application/json"));
}

/* JSON can hold characters that no XML can, escaped or not (XML 1.0 §2.2): they become question marks. */
static struct text xml_text(const json_t *string, struct arena *arena)
{
    struct text text = {json_string_value(string), json_string_length(string)};
    struct text_builder out;
    builder_init(&out, arena);
    for (size_t i = 0; i < text.length; i++) {
        unsigned char byte = (unsigned char)text.bytes[i];
        bool is_control = byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r';
        bool is_none = text_starts_with(text_slice(text, i, text.length), TEXT("\xEF\xBF\xBE")) ||
                       text_starts_with(text_slice(text, i, text.length), TEXT("\xEF\xBF\xBF"));
        builder_add_char(&out, is_control || is_none ? '?' : (char)byte);
        i += is_none ? 2 : 0;
    }
    return xml_escape(arena, builder_text(&out));
}

static void write_xml(struct text_builder *out, const char *name, const json_t *value);

static void write_members(struct text_builder *out, const json_t *object)
{
    json_t *members = (json_t *)(uintptr_t)object; /* iteration changes nothing */
    for (void *at = json_object_iter(members); at; at = json_object_iter_next(members, at))
        write_xml(out, json_object_iter_key(at), json_object_iter_value(at));
}

/* An array is its items, one after another under its name: names of members are names of elements. */
static void write_xml(struct text_builder *out, const char *name, const json_t *value)
{
    if (json_is_array(value)) {
        for (size_t i = 0; i < json_array_size(value); i++)
            write_xml(out, name, json_array_get(value, i));
        return;
    }
    builder_add_format(out, "<%s>", name);
    if (json_is_object(value))
        write_members(out, value);
    else if (json_is_string(value))
        builder_add(out, xml_text(value, out->arena));
    else if (json_is_integer(value))
        builder_add_format(out, "%lld", (long long)json_integer_value(value));
    else
        builder_add(out, json_is_true(value) ? TEXT("true") : TEXT("false"));
    builder_add_format(out, "</%s>", name);
}

static struct text xml_of(const json_t *value, const char *root, struct arena *arena)
{
    struct text_builder out;
    builder_init(&out, arena);
    builder_add_format(&out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<%s xmlns=\"" NAMESPACE_ANSWER "\">", root);
    const json_t *many = json_object_get(value, "answers");
    if (many)
        write_xml(&out, "answer", many);
    else
        write_members(&out, value);
    builder_add_format(&out, "</%s>\n", root);
    return builder_text(&out);
}

/* For scripts: the decisions alone, a line each. */
static struct text words_of(const json_t *value, struct arena *arena)
{
    struct text_builder out;
    const json_t *many = json_object_get(value, "answers");
    builder_init(&out, arena);
    for (size_t i = 0; i < (many ? json_array_size(many) : 1); i++) {
        const json_t *one = many ? json_array_get(many, i) : value;
        builder_add_format(&out, "%s\n", json_string_value(json_object_get(one, "decision")));
    }
    return builder_text(&out);
}

static struct text json_of(json_t *value, struct arena *arena)
{
    char *written = json_dumps(value, JSON_COMPACT | JSON_PRESERVE_ORDER);
    struct text bytes = text_join(arena, text_of(written), TEXT("\n"));
    free(written);
    return bytes;
}

/* Seconds for which a cache may answer by itself: as the operator allows, and not past the next moment at which the
 * answer may change by itself. */
static struct text cache_control(const struct admin_call *call, int64_t until_ms)
{
    int64_t seconds = call->service->settings.policy_max_age_s;
    if (until_ms != INT64_MAX) {
        int64_t left = (until_ms - clock_wall_ms()) / 1000;
        seconds = left < seconds ? left : seconds;
    }
    if (seconds <= 0)
        return TEXT("private, no-cache");
    return text_format(call->request->arena, "private, max-age=%lld", (long long)seconds);
}

enum http_progress decide_send(struct admin_call *call, json_t *value, const char *root, int64_t until_ms)
{
    struct arena *arena = call->request->arena;
    struct http_response *response = call->response;
    struct text type = TEXT("application/json"), bytes;
    if (decide_accepts(call->request, "application/xml")) {
        type = TEXT("application/xml");
        bytes = xml_of(value, root, arena);
    } else if (decide_accepts(call->request, "text/plain")) {
        type = TEXT("text/plain; charset=utf-8");
        bytes = words_of(value, arena);
    } else {
        bytes = json_of(value, arena);
    }
    json_decref(value);
    respond_document(response, 200, type, bytes);
    http_response_header(response, "Vary", TEXT("Accept"));
    if (!text_equal(call->request->method, TEXT("GET")) && !text_equal(call->request->method, TEXT("HEAD"))) {
        http_response_header(response, "Cache-Control", TEXT("no-store"));
        return HTTP_DONE;
    }
    /* All that the answer was made of shows in its bytes, so they are what a tag is made of. */
    struct text etag = text_format(arena, "\"%016llx\"", (unsigned long long)text_hash(bytes, 0));
    http_response_header(response, "ETag", etag);
    http_response_header(response, "Cache-Control", cache_control(call, until_ms));
    struct text condition = http_header_joined(call->request, "If-None-Match");
    if (text_find(condition, etag) < condition.length || text_equal(condition, TEXT("*")))
        response->status = 304;
    return HTTP_DONE;
}
