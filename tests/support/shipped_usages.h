/* The document services of schemas/, loaded once for all tests of a program: they never change, and loading them takes
 * longer than most tests. Include after cmocka.h, where that is used. */
#ifndef SUPPORT_SHIPPED_USAGES_H
#define SUPPORT_SHIPPED_USAGES_H

#include <stdio.h>
#include <stdlib.h>

#include "usage.h"
#include "xml_validate.h"

static struct usage_set *shipped;

static inline void shipped_usages_close(void)
{
    usage_set_free(shipped);
    xml_close();
}

/* Open until the program ends, xml_open() included; the caller does not free it. Ends the program when it does not
 * load. */
static inline struct usage_set *shipped_usages(void)
{
    struct arena arena;
    struct text error = {0};
    if (shipped)
        return shipped;
    xml_open();
    arena_init(&arena, "shipped");
    if (usage_set_load("schemas", &shipped, &arena, &error) != OK) {
        fprintf(stderr, "%.*s\n", TEXT_ARG(error));
        exit(EXIT_FAILURE);
    }
    arena_clear(&arena);
    atexit(shipped_usages_close);
    return shipped;
}

#endif
