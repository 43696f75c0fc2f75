/* Requests that two implementations could read differently (RFC 9112 §11.2): none is executed, and nothing hidden in
 * one is executed either. Also plain nonsense. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http_probe.h"

#define RANDOM_TRIES 300
#define NEAR_MS      300 /* the library may miss that a client has stopped sending: the deadlines do not */

static struct probe *probe;

static int begin(void **state)
{
    (void)state;
    probe = probe_start();
    return 0;
}

static int begin_impatient(void **state)
{
    (void)state;
    probe = probe_new();
    probe->settings.header_ms_max = probe->settings.body_ms_max = probe->settings.idle_ms_max = NEAR_MS;
    probe_open(probe);
    return 0;
}

static int end(void **state)
{
    (void)state;
    probe_stop(probe);
    return 0;
}

/* The variant is refused with 400, the connection closed, and no request of it has reached the handler. */
static void assert_refused(struct text request)
{
    struct text response = probe_ask(probe, request);
    if (!probe_status_is(response, "400") || !probe_has(response, "\r\nConnection: close\r\n"))
        fail_msg("answered with %.*s to %.*s", TEXT_ARG(response), TEXT_ARG(request));
    assert_true(probe_saw(probe, ""));
}

#define HIDDEN "GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n"

static void two_lengths_are_refused(void **state)
{
    (void)state;
    assert_refused(TEXT("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 37\r\n\r\nbody" HIDDEN));
    assert_refused(TEXT("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\nbody" HIDDEN));
    assert_refused(TEXT("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\ncontent-length: 33\r\n\r\n" HIDDEN));
}

static void a_length_beside_a_transfer_coding_is_refused(void **state)
{
    (void)state;
    assert_refused(TEXT("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 38\r\nTransfer-Encoding: chunked\r\n\r\n"
                        "0\r\n\r\n" HIDDEN));
    assert_refused(TEXT("PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n"
                        "0\r\n\r\n" HIDDEN));
}

static void unknown_transfer_codings_are_refused(void **state)
{
    (void)state;
    const char *codings[] = {
        "xchunked", "gzip", "gzip, chunked",       "chunked, gzip", "identity", "\"chunked\"", "chunked ",
        "chunked;", "",     "chunked\r\n chunked", "\vchunked"};
    for (size_t i = 0; i < sizeof(codings) / sizeof(codings[0]); i++)
        assert_refused(text_format(
            &probe->arena, "PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: %s\r\n\r\n0\r\n\r\n" HIDDEN, codings[i]));
    assert_refused(TEXT("PUT / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" HIDDEN));
    assert_refused(TEXT("PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
                        "Transfer-Encoding: identity\r\n\r\n0\r\n\r\n" HIDDEN));
}

static void malformed_lengths_are_refused(void **state)
{
    (void)state;
    const char *lengths[] = {"+4", "-1", "4 ", "0x4", "4,4", "4, 4", "", "four", "4;", "\v4", "4\r\n 0"};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
        assert_refused(text_format(&probe->arena, "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: %s\r\n\r\nbody" HIDDEN,
                                   lengths[i]));
    struct text response = probe_ask(
        probe, TEXT("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\nbody" HIDDEN));
    assert_true(probe_status_is(response, "413"));
    assert_true(probe_saw(probe, ""));
}

static void a_line_that_ends_in_a_bare_lf_is_refused(void **state)
{
    (void)state;
    assert_refused(TEXT("GET / HTTP/1.1\nHost: x\r\n\r\n" HIDDEN));
    assert_refused(TEXT("GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n" HIDDEN));
    assert_refused(TEXT("GET / HTTP/1.1\r\nHost: x\r\nA: b\nC: d\r\n\r\n" HIDDEN));
    assert_refused(TEXT("GET / HTTP/1.1\r\nHost: x\r\nA: b\n\r\n" HIDDEN));
    assert_refused(TEXT("GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n\n" HIDDEN));
    assert_refused(TEXT("GET / HTTP/1.1\r\nHost: x\n\n" HIDDEN));
    assert_refused(TEXT("GET / HTTP/1.1\nHost: x\n\n" HIDDEN));
    assert_refused(TEXT("PUT / HTTP/1.1\r\nHost: x\r\nA: b\nContent-Length: 33\r\n\r\n" HIDDEN));
    assert_refused(TEXT("GET / HTTP/1.0\n\r\n" HIDDEN));
    assert_refused(TEXT("GET / HTTP/1.0\r\n\n" HIDDEN));
}

static void a_bare_lf_made_up_for_by_other_bytes_is_refused(void **state)
{
    (void)state;
    assert_refused(TEXT("GET / HTTP/1.1\r\nHost: x\nA: b\0\r\n\r\n" HIDDEN));
    assert_refused(TEXT("GET / HTTP/1.1\r\nHost: x\nA: b\0c\r\n\r\n" HIDDEN));
    assert_refused(TEXT("GET / HTTP/1.1\r\nHost: x\r\nA: b\0\0C: d\r\n\r\n" HIDDEN));
    assert_refused(TEXT("GET / HTTP/1.1\r\nHost: x\r\n\0hidden\r\n\r\n" HIDDEN));
    assert_refused(TEXT("GET / HTTP/1.1\r\nHost: x\r\nA: b\n\0\n" HIDDEN));
}

static void folded_lines_are_refused(void **state)
{
    (void)state;
    assert_refused(TEXT("GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n" HIDDEN));
    assert_refused(TEXT("GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n\tc\r\nD: e\r\n\r\n" HIDDEN));
    assert_refused(TEXT("GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n \r\n\r\n" HIDDEN));
    assert_refused(TEXT("GET / HTTP/1.1\r\n Host: x\r\n\r\n" HIDDEN));
    assert_refused(TEXT("PUT / HTTP/1.1\r\nHost: x\r\nA: b\r\n Content-Length: 33\r\n\r\n" HIDDEN));
    assert_refused(TEXT("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n 33\r\n\r\n" HIDDEN));
}

static void white_space_before_a_colon_is_refused(void **state)
{
    (void)state;
    assert_refused(TEXT("GET / HTTP/1.1\r\nHost: x\r\nA : b\r\n\r\n" HIDDEN));
    assert_refused(TEXT("GET / HTTP/1.1\r\nHost : x\r\n\r\n" HIDDEN));
    assert_refused(TEXT("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length : 33\r\n\r\n" HIDDEN));
    assert_refused(TEXT("PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n" HIDDEN));
}

static void a_line_without_a_name_is_refused(void **state)
{
    (void)state;
    assert_refused(TEXT("GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n" HIDDEN));
    assert_refused(TEXT("GET / HTTP/1.1\r\nHost: x\r\n: b\r\n\r\n" HIDDEN));
}

static void nul_and_control_characters_are_refused(void **state)
{
    (void)state;
    assert_refused(TEXT("GET / HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n" HIDDEN));
    assert_refused(TEXT("GET / HTTP/1.1\r\nHost: x\r\nA\0: b\r\n\r\n" HIDDEN));
    assert_refused(TEXT("GET / HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n" HIDDEN));
    assert_refused(TEXT("GET / HTTP/1.1\r\nHost: x\r\nA: b\x01\r\n\r\n" HIDDEN));
    assert_refused(TEXT("GET / HTTP/1.1\r\nHost: x\r\nA: b\x7f\r\n\r\n" HIDDEN));
    assert_refused(TEXT("GET /a\0b HTTP/1.1\r\nHost: x\r\n\r\n" HIDDEN));
    assert_refused(TEXT("GET /a\rb HTTP/1.1\r\nHost: x\r\n\r\n" HIDDEN));
    assert_refused(TEXT("GET /a\tb HTTP/1.1\r\nHost: x\r\n\r\n" HIDDEN));
    assert_refused(TEXT("G\0T / HTTP/1.1\r\nHost: x\r\n\r\n" HIDDEN));
    assert_refused(TEXT("GET / HTTP/1.1\0\r\nHost: x\r\n\r\n" HIDDEN));
}

/* The library sees no difference between NUL LF and CR LF; the line ends in both readings. */
static void a_nul_before_a_bare_lf_hides_no_request(void **state)
{
    (void)state;
    (void)probe_ask(probe,
                    TEXT("PUT /a HTTP/1.1\r\nHost: x\r\nConnection: close\0\nContent-Length: 33\r\n\r\n" HIDDEN));
    assert_false(probe_has(text_of(probe->seen), "/hidden"));
}

static void spaces_in_the_request_line_are_refused(void **state)
{
    (void)state;
    assert_refused(TEXT("GET /a b HTTP/1.1\r\nHost: x\r\n\r\n" HIDDEN));
    assert_refused(TEXT("GET  /a HTTP/1.1\r\nHost: x\r\n\r\n" HIDDEN));
    assert_refused(TEXT("GET /a  HTTP/1.1\r\nHost: x\r\n\r\n" HIDDEN));
    assert_refused(TEXT("GET /a HTTP/1.1 \r\nHost: x\r\n\r\n" HIDDEN));
    assert_refused(TEXT("GET /a HTTP/1.1 HTTP/1.1\r\nHost: x\r\n\r\n" HIDDEN));
    assert_refused(TEXT("GET /a\r\nHost: x\r\n\r\n" HIDDEN));
    assert_refused(TEXT("GET \r\nHost: x\r\n\r\n" HIDDEN));
}

static void no_host_or_two_hosts_are_refused(void **state)
{
    (void)state;
    assert_refused(TEXT("GET / HTTP/1.1\r\n\r\n" HIDDEN));
    assert_refused(TEXT("GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n" HIDDEN));
    assert_refused(TEXT("GET / HTTP/1.1\r\nHost: x\r\nhost: x\r\n\r\n" HIDDEN));
    assert_refused(TEXT("GET / HTTP/1.1\r\nHost: x y\r\n\r\n" HIDDEN));
}

static void malformed_chunks_are_refused(void **state)
{
    (void)state;
    const char *bodies[] = {"x\r\nabc\r\n0\r\n\r\n",     "5\r\nhelloX\r\n0\r\n\r\n", "-1\r\na\r\n0\r\n\r\n",
                            "0x5\r\nhello\r\n0\r\n\r\n", "\r\nhello\r\n0\r\n\r\n",   "5 \r\nhello\r\n0\r\n\r\n"};
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
        assert_refused(text_format(
            &probe->arena, "PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%s" HIDDEN, bodies[i]));
    struct text huge = TEXT("PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                            "fffffffffffffffff\r\nhello\r\n0\r\n\r\n" HIDDEN);
    assert_true(probe_status_is(probe_ask(probe, huge), "413"));
    assert_true(probe_saw(probe, ""));
}

static void nothing_behind_a_chunked_body_is_executed(void **state)
{
    (void)state;
    const char *bodies[] = {"5\r\nhello\r\n0\r\n\r\n", "5\nhello\n0\n\n", "5;\nhello\r\n0\r\n\r\n", "0\n\n",
                            "5;a\nhello\r\n0\r\n\r\n"};
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        (void)probe_ask(probe, text_format(&probe->arena,
                                           "PUT /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%s" HIDDEN,
                                           bodies[i]));
        assert_false(probe_has(text_of(probe->seen), "/hidden"));
    }
}

static void half_a_request_is_never_executed(void **state)
{
    (void)state;
    struct text request = TEXT("PUT /half HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nX: y\r\n\r\nbody");
    int fds[128];
    assert_true(request.length < sizeof(fds) / sizeof(fds[0]));
    for (size_t length = 0; length < request.length; length++) {
        fds[length] = probe_connect(probe);
        (void)probe_send(fds[length], text_slice(request, 0, length));
        shutdown(fds[length], SHUT_WR);
    }
    for (size_t length = 0; length < request.length; length++) {
        (void)probe_read_to_end(probe, fds[length]);
        close(fds[length]);
    }
    assert_true(probe_saw(probe, ""));
}

/* A fixed sequence (xorshift), so that a failure can be seen again. */
static uint32_t next_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

static void random_bytes_harm_nobody(void **state)
{
    (void)state;
    uint32_t seed = 20260105;
    int fds[RANDOM_TRIES];
    for (int i = 0; i < RANDOM_TRIES; i++) {
        char bytes[600] = "PUT /r HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
        size_t prefix = i % 3 == 0 ? 0 : i % 3 == 1 ? 27 : strlen(bytes);
        for (size_t j = prefix; j < sizeof(bytes); j++)
            bytes[j] = i % 2 ? (char)next_random(&seed) : "\r\n :;0a\t"[next_random(&seed) % 8];
        fds[i] = probe_connect(probe);
        (void)probe_send(fds[i], (struct text){bytes, sizeof(bytes)});
        shutdown(fds[i], SHUT_WR);
    }
    for (int i = 0; i < RANDOM_TRIES; i++) {
        (void)probe_read_to_end(probe, fds[i]);
        close(fds[i]);
    }
    struct text response = probe_ask(probe, TEXT("GET /alive HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
    assert_true(probe_status_is(response, "200"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(two_lengths_are_refused, begin, end),
        cmocka_unit_test_setup_teardown(a_length_beside_a_transfer_coding_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(unknown_transfer_codings_are_refused, begin, end),
        cmocka_unit_test_setup_teardown(malformed_lengths_are_refused, begin, end),
        cmocka_unit_test_setup_teardown(a_line_that_ends_in_a_bare_lf_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(a_bare_lf_made_up_for_by_other_bytes_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(folded_lines_are_refused, begin, end),
        cmocka_unit_test_setup_teardown(white_space_before_a_colon_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(a_line_without_a_name_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(nul_and_control_characters_are_refused, begin, end),
        cmocka_unit_test_setup_teardown(a_nul_before_a_bare_lf_hides_no_request, begin, end),
        cmocka_unit_test_setup_teardown(spaces_in_the_request_line_are_refused, begin, end),
        cmocka_unit_test_setup_teardown(no_host_or_two_hosts_are_refused, begin, end),
        cmocka_unit_test_setup_teardown(malformed_chunks_are_refused, begin, end),
        cmocka_unit_test_setup_teardown(nothing_behind_a_chunked_body_is_executed, begin, end),
        cmocka_unit_test_setup_teardown(half_a_request_is_never_executed, begin_impatient, end),
        cmocka_unit_test_setup_teardown(random_bytes_harm_nobody, begin_impatient, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
