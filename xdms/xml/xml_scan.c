/* The tag scanner: jumps from '<' to '<' and from quote to quote. It knows no namespaces and does not match end tags
 * with start tags; xml_tree.c does. */
#include "xml_scan.h"

enum byte_class { BYTE_OTHER, BYTE_NAME, BYTE_BLANK, BYTE_STOP };

#define N   BYTE_NAME
#define B   BYTE_BLANK
#define S   BYTE_STOP
#define N16 N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N

/* Name bytes include all of UTF-8's multi-byte forms: exact names are xml_qname_valid's affair. A STOP ends the run of
 * bytes between quotes in a start tag. */
/* clang-format off */
static const unsigned char classes[256] = {
    /* 00 */ 0, 0, 0, 0, 0, 0, 0, 0, 0, B, B, 0, 0, B, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    /* 20 */ B, 0, S, 0, 0, 0, 0, S, 0, 0, 0, 0, 0, N, N, 0, N, N, N, N, N, N, N, N, N, N, N, 0, S, 0, S, 0,
    /* 40 */ 0, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, 0, 0, 0, 0, N,
    /* 60 */ 0, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, 0, 0, 0, 0, 0,
    /* 80 */ N16, N16, N16, N16, N16, N16, N16, N16,
};
/* clang-format on */

static bool scan_start(struct xml_scanner *scanner, size_t begin, struct xml_tag *tag_out);
static bool scan_end(struct xml_scanner *scanner, size_t begin, struct xml_tag *tag_out);
static bool skip_section(struct xml_scanner *scanner, size_t begin);

void xml_scan_init(struct xml_scanner *scanner, struct text input)
{
    *scanner = (struct xml_scanner){.input = input};
}

bool xml_scan_next(struct xml_scanner *scanner, struct xml_tag *tag_out)
{
    struct text input = scanner->input;
    while (!scanner->damaged) {
        const char *next =
            input.length > scanner->at ? memchr(input.bytes + scanner->at, '<', input.length - scanner->at) : NULL;
        if (!next) {
            scanner->at = input.length;
            return false;
        }
        size_t begin = (size_t)(next - input.bytes);
        char kind = begin + 1 < input.length ? next[1] : '\0';
        if (kind == '/' ? scan_end(scanner, begin, tag_out)
                        : kind != '!' && kind != '?' && scan_start(scanner, begin, tag_out)) {
            scanner->at = tag_out->end;
            return true;
        }
        if ((kind != '!' && kind != '?') || !skip_section(scanner, begin))
            scanner->damaged = true;
    }
    return false;
}

static enum byte_class class_at(struct text input, size_t at)
{
    return (enum byte_class)classes[(unsigned char)input.bytes[at]];
}

static size_t skip_class(struct text input, size_t at, enum byte_class class)
{
    while (at < input.length && class_at(input, at) == class)
        at++;
    return at;
}

/* Both parts must be there when there is a colon (Namespaces in XML 1.0 §4). */
static bool split_name(struct text name, struct text *prefix_out, struct text *local_out)
{
    const char *colon = name.length ? memchr(name.bytes, ':', name.length) : NULL;
    if (!colon) {
        *prefix_out = (struct text){name.bytes, 0};
        *local_out = name;
        return name.length > 0;
    }
    size_t at = (size_t)(colon - name.bytes);
    *prefix_out = text_slice(name, 0, at);
    *local_out = text_slice(name, at + 1, name.length);
    return at > 0 && local_out->length > 0 && !memchr(local_out->bytes, ':', local_out->length);
}

/* Position of the '>' that ends the start tag, past quoted values; 0 if there is none. */
static size_t find_tag_end(struct text input, size_t at)
{
    for (; at < input.length; at++) {
        if (class_at(input, at) != BYTE_STOP)
            continue;
        char stop = input.bytes[at];
        if (stop == '>')
            return at;
        const char *quote = stop == '<' ? NULL : memchr(input.bytes + at + 1, stop, input.length - at - 1);
        if (!quote)
            return 0;
        at = (size_t)(quote - input.bytes);
    }
    return 0;
}

static bool scan_start(struct xml_scanner *scanner, size_t begin, struct xml_tag *tag_out)
{
    struct text input = scanner->input;
    size_t name_end = skip_class(input, begin + 1, BYTE_NAME);
    tag_out->name = text_slice(input, begin + 1, name_end);
    if (!split_name(tag_out->name, &tag_out->prefix, &tag_out->local))
        return false;
    size_t close = find_tag_end(input, name_end);
    if (close == 0)
        return false;
    bool empty = close > name_end && input.bytes[close - 1] == '/';
    tag_out->kind = empty ? XML_EMPTY : XML_START;
    tag_out->begin = begin;
    tag_out->end = close + 1;
    tag_out->attributes = text_slice(input, name_end, close - empty);
    return tag_out->attributes.length == 0 || class_at(input, name_end) == BYTE_BLANK;
}

static bool scan_end(struct xml_scanner *scanner, size_t begin, struct xml_tag *tag_out)
{
    struct text input = scanner->input;
    size_t name_end = skip_class(input, begin + 2, BYTE_NAME);
    size_t close = skip_class(input, name_end, BYTE_BLANK);
    tag_out->kind = XML_END;
    tag_out->begin = begin;
    tag_out->end = close + 1;
    tag_out->name = text_slice(input, begin + 2, name_end);
    tag_out->attributes = text_slice(input, name_end, name_end);
    return close < input.length && input.bytes[close] == '>' &&
           split_name(tag_out->name, &tag_out->prefix, &tag_out->local);
}

/* Moves behind the comment, CDATA section or processing instruction at `begin`; anything else is a DTD. */
static bool skip_section(struct xml_scanner *scanner, size_t begin)
{
    static const struct {
        struct text opening, closing;
    } forms[] = {
        {TEXT_INIT("<!--"), TEXT_INIT("-->")},
        {TEXT_INIT("<![CDATA["), TEXT_INIT("]]>")},
        {TEXT_INIT("<?"), TEXT_INIT("?>")},
    };
    struct text rest = text_slice(scanner->input, begin, scanner->input.length);
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (!text_starts_with(rest, forms[i].opening))
            continue;
        struct text inside = text_slice(rest, forms[i].opening.length, rest.length);
        const char *end =
            inside.length ? memmem(inside.bytes, inside.length, forms[i].closing.bytes, forms[i].closing.length) : NULL;
        if (!end)
            return false;
        scanner->at = (size_t)(end - scanner->input.bytes) + forms[i].closing.length;
        return true;
    }
    return false;
}

bool xml_attribute_next(struct text document, const struct xml_tag *tag, size_t *cursor, struct xml_attribute_span *out)
{
    struct text input = tag->attributes;
    size_t base = (size_t)(input.bytes - document.bytes);
    size_t name_begin = skip_class(input, *cursor, BYTE_BLANK);
    if (name_begin == input.length) {
        *cursor = input.length;
        return false;
    }
    size_t name_end = skip_class(input, name_begin, BYTE_NAME);
    size_t equals = skip_class(input, name_end, BYTE_BLANK);
    if (name_begin == *cursor || equals == input.length || input.bytes[equals] != '=')
        return false;
    size_t value = skip_class(input, equals + 1, BYTE_BLANK);
    if (value == input.length || (input.bytes[value] != '"' && input.bytes[value] != '\''))
        return false;
    const char *quote = memchr(input.bytes + value + 1, input.bytes[value], input.length - value - 1);
    out->name = text_slice(input, name_begin, name_end);
    if (!quote || !split_name(out->name, &out->prefix, &out->local))
        return false;
    size_t value_end = (size_t)(quote - input.bytes);
    out->quote = input.bytes[value];
    out->raw = text_slice(input, value + 1, value_end);
    out->begin = base + name_begin;
    out->end = base + value_end + 1;
    out->value_begin = base + value + 1;
    out->value_end = base + value_end;
    *cursor = value_end + 1;
    return true;
}
