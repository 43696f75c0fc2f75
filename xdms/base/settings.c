/* One setting at a time, and what is printed about them. Reading files is in settings_file.c. */
#include "settings.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "settings_row.h"

#define HOST_MAX  253 /* RFC 1035 §3.1, without the final dot */
#define LABEL_MAX 63  /* the same, §2.3.4 */

static bool is_text(const struct setting *row)
{
    return row->kind == SETTING_TEXT || row->kind == SETTING_DOMAIN || row->kind == SETTING_REALM;
}

static void *member(const struct setting *row, void *target)
{
    return (char *)target + row->offset;
}

static const void *const_member(const struct setting *row, const void *target)
{
    return (const char *)target + row->offset;
}

enum status settings_error(char error[SETTINGS_ERROR_MAX], const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error, SETTINGS_ERROR_MAX, format, arguments);
    va_end(arguments);
    return REFUSED;
}

size_t settings_count(const struct settings_table *table)
{
    return table->count + (table->shared ? settings_count(table->shared) : 0);
}

struct setting settings_row(const struct settings_table *table, size_t index)
{
    if (index < table->count)
        return table->rows[index];
    struct setting row = settings_row(table->shared, index - table->count);
    row.offset += table->shared_offset;
    return row;
}

bool settings_find(const struct settings_table *table, struct text name, size_t *index_out)
{
    size_t count = settings_count(table);
    for (*index_out = 0; *index_out < count; (*index_out)++) {
        if (text_equal(text_of(settings_row(table, *index_out).name), name))
            return true;
    }
    return false;
}

static bool parse_number(struct text text, int64_t *value_out)
{
    bool negative = text_starts_with(text, TEXT("-"));
    uint64_t magnitude;
    if (!text_to_u64(negative ? text_slice(text, 1, text.length) : text, &magnitude) || magnitude > INT64_MAX)
        return false;
    *value_out = negative ? -(int64_t)magnitude : (int64_t)magnitude;
    return true;
}

static bool parse_switch(struct text text, bool *value_out)
{
    static const struct {
        const char *word;
        bool value;
    } words[] = {{"true", true}, {"false", false}, {"yes", true}, {"no", false}, {"on", true}, {"off", false}};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (text_equal_nocase(text, text_of(words[i].word))) {
            *value_out = words[i].value;
            return true;
        }
    }
    return false;
}

/* Control characters (C0, DEL, C1) mean a broken file, and are not needed in any value. */
static bool is_printable(struct text text)
{
    for (size_t i = 0; i < text.length; i++) {
        unsigned char byte = (unsigned char)text.bytes[i];
        bool c1 = byte >= 0x80 && byte <= 0x9F && i > 0 && (unsigned char)text.bytes[i - 1] == 0xC2;
        if (byte < 0x20 || byte == 0x7F || c1)
            return false;
    }
    return utf8_valid(text);
}

/* Letters, digits and hyphens between the dots; no hyphen at an end of a label (RFC 1123 §2.1). */
static bool is_domain(struct text domain)
{
    struct text label, rest = domain;
    for (bool more = true; more;) {
        more = text_cut(rest, '.', &label, &rest);
        if (label.length == 0 || label.length > LABEL_MAX || text_starts_with(label, TEXT("-")) ||
            text_ends_with(label, TEXT("-")))
            return false;
        for (size_t i = 0; i < label.length; i++) {
            char c = label.bytes[i];
            if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-'))
                return false;
        }
    }
    return domain.length <= HOST_MAX;
}

static enum status check_text(const struct setting *row, const char *value, char error[SETTINGS_ERROR_MAX])
{
    if (!is_printable(text_of(value)))
        return settings_error(error, "setting '%s' has bytes that are not printable UTF-8", row->name);
    if (row->kind == SETTING_DOMAIN && !is_domain(text_of(value)))
        return settings_error(error, "setting '%s' is '%.100s' and not a domain name", row->name, value);
    if (row->kind == SETTING_REALM && (!*value || strpbrk(value, "\"\\")))
        return settings_error(error, "setting '%s' is '%.100s': empty, or with a quote or backslash", row->name, value);
    return OK;
}

enum status settings_check(const struct setting *row, const char *value, char error[SETTINGS_ERROR_MAX])
{
    int64_t number;
    bool on;
    switch (row->kind) {
    case SETTING_TEXT:
    case SETTING_DOMAIN:
    case SETTING_REALM: return check_text(row, value, error);
    case SETTING_NUMBER:
        if (!parse_number(text_of(value), &number))
            return settings_error(error, "setting '%s' is '%.100s' and not a whole number", row->name, value);
        if (number < row->min || number > row->max)
            return settings_error(error, "setting '%s' is %" PRId64 " and not from %" PRId64 " to %" PRId64, row->name,
                                  number, row->min, row->max);
        break;
    case SETTING_SWITCH:
        if (!parse_switch(text_of(value), &on))
            return settings_error(error, "setting '%s' is '%.100s' and not true or false", row->name, value);
        break;
    }
    return OK;
}

void settings_store(const struct setting *row, void *target, const char *value)
{
    bool parsed = true;
    assert(value);
    switch (row->kind) {
    case SETTING_TEXT:
    case SETTING_DOMAIN:
    case SETTING_REALM: {
        char **text = member(row, target);
        char *copy = text_keep(text_of(value));
        free(*text); /* after the copy: `value` may be the old value */
        *text = copy;
        break;
    }
    case SETTING_NUMBER: parsed = parse_number(text_of(value), member(row, target)); break;
    case SETTING_SWITCH: parsed = parse_switch(text_of(value), member(row, target)); break;
    }
    assert(parsed);
}

void settings_init(const struct settings_table *table, void *target)
{
    char error[SETTINGS_ERROR_MAX];
    for (size_t i = 0; i < settings_count(table); i++) {
        const struct setting row = settings_row(table, i);
        if (is_text(&row))
            *(char **)member(&row, target) = NULL;
        enum status status = settings_check(&row, row.standard, error);
        assert(status == OK); /* a default that its own row refuses is a mistake in the table */
        settings_store(&row, target, row.standard);
    }
}

void settings_clear(const struct settings_table *table, void *target)
{
    for (size_t i = 0; i < settings_count(table); i++) {
        const struct setting row = settings_row(table, i);
        if (!is_text(&row))
            continue;
        char **text = member(&row, target);
        free(*text);
        *text = NULL;
    }
}

enum status settings_set(const struct settings_table *table, void *target, const char *name, const char *value,
                         char error[SETTINGS_ERROR_MAX])
{
    size_t index;
    if (!settings_find(table, text_of(name), &index))
        return settings_error(error, "unknown setting '%.100s'", name);
    const struct setting row = settings_row(table, index);
    enum status status = settings_check(&row, value, error);
    if (status == OK)
        settings_store(&row, target, value);
    return status;
}

static struct text section_of(const struct setting *row)
{
    struct text section, rest;
    text_cut(text_of(row->name), '.', &section, &rest);
    return section;
}

static bool is_first_of_its_section(const struct settings_table *table, size_t index, struct text section)
{
    for (size_t i = 0; i < index; i++) {
        const struct setting row = settings_row(table, i);
        if (text_equal(section_of(&row), section))
            return false;
    }
    return true;
}

static void dump_row(const struct setting *row, const void *target, FILE *stream)
{
    const char *key = row->name + section_of(row).length + 1;
    fprintf(stream, "  # %s\n  %s: ", row->meaning, key);
    switch (row->kind) {
    case SETTING_TEXT:
    case SETTING_DOMAIN:
    case SETTING_REALM:
        fputc('"', stream);
        for (const char *byte = *(char *const *)const_member(row, target); *byte; byte++) {
            if (*byte == '"' || *byte == '\\')
                fputc('\\', stream);
            fputc(*byte, stream);
        }
        fputs("\"\n", stream);
        break;
    case SETTING_NUMBER: fprintf(stream, "%" PRId64 "\n", *(const int64_t *)const_member(row, target)); break;
    case SETTING_SWITCH: fprintf(stream, "%s\n", *(const bool *)const_member(row, target) ? "true" : "false"); break;
    }
}

/* Rows of one section need not stand together in the table, but a section may stand in the file only once. */
void settings_dump(const struct settings_table *table, const void *target, FILE *stream)
{
    size_t count = settings_count(table);
    for (size_t i = 0; i < count; i++) {
        const struct setting first = settings_row(table, i);
        struct text section = section_of(&first);
        if (!is_first_of_its_section(table, i, section))
            continue;
        fprintf(stream, "%.*s:\n", TEXT_ARG(section));
        for (size_t k = i; k < count; k++) {
            const struct setting row = settings_row(table, k);
            if (text_equal(section_of(&row), section))
                dump_row(&row, target, stream);
        }
    }
}

static void document_cell(const char *content, FILE *stream)
{
    for (; *content; content++) {
        if (*content == '|')
            fputc('\\', stream);
        fputc(*content, stream);
    }
}

static void document_row(const struct setting *row, FILE *stream)
{
    fprintf(stream, "| `%s` | ", row->name);
    if (*row->standard) {
        fputc('`', stream);
        document_cell(row->standard, stream);
        fputc('`', stream);
    } else {
        fputs("(empty)", stream);
    }
    switch (row->kind) {
    case SETTING_TEXT:
    case SETTING_REALM: fputs(" | text", stream); break;
    case SETTING_DOMAIN: fputs(" | domain name", stream); break;
    case SETTING_NUMBER:
        fprintf(stream, " | %" PRId64 " to %" PRId64 "%s%s", row->min, row->max, row->unit && *row->unit ? " " : "",
                row->unit ? row->unit : "");
        break;
    case SETTING_SWITCH: fputs(" | true, false", stream); break;
    }
    fputs(" | ", stream);
    document_cell(row->meaning, stream);
    fputs(" |\n", stream);
}

void settings_document(const struct settings_table *table, const char *program, FILE *stream)
{
    fprintf(stream, "## Settings of %s\n\n| setting | default | range | meaning |\n| --- | --- | --- | --- |\n",
            program);
    for (size_t i = 0; i < settings_count(table); i++) {
        const struct setting row = settings_row(table, i);
        document_row(&row, stream);
    }
}
