/* Sizes, slowness and numbers: what is too much is refused or cut. No test measures time: it only sees that the end
 * comes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http_probe.h"

#define NEAR_MS       300
#define FLOOD_BYTES   (10u << 20)
#define DRIP_PAUSE_US 10000
#define DRIPS_MAX     6000 /* a minute: then the server has failed to cut */

static struct probe *probe;

static int begin(void **state)
{
    (void)state;
    probe = probe_new();
    probe->with_preview = true;
    return 0;
}

static int end(void **state)
{
    (void)state;
    probe_stop(probe);
    return 0;
}

/* A byte now and then: true if the server ends the connection. */
static bool cut_while_dripping(int fd, const char *bytes)
{
    size_t length = strlen(bytes);
    for (size_t i = 0; i < DRIPS_MAX; i++) {
        char character;
        if (!probe_send(fd, (struct text){bytes + i % length, 1}))
            return true;
        ssize_t got = recv(fd, &character, 1, MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno != EAGAIN))
            return true;
        usleep(DRIP_PAUSE_US);
    }
    return false;
}

static void a_header_that_drips_is_cut(void **state)
{
    (void)state;
    probe->settings.header_ms_max = NEAR_MS;
    probe_open(probe);
    int fd = probe_connect(probe);
    PROBE_SAY(fd, "GET / HTTP/1.1\r\nHost: x\r\n");
    assert_true(cut_while_dripping(fd, "X: y\r\n"));
    close(fd);
    assert_true(probe_saw(probe, ""));
}

static void a_request_line_that_drips_is_cut(void **state)
{
    (void)state;
    probe->settings.header_ms_max = NEAR_MS;
    probe_open(probe);
    int fd = probe_connect(probe);
    PROBE_SAY(fd, "GET /");
    assert_true(cut_while_dripping(fd, "a"));
    close(fd);
}

static void a_body_that_drips_is_cut(void **state)
{
    (void)state;
    probe->settings.body_ms_max = NEAR_MS;
    probe_open(probe);
    int fd = probe_connect(probe);
    PROBE_SAY(fd, "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 90000\r\n\r\n");
    assert_true(cut_while_dripping(fd, "a"));
    close(fd);
    fd = probe_connect(probe);
    PROBE_SAY(fd, "PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_true(cut_while_dripping(fd, "1\r\na\r\n"));
    close(fd);
    fd = probe_connect(probe);
    PROBE_SAY(fd, "PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n");
    assert_true(cut_while_dripping(fd, "X-Trailer: y\r\n"));
    close(fd);
    assert_true(probe_saw(probe, ""));
}

static void a_body_that_stalls_is_cut(void **state)
{
    (void)state;
    probe->settings.body_ms_max = NEAR_MS;
    probe_open(probe);
    struct text response = probe_ask(probe, TEXT("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf"));
    assert_int_equal(response.length, 0);
    assert_true(probe_saw(probe, ""));
}

static void a_connection_that_says_nothing_is_cut(void **state)
{
    (void)state;
    probe->settings.header_ms_max = NEAR_MS;
    probe_open(probe);
    assert_int_equal(probe_ask(probe, TEXT("")).length, 0);
}

static void an_idle_connection_is_cut(void **state)
{
    (void)state;
    probe->settings.idle_ms_max = NEAR_MS;
    probe_open(probe);
    struct text response = probe_ask(probe, TEXT("GET /x HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_true(text_ends_with(response, TEXT("GET /x ")));
}

static void a_client_that_does_not_read_is_cut(void **state)
{
    (void)state;
    probe->settings.body_ms_max = NEAR_MS;
    probe_open(probe);
    int fd = probe_connect(probe), small = 4096;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    PROBE_SAY(fd, "GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    http_server_close(probe->server); /* returns once the response is over, one way or the other */
    probe->server = NULL;
    close(fd);
}

static void a_waiting_request_is_not_cut(void **state)
{
    (void)state;
    probe->settings.header_ms_max = probe->settings.idle_ms_max = NEAR_MS / 10;
    probe_open(probe);
    int fd = probe_connect(probe);
    PROBE_SAY(fd, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
    probe_await(probe, 1);
    usleep(NEAR_MS * 1000); /* far beyond the deadlines of the other phases */
    assert_true(probe_resume_one(probe));
    assert_true(probe_status_is(probe_read_response(probe, fd), "200"));
    close(fd);
}

static void a_body_announced_too_large_is_refused_before_it_comes(void **state)
{
    (void)state;
    probe_open(probe);
    struct text request = TEXT("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 100001\r\nExpect: 100-continue\r\n\r\n");
    struct text response = probe_ask(probe, request);
    assert_true(probe_status_is(response, "413"));
    assert_false(probe_has(response, "100 Continue"));
    assert_true(probe_saw(probe, ""));
}

/* Sends `piece` until the server hears no more of it; what it answered. */
static struct text flood(const char *begin_with, const char *piece, size_t bytes)
{
    int fd = probe_connect(probe);
    struct text_builder block;
    builder_init(&block, &probe->arena);
    while (block.length < 60000)
        builder_add(&block, text_of(piece));
    PROBE_SAY(fd, begin_with);
    for (size_t sent = 0; sent < bytes; sent += block.length)
        if (!probe_send(fd, builder_text(&block)))
            break;
    struct text response = probe_read_to_end(probe, fd);
    close(fd);
    return response;
}

static void a_client_that_sends_its_large_body_anyway_still_gets_the_answer(void **state)
{
    (void)state;
    probe_open(probe);
    int fd = probe_connect(probe);
    PROBE_SAY(fd, "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n");
    struct text half = {arena_alloc(&probe->arena, 1000000), 1000000};
    assert_true(probe_send(fd, half));
    assert_true(probe_status_is(probe_read_response(probe, fd), "413"));
    char character;
    assert_int_equal(recv(fd, &character, 1, 0), 0);
    assert_true(probe_send(fd, half)); /* the server has said all it will, but does not reset the connection */
    close(fd);
    assert_true(probe_saw(probe, ""));
}

static void a_chunked_body_that_grows_too_large_is_refused(void **state)
{
    (void)state;
    probe_open(probe);
    char *body = arena_alloc(&probe->arena, 150000);
    memset(body, 'a', 150000);
    struct text request = TEXT("PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n249f0\r\n");
    request = text_join(&probe->arena, request, (struct text){body, 150000});
    request = text_join(&probe->arena, request, TEXT("\r\n0\r\n\r\n"));
    assert_true(probe_status_is(probe_ask(probe, request), "413"));
    assert_true(probe_saw(probe, ""));
}

static void a_chunked_body_without_end_is_cut(void **state)
{
    (void)state;
    probe_open(probe);
    (void)flood("PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", "a\r\n0123456789\r\n",
                FLOOD_BYTES * 2);
    assert_true(probe_saw(probe, ""));
}

static void a_target_that_is_too_long_is_refused(void **state)
{
    (void)state;
    probe_open(probe);
    for (size_t length = 20480; length < 60000; length += 3000) {
        char *target = arena_alloc(&probe->arena, length + 1);
        memset(target, 'a', length);
        struct text response =
            probe_ask(probe, text_format(&probe->arena, "GET /%s HTTP/1.1\r\nHost: x\r\n\r\n", target));
        assert_true(probe_status_is(response, "414") || probe_status_is(response, "431"));
    }
    assert_true(probe_saw(probe, ""));
}

static void a_target_just_within_the_limit_is_served(void **state)
{
    (void)state;
    probe_open(probe);
    char target[19701];
    memset(target, 'a', 19700);
    target[19700] = '\0';
    struct text response = probe_ask(
        probe, text_format(&probe->arena, "GET /%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", target));
    assert_true(probe_status_is(response, "200"));
}

static void too_many_headers_are_refused(void **state)
{
    (void)state;
    probe_open(probe);
    for (int count = HTTP_HEADERS_MAX - 2; count < HTTP_HEADERS_MAX + 2000; count *= 2) {
        struct text_builder request;
        builder_init(&request, &probe->arena);
        builder_add(&request, TEXT("GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"));
        for (int i = 0; i < count; i++)
            builder_add(&request, TEXT("A: b\r\n"));
        builder_add(&request, TEXT("\r\n"));
        const char *expected = count + 2 <= HTTP_HEADERS_MAX ? "200" : "431";
        assert_true(probe_status_is(probe_ask(probe, builder_text(&request)), expected));
    }
    assert_true(probe_saw(probe, "GET /x|"));
}

static void ten_megabytes_of_headers_are_refused(void **state)
{
    (void)state;
    probe_open(probe);
    const char *pieces[] = {"X-Flood: 0123456789\r\n", "a", "a: \r\n ", "\r\n", "Cookie: a=b;c;d;e\r\n"};
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        (void)flood("GET / HTTP/1.1\r\nHost: x\r\n", pieces[i], FLOOD_BYTES);
        (void)flood("", pieces[i], FLOOD_BYTES);
    }
    assert_false(probe_has(text_of(probe->seen), "a "));
    struct text response = probe_ask(probe, TEXT("GET /alive HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
    assert_true(probe_status_is(response, "200"));
}

static void a_cookie_of_many_parts_harms_nobody(void **state)
{
    (void)state;
    probe_open(probe);
    const char *parts[] = {"a;", "a=\";", "=;", ";", "\""};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        struct text_builder request;
        builder_init(&request, &probe->arena);
        builder_add(&request, TEXT("GET /cookie HTTP/1.1\r\nHost: x\r\nConnection: close\r\nCookie: "));
        while (request.length < 30000)
            builder_add(&request, text_of(parts[i]));
        builder_add(&request, TEXT("\r\n\r\n"));
        struct text response = probe_ask(probe, builder_text(&request));
        assert_true(probe_status_is(response, "200") || probe_status_is(response, "431"));
    }
}

static void connections_beyond_the_limit_wait_for_room(void **state)
{
    (void)state;
    probe->settings.connections_max = 2;
    probe_open(probe);
    int first = probe_connect(probe), second = probe_connect(probe);
    PROBE_SAY(first, "GET /1 HTTP/1.1\r\nHost: x\r\n\r\n");
    PROBE_SAY(second, "GET /2 HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_true(probe_status_is(probe_read_response(probe, first), "200"));
    assert_true(probe_status_is(probe_read_response(probe, second), "200"));
    int third = probe_connect(probe);
    PROBE_SAY(third, "GET /3 HTTP/1.1\r\nHost: x\r\n\r\n");
    char character;
    assert_int_equal(recv(third, &character, 1, MSG_DONTWAIT), -1);
    close(first);
    assert_true(probe_status_is(probe_read_response(probe, third), "200"));
    close(second);
    close(third);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_header_that_drips_is_cut, begin, end),
        cmocka_unit_test_setup_teardown(a_request_line_that_drips_is_cut, begin, end),
        cmocka_unit_test_setup_teardown(a_body_that_drips_is_cut, begin, end),
        cmocka_unit_test_setup_teardown(a_body_that_stalls_is_cut, begin, end),
        cmocka_unit_test_setup_teardown(a_connection_that_says_nothing_is_cut, begin, end),
        cmocka_unit_test_setup_teardown(an_idle_connection_is_cut, begin, end),
        cmocka_unit_test_setup_teardown(a_client_that_does_not_read_is_cut, begin, end),
        cmocka_unit_test_setup_teardown(a_waiting_request_is_not_cut, begin, end),
        cmocka_unit_test_setup_teardown(a_body_announced_too_large_is_refused_before_it_comes, begin, end),
        cmocka_unit_test_setup_teardown(a_client_that_sends_its_large_body_anyway_still_gets_the_answer, begin, end),
        cmocka_unit_test_setup_teardown(a_chunked_body_that_grows_too_large_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(a_chunked_body_without_end_is_cut, begin, end),
        cmocka_unit_test_setup_teardown(a_target_that_is_too_long_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(a_target_just_within_the_limit_is_served, begin, end),
        cmocka_unit_test_setup_teardown(too_many_headers_are_refused, begin, end),
        cmocka_unit_test_setup_teardown(ten_megabytes_of_headers_are_refused, begin, end),
        cmocka_unit_test_setup_teardown(a_cookie_of_many_parts_harms_nobody, begin, end),
        cmocka_unit_test_setup_teardown(connections_beyond_the_limit_wait_for_room, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
