/* The server as well-behaved clients see it: targets, methods, bodies, keep-alive, pipelining, "100 Continue". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http_probe.h"

#define PIPELINED 1000 /* about 40 kB: more than the connection's buffer holds */

static struct probe *probe;

static int begin(void **state)
{
    (void)state;
    probe = probe_start();
    return 0;
}

static int end(void **state)
{
    (void)state;
    probe_stop(probe);
    return 0;
}

static struct text get_and_close(const char *target)
{
    return probe_ask(probe,
                     text_format(&probe->arena, "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", target));
}

static void assert_target_kept(const char *target)
{
    struct text response = get_and_close(target);
    assert_true(probe_status_is(response, "200"));
    assert_true(text_ends_with(response, text_format(&probe->arena, "\r\n\r\nGET %s ", target)));
}

static void targets_reach_the_handler_as_they_came(void **state)
{
    (void)state;
    assert_target_kept("/a%00b");
    assert_target_kept("/a%2520b%zz%");
    assert_target_kept("/a+b?c+d=e+f&g");
    assert_target_kept("/s%5b@uri=%22sip:a%2520b@x%22%5d?xmlns(a=urn:x)xmlns(b=urn:y)");
    assert_target_kept("http://elsewhere:81/x?y");
    assert_target_kept("//a//../b/./#c");
    assert_target_kept("/?");
    assert_target_kept("/?a?b");
    assert_target_kept("*");
}

static void a_query_of_ten_thousand_ampersands_reaches_the_handler(void **state)
{
    (void)state;
    char target[10004] = "/?";
    memset(target + 2, '&', 10000);
    assert_target_kept(target);
}

static void a_response_carries_date_server_and_length(void **state)
{
    (void)state;
    struct text response = get_and_close("/x");
    assert_true(probe_has(response, "\r\nDate: "));
    assert_true(probe_has(response, "\r\nServer: xdms\r\n"));
    assert_true(probe_has(response, "\r\nContent-Length: 7\r\n"));
    assert_true(probe_has(response, "\r\nConnection: close\r\n"));
}

static void methods_that_nobody_knows_reach_the_handler(void **state)
{
    (void)state;
    struct text response = probe_ask(probe, TEXT("FR0B /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
    assert_true(text_ends_with(response, TEXT("\r\n\r\nFR0B /x ")));
}

static void header_values_lose_the_space_around_them(void **state)
{
    (void)state;
    struct text response =
        probe_ask(probe, TEXT("GET / HTTP/1.1\r\nHost: x\r\nX-Echo: \t a  b\t \r\nConnection: close\r\n\r\n"));
    assert_true(probe_has(response, "\r\nX-Echoed: a  b\r\n"));
}

static void an_empty_header_value_is_fine(void **state)
{
    (void)state;
    struct text response =
        probe_ask(probe, TEXT("GET / HTTP/1.1\r\nHost:\r\nX-Empty: \r\nX-Echo:\r\nConnection: close\r\n\r\n"));
    assert_true(probe_status_is(response, "200"));
}

static void http_1_0_without_any_header_is_answered_and_closed(void **state)
{
    (void)state;
    struct text response = probe_ask(probe, TEXT("GET /old HTTP/1.0\r\n\r\n"));
    assert_true(text_ends_with(response, TEXT("\r\n\r\nGET /old ")));
}

static void another_http_version_is_refused(void **state)
{
    (void)state;
    assert_true(probe_status_is(probe_ask(probe, TEXT("GET / HTTP/2.0\r\nHost: x\r\n\r\n")), "505"));
    assert_true(probe_status_is(probe_ask(probe, TEXT("GET / HTTX/1.1\r\nHost: x\r\n\r\n")), "400"));
    assert_true(probe_saw(probe, ""));
}

static void a_head_request_gets_the_length_but_no_body(void **state)
{
    (void)state;
    struct text response = probe_ask(
        probe, TEXT("HEAD /x HTTP/1.1\r\nHost: x\r\n\r\nGET /y HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
    assert_true(probe_has(response, "Content-Length: 8\r\n\r\nHTTP/1.1 200 OK\r\n"));
    assert_true(text_ends_with(response, TEXT("\r\n\r\nGET /y ")));
}

static void an_unchanged_document_has_no_body(void **state)
{
    (void)state;
    int fd = probe_connect(probe);
    PROBE_SAY(fd, "GET /unchanged HTTP/1.1\r\nHost: x\r\n\r\n");
    struct text head = probe_read_head(probe, fd);
    assert_true(probe_status_is(head, "304"));
    assert_true(probe_has(head, "\r\nContent-Length: 15\r\n"));
    PROBE_SAY(fd, "GET /next HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_true(text_starts_with(probe_read_response(probe, fd), TEXT("HTTP/1.1 200 ")));
    close(fd);
}

static void a_response_without_content_has_neither_body_nor_length(void **state)
{
    (void)state;
    struct text response = get_and_close("/empty");
    assert_true(probe_status_is(response, "204"));
    assert_false(probe_has(response, "Content-Length"));
    assert_true(text_ends_with(response, TEXT("\r\n\r\n")));
}

static void a_connection_serves_one_request_after_another(void **state)
{
    (void)state;
    int fd = probe_connect(probe);
    for (int i = 0; i < 3; i++) {
        PROBE_SAY(fd, "PUT /doc HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
        assert_true(text_ends_with(probe_read_response(probe, fd), TEXT("PUT /doc hello")));
    }
    close(fd);
    assert_true(probe_saw(probe, "PUT /doc|PUT /doc|PUT /doc|"));
}

static void empty_lines_before_a_request_are_skipped(void **state)
{
    (void)state;
    struct text response = probe_ask(probe, TEXT("\r\nGET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
    assert_true(probe_status_is(response, "200"));
}

static void a_request_that_comes_byte_by_byte_is_served(void **state)
{
    (void)state;
    struct text request = TEXT("PUT /slow?q HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbody");
    int fd = probe_connect(probe);
    for (size_t i = 0; i < request.length; i++)
        assert_true(probe_send(fd, text_slice(request, i, i + 1)));
    assert_true(text_ends_with(probe_read_to_end(probe, fd), TEXT("PUT /slow?q body")));
    close(fd);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    (void)state;
    struct text_builder requests;
    builder_init(&requests, &probe->arena);
    for (int i = 0; i < PIPELINED; i++)
        builder_add_format(&requests, "GET /%d HTTP/1.1\r\nHost: x\r\n%s\r\n", i,
                           i == PIPELINED - 1 ? "Connection: close\r\n" : "");
    struct text all = probe_ask(probe, builder_text(&requests));
    for (int i = 0; i < PIPELINED; i++) {
        struct text body = text_format(&probe->arena, "\r\n\r\nGET /%d ", i);
        size_t place = text_find(all, body);
        assert_true(place < all.length);
        all = text_slice(all, place + body.length, all.length);
    }
    assert_int_equal(all.length, 0);
}

static void a_chunked_body_arrives_whole(void **state)
{
    (void)state;
    struct text response = probe_ask(probe, TEXT("PUT /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                                                 "5;ext=1\r\nhello\r\n00007\r\n, world\r\n0\r\nX-Trailer: y\r\n\r\n"));
    assert_true(text_ends_with(response, TEXT("PUT /c hello, world")));
}

static void a_large_body_arrives_whole(void **state)
{
    (void)state;
    size_t size = probe->settings.body_bytes_max;
    char *body = arena_alloc(&probe->arena, size);
    for (size_t i = 0; i < size; i++)
        body[i] = (char)('a' + i % 26);
    struct text head = text_format(
        &probe->arena, "PUT /big HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n", size);
    struct text response = probe_ask(probe, text_join(&probe->arena, head, (struct text){body, size}));
    assert_true(text_ends_with(response, text_join(&probe->arena, TEXT("PUT /big "), (struct text){body, size})));
}

static void a_client_that_expects_it_gets_100_continue(void **state)
{
    (void)state;
    int fd = probe_connect(probe);
    PROBE_SAY(fd, "PUT /e HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    assert_true(text_equal(probe_read_head(probe, fd), TEXT("HTTP/1.1 100 Continue\r\n\r\n")));
    PROBE_SAY(fd, "ok");
    assert_true(text_ends_with(probe_read_response(probe, fd), TEXT("PUT /e ok")));
    close(fd);
}

static void a_refusal_by_the_preview_precedes_100_continue(void **state)
{
    (void)state;
    struct text response =
        probe_ask(probe, TEXT("PUT /refused HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"));
    assert_true(probe_status_is(response, "401"));
    assert_true(probe_has(response, "\r\nWWW-Authenticate: Digest realm=\"x\"\r\n"));
    assert_true(probe_has(response, "\r\nConnection: close\r\n"));
    assert_true(probe_saw(probe, ""));
}

static void a_refused_request_without_expectation_leaves_the_connection_usable(void **state)
{
    (void)state;
    int fd = probe_connect(probe);
    PROBE_SAY(fd, "PUT /refused HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
    assert_true(probe_status_is(probe_read_response(probe, fd), "401"));
    PROBE_SAY(fd, "GET /refused HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_true(probe_status_is(probe_read_response(probe, fd), "401"));
    PROBE_SAY(fd, "PUT /now HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
    assert_true(text_ends_with(probe_read_response(probe, fd), TEXT("PUT /now hello")));
    close(fd);
    assert_true(probe_saw(probe, "PUT /now|"));
}

static void one_thread_serves_as_well(void **state)
{
    (void)state;
    struct probe *single = probe_new();
    single->settings.threads = 1;
    probe_open(single);
    struct text response = probe_ask(single, TEXT("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
    assert_true(probe_status_is(response, "200"));
    probe_stop(single);
}

static void a_port_that_is_taken_is_reported_in_one_line(void **state)
{
    (void)state;
    struct http_settings settings = probe->settings;
    settings.port = http_server_port(probe->server);
    assert_int_not_equal(settings.port, 0);
    struct text error = {0};
    assert_null(http_server_open(&settings, probe_handle, NULL, probe, &probe->arena, &error));
    struct text expected = text_format(&probe->arena, "address already in use: 127.0.0.1:%u", (unsigned)settings.port);
    assert_true(text_equal(error, expected));
}

static void a_host_may_be_a_name_or_an_ipv6_address(void **state)
{
    (void)state;
    const char *hosts[] = {"localhost", "::1", "[::1]"};
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        struct http_settings settings = probe->settings;
        settings.host = hosts[i];
        struct text error = {0};
        struct http_server *server = http_server_open(&settings, probe_handle, NULL, probe, &probe->arena, &error);
        if (!server && i > 0 && probe_has(error, "assign requested address"))
            continue; /* a machine without IPv6 */
        assert_non_null(server);
        assert_int_not_equal(http_server_port(server), 0);
        http_server_close(server);
    }
}

static void the_handler_sees_the_address_of_its_peer(void **state)
{
    (void)state;
    assert_true(probe_has(get_and_close("/peer"), "\r\n\r\n127.0.0.1:"));
    struct probe *six = probe_new();
    struct text error = {0};
    six->settings.host = "::1";
    six->server = http_server_open(&six->settings, probe_handle, NULL, six, &six->arena, &error);
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    if (six->server) { /* else a machine without IPv6 */
        address.sin6_port = htons(http_server_port(six->server));
        int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        PROBE_SAY(fd, "GET /peer HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_true(probe_has(probe_read_response(six, fd), "\r\n\r\n[::1]:"));
        close(fd);
    }
    probe_stop(six);
}

static void a_host_that_does_not_exist_is_reported(void **state)
{
    (void)state;
    struct http_settings settings = probe->settings;
    settings.host = "not a host";
    struct text error = {0};
    assert_null(http_server_open(&settings, probe_handle, NULL, probe, &probe->arena, &error));
    assert_true(text_starts_with(error, TEXT("cannot listen on not a host:0: ")));
}

static void a_client_that_leaves_during_a_large_response_ends_only_itself(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        int fd = probe_connect(probe);
        PROBE_SAY(fd, "GET /large HTTP/1.1\r\nHost: x\r\n\r\n");
        char character;
        assert_true(probe_get_char(fd, &character));
        struct linger reset = {.l_onoff = 1};
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
        close(fd);
    }
    assert_true(probe_status_is(get_and_close("/x"), "200"));
}

/* The end of what a client says may come with its last request, and the library may miss it. */
static void a_client_that_has_said_all_is_answered_and_left(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        int fd = probe_connect(probe);
        PROBE_SAY(fd, "GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n");
        shutdown(fd, SHUT_WR);
        struct text both = probe_read_to_end(probe, fd);
        assert_true(probe_has(both, "GET /a") && probe_has(both, "GET /b"));
        close(fd);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(targets_reach_the_handler_as_they_came, begin, end),
        cmocka_unit_test_setup_teardown(a_query_of_ten_thousand_ampersands_reaches_the_handler, begin, end),
        cmocka_unit_test_setup_teardown(a_response_carries_date_server_and_length, begin, end),
        cmocka_unit_test_setup_teardown(methods_that_nobody_knows_reach_the_handler, begin, end),
        cmocka_unit_test_setup_teardown(header_values_lose_the_space_around_them, begin, end),
        cmocka_unit_test_setup_teardown(an_empty_header_value_is_fine, begin, end),
        cmocka_unit_test_setup_teardown(http_1_0_without_any_header_is_answered_and_closed, begin, end),
        cmocka_unit_test_setup_teardown(another_http_version_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(a_head_request_gets_the_length_but_no_body, begin, end),
        cmocka_unit_test_setup_teardown(an_unchanged_document_has_no_body, begin, end),
        cmocka_unit_test_setup_teardown(a_response_without_content_has_neither_body_nor_length, begin, end),
        cmocka_unit_test_setup_teardown(a_connection_serves_one_request_after_another, begin, end),
        cmocka_unit_test_setup_teardown(empty_lines_before_a_request_are_skipped, begin, end),
        cmocka_unit_test_setup_teardown(a_request_that_comes_byte_by_byte_is_served, begin, end),
        cmocka_unit_test_setup_teardown(pipelined_requests_are_answered_in_order, begin, end),
        cmocka_unit_test_setup_teardown(a_chunked_body_arrives_whole, begin, end),
        cmocka_unit_test_setup_teardown(a_large_body_arrives_whole, begin, end),
        cmocka_unit_test_setup_teardown(a_client_that_expects_it_gets_100_continue, begin, end),
        cmocka_unit_test_setup_teardown(a_refusal_by_the_preview_precedes_100_continue, begin, end),
        cmocka_unit_test_setup_teardown(a_refused_request_without_expectation_leaves_the_connection_usable, begin, end),
        cmocka_unit_test_setup_teardown(one_thread_serves_as_well, begin, end),
        cmocka_unit_test_setup_teardown(a_port_that_is_taken_is_reported_in_one_line, begin, end),
        cmocka_unit_test_setup_teardown(a_host_may_be_a_name_or_an_ipv6_address, begin, end),
        cmocka_unit_test_setup_teardown(the_handler_sees_the_address_of_its_peer, begin, end),
        cmocka_unit_test_setup_teardown(a_host_that_does_not_exist_is_reported, begin, end),
        cmocka_unit_test_setup_teardown(a_client_that_has_said_all_is_answered_and_left, begin, end),
        cmocka_unit_test_setup_teardown(a_client_that_leaves_during_a_large_response_ends_only_itself, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
