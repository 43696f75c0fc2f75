/* Header fields of one message: what each name demands, adding, replacing, removing. Knows nothing of transactions. */
#include "sip_message_private.h"

#include <assert.h>
#include <stdlib.h>

/* Fields and parameters of one value are kept in lists that are walked: bounds keep that walk short. */
#define PARAMETERS_MAX   64
#define CSEQ_MAX         0x7fffffffu /* RFC 3261 §8.1.1.5: less than 2^31 */
#define MAX_FORWARDS_MAX 255

static bool judge_address(const char *value);
static bool judge_contact(const char *value);
static bool judge_call_id(const char *value);
static bool judge_cseq(const char *value);
static bool judge_max_forwards(const char *value);
static bool judge_content_type(const char *value);
static bool judge_number(const char *value);

/* RFC 3261 §7.3.3, §20 and the IANA registry of compact forms. */
static const struct sip_field_rule rules[] = {
    {"Via", 'v', false, true, sip_via_judge},
    {"From", 'f', true, false, judge_address},
    {"To", 't', true, false, judge_address},
    {"Call-ID", 'i', true, false, judge_call_id},
    {"CSeq", '\0', true, false, judge_cseq},
    {"Contact", 'm', false, true, judge_contact},
    {"Route", '\0', false, true, judge_address},
    {"Record-Route", '\0', false, true, judge_address},
    {"Path", '\0', false, true, judge_address},
    {"Service-Route", '\0', false, true, judge_address},
    {"Max-Forwards", '\0', true, false, judge_max_forwards},
    {"Content-Type", 'c', true, false, judge_content_type},
    {"Content-Length", 'l', true, false, judge_number},
    {"Content-Encoding", 'e', false, false, NULL},
    {"Expires", '\0', true, false, NULL},
    {"Min-Expires", '\0', true, false, NULL},
    {"Event", 'o', true, false, NULL},
    {"Allow-Events", 'u', false, false, NULL},
    {"Refer-To", 'r', true, false, judge_address},
    {"Referred-By", 'b', true, false, judge_address},
    {"Subject", 's', true, false, NULL},
    {"Supported", 'k', false, false, NULL},
    {"Session-Expires", 'x', true, false, NULL},
    {"Accept-Contact", 'a', false, false, NULL},
    {"Reject-Contact", 'j', false, false, NULL},
    {"Request-Disposition", 'd', false, false, NULL},
    {"Identity", 'y', false, false, NULL},
    {"Identity-Info", 'n', false, false, NULL},
    {"Date", '\0', true, false, NULL},
    {"Timestamp", '\0', true, false, NULL},
    {"SIP-ETag", '\0', true, false, NULL},
    {"SIP-If-Match", '\0', true, false, NULL},
};

const struct sip_field_rule *sip_field_rule(struct text name)
{
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        if (name.length == 1 ? rules[i].compact && (name.bytes[0] | 0x20) == rules[i].compact
                             : text_equal_nocase(name, text_of(rules[i].name)))
            return &rules[i];
    }
    return NULL;
}

static struct text full_name(struct text name)
{
    const struct sip_field_rule *rule = sip_field_rule(name);
    return rule ? text_of(rule->name) : name;
}

/* --- judging ---------------------------------------------------------------------------------------------------- */

bool sip_text_is_clean(struct text text)
{
    for (size_t i = 0; i < text.length; i++) {
        unsigned char byte = (unsigned char)text.bytes[i];
        if ((byte < 0x20 && byte != '\t') || byte == 0x7f)
            return false;
    }
    return utf8_valid(text);
}

bool sip_token_valid(struct text text)
{
    for (size_t i = 0; i < text.length; i++) {
        char character = text.bytes[i];
        bool alphanumeric =
            (character >= '0' && character <= '9') || ((character | 0x20) >= 'a' && (character | 0x20) <= 'z');
        if (!alphanumeric && (character == '\0' || !strchr("-.!%*_+`'~", character)))
            return false;
    }
    return text.length > 0;
}

bool sip_uri_is_safe(struct text uri)
{
    for (size_t i = 0; i < uri.length; i++) {
        uint64_t code;
        if (uri.bytes[i] != '%')
            continue;
        if (i + 2 >= uri.length || !text_hex_to_u64(text_slice(uri, i + 1, i + 3), &code))
            return false;
        if (code == '\0' || code == '\r' || code == '\n')
            return false;
    }
    return true;
}

/* Where the parameter ends: at a ';' outside quotes. */
size_t sip_parameter_end(struct text parameters)
{
    bool quoted = false;
    size_t at = 0;
    for (; at < parameters.length && (quoted || parameters.bytes[at] != ';'); at++) {
        if (quoted && parameters.bytes[at] == '\\')
            at++;
        else if (parameters.bytes[at] == '"')
            quoted = !quoted;
    }
    return at < parameters.length ? at : parameters.length;
}

/* A quote inside a word would make one reader's end of the parameter another reader's middle. */
static bool quotes_are_whole(struct text value)
{
    if (value.length == 0 || value.bytes[0] != '"')
        return text_find_char(value, '"') == value.length;
    size_t at = 1;
    while (at < value.length && value.bytes[at] != '"')
        at += value.bytes[at] == '\\' ? 2 : 1;
    return at + 1 == value.length;
}

bool sip_parameters_valid(struct text parameters)
{
    bool more = true;
    while (more) {
        struct text name, value;
        size_t end = sip_parameter_end(parameters);
        bool has_value = text_cut(text_slice(parameters, 0, end), '=', &name, &value);
        value = text_trim(value);
        if (!sip_token_valid(text_trim(name)) || (has_value && value.length == 0) || !quotes_are_whole(value))
            return false;
        more = end < parameters.length;
        parameters = text_slice(parameters, more ? end + 1 : end, parameters.length);
    }
    return true;
}

static bool has_few_parameters(const char *value)
{
    size_t count = 0;
    for (; *value; value++)
        count += *value == ';' || *value == '&';
    return count <= PARAMETERS_MAX;
}

static osip_from_t *read_address(const char *value)
{
    osip_from_t *address;
    osip_from_init(&address);
    if (osip_from_parse(address, value) == OSIP_SUCCESS && address->url)
        return address;
    osip_from_free(address);
    return NULL;
}

static bool judge_address(const char *value)
{
    struct name_addr parts;
    struct text rest;
    if (!has_few_parameters(value) || !name_addr_parse(text_of(value), &parts, &rest) || rest.length > 0)
        return false;
    if (parts.parameters.length > 0 && !sip_parameters_valid(parts.parameters))
        return false;
    /* RFC 3261 §20: without brackets nobody can tell whose the rest is. */
    if (text_find_char(parts.uri, '?') < parts.uri.length && !strchr(value, '<'))
        return false;
    if (!sip_uri_is_safe(parts.uri) || text_find_char(parts.uri, ' ') < parts.uri.length)
        return false;
    osip_from_t *address = read_address(value);
    osip_from_free(address);
    return address != NULL;
}

static bool judge_contact(const char *value)
{
    return text_equal(text_of(value), TEXT("*")) || judge_address(value);
}

static bool judge_call_id(const char *value)
{
    osip_call_id_t *call_id;
    if (strpbrk(value, " ,;"))
        return false;
    osip_call_id_init(&call_id);
    bool good = osip_call_id_parse(call_id, value) == OSIP_SUCCESS;
    osip_call_id_free(call_id);
    return good;
}

static bool read_cseq(struct text value, uint32_t *number_out, struct text *method_out)
{
    uint64_t number;
    struct text digits, method;
    if (!text_cut(value, ' ', &digits, &method) || !text_to_u64(digits, &number) || number > CSEQ_MAX)
        return false;
    method = text_trim(method);
    if (!sip_token_valid(method))
        return false;
    *number_out = (uint32_t)number;
    *method_out = method;
    return true;
}

static bool judge_cseq(const char *value)
{
    uint32_t number;
    struct text method;
    return read_cseq(text_of(value), &number, &method);
}

static bool judge_max_forwards(const char *value)
{
    uint64_t number;
    return text_to_u64(text_of(value), &number) && number <= MAX_FORWARDS_MAX;
}

static bool judge_content_type(const char *value)
{
    osip_content_type_t *type;
    if (!has_few_parameters(value))
        return false;
    osip_content_type_init(&type);
    bool good = osip_content_type_parse(type, value) == OSIP_SUCCESS && type->type && type->subtype &&
                sip_token_valid(text_of(type->type)) && sip_token_valid(text_of(type->subtype));
    osip_content_type_free(type);
    return good;
}

static bool judge_number(const char *value)
{
    uint64_t number;
    return text_to_u64(text_of(value), &number);
}

/* --- views ------------------------------------------------------------------------------------------------------ */

static void refresh_address(struct sip_message *message, const char *name, osip_from_t **view)
{
    const char *value = sip_field_value(message, text_of(name), 0);
    osip_from_free(*view);
    *view = value ? read_address(value) : NULL;
}

static void refresh_via(struct sip_message *message)
{
    const char *value = sip_field_value(message, TEXT("Via"), 0);
    osip_via_free(message->via);
    message->via = NULL;
    if (!value)
        return;
    osip_via_init(&message->via);
    int result = osip_via_parse(message->via, value);
    assert(result == OSIP_SUCCESS); /* judged before it became a field */
}

static void refresh_cseq(struct sip_message *message)
{
    const char *value = sip_field_value(message, TEXT("CSeq"), 0);
    message->cseq = 0;
    message->cseq_method = (struct text){0};
    if (value)
        read_cseq(text_of(value), &message->cseq, &message->cseq_method);
}

static void refresh(struct sip_message *message, struct text name)
{
    /* The library keeps a written copy and would answer with it. */
    osip_message_force_update(message->fields);
    if (text_equal_nocase(name, TEXT("Via")))
        refresh_via(message);
    else if (text_equal_nocase(name, TEXT("From")))
        refresh_address(message, "From", &message->from);
    else if (text_equal_nocase(name, TEXT("To")))
        refresh_address(message, "To", (osip_from_t **)&message->to);
    else if (text_equal_nocase(name, TEXT("CSeq")))
        refresh_cseq(message);
}

/* --- the list --------------------------------------------------------------------------------------------------- */

static void insert(struct sip_message *message, struct text name, struct text value, int position)
{
    osip_header_t *header;
    osip_header_init(&header);
    header->hname = text_keep(name);
    header->hvalue = text_keep(value);
    osip_list_add(&message->fields->headers, header, position);
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

static bool judge(const struct sip_field_rule *rule, struct text value)
{
    if (!rule || !rule->judge)
        return true;
    char *string = text_keep(value);
    bool good = rule->judge(string);
    free(string);
    return good;
}

enum sip_field_result sip_field_append(struct sip_message *message, struct text name, struct text value)
{
    const struct sip_field_rule *rule = sip_field_rule(name);
    struct text long_name = full_name(name), rest = text_trim(value);
    if (!sip_token_valid(name) || !sip_text_is_clean(value))
        return SIP_FIELD_BAD;
    if (rule && rule->single && sip_field_value(message, long_name, 0))
        return SIP_FIELD_REPEATED;
    do {
        struct text element = rest;
        if (rule && rule->list)
            element = next_element(&rest);
        if (!judge(rule, element))
            return SIP_FIELD_BAD;
        if (osip_list_size(&message->fields->headers) >= message->fields_max)
            return SIP_FIELD_TOO_MANY;
        insert(message, long_name, element, -1);
        refresh(message, long_name);
    } while (rule && rule->list && rest.length > 0);
    return SIP_FIELD_ADDED;
}

void sip_field_put(struct sip_message *message, const char *name, struct text value)
{
    insert(message, text_of(name), value, -1);
    refresh(message, text_of(name));
}

void sip_field_copy(struct sip_message *target, const struct sip_message *source, const char *name)
{
    osip_list_iterator_t walk;
    const osip_header_t *header = osip_list_get_first(&source->fields->headers, &walk);
    for (; header; header = osip_list_get_next(&walk)) {
        if (text_equal_nocase(text_of(header->hname), text_of(name)))
            sip_field_put(target, name, text_of(header->hvalue));
    }
}

const char *sip_field_value(const struct sip_message *message, struct text name, size_t index)
{
    osip_list_iterator_t walk;
    const osip_header_t *header = osip_list_get_first(&message->fields->headers, &walk);
    for (; header; header = osip_list_get_next(&walk)) {
        if (text_equal_nocase(text_of(header->hname), name) && index-- == 0)
            return header->hvalue;
    }
    return NULL;
}

/* Removes the first field of that name at or behind `position`; where it stood, or -1. */
static int remove_next(struct sip_message *message, struct text name, int position)
{
    for (;; position++) {
        osip_header_t *header = osip_list_get(&message->fields->headers, position);
        if (!header)
            return -1;
        if (!text_equal_nocase(text_of(header->hname), name))
            continue;
        osip_list_remove(&message->fields->headers, position);
        osip_header_free(header);
        return position;
    }
}

/* --- public ----------------------------------------------------------------------------------------------------- */

bool sip_header(const struct sip_message *message, const char *name, size_t index, struct arena *arena,
                struct text *value_out)
{
    struct text wanted = full_name(text_of(name));
    if (text_equal_nocase(wanted, TEXT("Content-Length"))) {
        *value_out = text_format(arena, "%zu", message->body_length);
        return index == 0;
    }
    const char *value = sip_field_value(message, wanted, index);
    if (!value)
        return false;
    *value_out = text_copy(arena, text_of(value));
    return true;
}

enum status sip_header_add(struct sip_message *message, const char *name, struct text value)
{
    struct sip_message *trial = sip_message_new();
    /* A list is added whole or not at all. */
    bool good = sip_field_append(trial, text_of(name), value) == SIP_FIELD_ADDED;
    int count = osip_list_size(&trial->fields->headers) + osip_list_size(&message->fields->headers);
    sip_message_free(trial);
    if (!good || count > SIP_HEADERS_MAX || text_equal_nocase(full_name(text_of(name)), TEXT("Content-Length")))
        return REFUSED;
    return sip_field_append(message, text_of(name), value) == SIP_FIELD_ADDED ? OK : REFUSED;
}

enum status sip_header_set(struct sip_message *message, const char *name, struct text value)
{
    struct sip_message *trial = sip_message_new();
    struct text long_name = full_name(text_of(name));
    bool good = sip_field_append(trial, long_name, value) == SIP_FIELD_ADDED &&
                !text_equal_nocase(long_name, TEXT("Content-Length"));
    if (good) {
        int position = remove_next(message, long_name, 0);
        int next = position < 0 ? osip_list_size(&message->fields->headers) : position;
        while (position >= 0 && remove_next(message, long_name, position) >= 0)
            continue;
        osip_list_iterator_t walk;
        osip_header_t *header = osip_list_get_first(&trial->fields->headers, &walk);
        for (; header; header = osip_list_get_next(&walk))
            insert(message, long_name, text_of(header->hvalue), next++);
        refresh(message, long_name);
    }
    sip_message_free(trial);
    return good ? OK : REFUSED;
}

void sip_header_remove(struct sip_message *message, const char *name)
{
    struct text long_name = full_name(text_of(name));
    for (int position = 0; position >= 0;)
        position = remove_next(message, long_name, position);
    refresh(message, long_name);
}

void sip_header_remove_first(struct sip_message *message, const char *name)
{
    struct text long_name = full_name(text_of(name));
    remove_next(message, long_name, 0);
    refresh(message, long_name);
}

void sip_via_push(struct sip_message *message, struct text value)
{
    insert(message, TEXT("Via"), value, 0);
    refresh(message, TEXT("Via"));
}

void sip_via_replace_top(struct sip_message *message, struct text value)
{
    int position = remove_next(message, TEXT("Via"), 0);
    insert(message, TEXT("Via"), value, position);
    refresh(message, TEXT("Via"));
}
