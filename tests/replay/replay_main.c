/* Runs replay scripts: im-glue's procedures under a virtual clock, no socket. Each file is one story; the first line
 * that does not hold is printed with its number. */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>

#include "log.h"
#include "replay_script.h"

#define SCRIPT_BYTES_MAX 65536

static size_t crashes; /* how often im-glue was killed in all */

/* The "| " lines that follow, joined with CRLF, as SIP wants them. */
static struct text take_block(struct world *world, struct text *rest, size_t *line_number)
{
    struct text_builder block;
    struct text line, after;
    builder_init(&block, &world->arena);
    while (text_starts_with(*rest, TEXT("|"))) {
        text_cut(*rest, '\n', &line, &after);
        line = text_slice(line, line.length > 1 ? 2 : 1, line.length);
        builder_add(&block, line);
        builder_add(&block, TEXT("\r\n"));
        *rest = after;
        ++*line_number;
    }
    return builder_text(&block);
}

static bool run_once(const char *path, struct text script, struct crash *crash)
{
    static const char *const points[CRASH_KINDS] = {"", " killed before write", " killed after write",
                                                    " killed before sending"};
    struct world world;
    struct text line, rest = script;
    size_t number = 0;
    world_open(&world);
    world.crash = *crash;
    while (!world_failed(&world) && rest.length) {
        size_t this_line = ++number;
        text_cut(rest, '\n', &line, &rest);
        struct text block = take_block(&world, &rest, &number);
        line = text_trim(line);
        if (line.length && line.bytes[0] != '#')
            script_run(&world, line, block);
        if (world_failed(&world))
            printf("%s:%zu:%s %u: %s\n", path, this_line, points[crash->kind], crash->at, world.problem);
    }
    if (!world_failed(&world)) {
        script_run(&world, TEXT("expect nothing"), (struct text){0});
        if (world_failed(&world))
            printf("%s: at the end%s %u %s\n", path, points[crash->kind], crash->at, world.problem);
    }
    bool good = !world_failed(&world);
    *crash = world.crash;
    world_close(&world);
    return good;
}

/* Once as it is; then, if it asks for that, killed at each point that it has. */
static bool run_script(const char *path, struct text script)
{
    struct crash whole = {0};
    bool good = run_once(path, script, &whole);
    for (int kind = CRASH_BEFORE_WRITE; good && whole.asked && kind < CRASH_KINDS; kind++)
        for (unsigned at = 1; good; at++) {
            struct crash crash = {.kind = (enum crash_kind)kind, .at = at};
            good = run_once(path, script, &crash);
            if (crash.armed) /* it has fewer points of this kind */
                break;
            crashes++;
        }
    return good;
}

static bool run_file(const char *path)
{
    static char bytes[SCRIPT_BYTES_MAX];
    FILE *file = fopen(path, "rb");
    if (!file)
        return printf("%s: cannot be read\n", path), false;
    size_t length = fread(bytes, 1, sizeof(bytes), file);
    fclose(file);
    return run_script(path, (struct text){bytes, length});
}

int main(int argc, char **argv)
{
    glob_t found = {0};
    size_t failed = 0;
    log_open("replay", LOG_LEVEL_ERROR);
    sip_open();
    for (int i = 1; i < argc; i++)
        glob(argv[i], i > 1 ? GLOB_APPEND : 0, NULL, &found);
    for (size_t i = 0; i < found.gl_pathc; i++)
        failed += run_file(found.gl_pathv[i]) ? 0 : 1;
    printf("%zu replays, %zu kills, %zu failed\n", found.gl_pathc, crashes, failed);
    bool good = failed == 0 && found.gl_pathc > 0;
    globfree(&found);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
