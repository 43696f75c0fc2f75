/* A store of streams on disk, in a folder of the test's own. Include after cmocka.h. */
#ifndef CRASH_STORE_H
#define CRASH_STORE_H

#include <stdio.h>

#include "../../xdms/store/store_lmdb.h"
#include "scratch.h"
#include "store_stream.h"

static char folder[SCRATCH_MAX]; /* of the running test */
static struct arena arena;

/* For a test's setup; `name` shows in the folder's name. */
static inline int begin_in_folder(const char *name)
{
    arena_init(&arena, "test");
    return scratch_make(folder, name) ? 0 : -1;
}

/* A test's teardown. */
static inline int end(void **state)
{
    (void)state;
    arena_clear(&arena);
    return scratch_remove(folder);
}

/* NULL: the reason is printed. */
static inline struct store *open_store(uint64_t map_bytes, uint64_t changes_max)
{
    struct lmdb_options options = LMDB_OPTIONS_STANDARD;
    struct text error;
    options.settings.map_bytes = map_bytes;
    options.settings.changes_max = changes_max;
    struct store *store = lmdb_open(folder, &options, &arena, &error);
    if (!store)
        fprintf(stderr, "%.*s\n", TEXT_ARG(error));
    return store;
}

/* For store_check. */
static inline void print_problem(void *context, struct text line)
{
    (void)context;
    fprintf(stderr, "%.*s\n", TEXT_ARG(line));
}

#endif
