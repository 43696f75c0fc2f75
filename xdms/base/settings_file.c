/* Reads a settings file: all of it is checked before any of it is stored, so a refused file changes nothing. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <yaml.h>

#include "arena.h"
#include "settings_row.h"

#define FILE_SIZE_MAX (1024 * 1024) /* hundreds of times what all settings need: more is another kind of file */

struct reader {
    const struct settings_table *table;
    const char *path;
    char *error;
    struct arena arena;
    yaml_parser_t parser;
    yaml_event_t event;
    const char **values; /* by row: NULL or what the file says */
    bool *sections;      /* by row: its section was begun in the file */
};

/* "path:line: …" about the event in hand. */
static enum status refuse_here(struct reader *reader, const char *what, struct text name)
{
    size_t line = reader->event.start_mark.line + 1;
    if (!name.bytes)
        return settings_error(reader->error, "%s:%zu: %s", reader->path, line, what);
    return settings_error(reader->error, "%s:%zu: %s '%.*s'", reader->path, line, what,
                          (int)(name.length < 100 ? name.length : 100), name.bytes);
}

/* The file's bytes in the arena. */
static enum status read_bytes(struct reader *reader, int fd, struct text *bytes_out)
{
    struct stat about;
    if (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode))
        return settings_error(reader->error, "%s: not a regular file", reader->path);
    char *bytes = arena_alloc(&reader->arena, FILE_SIZE_MAX + 1);
    size_t length = 0;
    while (length <= FILE_SIZE_MAX) {
        ssize_t got = read(fd, bytes + length, FILE_SIZE_MAX + 1 - length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            settings_error(reader->error, "%s: %s", reader->path, strerror(errno));
            return FAILED;
        }
        if (got == 0)
            break;
        length += (size_t)got;
    }
    if (length > FILE_SIZE_MAX)
        return settings_error(reader->error, "%s: larger than %d bytes", reader->path, FILE_SIZE_MAX);
    *bytes_out = (struct text){bytes, length};
    return OK;
}

static enum status next_event(struct reader *reader)
{
    yaml_event_delete(&reader->event);
    if (yaml_parser_parse(&reader->parser, &reader->event))
        return OK;
    const yaml_parser_t *parser = &reader->parser;
    size_t line = parser->error == YAML_READER_ERROR ? 0 : parser->problem_mark.line + 1;
    const char *problem = parser->problem ? parser->problem : "out of memory";
    if (line == 0)
        return settings_error(reader->error, "%s: byte %zu: %s", reader->path, parser->problem_offset, problem);
    return settings_error(reader->error, "%s:%zu: %s", reader->path, line, problem);
}

static struct text scalar(const yaml_event_t *event)
{
    return (struct text){(const char *)event->data.scalar.value, event->data.scalar.length};
}

/* "section:" with nothing behind it, when all below it is commented out. */
static bool is_nothing(const yaml_event_t *event)
{
    return event->type == YAML_SCALAR_EVENT && event->data.scalar.length == 0 &&
           event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

/* With the key in hand: takes the value. */
static enum status read_setting(struct reader *reader, struct text section)
{
    struct text key = scalar(&reader->event);
    struct text name = text_join(&reader->arena, text_join(&reader->arena, section, TEXT(".")), key);
    size_t index;
    if (!settings_find(reader->table, name, &index))
        return refuse_here(reader, "unknown setting", name);
    const struct setting row = settings_row(reader->table, index);
    if (reader->values[index])
        return refuse_here(reader, "second value for setting", name);
    enum status status = next_event(reader);
    if (status != OK)
        return status;
    if (reader->event.type != YAML_SCALAR_EVENT)
        return refuse_here(reader, "a single value is needed for setting", name);
    struct text value = scalar(&reader->event);
    if (memchr(value.bytes, '\0', value.length))
        return refuse_here(reader, "zero byte in setting", name);
    reader->values[index] = text_cstring(&reader->arena, value);
    char error[SETTINGS_ERROR_MAX];
    if (settings_check(&row, reader->values[index], error) != OK)
        return refuse_here(reader, error, (struct text){0});
    return OK;
}

/* Marks the section of that name as begun. */
static enum status begin_section(struct reader *reader, struct text section)
{
    struct text prefix = text_join(&reader->arena, section, TEXT("."));
    bool known = false;
    for (size_t i = 0; i < settings_count(reader->table); i++) {
        if (!text_starts_with(text_of(settings_row(reader->table, i).name), prefix))
            continue;
        if (reader->sections[i])
            return refuse_here(reader, "second section", section);
        reader->sections[i] = true;
        known = true;
    }
    return known ? OK : refuse_here(reader, "unknown section", section);
}

/* With the section's name in hand. */
static enum status read_section(struct reader *reader)
{
    struct text section = text_copy(&reader->arena, scalar(&reader->event));
    enum status status = begin_section(reader, section);
    if (status == OK)
        status = next_event(reader);
    if (status != OK || is_nothing(&reader->event))
        return status;
    if (reader->event.type != YAML_MAPPING_START_EVENT)
        return refuse_here(reader, "settings are needed below section", section);
    while ((status = next_event(reader)) == OK && reader->event.type != YAML_MAPPING_END_EVENT) {
        if (reader->event.type != YAML_SCALAR_EVENT)
            return refuse_here(reader, "a name is needed in section", section);
        status = read_setting(reader, section);
        if (status != OK)
            return status;
    }
    return status;
}

/* With the first event of the document in hand. */
static enum status read_sections(struct reader *reader)
{
    if (is_nothing(&reader->event))
        return OK;
    if (reader->event.type != YAML_MAPPING_START_EVENT)
        return refuse_here(reader, "sections are needed at the top", (struct text){0});
    enum status status;
    while ((status = next_event(reader)) == OK && reader->event.type != YAML_MAPPING_END_EVENT) {
        if (reader->event.type != YAML_SCALAR_EVENT)
            return refuse_here(reader, "a section's name is needed", (struct text){0});
        status = read_section(reader);
        if (status != OK)
            return status;
    }
    return status;
}

static enum status read_stream(struct reader *reader)
{
    bool read = false;
    enum status status;
    while ((status = next_event(reader)) == OK && reader->event.type != YAML_STREAM_END_EVENT) {
        if (reader->event.type != YAML_DOCUMENT_START_EVENT)
            continue;
        if (read)
            return refuse_here(reader, "second document", (struct text){0});
        read = true;
        status = next_event(reader);
        if (status == OK)
            status = read_sections(reader);
        if (status != OK)
            return status;
    }
    return status;
}

static enum status parse(struct reader *reader, struct text bytes)
{
    if (!yaml_parser_initialize(&reader->parser)) {
        settings_error(reader->error, "%s: out of memory", reader->path);
        return FAILED;
    }
    yaml_parser_set_input_string(&reader->parser, (const unsigned char *)bytes.bytes, bytes.length);
    enum status status = read_stream(reader);
    yaml_event_delete(&reader->event);
    yaml_parser_delete(&reader->parser);
    return status;
}

enum status settings_read_file(const struct settings_table *table, void *target, const char *path,
                               char error[SETTINGS_ERROR_MAX])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe must not stop the start */
    if (fd < 0) {
        enum status status = errno == ENOENT ? NOT_FOUND : FAILED;
        settings_error(error, "%s: %s", path, strerror(errno));
        return status;
    }
    struct reader reader = {.table = table, .path = path, .error = error};
    arena_init(&reader.arena, "settings file");
    size_t count = settings_count(table);
    reader.values = arena_array(&reader.arena, const char *, count);
    reader.sections = arena_array(&reader.arena, bool, count);
    struct text bytes = {0};
    enum status status = read_bytes(&reader, fd, &bytes);
    close(fd);
    if (status == OK)
        status = parse(&reader, bytes);
    for (size_t i = 0; status == OK && i < count; i++) {
        const struct setting row = settings_row(table, i);
        if (reader.values[i])
            settings_store(&row, target, reader.values[i]);
    }
    arena_clear(&reader.arena);
    return status;
}
