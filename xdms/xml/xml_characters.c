/* What XML says of single characters: references, legal characters, white space in values, names. */
#include "xml_scan.h"

#define REFERENCE_MAX 12 /* "&#x0010FFFF;" with the zeros that anyone writes */

static bool needs_work(struct text raw, bool attribute);
static bool add_reference(struct text_builder *value, struct text reference);

bool xml_unescape(struct arena *arena, struct text raw, bool attribute, struct text *value_out)
{
    *value_out = raw;
    if (!needs_work(raw, attribute))
        return true;
    struct text_builder value;
    builder_init(&value, arena);
    for (size_t i = 0; i < raw.length; i++) {
        unsigned char byte = (unsigned char)raw.bytes[i];
        if (byte == '&') {
            size_t window = raw.length - i - 1 < REFERENCE_MAX ? raw.length - i - 1 : REFERENCE_MAX;
            struct text reference, after;
            if (!text_cut(text_slice(raw, i + 1, i + 1 + window), ';', &reference, &after) ||
                !add_reference(&value, reference))
                return false;
            i += reference.length + 1;
        } else if (byte == '\r') { /* XML 1.0 §2.11 */
            i += i + 1 < raw.length && raw.bytes[i + 1] == '\n';
            builder_add_char(&value, attribute ? ' ' : '\n');
        } else if (byte == '\t' || byte == '\n') {
            builder_add_char(&value, attribute ? ' ' : (char)byte);
        } else if (byte < 0x20 || byte == '<') {
            return false;
        } else {
            builder_add_char(&value, (char)byte);
        }
    }
    *value_out = builder_text(&value);
    return true;
}

#define ONES         (UINT64_MAX / 0xff) /* 1 in each byte */
#define HIGH         (ONES * 0x80)
#define BELOW(w, n)  (((w)-ONES * (n)) & ~(w)&HIGH) /* not zero if a byte is less than n, which is at most 128 */
#define HAS(w, byte) BELOW((w) ^ ONES * (unsigned char)(byte), 1)

/* Eight bytes without anything that could need work: nearly all are. */
static bool is_plain(const char *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof(word));
    return !(BELOW(word, 0x20) | HAS(word, '&') | HAS(word, '<'));
}

static bool needs_work(struct text raw, bool attribute)
{
    size_t i = 0;
    while (raw.length - i >= sizeof(uint64_t) && is_plain(raw.bytes + i))
        i += sizeof(uint64_t);
    for (; i < raw.length; i++) {
        unsigned char byte = (unsigned char)raw.bytes[i];
        if (byte == '&' || byte == '<' || (byte < 0x20 && (attribute || (byte != '\n' && byte != '\t'))))
            return true;
    }
    return false;
}

/* XML 1.0 §2.2 */
static bool character_legal(uint64_t code)
{
    return code == 0x9 || code == 0xA || code == 0xD || (code >= 0x20 && code <= 0xD7FF) ||
           (code >= 0xE000 && code <= 0xFFFD) || (code >= 0x10000 && code <= 0x10FFFF);
}

static void add_utf8(struct text_builder *value, uint32_t code)
{
    if (code < 0x80) {
        builder_add_char(value, (char)code);
    } else if (code < 0x800) {
        builder_add_char(value, (char)(0xC0 | code >> 6));
        builder_add_char(value, (char)(0x80 | (code & 0x3F)));
    } else if (code < 0x10000) {
        builder_add_char(value, (char)(0xE0 | code >> 12));
        builder_add_char(value, (char)(0x80 | (code >> 6 & 0x3F)));
        builder_add_char(value, (char)(0x80 | (code & 0x3F)));
    } else {
        builder_add_char(value, (char)(0xF0 | code >> 18));
        builder_add_char(value, (char)(0x80 | (code >> 12 & 0x3F)));
        builder_add_char(value, (char)(0x80 | (code >> 6 & 0x3F)));
        builder_add_char(value, (char)(0x80 | (code & 0x3F)));
    }
}

/* `reference` stands between '&' and ';'. There is no DTD, so the five names are all there are. */
static bool add_reference(struct text_builder *value, struct text reference)
{
    static const struct {
        struct text name;
        char character;
    } names[] = {{TEXT_INIT("lt"), '<'},
                 {TEXT_INIT("gt"), '>'},
                 {TEXT_INIT("amp"), '&'},
                 {TEXT_INIT("quot"), '"'},
                 {TEXT_INIT("apos"), '\''}};
    uint64_t code;
    bool hex = text_starts_with(reference, TEXT("#x"));
    if (hex || text_starts_with(reference, TEXT("#"))) {
        struct text digits = text_slice(reference, hex ? 2 : 1, reference.length);
        if (!(hex ? text_hex_to_u64(digits, &code) : text_to_u64(digits, &code)) || !character_legal(code))
            return false;
        add_utf8(value, (uint32_t)code);
        return true;
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (text_equal(reference, names[i].name)) {
            builder_add_char(value, names[i].character);
            return true;
        }
    }
    return false;
}

struct range {
    uint32_t first, last;
};

/* XML 1.0 (fifth edition) §2.3, without the colon */
static const struct range name_start[] = {
    {'A', 'Z'},       {'_', '_'},       {'a', 'z'},       {0xC0, 0xD6},     {0xD8, 0xF6},
    {0xF8, 0x2FF},    {0x370, 0x37D},   {0x37F, 0x1FFF},  {0x200C, 0x200D}, {0x2070, 0x218F},
    {0x2C00, 0x2FEF}, {0x3001, 0xD7FF}, {0xF900, 0xFDCF}, {0xFDF0, 0xFFFD}, {0x10000, 0xEFFFF},
};
static const struct range name_more[] = {{'-', '.'}, {'0', '9'}, {0xB7, 0xB7}, {0x300, 0x36F}, {0x203F, 0x2040}};

static bool in_ranges(uint32_t code, const struct range *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (code >= ranges[i].first && code <= ranges[i].last)
            return true;
    }
    return false;
}

/* Reads one character of valid UTF-8. */
static uint32_t next_character(struct text text, size_t *at)
{
    unsigned char first = (unsigned char)text.bytes[(*at)++];
    if (first < 0x80)
        return first;
    int more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : 1;
    uint32_t code = first & (0x3Fu >> more);
    for (; more > 0 && *at < text.length; more--)
        code = code << 6 | ((unsigned char)text.bytes[(*at)++] & 0x3F);
    return code;
}

static bool is_ascii_letter(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '_';
}

/* Nearly all names are of ASCII, and every element and attribute of every document that is read has one. */
static bool ascii_name_valid(struct text name)
{
    for (size_t i = 0; i < name.length; i++) {
        char byte = name.bytes[i];
        if (!is_ascii_letter(byte) && (i == 0 || ((byte < '0' || byte > '9') && byte != '-' && byte != '.')))
            return false;
    }
    return name.length > 0;
}

bool xml_name_valid(struct text name)
{
    if (ascii_name_valid(name))
        return true;
    if (name.length == 0 || !utf8_valid(name))
        return false;
    for (size_t at = 0; at < name.length;) {
        bool first = at == 0;
        uint32_t code = next_character(name, &at);
        if (!in_ranges(code, name_start, sizeof(name_start) / sizeof(name_start[0])) &&
            (first || !in_ranges(code, name_more, sizeof(name_more) / sizeof(name_more[0]))))
            return false;
    }
    return true;
}

bool xml_qname_valid(struct text name)
{
    struct text prefix, local;
    if (!text_cut(name, ':', &prefix, &local))
        return xml_name_valid(name);
    return xml_name_valid(prefix) && xml_name_valid(local);
}
