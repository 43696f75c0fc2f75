/* One message: its life, its start line, its body, its wire form. What fields mean is in sip_field.c. */
#include <assert.h>
#include <stdlib.h>

#include "sip_message_private.h"

#include <sys/time.h>
#include <time.h>

#include <osipparser2/osip_parser.h>

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
    sip_judge_open();
}

struct sip_message *sip_message_new(void)
{
    struct sip_message *message = memory_take(sizeof(*message));
    /* What is inside for fields and bytes is written before it is read. */
    memset(message, 0, offsetof(struct sip_message, fields_inside));
    arena_init_in(&message->arena, "message", message->bytes_inside, sizeof(message->bytes_inside));
    message->fields = message->fields_inside;
    message->fields_capacity = SIP_FIELDS_INSIDE;
    message->fields_max = SIP_HEADERS_MAX;
    return message;
}

void sip_message_free(struct sip_message *message)
{
    if (!message)
        return;
    arena_clear(&message->arena);
    memory_give(message, sizeof(*message));
}

/* --- start line ------------------------------------------------------------------------------------------------- */

static bool set_uri(struct sip_message *message, struct text uri)
{
    if (!sip_request_uri_valid(uri))
        return false;
    message->request_uri = text_copy(&message->arena, uri);
    return true;
}

bool sip_start_request(struct sip_message *message, struct text method, struct text request_uri)
{
    message->method = text_copy(&message->arena, method);
    return set_uri(message, request_uri);
}

bool sip_start_response(struct sip_message *message, int status, struct text reason)
{
    if (status < 100 || status > 699 || !sip_text_is_clean(reason))
        return false;
    message->status = status;
    message->reason = text_copy(&message->arena, reason);
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
    return message->method.length > 0;
}

struct text sip_method(const struct sip_message *message)
{
    return sip_is_request(message) ? message->method : sip_view(message, SIP_VIEW_CSEQ)->cseq_method;
}

struct text sip_request_uri(const struct sip_message *message, struct arena *arena)
{
    return text_copy(arena, message->request_uri);
}

int sip_status(const struct sip_message *message)
{
    return message->status;
}

struct text sip_body(const struct sip_message *message)
{
    return message->body;
}

struct text sip_call_id(const struct sip_message *message, struct arena *arena)
{
    return text_copy(arena, sip_view(message, SIP_VIEW_CALL_ID)->call_id);
}

uint32_t sip_cseq(const struct sip_message *message)
{
    return sip_view(message, SIP_VIEW_CSEQ)->cseq;
}

struct text sip_branch(const struct sip_message *message)
{
    return sip_view(message, SIP_VIEW_VIA)->via.branch;
}

struct text sip_from_tag(const struct sip_message *message)
{
    return sip_view(message, SIP_VIEW_FROM)->from_tag;
}

struct text sip_to_tag(const struct sip_message *message)
{
    return sip_view(message, SIP_VIEW_TO)->to_tag;
}

/* --- making ----------------------------------------------------------------------------------------------------- */

void sip_body_set(struct sip_message *message, struct text content_type, struct text body)
{
    sip_header_remove(message, "Content-Type");
    if (content_type.length > 0)
        sip_header_add(message, "Content-Type", content_type);
    message->body = text_copy(&message->arena, body);
}

/* --- writing ---------------------------------------------------------------------------------------------------- */

static const struct text version = TEXT_INIT("SIP/2.0"), line_end = TEXT_INIT("\r\n"),
                         length_name = TEXT_INIT("Content-Length: ");

/* Of all but the body and its length: at least as much as is written. */
static size_t section_bytes(const struct sip_message *message)
{
    size_t bytes = message->method.length + message->request_uri.length + message->reason.length + 64;
    for (size_t i = 0; i < message->fields_count; i++)
        bytes += message->fields[i].name.text.length + message->fields[i].value.length + 4;
    return bytes;
}

bool sip_message_fits(const struct sip_message *message)
{
    return message->fields_count <= SIP_HEADERS_MAX && section_bytes(message) <= SIP_HEADER_BYTES_MAX &&
           message->body.length <= SIP_BODY_MAX;
}

static char *put(char *at, struct text text)
{
    if (text.length)
        memcpy(at, text.bytes, text.length);
    return at + text.length;
}

static char *put_number(char *at, uint64_t number)
{
    char digits[TEXT_DIGITS_MAX];
    size_t count = text_write_number(number, digits);
    return put(at, (struct text){digits + TEXT_DIGITS_MAX - count, count});
}

static char *put_start_line(char *at, const struct sip_message *message)
{
    if (!sip_is_request(message)) {
        at = put(put(at, version), TEXT(" "));
        at = put(put_number(at, (uint64_t)message->status), TEXT(" "));
        return put(put(at, message->reason), line_end);
    }
    at = put(put(at, message->method), TEXT(" "));
    at = put(put(at, message->request_uri), TEXT(" "));
    return put(put(at, version), line_end);
}

struct text sip_message_write(const struct sip_message *message, struct arena *arena)
{
    char *bytes = arena_alloc_raw(arena, section_bytes(message) + message->body.length), *at = bytes;
    at = put_start_line(at, message);
    for (size_t i = 0; i < message->fields_count; i++) {
        at = put(put(at, message->fields[i].name.text), TEXT(": "));
        at = put(put(at, message->fields[i].value), line_end);
    }
    at = put_number(put(at, length_name), message->body.length);
    at = put(put(put(at, line_end), line_end), message->body);
    return (struct text){bytes, (size_t)(at - bytes)};
}

static bool is_answered_with(const struct sip_name *name)
{
    static const struct text names[] = {TEXT_INIT("Via"),     TEXT_INIT("From"), TEXT_INIT("To"),
                                        TEXT_INIT("Call-ID"), TEXT_INIT("CSeq"), TEXT_INIT("Timestamp")};
    for (size_t i = 0; name->rule && i < sizeof(names) / sizeof(names[0]); i++)
        if (text_equal(name->text, names[i]))
            return true;
    return false;
}

/* RFC 3261 §8.2.6: the same as sip_response_new makes, but for the order of the fields, which is the request's. */
struct text sip_trying_write(const struct sip_message *request, struct arena *arena)
{
    static const struct text start = TEXT_INIT("SIP/2.0 100 Trying\r\n"), end = TEXT_INIT("Content-Length: 0\r\n\r\n");
    char *bytes = arena_alloc_raw(arena, section_bytes(request) + start.length + end.length), *at = put(bytes, start);
    for (size_t i = 0; i < request->fields_count; i++) {
        const struct sip_field *field = &request->fields[i];
        if (is_answered_with(&field->name))
            at = put(put(put(put(at, field->name.text), TEXT(": ")), field->value), line_end);
    }
    at = put(at, end);
    return (struct text){bytes, (size_t)(at - bytes)};
}
