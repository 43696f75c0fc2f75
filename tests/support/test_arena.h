/* An arena for each test of a program. Include after cmocka.h. */
#ifndef SUPPORT_TEST_ARENA_H
#define SUPPORT_TEST_ARENA_H

#include "arena.h"

static struct arena arena; /* of the running test */

/* A test's setup. */
static inline int begin(void **state)
{
    (void)state;
    arena_init(&arena, "test");
    return 0;
}

/* A test's teardown. */
static inline int end(void **state)
{
    (void)state;
    arena_clear(&arena);
    return 0;
}

#endif
