/* Entity tags and the conditions made of them, as RFC 9110 says and as clients write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "document.h"

#define VERSION 0x2a9

struct example {
    struct text header;
    bool matches;
};

static void a_tag_is_quoted_and_differs_for_each_version(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, "test");
    assert_true(text_equal(document_etag(VERSION, &arena), TEXT("\"2a9\"")));
    assert_false(text_equal(document_etag(1, &arena), document_etag(2, &arena)));
    assert_true(document_if_match(document_etag(UINT64_MAX - 1, &arena), UINT64_MAX - 1));
    assert_true(text_equal(document_etag_gzip(VERSION, &arena), TEXT("\"2a9-gz\"")));
    arena_clear(&arena);
}

static void if_match_takes_strong_tags_of_any_spelling(void **state)
{
    (void)state;
    const struct example examples[] = {
        {TEXT("\"2a9\""), true},
        {TEXT("2a9"), true},
        {TEXT("  \"2a9\"  "), true},
        {TEXT("\"x\", \"2a9\""), true},
        {TEXT("\"x\",\"2a9\",\"y\""), true},
        {TEXT(",, \"2a9\""), true},
        {TEXT("x, 2a9 , y"), true},
        {TEXT("\"a,b\",\"2a9\""), true},
        {TEXT("*"), true},
        {TEXT(" * "), true},
        {TEXT("\"2a9"), true},
        {TEXT("W/\"2a9\""), false},
        {TEXT("w/\"2a9\""), false},
        {TEXT("W/\"2a9\", \"2a9\""), true},
        {TEXT("\"2A9\""), false},
        {TEXT("\"2a90\""), false},
        {TEXT("\"a,2a9,b\""), false},
        {TEXT("\"*\""), false},
        {TEXT("\"x\", *"), false},
        {TEXT(""), false},
        {TEXT("\""), false},
        {TEXT("\"\""), false},
        {TEXT("W/"), false},
        {TEXT("\"2a9-gz\""), true},
        {TEXT("2a9-gz"), true},
        {TEXT("W/\"2a9-gz\""), false},
        {TEXT("\"2a9-gz-gz\""), false},
        {TEXT("\"2a9gz\""), false},
        {TEXT("\"-gz\""), false},
        {TEXT(","), false},
    };
    for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++)
        if (document_if_match(examples[i].header, VERSION) != examples[i].matches)
            fail_msg("%.*s", TEXT_ARG(examples[i].header));
}

static void if_none_match_takes_weak_tags_too(void **state)
{
    (void)state;
    const struct example examples[] = {
        {TEXT("\"2a9\""), true},
        {TEXT("W/\"2a9\""), true},
        {TEXT("\"x\", W/\"2a9\""), true},
        {TEXT("2a9"), true},
        {TEXT("*"), true},
        {TEXT("\"2a8\""), false},
        {TEXT("W/\"2a8\", \"x\""), false},
        {TEXT(""), false},
        {TEXT("W/\"2a9-gz\""), true},
    };
    for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++)
        if (document_if_none_match(examples[i].header, VERSION) == examples[i].matches)
            fail_msg("%.*s", TEXT_ARG(examples[i].header));
}

static void nothing_matches_a_document_that_is_not_there(void **state)
{
    (void)state;
    const struct text headers[] = {TEXT("*"), TEXT("\"0\""), TEXT("0"), TEXT("")};
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        assert_false(document_if_match(headers[i], 0));
        assert_true(document_if_none_match(headers[i], 0));
    }
}

static void a_reader_is_told_the_tag_that_it_has(void **state)
{
    (void)state;
    static const struct {
        struct text header;
        bool gzip;
        struct text tag; /* empty: it has another version */
    } examples[] = {
        {TEXT_INIT("\"2a9\""), false, TEXT_INIT("\"2a9\"")},
        {TEXT_INIT("\"2a9\""), true, TEXT_INIT("\"2a9\"")},
        {TEXT_INIT("\"2a9-gz\""), true, TEXT_INIT("\"2a9-gz\"")},
        {TEXT_INIT("\"2a9-gz\""), false, TEXT_INIT("")},
        {TEXT_INIT("\"2a9-gz\", \"2a9\""), true, TEXT_INIT("\"2a9-gz\"")},
        {TEXT_INIT("\"2a9-gz\", \"2a9\""), false, TEXT_INIT("\"2a9\"")},
        {TEXT_INIT("W/\"2a9-gz\""), true, TEXT_INIT("\"2a9-gz\"")},
        {TEXT_INIT("*"), true, TEXT_INIT("\"2a9\"")},
        {TEXT_INIT("\"2a8-gz\""), true, TEXT_INIT("")},
    };
    struct arena arena;
    arena_init(&arena, "test");
    for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
        struct text tag;
        bool has = document_reader_has(examples[i].header, VERSION, examples[i].gzip, &arena, &tag);
        if (has != (examples[i].tag.length > 0) || (has && !text_equal(tag, examples[i].tag)))
            fail_msg("%.*s", TEXT_ARG(examples[i].header));
    }
    arena_clear(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tag_is_quoted_and_differs_for_each_version),
        cmocka_unit_test(if_match_takes_strong_tags_of_any_spelling),
        cmocka_unit_test(if_none_match_takes_weak_tags_too),
        cmocka_unit_test(a_reader_is_told_the_tag_that_it_has),
        cmocka_unit_test(nothing_matches_a_document_that_is_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
