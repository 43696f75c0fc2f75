/* CPIM envelopes: what the RFC shows is read, careless writing is forgiven, and damage is refused without reading on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "cpim.h"

#define IMDN TEXT("urn:ietf:params:imdn")

static const char example[] = "From: \"Alice A\" <sip:alice@example.com>\r\n"
                              "To: <sip:bob@example.com>\r\n"
                              "To: <sip:carol@example.com>\r\n"
                              "DateTime: 2026-01-05T10:00:00+01:00\r\n"
                              "Subject:;lang=en;note=\"two words\" Lunch\r\n"
                              "NS: imdn <urn:ietf:params:imdn>\r\n"
                              "imdn.Message-ID: 34jk324j\r\n"
                              "imdn.Disposition-Notification: positive-delivery, display\r\n"
                              "\r\n"
                              "Content-Type: text/plain;charset=utf-8\r\n"
                              "Content-ID: <c1@imc>\r\n"
                              "\r\n"
                              "Hello\r\n\r\nFrom: nobody\r\n";

static void assert_text(struct text found, const char *expected)
{
    if (!text_equal(found, text_of(expected)))
        fail_msg("'%.*s' is not '%s'", TEXT_ARG(found), expected);
}

/* In a block of its exact size, so that a sanitizer sees a read behind the end. Leaks nothing: only the status counts.
 */
static enum status parse_exact(struct text body)
{
    char *bytes = malloc(body.length ? body.length : 1);
    assert_non_null(bytes);
    if (body.length)
        memcpy(bytes, body.bytes, body.length);
    struct cpim_message message;
    enum status status = cpim_parse((struct text){bytes, body.length}, &message);
    free(bytes);
    return status;
}

static struct cpim_message parse(const char *body)
{
    struct cpim_message message;
    if (parse_exact(text_of(body)) != OK || cpim_parse(text_of(body), &message) != OK)
        fail_msg("refused: %s", body);
    return message;
}

static void an_envelope_is_split_into_its_parts(void **state)
{
    (void)state;
    struct cpim_message message = parse(example);
    struct text value;
    assert_int_equal(message.headers_count, 8);
    assert_text(message.from, "\"Alice A\" <sip:alice@example.com>");
    assert_text(message.to, "<sip:bob@example.com>");
    assert_text(message.message_id, "34jk324j");
    assert_text(message.disposition, "positive-delivery, display");
    assert_text(message.content_type, "text/plain;charset=utf-8");
    assert_text(message.content, "Hello\r\n\r\nFrom: nobody\r\n");
    assert_true(cpim_header(&message, TEXT(""), TEXT("DateTime"), &value));
    assert_text(value, "2026-01-05T10:00:00+01:00");
    assert_true(cpim_header(&message, IMDN, TEXT("Message-ID"), &value));
    assert_text(value, "34jk324j");
    assert_false(cpim_header(&message, TEXT(""), TEXT("Message-ID"), &value));
    assert_false(cpim_header(&message, TEXT(""), TEXT("datetime"), &value));
    assert_text(message.headers[4].parameters, "lang=en;note=\"two words\"");
    assert_text(message.headers[4].value, "Lunch");
}

static void every_slice_points_into_the_body(void **state)
{
    (void)state;
    struct cpim_message message = parse(example);
    const char *end = example + sizeof(example) - 1;
    const struct text parts[] = {message.from,        message.to,           message.message_id,
                                 message.disposition, message.content_type, message.content};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        assert_true(parts[i].bytes >= example && parts[i].bytes + parts[i].length <= end);
}

static void careless_writing_is_forgiven(void **state)
{
    (void)state;
    struct cpim_message message = parse("From:<sip:a@x>\nTo:   <sip:b@x>  \n\ncontent-TYPE : text/plain\n\nHi");
    assert_text(message.from, "<sip:a@x>");
    assert_text(message.to, "<sip:b@x>");
    assert_text(message.content_type, "text/plain");
    assert_text(message.content, "Hi");

    message = parse("Content-type: Message/CPIM\r\nContent-ID: <o@x>\r\n\r\nFrom: <sip:a@x>\r\n\r\n\r\nHi");
    assert_text(message.from, "<sip:a@x>");
    assert_text(message.content_type, "");
    assert_text(message.content, "Hi");

    message = parse("\r\nFrom: <sip:a@x>\r\n\r\nContent-Type: text/plain\r\n\r\nHi");
    assert_text(message.from, "<sip:a@x>");
    assert_text(message.content, "Hi");
}

static void content_may_be_missing_or_binary(void **state)
{
    (void)state;
    assert_text(parse("From: <sip:a@x>\r\n\r\n").content, "");
    assert_text(parse("From: <sip:a@x>\r\n\r\nContent-Type: a/b").content_type, "a/b");
    assert_text(parse("From: <sip:a@x>\r\n\r\nContent-Type: a/b\r\n").content, "");
    struct text body = TEXT("From: <sip:a@x>\n\nContent-Type: a/b\n\n\0\xFF\n\0");
    struct cpim_message message;
    assert_int_equal(cpim_parse(body, &message), OK);
    assert_true(text_equal(message.content, TEXT("\0\xFF\n\0")));
}

static void a_folded_content_type_is_kept_whole(void **state)
{
    (void)state;
    struct cpim_message message =
        parse("From: <sip:a@x>\r\n\r\nContent-ID: <1@x>\r\n x\r\nContent-Type: multipart/mixed;\r\n boundary=b\r\n"
              "Content-Type: text/html\r\n x\r\n\r\n--b--");
    assert_text(message.content_type, "multipart/mixed;\r\n boundary=b");
    assert_text(message.content, "--b--");
}

static void a_prefix_means_what_was_bound_to_it_last(void **state)
{
    (void)state;
    struct cpim_message message = parse("NS: a <urn:one>\r\n"
                                        "a.X: first\r\n"
                                        "NS: a <urn:two>\r\n"
                                        "a.X: second\r\n"
                                        "NS: c <urn:ietf:params:cpim-headers:>\r\n"
                                        "c.From: <sip:core@x>\r\n"
                                        "b.X: unbound\r\n"
                                        "NS: m <urn:ietf:params:imdn>\r\n"
                                        "m.Message-ID: 7\r\n"
                                        "\r\n\r\n");
    struct text value;
    assert_true(cpim_header(&message, TEXT("urn:one"), TEXT("X"), &value));
    assert_text(value, "first");
    assert_true(cpim_header(&message, TEXT("urn:two"), TEXT("X"), &value));
    assert_text(value, "second");
    assert_true(cpim_header(&message, TEXT(""), TEXT("b.X"), &value));
    assert_text(message.from, "<sip:core@x>");
    assert_text(message.message_id, "7");
    assert_true(cpim_header(&message, TEXT("urn:ietf:params:cpim-headers:"), TEXT("From"), &value));
}

static void a_default_namespace_takes_bare_names(void **state)
{
    (void)state;
    struct cpim_message message = parse("From: <sip:a@x>\r\nNS: <urn:other>\r\nFrom: <sip:b@x>\r\n"
                                        "NS: <urn:ietf:params:cpim-headers:>\r\nTo: <sip:c@x>\r\n\r\n\r\n");
    struct text value;
    assert_text(message.from, "<sip:a@x>");
    assert_text(message.to, "<sip:c@x>");
    assert_true(cpim_header(&message, TEXT("urn:other"), TEXT("From"), &value));
    assert_text(value, "<sip:b@x>");
}

static void imdn_headers_are_known_without_their_binding(void **state)
{
    (void)state;
    struct cpim_message message = parse("From: <sip:a@x>\r\nimdn.Message-ID: 9\r\n\r\n\r\n");
    assert_text(message.message_id, "9");
    message = parse("NS: imdn <urn:else>\r\nimdn.Message-ID: 9\r\n\r\n\r\n");
    assert_text(message.message_id, "");
}

static void what_is_no_envelope_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "\r\n",
        "\r\n\r\n",
        "Hello",
        "Hello\r\n\r\nthere",
        "From: <sip:a@x>",
        "From: <sip:a@x>\r\n",
        "From: <sip:a@x>\r\nTo: <sip:b@x>\r\n",
        ": value\r\n\r\n",
        "From : <sip:a@x>\r\n\r\n",
        "From: <sip:a@x>\r\n folded\r\n\r\n",
        "From: <sip:a@x>\r\nFrom: <sip:b@x>\r\n\r\n",
        "From: <sip:a@x>\rVia: x\r\n\r\n",
        "From: <sip:a\x01@x>\r\n\r\n",
        "From: <sip:a@x>\r\n\r\nHello\r\n\r\n",
        "From: <sip:a@x>\r\n\r\n Hello: x\r\n\r\n",
        "From: <sip:a@x>\r\n\r\nContent-Type: a/b\rVia: x\r\n\r\n",
        "Content-Type: message/cpim\r\n",
        "Content-Type: message/cpim\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (parse_exact(text_of(bad[i])) != REFUSED)
            fail_msg("taken: %s", bad[i]);
    }
    assert_int_equal(parse_exact(TEXT("From: <sip:a\0@x>\r\n\r\n")), REFUSED);
}

static void more_headers_than_allowed_are_refused(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, "test");
    struct text_builder body;
    builder_init(&body, &arena);
    for (int i = 0; i < CPIM_HEADERS_MAX; i++)
        builder_add(&body, TEXT("To: <sip:b@x>\r\n"));
    size_t full = body.length;
    builder_add(&body, TEXT("\r\n"));
    assert_int_equal(parse_exact(builder_text(&body)), OK);
    body.length = full;
    builder_add(&body, TEXT("To: <sip:b@x>\r\n\r\n"));
    assert_int_equal(parse_exact(builder_text(&body)), REFUSED);
    arena_clear(&arena);
}

static void a_cut_at_any_byte_is_not_read_past(void **state)
{
    (void)state;
    size_t headers_end = text_find(text_of(example), TEXT("\r\n\r\n")) + 4;
    for (size_t length = 0; length < sizeof(example); length++) {
        enum status status = parse_exact((struct text){example, length});
        if (length < headers_end)
            assert_int_equal(status, REFUSED);
    }
}

static void the_media_type_is_known_in_any_case_and_with_parameters(void **state)
{
    (void)state;
    assert_true(cpim_is(TEXT("message/cpim")));
    assert_true(cpim_is(TEXT(" Message/CPIM ; charset=utf-8")));
    assert_false(cpim_is(TEXT("message/cpimx")));
    assert_false(cpim_is(TEXT("message/imdn+xml")));
    assert_false(cpim_is(TEXT("")));
    assert_false(cpim_is(TEXT("text/plain;x=message/cpim")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_envelope_is_split_into_its_parts),
        cmocka_unit_test(every_slice_points_into_the_body),
        cmocka_unit_test(careless_writing_is_forgiven),
        cmocka_unit_test(content_may_be_missing_or_binary),
        cmocka_unit_test(a_folded_content_type_is_kept_whole),
        cmocka_unit_test(a_prefix_means_what_was_bound_to_it_last),
        cmocka_unit_test(a_default_namespace_takes_bare_names),
        cmocka_unit_test(imdn_headers_are_known_without_their_binding),
        cmocka_unit_test(what_is_no_envelope_is_refused),
        cmocka_unit_test(more_headers_than_allowed_are_refused),
        cmocka_unit_test(a_cut_at_any_byte_is_not_read_past),
        cmocka_unit_test(the_media_type_is_known_in_any_case_and_with_parameters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
