/* Records: what is written is read, and damage is neither read past nor taken for a record. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "record.h"
#include "test_arena.h"

static struct text example(void)
{
    struct text_builder record;
    builder_init(&record, &arena);
    record_add(&record, "aor", TEXT("sip:alice@example.com"));
    record_add_number(&record, "created", 1767225600000);
    record_add(&record, "to", TEXT("first"));
    record_add(&record, "to", TEXT("second"));
    record_add(&record, "empty", TEXT(""));
    record_add(&record, "bytes", TEXT("\0\xFF"));
    return builder_text(&record);
}

static void what_was_added_is_found(void **state)
{
    (void)state;
    struct text record = example();
    struct text value;
    assert_true(record_valid(record));
    assert_true(text_equal(record_text(record, "aor"), TEXT("sip:alice@example.com")));
    assert_true(record_number(record, "created", 0) == 1767225600000);
    assert_true(text_equal(record_text(record, "bytes"), TEXT("\0\xFF")));
    assert_true(record_get(record, "empty", &value));
    assert_int_equal(value.length, 0);
}

static void the_first_of_equal_names_is_found_and_all_are_walked(void **state)
{
    (void)state;
    struct text record = example();
    struct text name, value;
    size_t cursor = 0;
    int to_count = 0;
    assert_true(text_equal(record_text(record, "to"), TEXT("first")));
    while (record_next(record, &cursor, &name, &value))
        to_count += text_equal(name, TEXT("to"));
    assert_int_equal(to_count, 2);
    assert_int_equal(cursor, record.length);
}

static void an_absent_field_is_empty_or_the_given_number(void **state)
{
    (void)state;
    struct text record = example();
    struct text value;
    assert_false(record_get(record, "nothing", &value));
    assert_int_equal(record_text(record, "nothing").length, 0);
    assert_int_equal(record_number(record, "nothing", 7), 7);
    assert_int_equal(record_number(record, "aor", 7), 7);
    assert_int_equal(record_number(record, "empty", 7), 7);
}

static void numbers_reach_both_ends(void **state)
{
    (void)state;
    struct text_builder record;
    builder_init(&record, &arena);
    record_add_number(&record, "least", INT64_MIN);
    record_add_number(&record, "most", INT64_MAX);
    record_add_number(&record, "minus", -1);
    record_add(&record, "above", TEXT("9223372036854775808"));
    record_add(&record, "below", TEXT("-9223372036854775809"));
    record_add(&record, "sign", TEXT("-"));
    record_add(&record, "minus zero", TEXT("-0"));
    struct text text = builder_text(&record);
    assert_true(record_number(text, "least", 0) == INT64_MIN);
    assert_true(record_number(text, "most", 0) == INT64_MAX);
    assert_int_equal(record_number(text, "minus", 0), -1);
    assert_int_equal(record_number(text, "above", 7), 7);
    assert_int_equal(record_number(text, "below", 7), 7);
    assert_int_equal(record_number(text, "sign", 7), 7);
    assert_int_equal(record_number(text, "minus zero", 7), 0);
}

static void the_bytes_are_the_documented_ones(void **state)
{
    (void)state;
    struct text_builder record;
    builder_init(&record, &arena);
    record_add(&record, "ab", TEXT("xyz"));
    assert_true(text_equal(builder_text(&record), TEXT("\x02"
                                                       "ab\0\0\0\x03xyz")));
}

static void unknown_fields_survive_rewriting(void **state)
{
    (void)state;
    static const char *const known[] = {"aor", "to"};
    struct text_builder rewritten;
    builder_init(&rewritten, &arena);
    record_add(&rewritten, "aor", TEXT("sip:bob@example.com"));
    record_copy(&rewritten, example(), known, 2);
    struct text record = builder_text(&rewritten);
    struct text value;
    assert_true(record_valid(record));
    assert_true(text_equal(record_text(record, "aor"), TEXT("sip:bob@example.com")));
    assert_true(record_number(record, "created", 0) == 1767225600000);
    assert_true(text_equal(record_text(record, "bytes"), TEXT("\0\xFF")));
    assert_false(record_get(record, "to", &value));
}

static void a_cut_record_is_valid_only_between_fields(void **state)
{
    (void)state;
    struct text whole = example();
    struct text name, value;
    size_t boundary = 0;
    for (size_t length = 0; length < whole.length; length++) {
        /* A copy in its exact size, so that a sanitizer sees a read behind the end. */
        struct text cut = text_copy(&arena, text_slice(whole, 0, length));
        size_t cursor = boundary;
        if (record_next(cut, &cursor, &name, &value))
            boundary = cursor;
        assert_int_equal(record_valid(cut), length == boundary);
        record_get(cut, "nothing", &value);
    }
}

static void lengths_beyond_the_end_are_damage(void **state)
{
    (void)state;
    assert_true(record_valid(TEXT("")));
    assert_false(record_valid(TEXT("\x01n\xFF\xFF\xFF\xFF")));
    assert_false(record_valid(TEXT("\x05n")));
    assert_false(record_valid(TEXT("\0\0\0\0\0")));
}

static void too_many_fields_are_damage(void **state)
{
    (void)state;
    struct text_builder record;
    struct text value;
    builder_init(&record, &arena);
    for (int i = 0; i < RECORD_FIELDS_MAX; i++)
        record_add(&record, "n", TEXT("1"));
    assert_true(record_valid(builder_text(&record)));
    record_add(&record, "last", TEXT("1"));
    assert_false(record_valid(builder_text(&record)));
    assert_false(record_get(builder_text(&record), "last", &value));
}

#define RECORD_TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RECORD_TEST(what_was_added_is_found),
        RECORD_TEST(the_first_of_equal_names_is_found_and_all_are_walked),
        RECORD_TEST(an_absent_field_is_empty_or_the_given_number),
        RECORD_TEST(numbers_reach_both_ends),
        RECORD_TEST(the_bytes_are_the_documented_ones),
        RECORD_TEST(unknown_fields_survive_rewriting),
        RECORD_TEST(a_cut_record_is_valid_only_between_fields),
        RECORD_TEST(lengths_beyond_the_end_are_damage),
        RECORD_TEST(too_many_fields_are_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
