/* Sources of an import that need no table: folders of XML files in the shape of XCAP paths, and lines of JSON. */
#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>

#include "import.h"

#define FILE_BYTES_MAX (8u << 20) /* the largest document of a server */
#define LINE_BYTES_MAX (64u << 20)
#define USERS_FILE     "users.csv" /* of an export */

/* --- folders -------------------------------------------------------------------------------------------------- */

static int by_name(const FTSENT **left, const FTSENT **right)
{
    return strcmp((*left)->fts_name, (*right)->fts_name);
}

static bool read_whole(const char *path, struct arena *arena, struct text *bytes_out)
{
    struct text_builder bytes;
    char buffer[16384];
    size_t got;
    builder_init(&bytes, arena);
    FILE *file = fopen(path, "rb");
    if (!file)
        return false;
    while (bytes.length <= FILE_BYTES_MAX && (got = fread(buffer, 1, sizeof(buffer), file)) > 0)
        builder_add(&bytes, (struct text){buffer, got});
    bool good = !ferror(file);
    fclose(file);
    *bytes_out = builder_text(&bytes);
    return good;
}

/* The path below the folder is the one below the XCAP root: escapes in it are escapes, and what no URI may hold is
 * escaped. */
static bool add_file(struct import_run *run, const char *path, struct text below, struct arena *arena)
{
    struct import_item item = {.kind = IMPORT_DOCUMENT, .file = path};
    struct text_builder line;
    struct text bytes;
    builder_init(&line, arena);
    builder_add(&line, TEXT("{\"document\":"));
    import_add_string(&line, percent_encode(arena, below, "/%:@!$&'()*+,;="));
    builder_add(&line, TEXT(",\"body\":"));
    if (!read_whole(path, arena, &bytes)) {
        import_refuse(run, &item, strerror(errno));
        return true;
    }
    import_progress(run, bytes.length);
    if (!utf8_valid(bytes) || bytes.length > FILE_BYTES_MAX) {
        import_refuse(run, &item, bytes.length > FILE_BYTES_MAX ? "It is too large." : "It is not in UTF-8.");
        return true;
    }
    import_add_string(&line, bytes);
    builder_add_char(&line, '}');
    item.json = builder_text(&line);
    return import_add(run, &item);
}

static enum ctl_exit add_users(struct ctl *ctl, struct import_run *run, const char *folder)
{
    const char *path = text_cstring(&ctl->arena, text_format(&ctl->arena, "%s/" USERS_FILE, folder));
    FILE *file = fopen(path, "rb");
    if (!file)
        return errno == ENOENT ? CTL_OK : ctl_error("%s: %s", path, strerror(errno));
    enum ctl_exit code = import_table(ctl, run, path, file);
    fclose(file);
    return code;
}

static bool is_document(const FTSENT *entry)
{
    bool regular = entry->fts_info == FTS_F || entry->fts_info == FTS_NSOK;
    return regular && entry->fts_name[0] != '.' && !(entry->fts_level == 1 && strcmp(entry->fts_name, USERS_FILE) == 0);
}

enum ctl_exit import_tree(struct ctl *ctl, struct import_run *run, const char *folder)
{
    char *roots[] = {text_cstring(&ctl->arena, text_of(folder)), NULL};
    enum ctl_exit code = add_users(ctl, run, folder);
    if (code != CTL_OK)
        return code;
    FTS *files = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
    if (!files)
        return ctl_error("%s: %s", folder, strerror(errno));
    struct arena arena;
    arena_init(&arena, "file");
    bool more = true;
    for (FTSENT *entry; more && (entry = fts_read(files));) {
        if (entry->fts_info == FTS_DNR || entry->fts_info == FTS_ERR) {
            import_refuse(run, &(struct import_item){.file = entry->fts_path}, strerror(entry->fts_errno));
        } else if (is_document(entry)) {
            const char *below = entry->fts_path + strlen(folder);
            more = add_file(run, entry->fts_path, text_of(below + (*below == '/')), &arena);
            arena_reset(&arena);
        }
    }
    fts_close(files);
    arena_clear(&arena);
    return CTL_OK;
}

/* --- lines of JSON -------------------------------------------------------------------------------------------- */

/* Whether a line is any good is the server's question; users go before documents, so that they are told apart here. */
static enum import_kind kind_of(struct text line)
{
    struct text head = text_slice(line, 0, line.length < 64 ? line.length : 64);
    return text_find(head, TEXT("\"user\"")) < head.length ? IMPORT_USER : IMPORT_DOCUMENT;
}

enum ctl_exit import_lines(struct ctl *ctl, struct import_run *run, const char *path, FILE *file)
{
    (void)ctl;
    char *bytes = NULL;
    size_t room = 0, number = 0;
    ssize_t got;
    bool more = true;
    while (more && (got = getline(&bytes, &room, file)) > 0) {
        struct text line = text_trim((struct text){bytes, (size_t)got});
        number++;
        import_progress(run, (size_t)got);
        if (line.length == 0)
            continue;
        const struct import_item item = {.kind = kind_of(line), .file = path, .line = number, .json = line};
        if (line.length > LINE_BYTES_MAX)
            import_refuse(run, &item, "It is too large.");
        else
            more = import_add(run, &item);
    }
    free(bytes);
    return CTL_OK;
}
