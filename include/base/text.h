/* Slices of bytes and the little that is done with them. A slice owns nothing and is not NUL-terminated. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct arena;

struct text {
    const char *bytes; /* may be NULL when length is 0 */
    size_t length;
};

/* clang-format off */
#define TEXT(literal)      ((struct text){("" literal), sizeof(literal) - 1})
#define TEXT_INIT(literal) {("" literal), sizeof(literal) - 1} /* for static tables */
#define TEXT_ARG(text)     (int)(text).length, (text).bytes   /* for "%.*s" */
/* clang-format on */

static inline struct text text_of(const char *string)
{
    return (struct text){string, string ? strlen(string) : 0};
}

static inline struct text text_slice(struct text text, size_t begin, size_t end)
{
    /* NULL plus nothing is undefined in C */
    return (struct text){begin ? text.bytes + begin : text.bytes, end - begin};
}

static inline bool text_equal(struct text a, struct text b)
{
    return a.length == b.length && (a.length == 0 || memcmp(a.bytes, b.bytes, a.length) == 0);
}

int text_compare(struct text a, struct text b); /* bytewise, shorter first on a tie */
bool text_starts_with(struct text text, struct text prefix);
bool text_starts_with_nocase(struct text text, struct text prefix); /* ASCII letters only */

static inline bool text_equal_nocase(struct text a, struct text b)
{
    return a.length == b.length && text_starts_with_nocase(a, b);
}

bool text_ends_with(struct text text, struct text suffix);
struct text text_trim(struct text text); /* space, tab, CR and LF at both ends */

/* Position of the first `needle` in `text`, or text.length. */
size_t text_find(struct text text, struct text needle);
size_t text_find_char(struct text text, char character);

/* Splits at the first `separator`: true and both sides, or false, *before_out = text, *after_out empty. */
bool text_cut(struct text text, char separator, struct text *before_out, struct text *after_out);

/* Takes the next item off a list with commas, trimmed; empty ones are passed over. False: there is none left. */
bool text_next_item(struct text *list, struct text *item_out);

/* Decimal digits only, no sign, no overflow; false otherwise. */
bool text_to_u64(struct text text, uint64_t *value_out);
bool text_hex_to_u64(struct text text, uint64_t *value_out);
int text_hex_digit(char character); /* of either case; -1: it is none */

/* Keyed hash for tables that hold what peers send; `seed` is random per process (text_hash_seed). */
uint64_t text_hash(struct text text, uint64_t seed);
uint64_t text_hash_seed(void);

/* The same so wide that two texts never have the same by chance: where the hash is kept instead of the text. */
struct text_fingerprint {
    uint64_t low, high;
};
struct text_fingerprint text_fingerprint(struct text text);

/* Copies into the arena. text_cstring adds a NUL; bytes after an embedded NUL are unreachable through it. */
struct text text_copy(struct arena *arena, struct text text);
char *text_cstring(struct arena *arena, struct text text);
struct text text_format(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *text_keep(struct text text); /* on the heap, with a NUL; freed with free() */
struct text text_join(struct arena *arena, struct text a, struct text b);
struct text text_concat(struct arena *arena, const struct text *parts, size_t count);
/* TEXT_CONCAT(arena, a, b, c…): the same for parts that are written out. */
#define TEXT_CONCAT(arena, ...)                                                                                        \
    text_concat((arena), (const struct text[]){__VA_ARGS__},                                                           \
                sizeof((const struct text[]){__VA_ARGS__}) / sizeof(struct text))
struct text text_number(struct arena *arena, uint64_t number); /* decimal digits */
struct text text_hex(struct arena *arena, uint64_t number);    /* 16 digits, lower case: they sort as the numbers do */
struct text text_lower(struct arena *arena, struct text text); /* ASCII */

/* Shortest form, no surrogates, at most U+10FFFF (RFC 3629). */
bool utf8_valid(struct text text);

/* RFC 3986 §2.1. decode: false for a broken escape; "%00" decodes to NUL, callers that cannot take it must look.
 * encode: keeps unreserved characters and those in `keep`. */
bool percent_decode(struct arena *arena, struct text text, struct text *decoded_out);
struct text percent_encode(struct arena *arena, struct text text, const char *keep);

/* XML text and attribute content: & < > " ' as references. */
struct text xml_escape(struct arena *arena, struct text text);

struct text hex_encode(struct arena *arena, const void *bytes, size_t length); /* lower case */
/* RFC 4648 §4, with padding. Decoding skips white space, as xs:base64Binary allows it; false for anything else. */
struct text base64_encode(struct arena *arena, struct text text);
bool base64_decode(struct arena *arena, struct text text, struct text *decoded_out);

/* Random from the kernel, for tags, branches, Call-IDs: `length` hex digits. */
struct text random_hex(struct arena *arena, size_t length);

/* Grows in an arena, which must outlive it; there is nothing to free. */
struct text_builder {
    struct arena *arena;
    char *bytes;
    size_t length;
    size_t capacity;
};

void builder_init(struct text_builder *builder, struct arena *arena);
void builder_add(struct text_builder *builder, struct text text);
char *builder_add_room(struct text_builder *builder, size_t length); /* counts as added: to be written at once */
void builder_add_number(struct text_builder *builder, uint64_t number);
void builder_add_format(struct text_builder *builder, const char *format, ...) __attribute__((format(printf, 2, 3)));
struct text builder_text(const struct text_builder *builder); /* what has been added; until more is */

/* Decimal digits, right-aligned in the last bytes of `digits`; how many. */
#define TEXT_DIGITS_MAX 20
size_t text_write_number(uint64_t number, char digits[TEXT_DIGITS_MAX]);

static inline void builder_add_char(struct text_builder *builder, char character)
{
    if (builder->length < builder->capacity)
        builder->bytes[builder->length++] = character;
    else
        builder_add(builder, (struct text){&character, 1});
}

#endif
