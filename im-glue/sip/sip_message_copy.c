/* A message made of another: its answer, a copy of it, or one that differs in some fields. */
#include "sip_message_private.h"

#include <assert.h>

/* RFC 3261 §12.1.1 and RFC 6665: the answers of these open a dialog. */
static bool opens_dialog(struct text method)
{
    return text_equal(method, TEXT("INVITE")) || text_equal(method, TEXT("SUBSCRIBE")) ||
           text_equal(method, TEXT("REFER"));
}

static void take_over(struct sip_message *response, const struct sip_field *field)
{
    if (field)
        sip_field_add(response, field->name, field->value);
}

static void take_to(struct sip_message *response, const struct sip_message *request, const struct sip_field *field,
                    int status, struct text to_tag)
{
    if (!field)
        return;
    struct text to = field->value;
    if (status > 100 && sip_to_tag(request).length == 0) {
        struct text tag = to_tag.length > 0 ? to_tag : random_hex(&response->arena, 16);
        to = TEXT_CONCAT(&response->arena, to, TEXT(";tag="), tag);
    }
    sip_field_add(response, field->name, to);
}

struct sip_message *sip_response_new(const struct sip_message *request, int status, const char *reason,
                                     struct text to_tag)
{
    struct sip_message *response = sip_message_new();
    bool good = sip_start_response(response, status, text_of(reason ? reason : sip_reason(status)));
    assert(good && sip_is_request(request) && (to_tag.length == 0 || sip_token_valid(to_tag)));
    const struct sip_field *singles[SIP_VIEW_CSEQ + 1] = {0};
    for (size_t i = 0; i < request->fields_count; i++) {
        const struct sip_field *field = &request->fields[i];
        enum sip_view view = field->name.rule ? field->name.rule->view : SIP_VIEW_NONE;
        if (view == SIP_VIEW_VIA)
            take_over(response, field);
        else if (!singles[view])
            singles[view] = field;
    }
    if (status > 100 && status < 300 && opens_dialog(sip_method(request)))
        sip_field_borrow(response, request, "Record-Route");
    take_over(response, singles[SIP_VIEW_FROM]);
    take_to(response, request, singles[SIP_VIEW_TO], status, to_tag);
    take_over(response, singles[SIP_VIEW_CALL_ID]);
    take_over(response, singles[SIP_VIEW_CSEQ]);
    if (status == 100) /* RFC 3261 §8.2.6.1 */
        sip_field_borrow(response, request, "Timestamp");
    return response;
}

/* --- copies ----------------------------------------------------------------------------------------------------- */

/* Of one field each. */
#define VIEWS_MOVED (1u << SIP_VIEW_FROM | 1u << SIP_VIEW_TO | 1u << SIP_VIEW_CALL_ID | 1u << SIP_VIEW_CSEQ)

static struct text put(char **at, struct text text)
{
    struct text copy = {*at, text.length};
    if (text.length)
        memcpy(*at, text.bytes, text.length);
    *at += text.length;
    return copy;
}

static size_t bytes_of(const struct sip_message *message)
{
    size_t bytes = message->method.length + message->request_uri.length + message->reason.length + message->body.length;
    for (size_t i = 0; i < message->fields_count; i++) {
        const struct sip_field *field = &message->fields[i];
        bytes += field->value.length + (field->name.rule ? 0 : field->name.text.length);
    }
    return bytes;
}

/* The part of a value is the same part of its copy. False: it is no part of it. */
static bool move(struct text *part, struct text from, struct text to)
{
    if (part->length == 0)
        return true;
    if (part->bytes < from.bytes || part->bytes + part->length > from.bytes + from.length)
        return false;
    part->bytes = to.bytes + (part->bytes - from.bytes);
    return true;
}

static void move_view(struct sip_message *clone, enum sip_view view, struct text from, struct text to)
{
    struct text *part = view == SIP_VIEW_FROM      ? &clone->from_tag
                        : view == SIP_VIEW_TO      ? &clone->to_tag
                        : view == SIP_VIEW_CALL_ID ? &clone->call_id
                                                   : &clone->cseq_method;
    if (!move(part, from, to))
        clone->stale |= 1u << view;
}

static void make_room(struct sip_message *message, size_t fields)
{
    if (fields <= message->fields_capacity)
        return;
    message->fields = arena_array(&message->arena, struct sip_field, fields);
    message->fields_capacity = fields;
}

/* The views among them; what they say lies where the source has it. */
static struct sip_message *same_as(const struct sip_message *source)
{
    struct sip_message *same = sip_message_new();
    make_room(same, source->fields_count);
    memcpy(same->fields, source->fields, source->fields_count * sizeof(*same->fields));
    same->fields_count = source->fields_count;
    same->fields_max = source->fields_max;
    memcpy(same->marks, source->marks, sizeof(same->marks));
    same->method = source->method;
    same->request_uri = source->request_uri;
    same->status = source->status;
    same->reason = source->reason;
    same->body = source->body;
    same->stale = source->stale;
    same->via = source->via;
    same->from_tag = source->from_tag;
    same->to_tag = source->to_tag;
    same->cseq = source->cseq;
    same->call_id = source->call_id;
    same->cseq_method = source->cseq_method;
    return same;
}

struct sip_message *sip_message_borrow(const struct sip_message *message)
{
    return same_as(message);
}

struct sip_message *sip_message_clone(const struct sip_message *message)
{
    struct sip_message *clone = same_as(message);
    char *at = arena_alloc_raw(&clone->arena, bytes_of(message));
    clone->method = put(&at, message->method);
    clone->request_uri = put(&at, message->request_uri);
    clone->reason = put(&at, message->reason);
    clone->body = put(&at, message->body);
    clone->stale |= 1u << SIP_VIEW_VIA;
    for (size_t i = 0; i < clone->fields_count; i++) {
        struct sip_field *field = &clone->fields[i];
        struct text from = field->value;
        field->value = put(&at, from);
        if (!field->name.rule)
            field->name.text = put(&at, field->name.text);
        else if (VIEWS_MOVED & 1u << field->name.rule->view)
            move_view(clone, field->name.rule->view, from, field->value);
    }
    return clone;
}
