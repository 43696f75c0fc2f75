/* WebSocket with bytes alone: the upgrade, frames in any pieces, and what breaks the rules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "arena.h"
#include "assert_text.h"
#include "websocket.h"

#define MESSAGE_MAX 70000

static struct arena arena;
static struct websocket *sock;

#define UPGRADE                                                                                                        \
    "GET /sip HTTP/1.1\r\nHost: example.com\r\nupgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n"              \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: chat, sip\r\n"                             \
    "Sec-WebSocket-Version: 13\r\n\r\n"

static int begin(void **state)
{
    (void)state;
    arena_init(&arena, "test");
    sock = websocket_new(MESSAGE_MAX);
    return 0;
}

static int end(void **state)
{
    (void)state;
    websocket_free(sock);
    arena_clear(&arena);
    return 0;
}

static struct text output(void)
{
    struct text bytes;
    websocket_output(sock, &bytes);
    return text_copy(&arena, bytes);
}

static void open_it(void)
{
    websocket_input(sock, TEXT(UPGRADE));
    assert_true(websocket_is_open(sock));
    output();
}

/* As a client sends it. */
static struct text frame(unsigned first, struct text payload)
{
    static const char mask[] = {'\x11', '\x22', '\x33', '\xc4'};
    struct text_builder made;
    builder_init(&made, &arena);
    builder_add_char(&made, (char)first);
    size_t more = payload.length < 126 ? 0 : payload.length < 65536 ? 2 : 8;
    builder_add_char(&made, (char)(0x80 | (more == 0 ? payload.length : more == 2 ? 126 : 127)));
    for (size_t i = 0; i < more; i++)
        builder_add_char(&made, (char)((uint64_t)payload.length >> 8 * (more - 1 - i)));
    builder_add(&made, (struct text){mask, 4});
    for (size_t i = 0; i < payload.length; i++)
        builder_add_char(&made, (char)(payload.bytes[i] ^ mask[i % 4]));
    return builder_text(&made);
}

static void expect_message(const char *expected)
{
    struct text message = {0};
    assert_true(websocket_message(sock, &message));
    assert_text(message, expected);
}

static void expect_none(void)
{
    struct text message;
    assert_false(websocket_message(sock, &message));
}

/* The end, with this code. */
static void expect_close(unsigned code)
{
    const char bytes[] = {'\x88', 2, (char)(code >> 8), (char)code};
    struct text closing = output();
    assert_true(closing.length >= 4);
    assert_memory_equal(closing.bytes + closing.length - 4, bytes, 4);
    assert_true(websocket_is_ended(sock));
    assert_false(websocket_is_open(sock));
}

static void the_upgrade_is_answered_as_the_rfc_shows(void **state)
{
    (void)state;
    struct text upgrade = TEXT(UPGRADE);
    for (size_t i = 0; i < upgrade.length; i++) {
        assert_false(websocket_is_open(sock));
        websocket_input(sock, text_slice(upgrade, i, i + 1));
    }
    assert_true(websocket_is_open(sock));
    assert_text(output(), "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                          "Sec-WebSocket-Protocol: sip\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n");
    assert_int_equal(output().length, 0);
}

static void what_is_no_upgrade_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *request, *status;
    } cases[] = {
        {"POST / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n", "HTTP/1.1 400 "},
        {"GET / HTTP/1.0\r\n\r\n", "HTTP/1.1 400 "},
        {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 426 "},
        {"\r\n\r\n", "HTTP/1.1 400 "},
        {"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Version: 8\r\n\r\n",
         "HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 13\r\n"},
        {"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Version: 13\r\n"
         "Sec-WebSocket-Key: short\r\nSec-WebSocket-Protocol: sip\r\n\r\n",
         "HTTP/1.1 400 "},
        {"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Version: 13\r\n"
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: sips\r\n\r\n",
         "HTTP/1.1 400 "},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        websocket_free(sock);
        sock = websocket_new(MESSAGE_MAX);
        websocket_input(sock, text_of(cases[i].request));
        assert_true(websocket_is_ended(sock));
        assert_true(text_starts_with(output(), text_of(cases[i].status)));
        websocket_input(sock, TEXT(UPGRADE));
        websocket_send(sock, TEXT("x"));
        assert_int_equal(output().length, 0);
    }
}

static void a_head_without_end_is_cut(void **state)
{
    (void)state;
    for (int i = 0; i <= WEBSOCKET_HEAD_BYTES_MAX / 8; i++)
        websocket_input(sock, TEXT("X: aaaa\n"));
    assert_true(websocket_is_ended(sock));
    assert_true(text_starts_with(output(), TEXT("HTTP/1.1 431 ")));
}

static void messages_arrive_in_any_pieces(void **state)
{
    (void)state;
    struct text bytes = text_join(&arena, TEXT(UPGRADE), frame(0x81, TEXT("one")));
    bytes = text_join(&arena, bytes, frame(0x82, TEXT("two")));
    for (size_t step = 1; step < 40; step++) {
        struct text_builder got;
        builder_init(&got, &arena);
        websocket_free(sock);
        sock = websocket_new(MESSAGE_MAX);
        for (size_t at = 0; at < bytes.length; at += step) {
            struct text message;
            websocket_input(sock, text_slice(bytes, at, at + step < bytes.length ? at + step : bytes.length));
            while (websocket_message(sock, &message))
                builder_add_format(&got, "%.*s|", TEXT_ARG(message));
        }
        assert_text(builder_text(&got), "one|two|");
    }
}

static void fragments_are_joined_around_a_ping(void **state)
{
    (void)state;
    open_it();
    websocket_input(sock, frame(0x01, TEXT("MESS")));
    websocket_input(sock, frame(0x00, TEXT("")));
    websocket_input(sock, frame(0x89, TEXT("you there?")));
    assert_text(output(), "\x8a\x0ayou there?");
    expect_none();
    websocket_input(sock, frame(0x80, TEXT("AGE")));
    expect_message("MESSAGE");
    expect_none();
    websocket_input(sock, frame(0x8a, TEXT("a pong nobody asked for")));
    assert_int_equal(output().length, 0);
    assert_true(websocket_is_open(sock));
}

static void lengths_of_all_sizes_are_read_and_written(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 125, 126, 127, 65535, 65536, MESSAGE_MAX};
    static const size_t headers[] = {2, 2, 2, 4, 4, 4, 10, 10};
    open_it();
    char *bytes = arena_alloc(&arena, MESSAGE_MAX);
    memset(bytes, 'm', MESSAGE_MAX);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct text message = {0};
        websocket_input(sock, frame(0x81, (struct text){bytes, sizes[i]}));
        assert_true(websocket_message(sock, &message));
        assert_int_equal(message.length, sizes[i]);
        websocket_send(sock, message);
        assert_int_equal(output().length, headers[i] + sizes[i]);
    }
}

static void words_are_text_and_other_bytes_binary(void **state)
{
    (void)state;
    open_it();
    websocket_send(sock, TEXT("gr\xc3\xbc\xc3\x9f"));
    websocket_send(sock, TEXT("\xff"));
    assert_text(output(), "\x81\x06gr\xc3\xbc\xc3\x9f\x82\x01\xff");
}

static void what_breaks_the_rules_ends_it(void **state)
{
    (void)state;
    char *large = arena_alloc(&arena, MESSAGE_MAX + 1);
    static const char announced[] = {'\x81', '\xff', '\xff', '\xff', '\xff', '\xff', '\xff', '\xff', '\xff', '\xff'};
    const struct {
        struct text bytes;
        unsigned code;
    } cases[] = {
        {TEXT("\x81\x01x"), 1002},                      /* not masked */
        {frame(0xc1, TEXT("x")), 1002},                 /* an extension */
        {frame(0x83, TEXT("x")), 1002},                 /* no such opcode */
        {frame(0x8b, TEXT("x")), 1002},                 /* nor this */
        {frame(0x80, TEXT("x")), 1002},                 /* continues nothing */
        {frame(0x09, TEXT("x")), 1002},                 /* a ping in fragments */
        {frame(0x89, (struct text){large, 126}), 1002}, /* a long ping */
        {frame(0x81, TEXT("\xff\xfe")), 1007},          /* no UTF-8 */
        {frame(0x82, (struct text){large, MESSAGE_MAX + 1}), 1009},
        {{announced, sizeof(announced)}, 1009},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        websocket_free(sock);
        sock = websocket_new(MESSAGE_MAX);
        open_it();
        websocket_input(sock, cases[i].bytes);
        expect_none();
        expect_close(cases[i].code);
    }
}

static void fragments_have_the_limit_of_one_message(void **state)
{
    (void)state;
    char *bytes = arena_alloc(&arena, MESSAGE_MAX);
    open_it();
    websocket_input(sock, frame(0x02, (struct text){bytes, MESSAGE_MAX - 1}));
    websocket_input(sock, frame(0x00, TEXT("x")));
    assert_true(websocket_is_open(sock));
    websocket_input(sock, frame(0x00, TEXT("x")));
    expect_close(1009);
    websocket_free(sock);
    sock = websocket_new(MESSAGE_MAX);
    open_it();
    websocket_input(sock, frame(0x01, TEXT("begun")));
    websocket_input(sock, frame(0x81, TEXT("and another")));
    expect_close(1002);
}

static void a_close_is_answered_and_is_the_end(void **state)
{
    (void)state;
    open_it();
    struct text bytes = text_join(&arena, frame(0x81, TEXT("last words")),
                                  frame(0x88, TEXT("\x03\xe8"
                                                   "bye")));
    websocket_input(sock, text_join(&arena, bytes, frame(0x81, TEXT("too late"))));
    expect_message("last words");
    expect_none();
    expect_close(1000);
    websocket_send(sock, TEXT("x"));
    assert_int_equal(output().length, 0);
}

static void we_may_close_first(void **state)
{
    (void)state;
    open_it();
    websocket_close(sock);
    expect_close(1001);
    websocket_close(sock);
    assert_int_equal(output().length, 0);
}

#define SOCKET_TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SOCKET_TEST(the_upgrade_is_answered_as_the_rfc_shows),
        SOCKET_TEST(what_is_no_upgrade_is_refused),
        SOCKET_TEST(a_head_without_end_is_cut),
        SOCKET_TEST(messages_arrive_in_any_pieces),
        SOCKET_TEST(fragments_are_joined_around_a_ping),
        SOCKET_TEST(lengths_of_all_sizes_are_read_and_written),
        SOCKET_TEST(words_are_text_and_other_bytes_binary),
        SOCKET_TEST(what_breaks_the_rules_ends_it),
        SOCKET_TEST(fragments_have_the_limit_of_one_message),
        SOCKET_TEST(a_close_is_answered_and_is_the_end),
        SOCKET_TEST(we_may_close_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
