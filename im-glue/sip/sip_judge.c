/* What the value of each field must be. The library has the last word on what is not written plainly. */
#include "sip_message_private.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

#include <osipparser2/osip_parser.h>

/* Parameters of one value are walked: a bound keeps that walk short. */
#define PARAMETERS_MAX   64
#define CSEQ_MAX         0x7fffffffu /* RFC 3261 §8.1.1.5: less than 2^31 */
#define MAX_FORWARDS_MAX 255

static bool judge_address(struct text value);
static bool judge_contact(struct text value);
static bool judge_call_id(struct text value);
static bool judge_cseq(struct text value);
static bool judge_max_forwards(struct text value);
static bool judge_content_type(struct text value);
static bool judge_number(struct text value);

/* RFC 3261 §7.3.3, §20 and the IANA registry of compact forms. */
static const struct sip_field_rule rules[] = {
    {TEXT_INIT("Allow-Events"), 'u', false, false, SIP_VIEW_NONE, NULL},
    {TEXT_INIT("Accept-Contact"), 'a', false, false, SIP_VIEW_NONE, NULL},
    {TEXT_INIT("Call-ID"), 'i', true, false, SIP_VIEW_CALL_ID, judge_call_id},
    {TEXT_INIT("CSeq"), '\0', true, false, SIP_VIEW_CSEQ, judge_cseq},
    {TEXT_INIT("Contact"), 'm', false, true, SIP_VIEW_NONE, judge_contact},
    {TEXT_INIT("Content-Type"), 'c', true, false, SIP_VIEW_NONE, judge_content_type},
    {TEXT_INIT("Content-Length"), 'l', true, false, SIP_VIEW_NONE, judge_number},
    {TEXT_INIT("Content-Encoding"), 'e', false, false, SIP_VIEW_NONE, NULL},
    {TEXT_INIT("Date"), '\0', true, false, SIP_VIEW_NONE, NULL},
    {TEXT_INIT("Expires"), '\0', true, false, SIP_VIEW_NONE, NULL},
    {TEXT_INIT("Event"), 'o', true, false, SIP_VIEW_NONE, NULL},
    {TEXT_INIT("From"), 'f', true, false, SIP_VIEW_FROM, judge_address},
    {TEXT_INIT("Identity"), 'y', false, false, SIP_VIEW_NONE, NULL},
    {TEXT_INIT("Identity-Info"), 'n', false, false, SIP_VIEW_NONE, NULL},
    {TEXT_INIT("Max-Forwards"), '\0', true, false, SIP_VIEW_NONE, judge_max_forwards},
    {TEXT_INIT("Min-Expires"), '\0', true, false, SIP_VIEW_NONE, NULL},
    {TEXT_INIT("Path"), '\0', false, true, SIP_VIEW_NONE, judge_address},
    {TEXT_INIT("Route"), '\0', false, true, SIP_VIEW_NONE, judge_address},
    {TEXT_INIT("Record-Route"), '\0', false, true, SIP_VIEW_NONE, judge_address},
    {TEXT_INIT("Refer-To"), 'r', true, false, SIP_VIEW_NONE, judge_address},
    {TEXT_INIT("Referred-By"), 'b', true, false, SIP_VIEW_NONE, judge_address},
    {TEXT_INIT("Reject-Contact"), 'j', false, false, SIP_VIEW_NONE, NULL},
    {TEXT_INIT("Request-Disposition"), 'd', false, false, SIP_VIEW_NONE, NULL},
    {TEXT_INIT("Service-Route"), '\0', false, true, SIP_VIEW_NONE, judge_address},
    {TEXT_INIT("Subject"), 's', true, false, SIP_VIEW_NONE, NULL},
    {TEXT_INIT("Supported"), 'k', false, false, SIP_VIEW_NONE, NULL},
    {TEXT_INIT("Session-Expires"), 'x', true, false, SIP_VIEW_NONE, NULL},
    {TEXT_INIT("SIP-ETag"), '\0', true, false, SIP_VIEW_NONE, NULL},
    {TEXT_INIT("SIP-If-Match"), '\0', true, false, SIP_VIEW_NONE, NULL},
    {TEXT_INIT("To"), 't', true, false, SIP_VIEW_TO, judge_address},
    {TEXT_INIT("Timestamp"), '\0', true, false, SIP_VIEW_NONE, NULL},
    {TEXT_INIT("Via"), 'v', false, true, SIP_VIEW_VIA, sip_via_judge},
};

#define RULES_COUNT (sizeof(rules) / sizeof(rules[0]))

static const struct sip_field_rule *long_rules[SIP_NAME_MARKS]; /* by the mark of the name; NULL: none */
static const struct sip_field_rule *compact_rules['z' - 'a' + 1];

void sip_judge_open(void)
{
    for (size_t i = 0; i < RULES_COUNT; i++) {
        const struct sip_field_rule **place = &long_rules[sip_name_mark(rules[i].name)];
        assert(!*place || *place == &rules[i]); /* no two have the same: see there */
        *place = &rules[i];
        if (rules[i].compact)
            compact_rules[rules[i].compact - 'a'] = &rules[i];
    }
}

const struct sip_field_rule *sip_field_rule(struct text name)
{
    if (name.length == 0)
        return NULL;
    if (name.length == 1) {
        unsigned letter = (unsigned)((unsigned char)name.bytes[0] | 0x20) - 'a';
        return letter <= 'z' - 'a' ? compact_rules[letter] : NULL;
    }
    const struct sip_field_rule *rule = long_rules[sip_name_mark(name)];
    return rule && text_equal_nocase(name, rule->name) ? rule : NULL;
}

/* --- texts ------------------------------------------------------------------------------------------------------ */

bool sip_text_is_printable(struct text text)
{
    unsigned odd = 0;
    for (size_t i = 0; i < text.length; i++)
        odd |= (unsigned char)(text.bytes[i] - 0x20) >= 0x5f;
    return odd == 0;
}

bool sip_text_is_clean(struct text text)
{
    if (sip_text_is_printable(text))
        return true;
    for (size_t i = 0; i < text.length; i++) {
        unsigned char byte = (unsigned char)text.bytes[i];
        if ((byte < 0x20 && byte != '\t') || byte == 0x7f)
            return false;
    }
    return utf8_valid(text);
}

bool sip_token_valid(struct text text)
{
    /* Letters, digits and -.!%*_+`'~ as bits. */
    static const uint64_t bits[2] = {0x03ff6ca200000000, 0x47ffffff87fffffe};
    for (size_t i = 0; i < text.length; i++) {
        unsigned char byte = (unsigned char)text.bytes[i];
        if (byte >= 128 || !(bits[byte >> 6] >> (byte & 63) & 1))
            return false;
    }
    return text.length > 0;
}

/* Escapes are whole, and none hides NUL, CR or LF: the library would cut the address there. */
static bool uri_is_safe(struct text uri)
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

bool sip_parameter(struct text parameters, const char *name, struct text *value_out)
{
    struct text wanted = text_of(name), one;
    *value_out = (struct text){0};
    for (bool more = parameters.length > 0; more;) {
        size_t end = sip_parameter_end(parameters);
        text_cut(text_slice(parameters, 0, end), '=', &one, value_out);
        if (text_equal_nocase(text_trim(one), wanted)) {
            *value_out = text_trim(*value_out);
            return true;
        }
        more = end < parameters.length;
        parameters = text_slice(parameters, more ? end + 1 : end, parameters.length);
    }
    *value_out = (struct text){0};
    return false;
}

static bool has_few_parameters(struct text value)
{
    size_t count = 0;
    for (size_t i = 0; i < value.length; i++)
        count += value.bytes[i] == ';' || value.bytes[i] == '&';
    return count <= PARAMETERS_MAX;
}

/* --- addresses -------------------------------------------------------------------------------------------------- */

static bool library_reads_uri(struct text uri)
{
    osip_uri_t *judged;
    char *string = text_keep(uri);
    osip_uri_init(&judged);
    bool good = osip_uri_parse(judged, string) == OSIP_SUCCESS;
    osip_uri_free(judged);
    free(string);
    return good;
}

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
bool sip_request_uri_valid(struct text uri)
{
    struct text scheme, rest;
    if (uri.length > URI_LENGTH_MAX)
        return false;
    if (sip_plain_uri(uri))
        return true;
    for (size_t i = 0; i < uri.length; i++) {
        if (strchr(" \t<>\"", uri.bytes[i]))
            return false;
    }
    if (!sip_text_is_clean(uri) || !uri_is_safe(uri) || !text_cut(uri, ':', &scheme, &rest) || rest.length == 0)
        return false;
    return text_starts_with_nocase(scheme, TEXT("sip")) ? library_reads_uri(uri) : scheme_is_valid(scheme);
}

static bool library_reads_address(struct text value)
{
    osip_from_t *address;
    char *string = text_keep(value);
    osip_from_init(&address);
    bool good = osip_from_parse(address, string) == OSIP_SUCCESS && address->url;
    osip_from_free(address);
    free(string);
    return good;
}

static bool judge_address(struct text value)
{
    struct name_addr parts;
    struct text rest;
    if (sip_plain_address(value, &rest))
        return true;
    if (!has_few_parameters(value) || !name_addr_parse(value, &parts, &rest) || rest.length > 0)
        return false;
    if (parts.parameters.length > 0 && !sip_parameters_valid(parts.parameters))
        return false;
    /* RFC 3261 §20: without brackets nobody can tell whose the rest is. */
    if (text_find_char(parts.uri, '?') < parts.uri.length && text_find_char(value, '<') == value.length)
        return false;
    if (!uri_is_safe(parts.uri) || text_find_char(parts.uri, ' ') < parts.uri.length)
        return false;
    return library_reads_address(value);
}

static bool judge_contact(struct text value)
{
    return text_equal(value, TEXT("*")) || judge_address(value);
}

/* --- others ----------------------------------------------------------------------------------------------------- */

static bool judge_call_id(struct text value)
{
    osip_call_id_t *call_id;
    if (sip_plain_call_id(value))
        return true;
    char *string = text_keep(value);
    osip_call_id_init(&call_id);
    bool good = !strpbrk(string, " ,;") && osip_call_id_parse(call_id, string) == OSIP_SUCCESS;
    osip_call_id_free(call_id);
    free(string);
    return good;
}

bool sip_cseq_read(struct text value, uint32_t *number_out, struct text *method_out)
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

static bool judge_cseq(struct text value)
{
    uint32_t number;
    struct text method;
    return sip_cseq_read(value, &number, &method);
}

static bool judge_max_forwards(struct text value)
{
    uint64_t number;
    return text_to_u64(value, &number) && number <= MAX_FORWARDS_MAX;
}

static bool judge_content_type(struct text value)
{
    osip_content_type_t *type;
    if (sip_plain_content_type(value))
        return true;
    if (!has_few_parameters(value))
        return false;
    char *string = text_keep(value);
    osip_content_type_init(&type);
    bool good = osip_content_type_parse(type, string) == OSIP_SUCCESS && type->type && type->subtype &&
                sip_token_valid(text_of(type->type)) && sip_token_valid(text_of(type->subtype));
    osip_content_type_free(type);
    free(string);
    return good;
}

static bool judge_number(struct text value)
{
    uint64_t number;
    return text_to_u64(value, &number);
}
