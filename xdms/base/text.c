/* Comparing, searching, copying and hashing slices. Letters are ASCII letters whatever the locale is. */
#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <assert.h>
#include <pthread.h>

#include "arena.h"
#include "random.h"

#define SHORT_TEXT 512 /* formatted once; what is longer twice */

static char lower(char character)
{
    return character >= 'A' && character <= 'Z' ? (char)(character - 'A' + 'a') : character;
}

int text_compare(struct text a, struct text b)
{
    size_t shorter = a.length < b.length ? a.length : b.length;
    int order = shorter ? memcmp(a.bytes, b.bytes, shorter) : 0;
    return order ? order : (a.length > b.length) - (a.length < b.length);
}

bool text_starts_with(struct text text, struct text prefix)
{
    return text.length >= prefix.length && text_equal(text_slice(text, 0, prefix.length), prefix);
}

bool text_starts_with_nocase(struct text text, struct text prefix)
{
    if (text.length < prefix.length)
        return false;
    if (prefix.length && memcmp(text.bytes, prefix.bytes, prefix.length) == 0) /* as it is written by most */
        return true;
    for (size_t i = 0; i < prefix.length; i++) {
        if (lower(text.bytes[i]) != lower(prefix.bytes[i]))
            return false;
    }
    return true;
}

bool text_ends_with(struct text text, struct text suffix)
{
    return text.length >= suffix.length &&
           text_equal(text_slice(text, text.length - suffix.length, text.length), suffix);
}

static bool is_space(char character)
{
    return character == ' ' || character == '\t' || character == '\r' || character == '\n';
}

struct text text_trim(struct text text)
{
    size_t begin = 0;
    size_t end = text.length;
    while (begin < end && is_space(text.bytes[begin]))
        begin++;
    while (end > begin && is_space(text.bytes[end - 1]))
        end--;
    return text_slice(text, begin, end);
}

size_t text_find(struct text text, struct text needle)
{
    if (needle.length == 0)
        return 0;
    if (text.length < needle.length)
        return text.length;
    const char *found = memmem(text.bytes, text.length, needle.bytes, needle.length);
    return found ? (size_t)(found - text.bytes) : text.length;
}

size_t text_find_char(struct text text, char character)
{
    const char *found = text.length ? memchr(text.bytes, character, text.length) : NULL;
    return found ? (size_t)(found - text.bytes) : text.length;
}

bool text_cut(struct text text, char separator, struct text *before_out, struct text *after_out)
{
    size_t position = text_find_char(text, separator);
    *before_out = text_slice(text, 0, position);
    bool found = position < text.length;
    *after_out = found ? text_slice(text, position + 1, text.length) : (struct text){0};
    return found;
}

bool text_next_item(struct text *list, struct text *item_out)
{
    struct text item = {0};
    while (list->length && item.length == 0) {
        text_cut(*list, ',', &item, list);
        item = text_trim(item);
    }
    *item_out = item;
    return item.length > 0;
}

bool text_to_u64(struct text text, uint64_t *value_out)
{
    uint64_t value = 0;
    for (size_t i = 0; i < text.length; i++) {
        if (text.bytes[i] < '0' || text.bytes[i] > '9')
            return false;
        uint64_t digit = (uint64_t)(text.bytes[i] - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *value_out = value;
    return text.length > 0;
}

/* Another run puts other keys into the same bucket, so a peer cannot prepare keys that collide. */
static uint64_t hash_seed;
static unsigned char fingerprint_secret[XXH3_SECRET_SIZE_MIN];

static void choose_hash_seed(void)
{
    random_fill(&hash_seed, sizeof(hash_seed));
    random_fill(fingerprint_secret, sizeof(fingerprint_secret));
}

static void know_hash_seed(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    int error = pthread_once(&once, choose_hash_seed);
    assert(error == 0);
}

uint64_t text_hash_seed(void)
{
    know_hash_seed();
    return hash_seed;
}

/* All of the secret is random, not only a seed of 64 bits: nobody sees what comes out, and nobody can try. */
struct text_fingerprint text_fingerprint(struct text text)
{
    know_hash_seed();
    XXH128_hash_t hash = XXH3_128bits_withSecret(text.length ? text.bytes : "", text.length, fingerprint_secret,
                                                 sizeof(fingerprint_secret));
    return (struct text_fingerprint){hash.low64, hash.high64};
}

uint64_t text_hash(struct text text, uint64_t seed)
{
    return XXH3_64bits_withSeed(text.length ? text.bytes : "", text.length, seed);
}

char *text_keep(struct text text)
{
    char *kept = memory_new(text.length + 1);
    if (text.length)
        memcpy(kept, text.bytes, text.length);
    return kept;
}

char *text_cstring(struct arena *arena, struct text text)
{
    char *bytes = arena_alloc_raw(arena, text.length + 1);
    if (text.length)
        memcpy(bytes, text.bytes, text.length);
    bytes[text.length] = '\0';
    return bytes;
}

struct text text_copy(struct arena *arena, struct text text)
{
    if (text.length == 0)
        return (struct text){"", 0};
    return (struct text){memcpy(arena_alloc_raw(arena, text.length), text.bytes, text.length), text.length};
}

struct text text_format(struct arena *arena, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    va_list again;
    va_copy(again, arguments);
    char short_text[SHORT_TEXT];
    int length = vsnprintf(short_text, sizeof(short_text), format, arguments);
    va_end(arguments);
    assert(length >= 0);
    char *bytes = arena_alloc_raw(arena, (size_t)length + 1);
    if ((size_t)length < sizeof(short_text))
        memcpy(bytes, short_text, (size_t)length + 1);
    else
        vsnprintf(bytes, (size_t)length + 1, format, again);
    va_end(again);
    return (struct text){bytes, (size_t)length};
}

struct text text_concat(struct arena *arena, const struct text *parts, size_t count)
{
    size_t length = 0;
    for (size_t i = 0; i < count; i++)
        length += parts[i].length;
    char *bytes = arena_alloc_raw(arena, length), *at = bytes;
    for (size_t i = 0; i < count; at += parts[i++].length)
        if (parts[i].length)
            memcpy(at, parts[i].bytes, parts[i].length);
    return (struct text){bytes, length};
}

struct text text_number(struct arena *arena, uint64_t number)
{
    char digits[TEXT_DIGITS_MAX];
    size_t count = text_write_number(number, digits);
    return text_copy(arena, (struct text){digits + TEXT_DIGITS_MAX - count, count});
}

struct text text_hex(struct arena *arena, uint64_t number)
{
    static const char digits[] = "0123456789abcdef";
    const size_t length = 2 * sizeof(number);
    char *bytes = arena_alloc_raw(arena, length);
    for (size_t i = length; i > 0; i--, number >>= 4)
        bytes[i - 1] = digits[number & 15];
    return (struct text){bytes, length};
}

struct text text_join(struct arena *arena, struct text a, struct text b)
{
    size_t length = a.length + b.length;
    char *bytes = arena_alloc_raw(arena, length);
    if (a.length)
        memcpy(bytes, a.bytes, a.length);
    if (b.length)
        memcpy(bytes + a.length, b.bytes, b.length);
    return (struct text){bytes, length};
}

struct text text_lower(struct arena *arena, struct text text)
{
    char *bytes = arena_alloc_raw(arena, text.length);
    for (size_t i = 0; i < text.length; i++)
        bytes[i] = lower(text.bytes[i]);
    return (struct text){bytes, text.length};
}
