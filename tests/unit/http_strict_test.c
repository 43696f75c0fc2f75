/* Request heads that have one meaning pass, all others are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../xdms/http/http_private.h"

#define HEADERS_MAX 8

static struct http_framing framing;

/* Pairs of name and value, NULL at the end. */
static bool accepted(const char *method, const char *target, bool is_1_0, ...)
{
    struct http_header headers[HEADERS_MAX];
    size_t count = 0;
    va_list arguments;
    va_start(arguments, is_1_0);
    for (const char *name; (name = va_arg(arguments, const char *)) != NULL;)
        headers[count++] = (struct http_header){text_of(name), text_of(va_arg(arguments, const char *))};
    va_end(arguments);
    struct http_head head = {text_of(method), text_of(target), is_1_0, headers, count};
    return http_head_refusal(&head, &framing) == NULL;
}

#define ACCEPTED(...)       accepted("GET", "/", false, "Host", "x", __VA_ARGS__, (char *)NULL)
#define ACCEPTED_PLAIN(...) accepted(__VA_ARGS__, (char *)NULL)

static void an_ordinary_head_passes(void **state)
{
    (void)state;
    assert_true(ACCEPTED("Accept", "*/*", "X-Empty", "", "X-Tab", "a\tb", "X-Latin", "\xe9"));
    assert_true(ACCEPTED_PLAIN("OPTIONS", "*", false, "Host", ""));
    assert_true(ACCEPTED_PLAIN("M-SEARCH", "http://h/x?y", false, "host", "[::1]:80"));
}

static void a_method_that_is_no_token_is_refused(void **state)
{
    (void)state;
    assert_false(ACCEPTED_PLAIN("", "/", false, "Host", "x"));
    assert_false(ACCEPTED_PLAIN("GE(T", "/", false, "Host", "x"));
    assert_false(ACCEPTED_PLAIN("G\x01T", "/", false, "Host", "x"));
    assert_false(ACCEPTED_PLAIN("G\xc3\xa9T", "/", false, "Host", "x"));
}

static void a_target_with_space_or_control_character_is_refused(void **state)
{
    (void)state;
    assert_false(ACCEPTED_PLAIN("GET", "", false, "Host", "x"));
    assert_false(ACCEPTED_PLAIN("GET", "/a b", false, "Host", "x"));
    assert_false(ACCEPTED_PLAIN("GET", "/a\tb", false, "Host", "x"));
    assert_false(ACCEPTED_PLAIN("GET", "/a\rb", false, "Host", "x"));
    assert_false(ACCEPTED_PLAIN("GET", "/a\x7f", false, "Host", "x"));
}

static void a_target_is_not_normalised_or_judged_further(void **state)
{
    (void)state;
    assert_true(ACCEPTED_PLAIN("GET", "//a/../b%00%2520?x#y", false, "Host", "x"));
    assert_true(ACCEPTED_PLAIN("GET", "/\xc3\xa9\"<>[]", false, "Host", "x"));
}

static void a_field_name_that_is_no_token_is_refused(void **state)
{
    (void)state;
    assert_false(ACCEPTED("X ", "y"));
    assert_false(ACCEPTED(" X", "y"));
    assert_false(ACCEPTED("X\t", "y"));
    assert_false(ACCEPTED("", "y"));
    assert_false(ACCEPTED("X\xa0", "y"));
    assert_false(ACCEPTED("Content-Length ", "5"));
}

static void a_field_value_with_a_control_character_is_refused(void **state)
{
    (void)state;
    assert_false(ACCEPTED("X", "a\rb"));
    assert_false(ACCEPTED("X", "a\nb"));
    assert_false(ACCEPTED("X", "a\x01"));
    assert_false(ACCEPTED("X", "a\x7f"));
    struct http_header nul[] = {{TEXT("Host"), TEXT("x")}, {TEXT("X"), TEXT("a\0b")}};
    struct http_head head = {TEXT("GET"), TEXT("/"), false, nul, 2};
    assert_non_null(http_head_refusal(&head, &framing));
}

static void http_1_1_needs_exactly_one_host(void **state)
{
    (void)state;
    assert_false(ACCEPTED_PLAIN("GET", "/", false));
    assert_false(ACCEPTED("Host", "x"));
    assert_false(ACCEPTED("hOST", "y"));
    assert_true(ACCEPTED_PLAIN("GET", "/", true));
    assert_false(ACCEPTED_PLAIN("GET", "/", true, "Host", "x", "Host", "x"));
}

static void a_malformed_host_is_refused(void **state)
{
    (void)state;
    assert_false(ACCEPTED_PLAIN("GET", "/", false, "Host", "a b"));
    assert_false(ACCEPTED_PLAIN("GET", "/", false, "Host", "a/b"));
    assert_false(ACCEPTED_PLAIN("GET", "/", false, "Host", "a@b"));
    assert_false(ACCEPTED_PLAIN("GET", "/", false, "Host", "a,b"));
}

static void a_length_is_digits_and_stands_once(void **state)
{
    (void)state;
    assert_true(ACCEPTED("content-length", "17"));
    assert_int_equal(framing.length, 17);
    assert_false(framing.chunked);
    const char *malformed[] = {"", "+5", "-1", "5 ", " 5", "0x5", "5,5", "5, 5", "18446744073709551616", "1e3"};
    for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++)
        assert_false(ACCEPTED("Content-Length", malformed[i]));
    assert_false(ACCEPTED("Content-Length", "5", "Content-Length", "5"));
    assert_false(ACCEPTED("Content-Length", "5", "content-LENGTH", "6"));
}

static void chunked_is_the_only_transfer_coding(void **state)
{
    (void)state;
    assert_true(ACCEPTED("Transfer-Encoding", "Chunked"));
    assert_true(framing.chunked);
    const char *others[] = {"xchunked",
                            "gzip",
                            "gzip, chunked",
                            "chunked, identity",
                            "chunked ",
                            "",
                            "identity",
                            "\x0b"
                            "chunked",
                            "chunked;q=1"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_false(ACCEPTED("Transfer-Encoding", others[i]));
    assert_false(ACCEPTED("Transfer-Encoding", "chunked", "Transfer-Encoding", "chunked"));
    assert_false(ACCEPTED_PLAIN("GET", "/", true, "Transfer-Encoding", "chunked"));
}

static void length_and_transfer_coding_exclude_each_other(void **state)
{
    (void)state;
    assert_false(ACCEPTED("Content-Length", "5", "Transfer-Encoding", "chunked"));
    assert_false(ACCEPTED("Transfer-Encoding", "chunked", "Content-Length", "0"));
}

static void an_expectation_is_seen(void **state)
{
    (void)state;
    assert_true(ACCEPTED("Expect", "100-Continue"));
    assert_true(framing.expects_continue);
    assert_true(ACCEPTED("Expect", "miracles"));
    assert_false(framing.expects_continue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_ordinary_head_passes),
        cmocka_unit_test(a_method_that_is_no_token_is_refused),
        cmocka_unit_test(a_target_with_space_or_control_character_is_refused),
        cmocka_unit_test(a_target_is_not_normalised_or_judged_further),
        cmocka_unit_test(a_field_name_that_is_no_token_is_refused),
        cmocka_unit_test(a_field_value_with_a_control_character_is_refused),
        cmocka_unit_test(http_1_1_needs_exactly_one_host),
        cmocka_unit_test(a_malformed_host_is_refused),
        cmocka_unit_test(a_length_is_digits_and_stands_once),
        cmocka_unit_test(chunked_is_the_only_transfer_coding),
        cmocka_unit_test(length_and_transfer_coding_exclude_each_other),
        cmocka_unit_test(an_expectation_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
