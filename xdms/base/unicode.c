/* Case of letters, by libunistring; the usual ASCII goes without. */
#include "unicode.h"

#include <stdlib.h>
#include <unicase.h>

#include "arena.h"

typedef uint8_t *case_fn(const uint8_t *bytes, size_t length, const char *language, uninorm_t form, uint8_t *buffer,
                         size_t *length_inout);

enum ascii { ASCII_SAME, ASCII_CHANGES, ASCII_NOT };

static enum ascii ascii_of(struct text text, char from, char to)
{
    enum ascii found = ASCII_SAME;
    for (size_t i = 0; i < text.length; i++) {
        if (text.bytes[i] & 0x80)
            return ASCII_NOT;
        if (text.bytes[i] >= from && text.bytes[i] <= to)
            found = ASCII_CHANGES;
    }
    return found;
}

static struct text change_ascii(struct arena *arena, struct text text, char from, char to)
{
    char *changed = arena_alloc_raw(arena, text.length);
    for (size_t i = 0; i < text.length; i++)
        changed[i] = (char)(text.bytes[i] ^ (text.bytes[i] >= from && text.bytes[i] <= to ? 0x20 : 0));
    return (struct text){changed, text.length};
}

static struct text change(struct arena *arena, struct text text, char from, char to, case_fn *by)
{
    enum ascii ascii = ascii_of(text, from, to);
    if (ascii != ASCII_NOT)
        return ascii == ASCII_SAME ? text : change_ascii(arena, text, from, to);
    size_t length = 0;
    uint8_t *changed = by((const uint8_t *)text.bytes, text.length, "", NULL, NULL, &length);
    if (!changed)
        return text; /* no UTF-8 */
    struct text copy = text_copy(arena, (struct text){(const char *)changed, length});
    free(changed);
    return copy;
}

struct text unicode_lower(struct arena *arena, struct text text)
{
    return change(arena, text, 'A', 'Z', u8_tolower);
}

struct text unicode_upper(struct arena *arena, struct text text)
{
    return change(arena, text, 'a', 'z', u8_toupper);
}

struct text unicode_fold(struct arena *arena, struct text text)
{
    return change(arena, text, 'A', 'Z', u8_casefold);
}
