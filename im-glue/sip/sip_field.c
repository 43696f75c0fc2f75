/* Header fields of one message: adding, replacing, removing. What a value must be is in sip_judge.c. Knows nothing of
 * transactions. */
#include "sip_message_private.h"

#include <assert.h>

struct sip_name sip_name_of(struct text name)
{
    const struct sip_field_rule *rule = sip_field_rule(name);
    return (struct sip_name){rule, rule ? rule->name : name};
}

static bool may_have(const struct sip_message *message, struct text name)
{
    unsigned mark = name.length > 1 ? sip_name_mark(name) : 0;
    return name.length == 1 || (message->marks[mark / 64] >> mark % 64 & 1);
}

/* The first of that name at or behind `from`, or fields_count. */
static size_t find(const struct sip_message *message, const struct sip_name *name, size_t from)
{
    const struct sip_field *field = message->fields + from, *end = message->fields + message->fields_count;
    if (name->rule)
        while (field < end && field->name.rule != name->rule)
            field++;
    else
        while (field < end && (field->name.rule || !text_equal_nocase(field->name.text, name->text)))
            field++;
    return (size_t)(field - message->fields);
}

/* --- views ------------------------------------------------------------------------------------------------------ */

static struct text tag_of(struct text value)
{
    struct name_addr address;
    struct text tag = {0};
    if (name_addr_parse(value, &address, NULL))
        sip_parameter(address.parameters, "tag", &tag);
    return tag;
}

/* It will be read anew when somebody asks. */
static void refresh(struct sip_message *message, const struct sip_name *name)
{
    if (name->rule && name->rule->view != SIP_VIEW_NONE)
        message->stale |= 1u << name->rule->view;
}

static void read_view(struct sip_message *message, enum sip_view view)
{
    static const char *const names[] = {[SIP_VIEW_VIA] = "Via",
                                        [SIP_VIEW_FROM] = "From",
                                        [SIP_VIEW_TO] = "To",
                                        [SIP_VIEW_CALL_ID] = "Call-ID",
                                        [SIP_VIEW_CSEQ] = "CSeq"};
    struct text value;
    sip_field_value(message, names[view], 0, &value);
    switch (view) {
    case SIP_VIEW_VIA:
        message->via = value.length > 0 ? sip_via_read(value, &message->arena) : (struct sip_via){0};
        break;
    case SIP_VIEW_FROM: message->from_tag = tag_of(value); break;
    case SIP_VIEW_TO: message->to_tag = tag_of(value); break;
    case SIP_VIEW_CALL_ID: message->call_id = value; break;
    case SIP_VIEW_CSEQ:
        message->cseq = 0;
        message->cseq_method = (struct text){0};
        sip_cseq_read(value, &message->cseq, &message->cseq_method);
        break;
    case SIP_VIEW_NONE: break;
    }
}

const struct sip_message *sip_view(const struct sip_message *message, enum sip_view view)
{
    if (message->stale & 1u << view) {
        struct sip_message *own = (struct sip_message *)message; /* what it says stays the same */
        own->stale &= ~(1u << view);
        read_view(own, view);
    }
    return message;
}

/* --- the list --------------------------------------------------------------------------------------------------- */

static void insert(struct sip_message *message, const struct sip_name *name, struct text value, size_t position)
{
    if (message->fields_count == message->fields_capacity) {
        struct sip_field *more = arena_array(&message->arena, struct sip_field, message->fields_capacity * 2);
        memcpy(more, message->fields, message->fields_count * sizeof(*more));
        message->fields = more;
        message->fields_capacity *= 2;
    }
    unsigned mark = sip_name_mark(name->text);
    message->marks[mark / 64] |= UINT64_C(1) << mark % 64;
    struct sip_field *place = message->fields + position;
    memmove(place + 1, place, (message->fields_count - position) * sizeof(*place));
    *place = (struct sip_field){*name, value};
    message->fields_count++;
}

static void remove_at(struct sip_message *message, size_t position)
{
    struct sip_field *place = message->fields + position;
    message->fields_count--;
    memmove(place, place + 1, (message->fields_count - position) * sizeof(*place));
}

/* A comma that is neither quoted nor inside <> ends an element (RFC 3261 §7.3.1). */
static struct text next_element(struct text *rest)
{
    bool quoted = false, bracketed = false;
    size_t at = 0;
    for (; at < rest->length; at++) {
        char character = rest->bytes[at];
        if (quoted && character == '\\')
            at++;
        else if (character == '"')
            quoted = !quoted;
        else if (!quoted && (character == '<' || character == '>'))
            bracketed = character == '<';
        else if (!quoted && !bracketed && character == ',')
            break;
    }
    at = at < rest->length ? at : rest->length;
    struct text element = text_trim(text_slice(*rest, 0, at));
    *rest = text_slice(*rest, at < rest->length ? at + 1 : at, rest->length);
    return element;
}

/* The elements of a value; more than `max` are counted as max + 1. False: one of them is bad. */
static bool split(const struct sip_name *name, struct text value, size_t max, struct text *elements_out,
                  size_t *count_out)
{
    struct text rest = text_trim(value);
    bool is_list = name->rule && name->rule->list && text_find_char(rest, ',') < rest.length;
    size_t count = 0;
    do {
        struct text element = is_list ? next_element(&rest) : rest;
        if (name->rule && name->rule->judge && !name->rule->judge(element))
            break;
        if (count < max)
            elements_out[count] = element;
        count++;
        if (count > max || !is_list || rest.length == 0) {
            *count_out = count;
            return true;
        }
    } while (true);
    *count_out = count < max ? count : max;
    return false;
}

/* A value that is read and judged in one: then the view is as it. False: it is not written plainly, and its field is to
 * be read when it is asked for. */
static bool view_plainly(struct sip_message *message, const struct sip_name *name, struct text value)
{
    bool good = false;
    switch (name->rule->view) {
    case SIP_VIEW_VIA: good = sip_plain_via(value, &message->via); break;
    case SIP_VIEW_FROM: good = sip_plain_address(value, &message->from_tag); break;
    case SIP_VIEW_TO: good = sip_plain_address(value, &message->to_tag); break;
    case SIP_VIEW_CALL_ID: good = sip_plain_call_id(value); break;
    case SIP_VIEW_CSEQ: good = sip_cseq_read(value, &message->cseq, &message->cseq_method); break;
    case SIP_VIEW_NONE: return false;
    }
    if (good && name->rule->view == SIP_VIEW_CALL_ID)
        message->call_id = value;
    refresh(message, name);
    if (good)
        message->stale &= ~(1u << name->rule->view);
    return good;
}

/* Of several Via fields the top one is viewed. */
static bool append_viewed(struct sip_message *message, const struct sip_name *name, struct text value)
{
    if ((name->rule->view == SIP_VIEW_VIA && may_have(message, name->text)) || !view_plainly(message, name, value))
        return false;
    insert(message, name, value, message->fields_count);
    return true;
}

enum sip_field_result sip_field_append(struct sip_message *message, const struct sip_name *name, struct text value,
                                       bool clean)
{
    if ((!name->rule && !sip_token_valid(name->text)) || (!clean && !sip_text_is_clean(value)))
        return SIP_FIELD_BAD;
    if (name->rule && name->rule->single && may_have(message, name->text) &&
        find(message, name, 0) < message->fields_count)
        return SIP_FIELD_REPEATED;
    if (name->rule && message->fields_count < message->fields_max && append_viewed(message, name, value))
        return SIP_FIELD_ADDED;
    struct text elements[SIP_HEADERS_MAX];
    size_t room = message->fields_max - message->fields_count, count;
    room = room < SIP_HEADERS_MAX ? room : SIP_HEADERS_MAX;
    bool good = split(name, value, room, elements, &count);
    bool fits = count <= room;
    for (size_t i = 0; i < count && i < room; i++)
        insert(message, name, elements[i], message->fields_count);
    refresh(message, name);
    if (!good)
        return SIP_FIELD_BAD;
    return fits ? SIP_FIELD_ADDED : SIP_FIELD_TOO_MANY;
}

static void put(struct sip_message *message, struct sip_name name, struct text value)
{
    if (!name.rule)
        name.text = text_copy(&message->arena, name.text);
    sip_field_add(message, name, text_copy(&message->arena, value));
}

void sip_field_add(struct sip_message *message, struct sip_name name, struct text value)
{
    insert(message, &name, value, message->fields_count);
    refresh(message, &name);
}

void sip_field_copy(struct sip_message *target, const struct sip_message *source, const char *name)
{
    struct sip_name wanted = sip_name_of(text_of(name));
    for (size_t at = find(source, &wanted, 0); at < source->fields_count; at = find(source, &wanted, at + 1))
        put(target, wanted, source->fields[at].value);
}

void sip_field_borrow(struct sip_message *target, const struct sip_message *source, const char *name)
{
    struct sip_name wanted = sip_name_of(text_of(name));
    for (size_t at = find(source, &wanted, 0); at < source->fields_count; at = find(source, &wanted, at + 1))
        sip_field_add(target, wanted, source->fields[at].value);
}

static bool value_of(const struct sip_message *message, struct text text, size_t index, struct text *value_out)
{
    *value_out = (struct text){0};
    if (!may_have(message, text))
        return false;
    struct sip_name wanted = sip_name_of(text);
    size_t at = find(message, &wanted, 0);
    while (index-- > 0 && at < message->fields_count)
        at = find(message, &wanted, at + 1);
    *value_out = at < message->fields_count ? message->fields[at].value : (struct text){0};
    return at < message->fields_count;
}

bool sip_field_value(const struct sip_message *message, const char *name, size_t index, struct text *value_out)
{
    return value_of(message, text_of(name), index, value_out);
}

/* --- public ----------------------------------------------------------------------------------------------------- */

static bool is_length(struct text name)
{
    return text_equal_nocase(name, TEXT("Content-Length")) || text_equal_nocase(name, TEXT("l"));
}

bool sip_header(const struct sip_message *message, const char *name, size_t index, struct arena *arena,
                struct text *value_out)
{
    struct text text = text_of(name), value;
    if (is_length(text)) {
        *value_out = text_format(arena, "%zu", message->body.length);
        return index == 0;
    }
    if (!value_of(message, text, index, &value))
        return false;
    *value_out = text_copy(arena, value);
    return true;
}

/* What is to become a field, in the message's own memory. */
struct addition {
    struct sip_name name;
    struct text elements[SIP_HEADERS_MAX];
    size_t count;
};

static bool prepare(struct sip_message *message, const char *name, struct text value, struct addition *addition_out)
{
    struct text text = text_of(name);
    struct addition *addition = addition_out;
    addition->name = sip_name_of(text);
    if ((!addition->name.rule && !sip_token_valid(text)) || !sip_text_is_clean(value) || is_length(addition->name.text))
        return false;
    if (!addition->name.rule)
        addition->name.text = text_copy(&message->arena, text);
    return split(&addition->name, text_copy(&message->arena, value), SIP_HEADERS_MAX, addition->elements,
                 &addition->count) &&
           addition->count <= SIP_HEADERS_MAX;
}

/* A list is added whole or not at all. */
enum status sip_header_add(struct sip_message *message, const char *name, struct text value)
{
    struct addition addition;
    if (!prepare(message, name, value, &addition) || addition.count + message->fields_count > SIP_HEADERS_MAX)
        return REFUSED;
    if (addition.name.rule && addition.name.rule->single && find(message, &addition.name, 0) < message->fields_count)
        return REFUSED;
    for (size_t i = 0; i < addition.count; i++)
        insert(message, &addition.name, addition.elements[i], message->fields_count);
    refresh(message, &addition.name);
    return OK;
}

/* False: it goes the long way. */
static bool set_viewed(struct sip_message *message, const char *name, struct text value)
{
    struct sip_name field = sip_name_of(text_of(name));
    if (!field.rule || !field.rule->single || field.rule->view == SIP_VIEW_NONE || !sip_text_is_clean(value))
        return false;
    struct text copy = text_copy(&message->arena, value);
    if (!view_plainly(message, &field, copy))
        return false;
    size_t at = may_have(message, field.text) ? find(message, &field, 0) : message->fields_count;
    if (at < message->fields_count)
        message->fields[at].value = copy;
    else
        insert(message, &field, copy, at);
    return true;
}

enum status sip_header_set(struct sip_message *message, const char *name, struct text value)
{
    struct addition addition;
    if (set_viewed(message, name, value))
        return OK;
    if (!prepare(message, name, value, &addition))
        return REFUSED;
    size_t first = find(message, &addition.name, 0), at = first;
    while ((at = find(message, &addition.name, at)) < message->fields_count)
        remove_at(message, at);
    for (size_t i = 0; i < addition.count; i++)
        insert(message, &addition.name, addition.elements[i], first + i);
    refresh(message, &addition.name);
    return OK;
}

void sip_header_remove(struct sip_message *message, const char *name)
{
    struct text text = text_of(name);
    if (!may_have(message, text))
        return;
    struct sip_name wanted = sip_name_of(text);
    for (size_t at = 0; (at = find(message, &wanted, at)) < message->fields_count;)
        remove_at(message, at);
    refresh(message, &wanted);
}

void sip_via_push(struct sip_message *message, struct text value)
{
    struct sip_name name = sip_name_of(TEXT("Via"));
    insert(message, &name, text_copy(&message->arena, value), 0);
    refresh(message, &name);
}

void sip_via_replace_top(struct sip_message *message, struct text value, const struct sip_via *read)
{
    struct sip_name name = sip_name_of(TEXT("Via"));
    message->fields[find(message, &name, 0)].value = value;
    refresh(message, &name);
    if (!read)
        return;
    message->via = *read;
    message->stale &= ~(1u << SIP_VIEW_VIA);
}
