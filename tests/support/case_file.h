/* Reads *.case files: lines of "key: value", values of several lines behind "| ". tests/cases/README has the forms. */
#ifndef CASE_FILE_H
#define CASE_FILE_H

#include <glob.h>
#include <stdio.h>

#include "arena.h"
#include "text.h"

#define CASE_FILE_MAX 65536

enum case_scope {
    CASE_TITLE, /* starts a case */
    CASE_HOLDS, /* for all cases that follow, until it is given again */
    CASE_ONCE   /* for one case */
};

struct case_key {
    const char *key;
    enum case_scope scope;
    struct text *value; /* without bytes when it is not given */
};

struct case_file {
    const struct case_key *keys;
    size_t keys_count;
    void (*run)(void *context); /* with the values of one case in place */
    void *context;
    struct arena *arena;
    unsigned unknown; /* lines without a known key */
};

static inline struct text case_line(struct text *rest)
{
    struct text line;
    text_cut(*rest, '\n', &line, rest);
    return line;
}

static inline struct text case_block(struct text *rest, struct arena *arena)
{
    struct text_builder block;
    builder_init(&block, arena);
    for (bool first = true; text_starts_with(*rest, TEXT("|")); first = false) {
        struct text line = case_line(rest);
        if (!first)
            builder_add_char(&block, '\n');
        builder_add(&block, text_slice(line, line.length > 1 ? 2 : 1, line.length));
    }
    struct text text = builder_text(&block);
    return text.bytes ? text : TEXT("");
}

/* Runs the case that is complete, if there is one, and forgets what belonged to it alone. */
static inline void case_complete(const struct case_file *file)
{
    for (size_t i = 0; i < file->keys_count; i++)
        if (file->keys[i].scope == CASE_TITLE && file->keys[i].value->length)
            file->run(file->context);
    for (size_t i = 0; i < file->keys_count; i++)
        if (file->keys[i].scope != CASE_HOLDS)
            *file->keys[i].value = (struct text){0};
}

static inline void case_file_run(struct case_file *file, struct text content)
{
    while (content.length) {
        struct text line = case_line(&content), key, value;
        const struct case_key *found = NULL;
        if (line.length == 0 || line.bytes[0] == '#')
            continue;
        text_cut(line, ':', &key, &value);
        for (size_t i = 0; i < file->keys_count; i++)
            if (text_equal(key, text_of(file->keys[i].key)))
                found = &file->keys[i];
        if (!found) {
            fprintf(stderr, "no known key: %.*s\n", TEXT_ARG(line));
            file->unknown++;
            continue;
        }
        if (found->scope != CASE_ONCE)
            case_complete(file);
        *found->value =
            text_trim(value).length ? text_slice(value, 1, value.length) : case_block(&content, file->arena);
    }
    case_complete(file);
}

/* Each file that matches `pattern`, one after another; false if one cannot be read. `begin` gets its path. */
static inline bool case_files_run(const char *pattern, struct case_file *file, void (*begin)(void *, const char *))
{
    glob_t paths;
    bool good = glob(pattern, 0, NULL, &paths) == 0;
    for (size_t i = 0; good && i < paths.gl_pathc; i++) {
        char *content = arena_alloc(file->arena, CASE_FILE_MAX);
        FILE *stream = fopen(paths.gl_pathv[i], "r");
        size_t length = stream ? fread(content, 1, CASE_FILE_MAX, stream) : 0;
        good = length > 0 && length < CASE_FILE_MAX;
        if (stream)
            fclose(stream);
        for (size_t k = 0; k < file->keys_count; k++)
            *file->keys[k].value = (struct text){0};
        begin(file->context, paths.gl_pathv[i]);
        if (good)
            case_file_run(file, (struct text){content, length});
    }
    globfree(&paths);
    return good;
}

#endif
