/* A service of its own for each test of a program. Include after cmocka.h. */
#ifndef SERVICE_TESTS_H
#define SERVICE_TESTS_H

#include "service_fixture.h"

static struct fixture *fixture; /* of the running test */

/* For a test's setup: fixture_open() and users of these names, which blanks separate. */
static inline int begin_with(struct store *store, const char *token, const char *names)
{
    struct text rest = text_of(names), name;
    fixture = fixture_open(store, token);
    while (rest.length) {
        text_cut(rest, ' ', &name, &rest);
        fixture_user(fixture, text_cstring(&fixture->arena, name));
    }
    return 0;
}

/* A test's teardown. */
static inline int end(void **state)
{
    (void)state;
    fixture_close(fixture);
    return 0;
}

#endif
