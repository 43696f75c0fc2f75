/* xdmctl export: what import brings in, out of a data folder. Needs no server; one may run meanwhile. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "csv.h"
#include "import.h"
#include "store.h"
#include "user.h"

#define SEGMENT_CHARACTERS "!$&'()*+,;=:@"
#define FOLDER_MODE        0700 /* documents are personal, hashes are as good as passwords */

struct export
{
    struct ctl *ctl;
    struct store *store;
    struct documents *documents; /* without document services: to read users by */
    const char *folder;          /* NULL: lines to standard output */
    FILE *users;
    size_t users_count, documents_count, failed;
};

static enum status walk(struct export *export);
static void export_user(struct export *export, const struct user *user, struct arena *arena);
static void export_document(struct export *export, const struct stored *stored, struct arena *arena);

static bool open_target(struct export *export, const char *target)
{
    struct ctl *ctl = export->ctl;
    if (strcmp(target, "-") == 0)
        return true;
    export->folder = target;
    umask(077);
    if (mkdir(target, FOLDER_MODE) != 0)
        return ctl_error("%s: %s", target, strerror(errno)), false;
    const char *path = text_cstring(&ctl->arena, text_format(&ctl->arena, "%s/users.csv", target));
    export->users = fopen(path, "wx");
    if (!export->users)
        return ctl_error("%s: %s", path, strerror(errno)), false;
    fputs(
        "name,ha1,ha1-sha256,ha1-full,ha1-sha256-full,ha1-sha512-256,ha1-sha512-256-full,display-name,aliases,roles\n",
        export->users);
    return true;
}

enum ctl_exit ctl_export(struct ctl *ctl, int count, char **arguments)
{
    struct export export = {.ctl = ctl};
    const char *folder = NULL;
    if (!ctl_option(&count, &arguments, "--data", &folder) || count != 1)
        return CTL_USAGE;
    export.store = ctl_open_store(ctl, folder);
    if (!export.store)
        return CTL_REFUSED;
    export.documents = documents_new(export.store, NULL);
    enum status status = open_target(&export, arguments[0]) ? walk(&export) : REFUSED;
    documents_free(export.documents);
    store_close(export.store);
    bool written = !export.users || fclose(export.users) == 0;
    if (status == REFUSED)
        return CTL_REFUSED;
    if (status != OK)
        return ctl_error("%s: could not be read to its end", folder);
    if (!written || ferror(stdout))
        return ctl_error("%s: %s", arguments[0], strerror(errno));
    fprintf(stderr, "%zu users, %zu documents\n", export.users_count, export.documents_count);
    return export.failed ? ctl_error("%zu documents could not be written", export.failed) : CTL_OK;
}

static enum status export_page(struct export *export, const struct key_page *page)
{
    struct arena arena;
    enum status status = OK;
    arena_init(&arena, "document");
    for (size_t i = 0; i < page->count && status == OK; i++) {
        struct stored stored;
        struct user account;
        bool user = text_equal(page->keys[i].usage, TEXT(DOCUMENT_USERS));
        if (!user && text_starts_with(page->keys[i].usage, TEXT("#")))
            continue;
        if (user) {
            status = user_get(export->documents, page->keys[i].owner, &arena, &account);
            if (status == OK)
                export_user(export, &account, &arena);
        } else {
            status = store_get(export->store, &page->keys[i], &arena, &stored);
            if (status == OK)
                export_document(export, &stored, &arena);
        }
        if (status == NOT_FOUND) /* deleted since the page was read */
            status = OK;
        arena_reset(&arena);
    }
    arena_clear(&arena);
    return status;
}

/* Users first: '#' sorts before what an AUID may begin with. */
static enum status walk(struct export *export)
{
    const struct document_key all = {0};
    struct arena arenas[2]; /* a page, and the one before, which holds where this one begins */
    struct key_page page = {.more = true};
    enum status status = OK;
    arena_init(&arenas[0], "page");
    arena_init(&arenas[1], "page");
    for (unsigned turn = 0; status == OK && page.more; turn++) {
        const struct document_key *after = page.count ? &page.keys[page.count - 1] : NULL;
        arena_reset(&arenas[turn % 2]);
        status = store_list(export->store, &all, after, STORE_PAGE_MAX, &arenas[turn % 2], &page);
        if (status == OK)
            status = export_page(export, &page);
        if (isatty(STDERR_FILENO))
            fprintf(stderr, "\r%zu users, %zu documents", export->users_count, export->documents_count);
    }
    if (isatty(STDERR_FILENO))
        fputs("\r\033[K", stderr);
    arena_clear(&arenas[0]);
    arena_clear(&arenas[1]);
    return status;
}

static struct text joined(const struct text *words, size_t count, struct arena *arena)
{
    struct text_builder line;
    builder_init(&line, arena);
    for (size_t i = 0; i < count; i++)
        builder_add_format(&line, "%s%.*s", i ? " " : "", TEXT_ARG(words[i]));
    return builder_text(&line);
}

static size_t role_names(unsigned roles, struct text names_out[USAGE_NOBODY])
{
    size_t count = 0;
    for (unsigned role = USAGE_SERVER; role < USAGE_NOBODY; role++)
        if (roles & USAGE_ROLE_BIT(role))
            names_out[count++] = usage_role_name((enum usage_role)role);
    return count;
}

static void add_array(struct text_builder *line, const char *name, const struct text *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (i == 0)
            builder_add_format(line, ",\"%s\":", name);
        builder_add_char(line, i ? ',' : '[');
        import_add_string(line, words[i]);
    }
    if (count)
        builder_add_char(line, ']');
}

static void export_user(struct export *export, const struct user *user, struct arena *arena)
{
    static const char *const members[] = {"user",          "ha1",           "ha1Sha256",         "ha1Full",
                                          "ha1Sha256Full", "ha1Sha512-256", "ha1Sha512-256Full", "displayName"};
    const struct text values[] = {user->address,         user->ha1_md5,    user->ha1_sha256,      user->ha1_md5_full,
                                  user->ha1_sha256_full, user->ha1_sha512, user->ha1_sha512_full, user->display_name};
    struct text names[USAGE_NOBODY];
    size_t names_count = role_names(user->roles, names);
    struct text_builder line;
    builder_init(&line, arena);
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        if (export->folder) {
            csv_add(&line, values[i], i == 0);
        } else if (values[i].length) {
            builder_add_format(&line, "%c\"%s\":", i ? ',' : '{', members[i]);
            import_add_string(&line, values[i]);
        }
    }
    if (export->folder) {
        csv_add(&line, joined(user->aliases, user->aliases_count, arena), false);
        csv_add(&line, joined(names, names_count, arena), false);
        builder_add(&line, TEXT("\n"));
    } else {
        add_array(&line, "aliases", user->aliases, user->aliases_count);
        add_array(&line, "roles", names, names_count);
        builder_add(&line, TEXT("}\n"));
    }
    fwrite(line.bytes, 1, line.length, export->folder ? export->users : stdout);
    export->users_count++;
}

/* As below the XCAP root; "." and ".." would lead elsewhere. */
static struct text path_of(const struct document_key *key, struct arena *arena)
{
    struct text_builder path;
    struct text rest = key->name, segment;
    builder_init(&path, arena);
    builder_add(&path, key->usage);
    if (key->owner.length)
        builder_add_format(&path, "/users/%.*s", TEXT_ARG(percent_encode(arena, key->owner, SEGMENT_CHARACTERS)));
    else
        builder_add(&path, TEXT("/global"));
    for (bool more = true; more;) {
        more = text_cut(rest, '/', &segment, &rest);
        struct text encoded = percent_encode(arena, segment, SEGMENT_CHARACTERS);
        if (text_starts_with(encoded, TEXT("."))) /* hidden files are not imported */
            encoded = text_format(arena, "%%2E%.*s", TEXT_ARG(text_slice(encoded, 1, encoded.length)));
        builder_add_format(&path, "/%.*s", TEXT_ARG(encoded));
    }
    return builder_text(&path);
}

static bool write_file(const struct export *export, struct text path, struct text bytes, struct arena *arena)
{
    char *whole = text_cstring(arena, text_format(arena, "%s/%.*s", export->folder, TEXT_ARG(path)));
    FILE *file = fopen(whole, "wx");
    if (!file && errno == ENOENT) {
        for (char *at = whole + strlen(export->folder) + 1; (at = strchr(at, '/')); at++) {
            *at = '\0';
            mkdir(whole, FOLDER_MODE); /* what fails shows when the file is made */
            *at = '/';
        }
        file = fopen(whole, "wx");
    }
    if (!file)
        return false;
    bool good = fwrite(bytes.bytes, 1, bytes.length, file) == bytes.length;
    return fclose(file) == 0 && good;
}

static void export_document(struct export *export, const struct stored *stored, struct arena *arena)
{
    struct text path = path_of(&stored->key, arena);
    if (!export->folder) {
        struct text_builder line;
        builder_init(&line, arena);
        builder_add(&line, TEXT("{\"document\":"));
        import_add_string(&line, path);
        builder_add(&line, TEXT(",\"body\":"));
        import_add_string(&line, stored->bytes);
        builder_add(&line, TEXT("}\n"));
        fwrite(line.bytes, 1, line.length, stdout);
    } else if (!write_file(export, path, stored->bytes, arena)) {
        ctl_error("%s: %s", ctl_clean(arena, text_cstring(arena, path)), strerror(errno));
        export->failed++;
        return;
    }
    export->documents_count++;
}
