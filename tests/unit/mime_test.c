/* Multipart bodies as senders write them, and those that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "assert_text.h"
#include "mime.h"

static struct mime_multipart parsed(struct text type, struct text body)
{
    struct mime_multipart multipart;
    assert_int_equal(mime_parse(type, body, &multipart), OK);
    return multipart;
}

static void parts_keep_every_byte(void **state)
{
    (void)state;
    struct mime_multipart multipart =
        parsed(TEXT("multipart/mixed; boundary=\"b 1\""),
               TEXT("preamble\r\n--b 1\r\nContent-Type: text/plain\r\nContent-Disposition:\r\n render\r\n\r\n--b 12\r\n"
                    "\r\n\r\n--b 1 \t\r\n\r\nno headers\r\n--b 1--\r\nepilogue"));
    assert_int_equal(multipart.count, 2);
    assert_text(multipart.parts[0].type, "text/plain");
    assert_text(multipart.parts[0].disposition, "render");
    assert_text(multipart.parts[0].content, "--b 12\r\n\r\n");
    assert_text(multipart.parts[1].content, "no headers");
    assert_int_equal(multipart.parts[1].headers.length, 0);
    assert_int_equal(multipart.parts[1].type.length, 0);
}

static void bare_line_feeds_are_read_too(void **state)
{
    (void)state;
    struct mime_multipart multipart =
        parsed(TEXT("multipart/mixed;boundary=x"), TEXT("--x\nContent-Type: a/b\n\none\n--x\n\n\n--x--"));
    assert_int_equal(multipart.count, 2);
    assert_text(multipart.parts[0].type, "a/b");
    assert_text(multipart.parts[0].content, "one");
    assert_int_equal(multipart.parts[1].content.length, 0);
}

static void what_has_no_boundary_or_no_end_is_refused(void **state)
{
    (void)state;
    struct mime_multipart multipart;
    assert_int_equal(mime_parse(TEXT("multipart/mixed"), TEXT("--x\r\n\r\n--x--"), &multipart), REFUSED);
    assert_int_equal(mime_parse(TEXT("multipart/mixed;boundary="), TEXT("--\r\n\r\n----"), &multipart), REFUSED);
    assert_int_equal(mime_parse(TEXT("multipart/mixed;boundary=x"), TEXT("--x\r\n\r\nhello\r\n--x\r\n"), &multipart),
                     REFUSED);
    assert_int_equal(mime_parse(TEXT("multipart/mixed;boundary=x"), TEXT("--x--"), &multipart), REFUSED);
    assert_int_equal(mime_parse(TEXT("multipart/mixed;boundary=x"), TEXT(""), &multipart), REFUSED);
}

static void more_parts_than_allowed_are_refused(void **state)
{
    (void)state;
    struct mime_multipart multipart;
    struct arena arena;
    struct text_builder body;
    arena_init(&arena, "test");
    builder_init(&body, &arena);
    for (size_t i = 0; i < MIME_PARTS_MAX; i++)
        mime_add_part(&body, TEXT("x"), TEXT("\r\npart"));
    size_t length = body.length;
    mime_end(&body, TEXT("x"));
    assert_int_equal(mime_parse(TEXT("multipart/mixed;boundary=x"), builder_text(&body), &multipart), OK);
    assert_int_equal(multipart.count, MIME_PARTS_MAX);
    body.length = length;
    mime_add_part(&body, TEXT("x"), TEXT("\r\none more"));
    mime_end(&body, TEXT("x"));
    assert_int_equal(mime_parse(TEXT("multipart/mixed;boundary=x"), builder_text(&body), &multipart), REFUSED);
    arena_clear(&arena);
}

static void what_is_joined_is_split_again(void **state)
{
    (void)state;
    struct arena arena;
    struct text_builder body;
    arena_init(&arena, "test");
    builder_init(&body, &arena);
    mime_add_part(&body, TEXT("x"), TEXT("Content-Type: a/b\r\n\r\n\r\nline\r\n"));
    mime_add_part(&body, TEXT("x"), TEXT("\r\n"));
    mime_end(&body, TEXT("x"));
    struct mime_multipart multipart = parsed(TEXT("multipart/mixed;boundary=x"), builder_text(&body));
    assert_int_equal(multipart.count, 2);
    assert_text(multipart.parts[0].bytes, "Content-Type: a/b\r\n\r\n\r\nline\r\n");
    assert_text(multipart.parts[0].content, "\r\nline\r\n");
    assert_text(multipart.parts[1].bytes, "\r\n");
    arena_clear(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_keep_every_byte),
        cmocka_unit_test(bare_line_feeds_are_read_too),
        cmocka_unit_test(what_has_no_boundary_or_no_end_is_refused),
        cmocka_unit_test(more_parts_than_allowed_are_refused),
        cmocka_unit_test(what_is_joined_is_split_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
