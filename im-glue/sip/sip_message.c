/* One message: its life, its start line, its body, its wire form. What fields mean is in sip_field.c. */
#include <assert.h>
#include <stdlib.h>

#include "sip_message_private.h"

static void be_silent(const char *file, int line, osip_trace_level_t level, const char *format, va_list arguments)
{
    (void)file, (void)line, (void)level, (void)format, (void)arguments;
}

void sip_open(void)
{
    osip_set_allocators(memory_new, memory_resize, free);
    /* Without a function of ours it writes to standard output, whatever the level. */
    osip_trace_initialize_func(END_TRACE_LEVEL, be_silent);
    parser_init();
}

struct sip_message *sip_message_new(void)
{
    struct sip_message *message = memory_new(sizeof(*message));
    message->fields_max = SIP_HEADERS_MAX;
    osip_message_init(&message->fields);
    osip_message_set_version(message->fields, osip_strdup("SIP/2.0"));
    return message;
}

void sip_message_free(struct sip_message *message)
{
    if (!message)
        return;
    osip_message_free(message->fields);
    osip_via_free(message->via);
    osip_from_free(message->from);
    osip_to_free(message->to);
    free(message->body);
    free(message);
}

/* --- start line ------------------------------------------------------------------------------------------------- */

static bool scheme_is_valid(struct text scheme)
{
    for (size_t i = 0; i < scheme.length; i++) {
        char character = scheme.bytes[i];
        bool letter = (character | 0x20) >= 'a' && (character | 0x20) <= 'z';
        if (!letter && (i == 0 || !((character >= '0' && character <= '9') || strchr("+-.", character))))
            return false;
    }
    return scheme.length > 0;
}

/* The library knows sip, sips and what looks like them; others are the caller's to refuse with 416. */
static bool uri_is_readable(struct text uri, struct text scheme)
{
    if (!text_starts_with_nocase(scheme, TEXT("sip")))
        return scheme_is_valid(scheme);
    osip_uri_t *judged;
    char *string = text_keep(uri);
    osip_uri_init(&judged);
    bool good = osip_uri_parse(judged, string) == OSIP_SUCCESS;
    osip_uri_free(judged);
    free(string);
    return good;
}

static bool set_uri(struct sip_message *message, struct text uri)
{
    struct text scheme, rest;
    for (size_t i = 0; i < uri.length; i++) {
        if (strchr(" \t<>\"", uri.bytes[i]))
            return false;
    }
    if (uri.length > URI_LENGTH_MAX || !sip_text_is_clean(uri) || !sip_uri_is_safe(uri) ||
        !text_cut(uri, ':', &scheme, &rest) || rest.length == 0 || !uri_is_readable(uri, scheme))
        return false;
    osip_uri_t *opaque;
    /* In its opaque form the library writes what was read, escapes and unknown parameters included. */
    osip_uri_init(&opaque);
    opaque->scheme = text_keep(scheme);
    opaque->string = text_keep(rest);
    osip_uri_free(message->fields->req_uri);
    osip_message_set_uri(message->fields, opaque);
    osip_message_force_update(message->fields);
    return true;
}

bool sip_start_request(struct sip_message *message, struct text method, struct text request_uri)
{
    osip_free(message->fields->sip_method);
    osip_message_set_method(message->fields, text_keep(method));
    return set_uri(message, request_uri);
}

bool sip_start_response(struct sip_message *message, int status, struct text reason)
{
    if (status < 100 || status > 699 || !sip_text_is_clean(reason))
        return false;
    osip_message_set_status_code(message->fields, status);
    osip_free(message->fields->reason_phrase);
    osip_message_set_reason_phrase(message->fields, text_keep(reason));
    return true;
}

struct sip_message *sip_request_new(struct text method, struct text request_uri)
{
    struct sip_message *message = sip_message_new();
    if (sip_token_valid(method) && sip_start_request(message, method, request_uri))
        return message;
    sip_message_free(message);
    return NULL;
}

enum status sip_request_uri_set(struct sip_message *message, struct text request_uri)
{
    return sip_is_request(message) && set_uri(message, request_uri) ? OK : REFUSED;
}

/* --- reading ---------------------------------------------------------------------------------------------------- */

bool sip_is_request(const struct sip_message *message)
{
    return message->fields->sip_method != NULL;
}

struct text sip_method(const struct sip_message *message)
{
    return sip_is_request(message) ? text_of(message->fields->sip_method) : message->cseq_method;
}

struct text sip_request_uri(const struct sip_message *message, struct arena *arena)
{
    const osip_uri_t *uri = message->fields->req_uri;
    return uri ? text_format(arena, "%s:%s", uri->scheme, uri->string) : (struct text){0};
}

int sip_status(const struct sip_message *message)
{
    return message->fields->status_code;
}

struct text sip_body(const struct sip_message *message)
{
    return (struct text){message->body, message->body_length};
}

struct text sip_call_id(const struct sip_message *message, struct arena *arena)
{
    return text_copy(arena, text_of(sip_field_value(message, TEXT("Call-ID"), 0)));
}

uint32_t sip_cseq(const struct sip_message *message)
{
    return message->cseq;
}

struct text sip_branch(const struct sip_message *message)
{
    struct text branch;
    sip_via_parameter(message, "branch", &branch);
    return branch;
}

static struct text tag_of(const osip_from_t *address)
{
    osip_list_iterator_t walk;
    const osip_generic_param_t *parameter = address ? osip_list_get_first(&address->gen_params, &walk) : NULL;
    for (; parameter; parameter = osip_list_get_next(&walk)) {
        if (parameter->gname && text_equal_nocase(text_of(parameter->gname), TEXT("tag")))
            return text_of(parameter->gvalue);
    }
    return (struct text){0};
}

struct text sip_from_tag(const struct sip_message *message)
{
    return tag_of(message->from);
}

struct text sip_to_tag(const struct sip_message *message)
{
    return tag_of((const osip_from_t *)message->to);
}

/* --- making ----------------------------------------------------------------------------------------------------- */

/* RFC 3261 §12.1.1 and RFC 6665: the answers of these open a dialog. */
static bool opens_dialog(struct text method)
{
    return text_equal(method, TEXT("INVITE")) || text_equal(method, TEXT("SUBSCRIBE")) ||
           text_equal(method, TEXT("REFER"));
}

static void copy_to(struct sip_message *response, const struct sip_message *request, int status, struct text to_tag)
{
    const char *to = sip_field_value(request, TEXT("To"), 0);
    struct arena arena;
    if (!to)
        return;
    arena_init(&arena, "response");
    struct text value = text_of(to);
    if (status > 100 && sip_to_tag(request).length == 0) {
        struct text tag = to_tag.length > 0 ? to_tag : random_hex(&arena, 16);
        value = text_format(&arena, "%s;tag=%.*s", to, TEXT_ARG(tag));
    }
    sip_field_put(response, "To", value);
    arena_clear(&arena);
}

struct sip_message *sip_response_new(const struct sip_message *request, int status, const char *reason,
                                     struct text to_tag)
{
    struct sip_message *response = sip_message_new();
    bool good = sip_start_response(response, status, text_of(reason ? reason : sip_reason(status)));
    assert(good && sip_is_request(request) && (to_tag.length == 0 || sip_token_valid(to_tag)));
    sip_field_copy(response, request, "Via");
    if (status > 100 && status < 300 && opens_dialog(sip_method(request)))
        sip_field_copy(response, request, "Record-Route");
    sip_field_copy(response, request, "From");
    copy_to(response, request, status, to_tag);
    sip_field_copy(response, request, "Call-ID");
    sip_field_copy(response, request, "CSeq");
    if (status == 100) /* RFC 3261 §8.2.6.1 */
        sip_field_copy(response, request, "Timestamp");
    return response;
}

void sip_body_set(struct sip_message *message, struct text content_type, struct text body)
{
    sip_header_remove(message, "Content-Type");
    if (content_type.length > 0)
        sip_header_add(message, "Content-Type", content_type);
    free(message->body);
    message->body = body.length > 0 ? text_keep(body) : NULL;
    message->body_length = body.length;
}

struct sip_message *sip_message_clone(const struct sip_message *message)
{
    struct sip_message *clone = sip_message_new();
    struct arena arena;
    arena_init(&arena, "clone");
    if (sip_is_request(message)) {
        osip_message_set_method(clone->fields, osip_strdup(message->fields->sip_method));
        set_uri(clone, sip_request_uri(message, &arena));
    } else {
        sip_start_response(clone, sip_status(message), text_of(message->fields->reason_phrase));
    }
    osip_list_iterator_t walk;
    const osip_header_t *header = osip_list_get_first(&message->fields->headers, &walk);
    for (; header; header = osip_list_get_next(&walk))
        sip_field_put(clone, header->hname, text_of(header->hvalue));
    clone->body = message->body ? text_keep(sip_body(message)) : NULL;
    clone->body_length = message->body_length;
    arena_clear(&arena);
    return clone;
}

/* --- writing ---------------------------------------------------------------------------------------------------- */

struct text sip_message_write(const struct sip_message *message, struct arena *arena)
{
    static const struct text library_end = TEXT_INIT("Content-Length: 0\r\n\r\n");
    char *written;
    size_t length;
    osip_message_force_update(message->fields);
    int result = osip_message_to_str(message->fields, &written, &length);
    assert(result == OSIP_SUCCESS);
    struct text fields = {written, length};
    assert(text_ends_with(fields, library_end));
    fields.length -= library_end.length;
    struct text_builder bytes;
    builder_init(&bytes, arena);
    builder_add(&bytes, fields);
    builder_add_format(&bytes, "Content-Length: %zu\r\n\r\n", message->body_length);
    builder_add(&bytes, sip_body(message));
    osip_free(written);
    /* The copy that the library keeps would double the memory of each message. */
    osip_free(message->fields->message);
    message->fields->message = NULL;
    osip_message_force_update(message->fields);
    return builder_text(&bytes);
}
