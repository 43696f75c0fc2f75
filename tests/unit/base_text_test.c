/* Slices: comparing, searching, numbers, hashing, building, and the encodings with their refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "test_arena.h"
#include "text.h"

static void assert_text(struct text actual, const char *expected)
{
    assert_string_equal(text_cstring(&arena, actual), expected);
    assert_int_equal(actual.length, strlen(expected));
}

static void an_empty_text_without_bytes_is_like_any_empty_text(void **state)
{
    (void)state;
    struct text none = {0};
    assert_true(text_equal(none, TEXT("")));
    assert_true(text_equal_nocase(none, TEXT("")));
    assert_int_equal(text_compare(none, TEXT("")), 0);
    assert_true(text_starts_with(none, none));
    assert_true(text_ends_with(TEXT("a"), none));
    assert_int_equal(text_trim(none).length, 0);
    assert_int_equal(text_find(none, TEXT("a")), 0);
    assert_int_equal(text_find_char(none, 'a'), 0);
    assert_true(utf8_valid(none));
    assert_int_equal(text_hash(none, 1), text_hash(TEXT(""), 1));
    assert_text(text_copy(&arena, none), "");
    assert_text(text_join(&arena, none, none), "");
    assert_text(xml_escape(&arena, none), "");
    assert_text(base64_encode(&arena, none), "");
    assert_text(text_of(NULL), "");
}

static void only_ascii_letters_ignore_case(void **state)
{
    (void)state;
    assert_true(text_equal_nocase(TEXT("Content-Type"), TEXT("cONTENT-tYPE")));
    assert_false(text_equal_nocase(TEXT("[`{"), TEXT("{`[")));
    assert_false(text_equal_nocase(TEXT("\xC3\x84"), TEXT("\xC3\xA4")));
    assert_false(text_equal_nocase(TEXT("a"), TEXT("ab")));
    assert_true(text_starts_with_nocase(TEXT("SIP:alice"), TEXT("sip:")));
    assert_false(text_starts_with_nocase(TEXT("si"), TEXT("sip:")));
    assert_text(text_lower(&arena, TEXT("AZ[az\xC3\x84")), "az[az\xC3\x84");
}

static void order_is_by_bytes_and_then_by_length(void **state)
{
    (void)state;
    assert_true(text_compare(TEXT("a"), TEXT("b")) < 0);
    assert_true(text_compare(TEXT("b"), TEXT("a")) > 0);
    assert_true(text_compare(TEXT("a"), TEXT("ab")) < 0);
    assert_true(text_compare(TEXT("\xFF"), TEXT("a")) > 0);
    assert_int_equal(text_compare(TEXT("ab"), TEXT("ab")), 0);
}

static void beginnings_and_ends_are_found(void **state)
{
    (void)state;
    assert_true(text_starts_with(TEXT("sip:a"), TEXT("sip:")));
    assert_false(text_starts_with(TEXT("sip"), TEXT("sip:")));
    assert_true(text_ends_with(TEXT("a.xml"), TEXT(".xml")));
    assert_false(text_ends_with(TEXT("xml"), TEXT(".xml")));
    assert_text(text_trim(TEXT(" \t\r\n a b \r\n")), "a b");
    assert_text(text_trim(TEXT(" \t ")), "");
}

static void searching_without_success_gives_the_length(void **state)
{
    (void)state;
    assert_int_equal(text_find(TEXT("a--b"), TEXT("--")), 1);
    assert_int_equal(text_find(TEXT("a--b"), TEXT("---")), 4);
    assert_int_equal(text_find(TEXT("a"), TEXT("ab")), 1);
    assert_int_equal(text_find(TEXT("abc"), TEXT("")), 0);
    assert_int_equal(text_find_char(TEXT("abc"), 'c'), 2);
    assert_int_equal(text_find_char(TEXT("abc"), 'd'), 3);
}

static void cutting_takes_the_first_separator(void **state)
{
    (void)state;
    struct text before, after;
    assert_true(text_cut(TEXT("a=b=c"), '=', &before, &after));
    assert_text(before, "a");
    assert_text(after, "b=c");
    assert_true(text_cut(TEXT("a="), '=', &before, &after));
    assert_text(after, "");
    assert_false(text_cut(TEXT("abc"), '=', &before, &after));
    assert_text(before, "abc");
    assert_text(after, "");
}

static void items_of_a_list_are_trimmed_and_empty_ones_passed_over(void **state)
{
    (void)state;
    struct text list = TEXT(" a ,, b c,\t,d"), item;
    assert_true(text_next_item(&list, &item));
    assert_text(item, "a");
    assert_true(text_next_item(&list, &item));
    assert_text(item, "b c");
    assert_true(text_next_item(&list, &item));
    assert_text(item, "d");
    assert_false(text_next_item(&list, &item));
    list = TEXT(" , ");
    assert_false(text_next_item(&list, &item));
    assert_int_equal(item.length, 0);
}

static void a_number_is_digits_that_fit(void **state)
{
    (void)state;
    uint64_t value;
    assert_true(text_to_u64(TEXT("18446744073709551615"), &value));
    assert_true(value == UINT64_MAX);
    assert_true(text_to_u64(TEXT("007"), &value));
    assert_int_equal(value, 7);
    assert_false(text_to_u64(TEXT("18446744073709551616"), &value));
    assert_false(text_to_u64(TEXT("99999999999999999999"), &value));
    assert_false(text_to_u64(TEXT(""), &value));
    assert_false(text_to_u64(TEXT("+1"), &value));
    assert_false(text_to_u64(TEXT("-1"), &value));
    assert_false(text_to_u64(TEXT(" 1"), &value));
    assert_false(text_to_u64(TEXT("1a"), &value));
}

static void a_hexadecimal_number_has_up_to_sixteen_digits_that_count(void **state)
{
    (void)state;
    uint64_t value;
    assert_true(text_hex_to_u64(TEXT("fFfFfFfFfFfFfFfF"), &value));
    assert_true(value == UINT64_MAX);
    assert_true(text_hex_to_u64(TEXT("0000000000000000000a"), &value));
    assert_int_equal(value, 10);
    assert_false(text_hex_to_u64(TEXT("10000000000000000"), &value));
    assert_false(text_hex_to_u64(TEXT("0x1"), &value));
    assert_false(text_hex_to_u64(TEXT("g"), &value));
    assert_false(text_hex_to_u64(TEXT(""), &value));
}

static void the_hash_depends_on_bytes_and_seed(void **state)
{
    (void)state;
    assert_true(text_hash(TEXT("alice"), 1) == text_hash(TEXT("alice"), 1));
    assert_true(text_hash(TEXT("alice"), 1) != text_hash(TEXT("alicf"), 1));
    assert_true(text_hash(TEXT("alice"), 1) != text_hash(TEXT("alice"), 2));
    assert_true(text_hash_seed() == text_hash_seed());
}

static void fingerprints_differ_when_texts_do(void **state)
{
    (void)state;
    struct text_fingerprint one = text_fingerprint(TEXT("alice")), same = text_fingerprint(TEXT("alice")),
                            other = text_fingerprint(TEXT("alicf")), none = text_fingerprint((struct text){0});
    assert_true(one.low == same.low && one.high == same.high);
    assert_true(one.low != other.low && one.high != other.high);
    assert_true(one.low != one.high);
    assert_true(none.low == text_fingerprint(TEXT("")).low && none.low != one.low);
}

static void copies_do_not_share_bytes(void **state)
{
    (void)state;
    char bytes[] = "alice";
    struct text copy = text_copy(&arena, text_of(bytes));
    char *string = text_cstring(&arena, text_of(bytes));
    struct text joined = text_join(&arena, text_of(bytes), TEXT("@example.com"));
    bytes[0] = 'A';
    assert_text(copy, "alice");
    assert_string_equal(string, "alice");
    assert_text(joined, "alice@example.com");
    assert_text(text_format(&arena, "%.*s has %d", TEXT_ARG(copy), 3), "alice has 3");
}

static void a_builder_grows_over_many_pieces(void **state)
{
    (void)state;
    struct text_builder builder;
    builder_init(&builder, &arena);
    assert_int_equal(builder_text(&builder).length, 0);
    for (int i = 0; i < 1000; i++) {
        builder_add(&builder, TEXT("ab"));
        builder_add_char(&builder, 'c');
        builder_add_format(&builder, "%03d", i);
        builder_add(&builder, (struct text){0});
    }
    struct text text = builder_text(&builder);
    assert_int_equal(text.length, 6000);
    assert_text(text_slice(text, 0, 12), "abc000abc001");
    assert_text(text_slice(text, 5994, 6000), "abc999");
}

static void a_builder_gives_room_that_counts_as_added(void **state)
{
    (void)state;
    struct text_builder builder;
    builder_init(&builder, &arena);
    for (int i = 0; i < 100; i++) {
        builder_add(&builder, TEXT("a"));
        memcpy(builder_add_room(&builder, 20), "bcdefghijklmnopqrstu", 20);
    }
    assert_int_equal(builder.length, 2100);
    assert_memory_equal(builder_text(&builder).bytes + 2079, "abcdefghijklmnopqrstu", 21);
}

static void a_builder_can_add_what_it_holds(void **state)
{
    (void)state;
    struct text_builder builder;
    builder_init(&builder, &arena);
    builder_add(&builder, TEXT("0123456789abcdef"));
    for (int i = 0; i < 6; i++)
        builder_add(&builder, builder_text(&builder));
    assert_int_equal(builder_text(&builder).length, 16 << 6);
    assert_text(text_slice(builder_text(&builder), 1008, 1024), "0123456789abcdef");
}

static void utf8_takes_each_length_at_its_bounds(void **state)
{
    (void)state;
    assert_true(utf8_valid(TEXT("\x00\x7F")));
    assert_true(utf8_valid(TEXT("\xC2\x80\xDF\xBF")));
    assert_true(utf8_valid(TEXT("\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF")));
    assert_true(utf8_valid(TEXT("\xF0\x90\x80\x80\xF4\x8F\xBF\xBF")));
}

static void utf8_refuses_longer_forms_surrogates_and_what_is_cut(void **state)
{
    (void)state;
    static const struct text broken[] = {
        TEXT_INIT("\x80"),         TEXT_INIT("\xC0\x80"),          TEXT_INIT("\xC1\xBF"),
        TEXT_INIT("\xC2"),         TEXT_INIT("\xC2\x7F"),          TEXT_INIT("\xC2\xC0"),
        TEXT_INIT("\xE0\x9F\xBF"), TEXT_INIT("\xE1\x80"),          TEXT_INIT("\xE1\x80\x7F"),
        TEXT_INIT("\xED\xA0\x80"), TEXT_INIT("\xED\xBF\xBF"),      TEXT_INIT("\xF0\x8F\xBF\xBF"),
        TEXT_INIT("\xF1\x80\x80"), TEXT_INIT("\xF4\x90\x80\x80"),  TEXT_INIT("\xF5\x80\x80\x80"),
        TEXT_INIT("\xFF"),         TEXT_INIT("a\xF1\x80\x80\xC0"),
    };
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
        assert_false(utf8_valid(broken[i]));
}

static void percent_encoding_keeps_what_it_is_told(void **state)
{
    (void)state;
    assert_text(percent_encode(&arena, TEXT("a-b_c.d~E9"), ""), "a-b_c.d~E9");
    assert_text(percent_encode(&arena, TEXT("a/b c@d"), "/"), "a/b%20c%40d");
    assert_text(percent_encode(&arena, TEXT("\xC3\xA4%\0"), "%"), "%C3%A4%%00");
    struct text decoded;
    assert_true(percent_decode(&arena, TEXT("a%2fb%2F%C3%a4+"), &decoded));
    assert_text(decoded, "a/b/\xC3\xA4+");
    assert_true(percent_decode(&arena, TEXT("%00"), &decoded));
    assert_true(text_equal(decoded, TEXT("\0")));
}

static void a_broken_escape_is_refused(void **state)
{
    (void)state;
    struct text decoded;
    assert_false(percent_decode(&arena, TEXT("%"), &decoded));
    assert_false(percent_decode(&arena, TEXT("a%2"), &decoded));
    assert_false(percent_decode(&arena, TEXT("%g0"), &decoded));
    assert_false(percent_decode(&arena, TEXT("%0g"), &decoded));
    assert_false(percent_decode(&arena, TEXT("%%41"), &decoded));
}

static void xml_markup_becomes_references(void **state)
{
    (void)state;
    assert_text(xml_escape(&arena, TEXT("plain")), "plain");
    assert_text(xml_escape(&arena, TEXT("<a b=\"c\" d='e'>&f")), "&lt;a b=&quot;c&quot; d=&apos;e&apos;&gt;&amp;f");
    assert_text(xml_escape(&arena, TEXT("&")), "&amp;");
}

static void bytes_become_lower_case_hexadecimal(void **state)
{
    (void)state;
    assert_text(hex_encode(&arena, "\x00\xAB\xff", 3), "00abff");
}

static void base64_follows_the_examples_of_rfc_4648(void **state)
{
    (void)state;
    static const struct {
        struct text plain;
        const char *encoded;
    } examples[] = {
        {TEXT_INIT("f"), "Zg=="},
        {TEXT_INIT("fo"), "Zm8="},
        {TEXT_INIT("foo"), "Zm9v"},
        {TEXT_INIT("foob"), "Zm9vYg=="},
        {TEXT_INIT("fooba"), "Zm9vYmE="},
        {TEXT_INIT("foobar"), "Zm9vYmFy"},
        {TEXT_INIT(""), ""},
    };
    for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
        struct text decoded;
        assert_text(base64_encode(&arena, examples[i].plain), examples[i].encoded);
        assert_true(base64_decode(&arena, text_of(examples[i].encoded), &decoded));
        assert_true(text_equal(decoded, examples[i].plain));
    }
}

static void base64_takes_white_space_and_refuses_the_rest(void **state)
{
    (void)state;
    struct text decoded;
    assert_true(base64_decode(&arena, TEXT("Zm9v\r\n YmFy"), &decoded));
    assert_text(decoded, "foobar");
    assert_false(base64_decode(&arena, TEXT("Zg"), &decoded));
    assert_false(base64_decode(&arena, TEXT("Zg="), &decoded));
    assert_false(base64_decode(&arena, TEXT("Zg==Zg=="), &decoded));
    assert_false(base64_decode(&arena, TEXT("Zm9*"), &decoded));
    assert_false(base64_decode(&arena, TEXT("Zh=="), &decoded));
}

static void random_text_has_the_length_asked_for(void **state)
{
    (void)state;
    uint64_t value;
    assert_int_equal(random_hex(&arena, 0).length, 0);
    struct text odd = random_hex(&arena, 15);
    assert_int_equal(odd.length, 15);
    assert_true(text_hex_to_u64(odd, &value));
    assert_false(text_equal(random_hex(&arena, 32), random_hex(&arena, 32)));
}

#define TEXT_TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEXT_TEST(an_empty_text_without_bytes_is_like_any_empty_text),
        TEXT_TEST(only_ascii_letters_ignore_case),
        TEXT_TEST(order_is_by_bytes_and_then_by_length),
        TEXT_TEST(beginnings_and_ends_are_found),
        TEXT_TEST(searching_without_success_gives_the_length),
        TEXT_TEST(cutting_takes_the_first_separator),
        TEXT_TEST(items_of_a_list_are_trimmed_and_empty_ones_passed_over),
        TEXT_TEST(a_number_is_digits_that_fit),
        TEXT_TEST(a_hexadecimal_number_has_up_to_sixteen_digits_that_count),
        TEXT_TEST(the_hash_depends_on_bytes_and_seed),
        TEXT_TEST(fingerprints_differ_when_texts_do),
        TEXT_TEST(copies_do_not_share_bytes),
        TEXT_TEST(a_builder_grows_over_many_pieces),
        TEXT_TEST(a_builder_gives_room_that_counts_as_added),
        TEXT_TEST(a_builder_can_add_what_it_holds),
        TEXT_TEST(utf8_takes_each_length_at_its_bounds),
        TEXT_TEST(utf8_refuses_longer_forms_surrogates_and_what_is_cut),
        TEXT_TEST(percent_encoding_keeps_what_it_is_told),
        TEXT_TEST(a_broken_escape_is_refused),
        TEXT_TEST(xml_markup_becomes_references),
        TEXT_TEST(bytes_become_lower_case_hexadecimal),
        TEXT_TEST(base64_follows_the_examples_of_rfc_4648),
        TEXT_TEST(base64_takes_white_space_and_refuses_the_rest),
        TEXT_TEST(random_text_has_the_length_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
