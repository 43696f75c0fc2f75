/* Reads and writes tables of fields. Knows nothing of what they mean. */
#include "csv.h"

static bool read_line(struct csv *csv, struct text_builder *line);
static bool quotes_are_open(struct text record);
static bool split(struct csv *csv, struct text record, struct arena *arena, struct csv_record *record_out);

enum csv_result csv_next(struct csv *csv, struct arena *arena, struct csv_record *record_out)
{
    static const struct text byte_order_mark = TEXT_INIT("\xEF\xBB\xBF");
    struct text_builder record;
    builder_init(&record, arena);
    *record_out = (struct csv_record){0};
    do {
        record.length = 0;
        if (!read_line(csv, &record))
            return CSV_END;
    } while (text_trim(builder_text(&record)).length == 0);
    csv->line = csv->lines;
    while (quotes_are_open(builder_text(&record))) {
        if (record.length > CSV_BYTES_MAX || !read_line(csv, &record))
            return CSV_BROKEN;
    }
    struct text text = builder_text(&record);
    if (csv->line == 1 && text_starts_with(text, byte_order_mark))
        text = text_slice(text, byte_order_mark.length, text.length);
    while (text.length && (text.bytes[text.length - 1] == '\n' || text.bytes[text.length - 1] == '\r'))
        text.length--;
    return split(csv, text, arena, record_out) ? CSV_RECORD : CSV_BROKEN;
}

/* With its end. What is too long is read and not kept. */
static bool read_line(struct csv *csv, struct text_builder *line)
{
    int byte = getc_unlocked(csv->file);
    if (byte == EOF)
        return false;
    csv->lines++;
    for (; byte != EOF; byte = getc_unlocked(csv->file)) {
        if (line->length <= CSV_BYTES_MAX)
            builder_add_char(line, (char)byte);
        if (byte == '\n')
            break;
    }
    return true;
}

/* A quote within quotes is written twice, so that their number tells. */
static bool quotes_are_open(struct text record)
{
    size_t quotes = 0;
    for (size_t i = 0; i < record.length; i++)
        quotes += record.bytes[i] == '"';
    return quotes % 2;
}

static char separator_of(struct text record)
{
    static const char candidates[] = {',', ';', '\t'};
    for (size_t i = 0; i < sizeof(candidates); i++)
        if (text_find_char(record, candidates[i]) < record.length)
            return candidates[i];
    return ',';
}

/* From behind the opening quote to behind the closing one. */
static bool take_quoted(struct text record, size_t *at, struct text_builder *field)
{
    for (; *at < record.length; ++*at) {
        if (record.bytes[*at] != '"') {
            builder_add_char(field, record.bytes[*at]);
        } else if (*at + 1 < record.length && record.bytes[*at + 1] == '"') {
            builder_add_char(field, '"');
            ++*at;
        } else {
            ++*at;
            return true;
        }
    }
    return false;
}

static bool split(struct csv *csv, struct text record, struct arena *arena, struct csv_record *record_out)
{
    if (record.length > CSV_BYTES_MAX)
        return false;
    if (!csv->separator)
        csv->separator = separator_of(record);
    for (size_t at = 0;; at++) {
        if (record_out->count == CSV_FIELDS_MAX)
            return false;
        struct text *field = &record_out->fields[record_out->count++];
        if (at < record.length && record.bytes[at] == '"') {
            struct text_builder unquoted;
            builder_init(&unquoted, arena);
            at++;
            if (!take_quoted(record, &at, &unquoted) || (at < record.length && record.bytes[at] != csv->separator))
                return false;
            *field = builder_text(&unquoted);
        } else {
            size_t end = at + text_find_char(text_slice(record, at, record.length), csv->separator);
            *field = text_slice(record, at, end);
            at = end;
        }
        if (at >= record.length)
            return true;
    }
}

void csv_add(struct text_builder *record, struct text field, bool first)
{
    bool plain = true;
    for (size_t i = 0; i < field.length; i++)
        plain = plain && !strchr("\",;\t\r\n", field.bytes[i]);
    if (!first)
        builder_add_char(record, ',');
    if (plain) {
        builder_add(record, field);
        return;
    }
    builder_add_char(record, '"');
    for (size_t i = 0; i < field.length; i++) {
        if (field.bytes[i] == '"')
            builder_add_char(record, '"');
        builder_add_char(record, field.bytes[i]);
    }
    builder_add_char(record, '"');
}
