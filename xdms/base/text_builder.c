/* Text that grows piece by piece. Outgrown bytes stay in the arena until it is cleared: at most as many again. */
#include "text.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "arena.h"

#define CAPACITY_MIN 256 /* a short header line or element fits without growing */

void builder_init(struct text_builder *builder, struct arena *arena)
{
    *builder = (struct text_builder){.arena = arena};
}

/* Room for `length` more bytes, at the end of what is there. */
static char *builder_room(struct text_builder *builder, size_t length)
{
    assert(length <= SIZE_MAX / 4 && builder->length <= SIZE_MAX / 4);
    size_t needed = builder->length + length;
    if (needed > builder->capacity || !builder->bytes) {
        size_t capacity = builder->capacity ? builder->capacity : CAPACITY_MIN;
        while (capacity < needed)
            capacity *= 2;
        char *bytes = arena_alloc_raw(builder->arena, capacity);
        if (builder->bytes)
            memcpy(bytes, builder->bytes, builder->length);
        builder->bytes = bytes;
        builder->capacity = capacity;
    }
    return builder->bytes + builder->length;
}

char *builder_add_room(struct text_builder *builder, size_t length)
{
    char *room = builder_room(builder, length);
    builder->length += length;
    return room;
}

void builder_add(struct text_builder *builder, struct text text)
{
    if (text.length > 0)
        memcpy(builder_add_room(builder, text.length), text.bytes, text.length);
}

size_t text_write_number(uint64_t number, char digits[TEXT_DIGITS_MAX])
{
    size_t at = TEXT_DIGITS_MAX;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    return TEXT_DIGITS_MAX - at;
}

void builder_add_number(struct text_builder *builder, uint64_t number)
{
    char digits[TEXT_DIGITS_MAX];
    size_t count = text_write_number(number, digits);
    builder_add(builder, (struct text){digits + TEXT_DIGITS_MAX - count, count});
}

void builder_add_format(struct text_builder *builder, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    va_list again;
    va_copy(again, arguments);
    size_t room = builder->capacity - builder->length;
    int length = vsnprintf(room ? builder->bytes + builder->length : NULL, room, format, arguments);
    va_end(arguments);
    assert(length >= 0);
    if ((size_t)length >= room)
        vsnprintf(builder_room(builder, (size_t)length + 1), (size_t)length + 1, format, again);
    va_end(again);
    builder->length += (size_t)length;
}

struct text builder_text(const struct text_builder *builder)
{
    return (struct text){builder->bytes, builder->length};
}
