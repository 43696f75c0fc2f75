/* The encodings that every codec needs: UTF-8, percent, XML references, hex and base64. */
#include "text.h"

#include <nettle/base64.h>

#include "arena.h"

/* Bytes of the character at the start of `bytes`, 0 if it is none. The second byte's range depends on the first: this
 * keeps out longer forms, surrogates and what lies above U+10FFFF (RFC 3629 §4). */
static size_t utf8_length(const unsigned char *bytes, size_t available)
{
    static const struct {
        unsigned char first_min, first_max, second_min, second_max;
        size_t length;
    } forms[] = {
        {0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3}, {0xE1, 0xEC, 0x80, 0xBF, 3},
        {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3}, {0xF0, 0xF0, 0x90, 0xBF, 4},
        {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4},
    };
    if (bytes[0] < 0x80)
        return 1;
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (bytes[0] < forms[i].first_min || bytes[0] > forms[i].first_max)
            continue;
        if (available < forms[i].length || bytes[1] < forms[i].second_min || bytes[1] > forms[i].second_max)
            return 0;
        for (size_t k = 2; k < forms[i].length; k++) {
            if ((bytes[k] & 0xC0) != 0x80)
                return 0;
        }
        return forms[i].length;
    }
    return 0;
}

bool utf8_valid(struct text text)
{
    size_t length;
    for (size_t i = 0; i < text.length; i += length) {
        uint64_t eight;
        while (text.length - i >= sizeof(eight)) { /* most text is ASCII */
            memcpy(&eight, text.bytes + i, sizeof(eight));
            if (eight & UINT64_C(0x8080808080808080))
                break;
            i += sizeof(eight);
        }
        if (i == text.length)
            break;
        length = utf8_length((const unsigned char *)text.bytes + i, text.length - i);
        if (length == 0)
            return false;
    }
    return true;
}

int text_hex_digit(char character)
{
    if (character >= '0' && character <= '9')
        return character - '0';
    if (character >= 'a' && character <= 'f')
        return character - 'a' + 10;
    if (character >= 'A' && character <= 'F')
        return character - 'A' + 10;
    return -1;
}

bool text_hex_to_u64(struct text text, uint64_t *value_out)
{
    uint64_t value = 0;
    for (size_t i = 0; i < text.length; i++) {
        int digit = text_hex_digit(text.bytes[i]);
        if (digit < 0 || value >> 60)
            return false;
        value = value << 4 | (uint64_t)digit;
    }
    *value_out = value;
    return text.length > 0;
}

bool percent_decode(struct arena *arena, struct text text, struct text *decoded_out)
{
    char *bytes = arena_alloc_raw(arena, text.length);
    size_t length = 0;
    for (size_t i = 0; i < text.length; i++) {
        if (text.bytes[i] != '%') {
            bytes[length++] = text.bytes[i];
            continue;
        }
        if (text.length - i < 3)
            return false;
        int high = text_hex_digit(text.bytes[i + 1]);
        int low = text_hex_digit(text.bytes[i + 2]);
        if (high < 0 || low < 0)
            return false;
        bytes[length++] = (char)(high << 4 | low);
        i += 2;
    }
    *decoded_out = (struct text){bytes, length};
    return true;
}

static bool is_unreserved(char character)
{
    return (character >= 'A' && character <= 'Z') || (character >= 'a' && character <= 'z') ||
           (character >= '0' && character <= '9') || (character && strchr("-._~", character));
}

struct text percent_encode(struct arena *arena, struct text text, const char *keep)
{
    static const char digits[] = "0123456789ABCDEF";
    char *bytes = arena_alloc_raw(arena, 3 * text.length);
    size_t length = 0;
    for (size_t i = 0; i < text.length; i++) {
        char character = text.bytes[i];
        if (is_unreserved(character) || (character && strchr(keep, character))) {
            bytes[length++] = character;
            continue;
        }
        bytes[length++] = '%';
        bytes[length++] = digits[(unsigned char)character >> 4];
        bytes[length++] = digits[(unsigned char)character & 15];
    }
    return (struct text){bytes, length};
}

static struct text xml_reference(char character)
{
    switch (character) {
    case '&': return TEXT("&amp;");
    case '<': return TEXT("&lt;");
    case '>': return TEXT("&gt;");
    case '"': return TEXT("&quot;");
    case '\'': return TEXT("&apos;");
    default: return (struct text){0};
    }
}

struct text xml_escape(struct arena *arena, struct text text)
{
    struct text_builder escaped;
    builder_init(&escaped, arena);
    size_t plain_begin = 0;
    for (size_t i = 0; i < text.length; i++) {
        struct text reference = xml_reference(text.bytes[i]);
        if (reference.length == 0)
            continue;
        builder_add(&escaped, text_slice(text, plain_begin, i));
        builder_add(&escaped, reference);
        plain_begin = i + 1;
    }
    if (plain_begin == 0)
        return text_copy(arena, text);
    builder_add(&escaped, text_slice(text, plain_begin, text.length));
    return builder_text(&escaped);
}

struct text hex_encode(struct arena *arena, const void *bytes, size_t length)
{
    const unsigned char *source = bytes;
    unsigned char *encoded = arena_alloc_raw(arena, 2 * length);
    for (size_t i = 0; i < length; i++) {
        unsigned char high = source[i] >> 4, low = source[i] & 15;
        encoded[2 * i] = (unsigned char)(high + (high > 9 ? 'a' - 10 : '0'));
        encoded[2 * i + 1] = (unsigned char)(low + (low > 9 ? 'a' - 10 : '0'));
    }
    return (struct text){(char *)encoded, 2 * length};
}

struct text base64_encode(struct arena *arena, struct text text)
{
    char *encoded = arena_alloc_raw(arena, BASE64_ENCODE_RAW_LENGTH(text.length));
    if (text.length)
        base64_encode_raw(encoded, text.length, (const uint8_t *)text.bytes);
    return (struct text){encoded, BASE64_ENCODE_RAW_LENGTH(text.length)};
}

/* White space between the digits is allowed, as in xs:base64Binary; missing padding is not. */
bool base64_decode(struct arena *arena, struct text text, struct text *decoded_out)
{
    struct base64_decode_ctx context;
    base64_decode_init(&context);
    uint8_t *bytes = arena_alloc_raw(arena, BASE64_DECODE_LENGTH(text.length));
    size_t length = BASE64_DECODE_LENGTH(text.length);
    if (text.length && !base64_decode_update(&context, &length, bytes, text.length, text.bytes))
        return false;
    if (!base64_decode_final(&context))
        return false;
    *decoded_out = (struct text){(char *)bytes, text.length ? length : 0};
    return true;
}
