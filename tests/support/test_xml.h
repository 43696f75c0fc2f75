/* XML and an arena for all tests of a program, or for each. Include after cmocka.h. */
#ifndef SUPPORT_TEST_XML_H
#define SUPPORT_TEST_XML_H

#include "arena.h"
#include "xml_validate.h"

static struct arena arena;

static inline int open_xml(void **state)
{
    (void)state;
    xml_open();
    arena_init(&arena, "test");
    return 0;
}

static inline int close_xml(void **state)
{
    (void)state;
    arena_clear(&arena);
    xml_close();
    return 0;
}

#endif
