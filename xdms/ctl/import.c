/* xdmctl import: sends what the sources read in batches, and reports what was refused. Knows no format of files. */
#include "import.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "csv.h"
#include "pipe.h"

#define BATCH_BYTES  (768u << 10) /* below what a server takes by default; a larger document goes alone */
#define BATCH_LINES  1000
#define AT_ONCE      4 /* one is read, one checked, one written, one on its way */
#define REFUSED_SAID 20
#define SHOW_MS      200
#define BAR_WIDTH    30

struct batch {
    struct import_run *run;
    struct arena arena;
    struct text_builder body;
    struct import_item items[BATCH_LINES];
    size_t count;
};

struct import_run {
    struct ctl *ctl;
    struct ctl_pipe *pipe;
    struct batch *batch; /* being filled; NULL: none */
    enum import_kind kind;
    size_t added, replaced, unchanged, refused;
    enum ctl_exit stopped; /* OK: go on */

    const char *report_path; /* NULL: none is wanted */
    FILE *report;            /* made when there is something to say */
    struct text columns;

    bool shown; /* the progress, on a terminal */
    size_t bytes, bytes_total;
    int64_t began_ms, shown_ms;
};

static void show(struct import_run *run, bool last);
static void send_batch(struct import_run *run);
static enum ctl_exit run_sources(struct import_run *run, int count, char **arguments);
static enum ctl_exit finish(struct import_run *run, enum ctl_exit code);

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

enum ctl_exit ctl_import(struct ctl *ctl, int count, char **arguments)
{
    struct import_run run = {.ctl = ctl};
    const char *existing = "refuse";
    for (;;) {
        if (ctl_option(&count, &arguments, "--if-absent", NULL))
            existing = "keep";
        else if (ctl_option(&count, &arguments, "--replace", NULL))
            existing = "replace";
        else if (!ctl_option(&count, &arguments, "--refused", &run.report_path))
            break;
    }
    if (count < 1)
        return CTL_USAGE;
    for (int i = 0; i < count; i++)
        if (arguments[i][0] == '-' && arguments[i][1])
            return CTL_USAGE;
    if (run.report_path && access(run.report_path, F_OK) == 0)
        return ctl_error("%s: exists already; the report of refused lines needs a new file", run.report_path);
    const char *path = text_cstring(&ctl->arena, text_format(&ctl->arena, "import?existing=%s", existing));
    run.pipe = ctl_pipe_open(ctl, path, "application/x-ndjson", AT_ONCE);
    run.shown = isatty(STDERR_FILENO);
    run.began_ms = now_ms();
    return finish(&run, run_sources(&run, count, arguments));
}

static enum ctl_exit run_file(struct import_run *run, const char *path)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    if (!file)
        return ctl_error("%s: %s", path, strerror(errno));
    int first = getc(file);
    ungetc(first, file);
    enum ctl_exit code =
        first == '{' ? import_lines(run->ctl, run, path, file) : import_table(run->ctl, run, path, file);
    if (code == CTL_OK && ferror(file))
        code = ctl_error("%s: could not be read to its end", path);
    if (file != stdin)
        fclose(file);
    return code;
}

static enum ctl_exit run_sources(struct import_run *run, int count, char **arguments)
{
    struct stat about;
    for (int i = 0; i < count; i++)
        if (strcmp(arguments[i], "-") != 0) {
            if (stat(arguments[i], &about) != 0)
                return ctl_error("%s: %s", arguments[i], strerror(errno));
            run->bytes_total += S_ISDIR(about.st_mode) ? 0 : (size_t)about.st_size;
        }
    enum ctl_exit code = CTL_OK;
    for (int i = 0; i < count && code == CTL_OK && run->stopped == CTL_OK; i++) {
        bool folder = strcmp(arguments[i], "-") != 0 && stat(arguments[i], &about) == 0 && S_ISDIR(about.st_mode);
        code = folder ? import_tree(run->ctl, run, arguments[i]) : run_file(run, arguments[i]);
    }
    return code;
}

static enum ctl_exit finish(struct import_run *run, enum ctl_exit code)
{
    send_batch(run);
    ctl_pipe_drain(run->pipe);
    ctl_pipe_close(run->pipe);
    if (run->shown)
        show(run, true);
    if (run->report && (fclose(run->report) != 0) && code == CTL_OK)
        code = ctl_error("%s: cannot be written: %s", run->report_path, strerror(errno));
    printf("%zu added, %zu replaced, %zu unchanged, %zu refused\n", run->added, run->replaced, run->unchanged,
           run->refused);
    if (run->refused > REFUSED_SAID && !run->report)
        fprintf(stderr, "xdmctl: only the first %d refused lines were told; --refused FILE takes them all\n",
                REFUSED_SAID);
    if (run->stopped != CTL_OK) {
        fputs("xdmctl: the import has stopped; with --if-absent it goes on where it was\n", stderr);
        return run->stopped;
    }
    return code == CTL_OK && run->refused ? CTL_REFUSED : code;
}

/* --- batches -------------------------------------------------------------------------------------------------- */

static void batch_free(struct batch *batch)
{
    arena_clear(&batch->arena);
    free(batch);
}

static void take_answer(struct batch *batch, const json_t *json)
{
    struct import_run *run = batch->run;
    const json_t *refused = json_object_get(json, "refused");
    run->added += (size_t)json_integer_value(json_object_get(json, "added"));
    run->replaced += (size_t)json_integer_value(json_object_get(json, "replaced"));
    run->unchanged += (size_t)json_integer_value(json_object_get(json, "unchanged"));
    for (size_t i = 0; i < json_array_size(refused); i++) {
        const json_t *entry = json_array_get(refused, i);
        json_int_t line = json_integer_value(json_object_get(entry, "line"));
        json_int_t status = json_integer_value(json_object_get(entry, "status"));
        if (line < 1 || (size_t)line > batch->count)
            continue;
        import_refuse(run, &batch->items[line - 1], ctl_string(entry, "error"));
        if (status >= 500) /* it would be the same with the next thousand */
            run->stopped = CTL_REFUSED;
    }
}

static void batch_done(void *context, long status, const json_t *json)
{
    struct batch *batch = context;
    struct import_run *run = batch->run;
    if (status == 200) {
        take_answer(batch, json);
    } else if (status == 413) {
        for (size_t i = 0; i < batch->count; i++)
            import_refuse(run, &batch->items[i], "It is larger than the server takes.");
    } else if (status == 0) {
        run->stopped = CTL_UNREACHABLE;
    } else {
        const struct ctl_answer answer = {.status = status, .json = (json_t *)json};
        run->stopped = ctl_refused(&answer);
    }
    batch_free(batch);
    if (run->shown)
        show(run, false);
}

static void send_batch(struct import_run *run)
{
    struct batch *batch = run->batch;
    run->batch = NULL;
    if (!batch)
        return;
    if (run->stopped == CTL_OK)
        ctl_pipe_send(run->pipe, builder_text(&batch->body), batch_done, batch);
    else
        batch_free(batch);
}

bool import_add(struct import_run *run, const struct import_item *item)
{
    const struct batch *old = run->batch;
    if (old && (old->count == BATCH_LINES || old->body.length + item->json.length > BATCH_BYTES))
        send_batch(run);
    if (run->kind != item->kind) { /* a document needs its owner: users are through before the first document */
        send_batch(run);
        ctl_pipe_drain(run->pipe);
        run->kind = item->kind;
    }
    if (!run->batch) {
        run->batch = memory_new(sizeof(*run->batch));
        run->batch->run = run;
        arena_init(&run->batch->arena, "batch");
        builder_init(&run->batch->body, &run->batch->arena);
    }
    struct batch *batch = run->batch;
    struct import_item *kept = &batch->items[batch->count++];
    *kept = *item;
    kept->file = text_cstring(&batch->arena, text_of(item->file));
    kept->json = text_copy(&batch->arena, item->json);
    kept->row = text_copy(&batch->arena, item->row);
    builder_add(&batch->body, item->json);
    builder_add_char(&batch->body, '\n');
    return run->stopped == CTL_OK;
}

/* --- what was refused ----------------------------------------------------------------------------------------- */

static void report_line(struct import_run *run, const struct import_item *item, const char *why)
{
    json_t *line = json_loadb(item->json.bytes, item->json.length, 0, NULL);
    if (!json_is_object(line)) { /* it is reported as it is, to be mended by hand */
        fprintf(run->report, "%.*s\n", TEXT_ARG(item->json));
        json_decref(line);
        return;
    }
    json_object_set_new(line, "error", json_string(why));
    json_object_set_new(line, "source", json_sprintf("%s:%zu", item->file, item->line));
    json_dumpf(line, run->report, JSON_COMPACT | JSON_PRESERVE_ORDER);
    fputc('\n', run->report);
    json_decref(line);
}

/* Each row of a group is one of its members: all are needed again. */
static void report_rows(struct import_run *run, const struct import_item *item, const char *why)
{
    struct text rest = item->row, row;
    struct arena arena;
    struct text_builder error;
    arena_init(&arena, "report");
    builder_init(&error, &arena);
    csv_add(&error, text_of(why), false);
    while (rest.length) {
        text_cut(rest, '\0', &row, &rest);
        fprintf(run->report, "%.*s%.*s\n", TEXT_ARG(row), TEXT_ARG(builder_text(&error)));
    }
    arena_clear(&arena);
}

static void report(struct import_run *run, const struct import_item *item, const char *why)
{
    if (!run->report_path)
        return;
    if (!run->report) {
        run->report = fopen(run->report_path, "wx");
        if (!run->report) {
            run->stopped = ctl_error("%s: %s", run->report_path, strerror(errno));
            run->report_path = NULL;
            return;
        }
        if (item->row.length)
            fprintf(run->report, "%.*s,error\n", TEXT_ARG(run->columns));
    }
    if (item->row.length)
        report_rows(run, item, why);
    else
        report_line(run, item, why);
}

void import_refuse(struct import_run *run, const struct import_item *item, const char *why)
{
    struct arena arena;
    arena_init(&arena, "refused");
    if (run->refused++ < REFUSED_SAID) {
        if (run->shown)
            fputs("\r\033[K", stderr);
        struct text place = text_of(item->file);
        if (item->line)
            place = text_format(&arena, "%s:%zu", item->file, item->line);
        ctl_error("%s: %s", ctl_clean(&arena, text_cstring(&arena, place)), ctl_clean(&arena, why));
    }
    report(run, item, why);
    arena_clear(&arena);
}

void import_report_columns(struct import_run *run, struct text columns)
{
    run->columns = text_copy(&run->ctl->arena, columns);
}

/* --- progress ------------------------------------------------------------------------------------------------- */

void import_progress(struct import_run *run, size_t bytes)
{
    run->bytes += bytes;
}

static void show(struct import_run *run, bool last)
{
    int64_t now = now_ms(), took_ms = now - run->began_ms;
    size_t done = run->added + run->replaced + run->unchanged + run->refused;
    if (!last && now - run->shown_ms < SHOW_MS)
        return;
    run->shown_ms = now;
    fputs("\r\033[K", stderr);
    if (run->bytes_total) {
        size_t part = last || run->bytes >= run->bytes_total ? BAR_WIDTH : run->bytes * BAR_WIDTH / run->bytes_total;
        fputc('[', stderr);
        for (size_t i = 0; i < BAR_WIDTH; i++)
            fputc(i < part ? '#' : '.', stderr);
        fputs("] ", stderr);
    }
    fprintf(stderr, "%zu done, %lld a second, %zu refused%s", done,
            (long long)(took_ms > 0 ? (int64_t)done * 1000 / took_ms : 0), run->refused, last ? "\n" : "");
    fflush(stderr);
}

void import_add_string(struct text_builder *line, struct text text)
{
    size_t plain = 0;
    builder_add_char(line, '"');
    for (size_t i = 0; i < text.length; i++) {
        unsigned char byte = (unsigned char)text.bytes[i];
        if (byte >= 0x20 && byte != '"' && byte != '\\')
            continue;
        builder_add(line, text_slice(text, plain, i));
        plain = i + 1;
        if (byte == '"' || byte == '\\') {
            builder_add_char(line, '\\');
            builder_add_char(line, (char)byte);
        } else if (byte == '\n') {
            builder_add(line, TEXT("\\n"));
        } else {
            builder_add_format(line, "\\u%04x", byte);
        }
    }
    builder_add(line, text_slice(text, plain, text.length));
    builder_add_char(line, '"');
}
