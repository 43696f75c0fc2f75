/* Fields in a row. What is read here came from our own disk, yet it is checked like a peer's bytes: a damaged record
 * must not read outside itself. */
#include "record.h"

#include <arpa/inet.h>
#include <assert.h>

#define NAME_LENGTH_SIZE  1
#define VALUE_LENGTH_SIZE 4
#define RECORD_READ_MAX   32 /* fields read at once; records of ours have about ten */

void record_add(struct text_builder *record, const char *name, struct text value)
{
    struct text name_text = text_of(name);
    assert(name_text.length > 0 && name_text.length <= UINT8_MAX && value.length <= UINT32_MAX);
    /* Where it belongs, and nowhere else before: records are made all the time. */
    char *at = builder_add_room(record, NAME_LENGTH_SIZE + name_text.length + VALUE_LENGTH_SIZE + value.length);
    const uint32_t length = htonl((uint32_t)value.length);
    *at++ = (char)name_text.length;
    memcpy(at, name_text.bytes, name_text.length);
    at += name_text.length;
    memcpy(at, &length, VALUE_LENGTH_SIZE);
    if (value.length > 0)
        memcpy(at + VALUE_LENGTH_SIZE, value.bytes, value.length);
}

void record_add_number(struct text_builder *record, const char *name, int64_t value)
{
    char digits[1 + TEXT_DIGITS_MAX];
    uint64_t size = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    size_t count = text_write_number(size, digits + 1);
    char *first = digits + sizeof(digits) - count;
    if (value < 0) {
        *--first = '-';
        count++;
    }
    record_add(record, name, (struct text){first, count});
}

static bool is_among(struct text name, const char *const *known, size_t known_count)
{
    for (size_t i = 0; i < known_count; i++) {
        if (text_equal(name, text_of(known[i])))
            return true;
    }
    return false;
}

void record_copy(struct text_builder *record, struct text old, const char *const *known, size_t known_count)
{
    struct text name, value;
    size_t cursor = 0;
    size_t begin = 0;
    while (record_next(old, &cursor, &name, &value)) {
        if (!is_among(name, known, known_count))
            builder_add(record, text_slice(old, begin, cursor));
        begin = cursor;
    }
}

/* Takes `length` bytes at the cursor. */
static bool take(struct text record, size_t *cursor, size_t length, struct text *taken_out)
{
    if (*cursor > record.length || record.length - *cursor < length)
        return false;
    *taken_out = text_slice(record, *cursor, *cursor + length);
    *cursor += length;
    return true;
}

bool record_next(struct text record, size_t *cursor, struct text *name_out, struct text *value_out)
{
    size_t position = *cursor;
    struct text length_bytes, name, value;
    if (!take(record, &position, NAME_LENGTH_SIZE, &length_bytes))
        return false;
    size_t name_length = (unsigned char)length_bytes.bytes[0];
    if (name_length == 0 || !take(record, &position, name_length, &name))
        return false;
    if (!take(record, &position, VALUE_LENGTH_SIZE, &length_bytes))
        return false;
    size_t value_length = 0;
    for (size_t i = 0; i < VALUE_LENGTH_SIZE; i++)
        value_length = value_length << 8 | (unsigned char)length_bytes.bytes[i];
    if (!take(record, &position, value_length, &value))
        return false;
    *name_out = name;
    *value_out = value;
    *cursor = position;
    return true;
}

bool record_get(struct text record, const char *name, struct text *value_out)
{
    struct text wanted = text_of(name);
    struct text found, value;
    size_t cursor = 0;
    for (int i = 0; i < RECORD_FIELDS_MAX && record_next(record, &cursor, &found, &value); i++) {
        if (text_equal(found, wanted)) {
            *value_out = value;
            return true;
        }
    }
    return false;
}

bool record_read(struct text record, const struct record_field *fields, size_t count)
{
    struct text name, value;
    size_t cursor = 0;
    size_t likely = 0;
    int seen = 0;
    bool filled[RECORD_READ_MAX] = {false};
    assert(count > 0 && count <= RECORD_READ_MAX);
    while (seen++ < RECORD_FIELDS_MAX && record_next(record, &cursor, &name, &value)) {
        size_t at = likely;
        for (size_t tried = 0; tried < count && !text_equal(fields[at].name, name); tried++)
            at = at + 1 < count ? at + 1 : 0;
        if (filled[at] || !text_equal(fields[at].name, name)) /* the first of several counts, as in record_get */
            continue;
        filled[at] = true;
        *fields[at].value = value;
        likely = at + 1 < count ? at + 1 : 0;
    }
    return cursor == record.length;
}

struct text record_text(struct text record, const char *name)
{
    struct text value = {0};
    record_get(record, name, &value);
    return value;
}

int64_t record_number(struct text record, const char *name, int64_t value_if_absent)
{
    return record_to_number(record_text(record, name), value_if_absent);
}

int64_t record_to_number(struct text digits, int64_t value_if_none)
{
    bool negative = text_starts_with(digits, TEXT("-"));
    if (negative)
        digits = text_slice(digits, 1, digits.length);
    uint64_t magnitude;
    if (!text_to_u64(digits, &magnitude) || magnitude > (uint64_t)INT64_MAX + negative)
        return value_if_none;
    if (!negative)
        return (int64_t)magnitude;
    return magnitude == 0 ? 0 : -(int64_t)(magnitude - 1) - 1;
}

bool record_valid(struct text record)
{
    struct text name, value;
    size_t cursor = 0;
    int count = 0;
    while (record_next(record, &cursor, &name, &value)) {
        if (++count > RECORD_FIELDS_MAX)
            return false;
    }
    return cursor == record.length;
}
