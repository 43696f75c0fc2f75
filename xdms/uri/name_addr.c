/* Reads name-addr headers and parameter lists (RFC 3261 §20.10), where quoted strings hide every delimiter. It does not
 * judge the URI inside. */
#include "uri.h"

static bool is_blank(char character)
{
    return character == ' ' || character == '\t';
}

static struct text skip_blank(struct text text)
{
    size_t at = 0;
    while (at < text.length && is_blank(text.bytes[at]))
        at++;
    return text_slice(text, at, text.length);
}

/* Length of the quoted string at the start of `text`, with both quotes; 0 if it does not end. */
static size_t quoted_length(struct text text)
{
    for (size_t i = 1; i < text.length; i++) {
        if (text.bytes[i] == '"')
            return i + 1;
        i += text.bytes[i] == '\\';
    }
    return 0;
}

/* Position of the first `delimiter` outside quoted strings, or the end; false when a quoted string does not end. */
static bool find_unquoted(struct text text, char delimiter, size_t *at_out)
{
    size_t at = 0;
    while (at < text.length && text.bytes[at] != delimiter) {
        size_t length = text.bytes[at] == '"' ? quoted_length(text_slice(text, at, text.length)) : 1;
        if (length == 0)
            return false;
        at += length;
    }
    *at_out = at;
    return true;
}

bool uri_parameter_next(struct text *rest, struct text *name_out, struct text *value_out)
{
    size_t end, equals;
    if (rest->length == 0 || !find_unquoted(*rest, ';', &end))
        return false;
    struct text parameter = text_slice(*rest, 0, end);
    if (!find_unquoted(parameter, '=', &equals))
        return false;
    *rest = text_slice(*rest, end + (end < rest->length), rest->length);
    *name_out = text_trim(text_slice(parameter, 0, equals));
    *value_out = text_trim(text_slice(parameter, equals + (equals < parameter.length), parameter.length));
    return true;
}

bool uri_parameter(struct text parameters, struct text name, struct text *value_out)
{
    struct text one, value;
    while (uri_parameter_next(&parameters, &one, &value)) {
        if (!text_equal_nocase(one, name))
            continue;
        bool quoted = value.length > 1 && value.bytes[0] == '"' && quoted_length(value) == value.length;
        *value_out = quoted ? text_slice(value, 1, value.length - 1) : value;
        return true;
    }
    return false;
}

static bool has_control(struct text text)
{
    for (size_t i = 0; i < text.length; i++) {
        unsigned char character = (unsigned char)text.bytes[i];
        if ((character < 0x20 && character != '\t') || character == 0x7f)
            return true;
    }
    return false;
}

/* ";tag=1, next": header parameters up to a top-level comma. */
static bool parse_tail(struct text tail, struct text *parameters_out, struct text *rest_out)
{
    size_t comma;
    tail = skip_blank(tail);
    if (!find_unquoted(tail, ',', &comma))
        return false;
    struct text parameters = text_trim(text_slice(tail, 0, comma));
    if (rest_out)
        *rest_out = comma < tail.length ? text_trim(text_slice(tail, comma + 1, tail.length)) : (struct text){0};
    if (parameters.length && parameters.bytes[0] != ';')
        return false;
    *parameters_out = parameters.length ? text_trim(text_slice(parameters, 1, parameters.length)) : parameters;
    return true;
}

static bool parse_in_brackets(struct text text, struct name_addr *address_out, struct text *tail_out)
{
    struct text inside;
    if (text.length == 0 || text.bytes[0] != '<' || !text_cut(text_slice(text, 1, text.length), '>', &inside, tail_out))
        return false;
    address_out->uri = inside;
    for (size_t i = 0; i < inside.length; i++) {
        if (is_blank(inside.bytes[i]) || inside.bytes[i] == '<' || inside.bytes[i] == '"')
            return false;
    }
    return inside.length > 0;
}

/* RFC 3261 §20.10: without brackets the first ';' or ',' ends the URI, whatever the URI grammar says. */
static bool parse_bare(struct text text, struct name_addr *address_out, struct text *tail_out)
{
    size_t end = 0;
    while (end < text.length && text.bytes[end] != ';' && text.bytes[end] != ',')
        end++;
    address_out->uri = text_trim(text_slice(text, 0, end));
    *tail_out = text_slice(text, end, text.length);
    for (size_t i = 0; i < address_out->uri.length; i++) {
        char character = address_out->uri.bytes[i];
        if (is_blank(character) || character == '"' || character == '>')
            return false;
    }
    return address_out->uri.length > 0;
}

bool name_addr_parse(struct text text, struct name_addr *address_out, struct text *rest_out)
{
    struct name_addr address = {0};
    struct text tail;
    text = text_trim(text);
    if (text.length == 0 || has_control(text))
        return false;
    if (text.bytes[0] == '"') {
        size_t length = quoted_length(text);
        if (length == 0)
            return false;
        address.display = text_slice(text, 1, length - 1);
        if (!parse_in_brackets(skip_blank(text_slice(text, length, text.length)), &address, &tail))
            return false;
    } else {
        size_t at = 0;
        while (at < text.length && !strchr("<,;\"", text.bytes[at]))
            at++;
        bool bracketed = at < text.length && text.bytes[at] == '<';
        address.display = bracketed ? text_trim(text_slice(text, 0, at)) : (struct text){0};
        if (!(bracketed ? parse_in_brackets(text_slice(text, at, text.length), &address, &tail)
                        : parse_bare(text, &address, &tail)))
            return false;
    }
    if (!parse_tail(tail, &address.parameters, rest_out))
        return false;
    *address_out = address;
    return true;
}
