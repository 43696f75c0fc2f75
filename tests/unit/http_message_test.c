/* Header lookup, response headers and peer addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "http.h"
#include "test_arena.h"

static const struct http_header headers[] = {
    {TEXT_INIT("If-Match"), TEXT_INIT("\"a\"")},
    {TEXT_INIT("Accept"), TEXT_INIT("*/*")},
    {TEXT_INIT("if-match"), TEXT_INIT("\"b\"")},
};

static void the_first_header_of_a_name_in_any_case_is_found(void **state)
{
    (void)state;
    struct http_request request = {.headers = headers, .headers_count = 3, .arena = &arena};
    struct text value;
    assert_true(http_header(&request, "IF-MATCH", &value));
    assert_true(text_equal(value, TEXT("\"a\"")));
    assert_false(http_header(&request, "If-Matc", &value));
    assert_int_equal(value.length, 0);
}

static void repeated_headers_are_joined_in_order(void **state)
{
    (void)state;
    struct http_request request = {.headers = headers, .headers_count = 3, .arena = &arena};
    assert_true(text_equal(http_header_joined(&request, "If-Match"), TEXT("\"a\", \"b\"")));
    assert_true(text_equal(http_header_joined(&request, "accept"), TEXT("*/*")));
    assert_int_equal(http_header_joined(&request, "Nothing").length, 0);
}

/* True if adding the header ends the process by an assertion. */
static bool is_a_bug(const char *name, struct text value, int times)
{
    pid_t child = fork();
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        close(STDERR_FILENO);
        struct http_response response = {0};
        for (int i = 0; i < times; i++)
            http_response_header(&response, name, value);
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void a_response_header_that_would_inject_is_a_bug(void **state)
{
    (void)state;
    assert_false(is_a_bug("X", TEXT("fine"), 24));
    assert_true(is_a_bug("X", TEXT("a\r\nY: b"), 1));
    assert_true(is_a_bug("X", TEXT("a\nb"), 1));
    assert_true(is_a_bug("X", TEXT("a\0b"), 1));
    assert_true(is_a_bug("X: y", TEXT("z"), 1));
    assert_true(is_a_bug("Content-Length", TEXT("5"), 1));
    assert_true(is_a_bug("Transfer-encoding", TEXT("chunked"), 1));
}

static void more_response_headers_than_fit_are_a_bug(void **state)
{
    (void)state;
    assert_true(is_a_bug("X", TEXT("y"), 25));
}

static struct sockaddr_storage peer_of(int family, const char *address)
{
    struct sockaddr_storage peer = {0};
    if (family == AF_INET) {
        struct sockaddr_in *four = (struct sockaddr_in *)&peer;
        *four = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(81)};
        assert_int_equal(inet_pton(AF_INET, address, &four->sin_addr), 1);
    } else {
        struct sockaddr_in6 *six = (struct sockaddr_in6 *)&peer;
        *six = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(82)};
        assert_int_equal(inet_pton(AF_INET6, address, &six->sin6_addr), 1);
    }
    return peer;
}

static bool loopback(int family, const char *address)
{
    struct sockaddr_storage peer = peer_of(family, address);
    return http_peer_is_loopback((struct sockaddr *)&peer);
}

static void loopback_peers_are_told_apart(void **state)
{
    (void)state;
    assert_true(loopback(AF_INET, "127.0.0.1"));
    assert_true(loopback(AF_INET, "127.255.255.255"));
    assert_false(loopback(AF_INET, "128.0.0.1"));
    assert_false(loopback(AF_INET, "10.0.0.127"));
    assert_true(loopback(AF_INET6, "::1"));
    assert_true(loopback(AF_INET6, "::ffff:127.0.0.2"));
    assert_false(loopback(AF_INET6, "::ffff:10.0.0.1"));
    assert_false(loopback(AF_INET6, "::"));
    assert_false(loopback(AF_INET6, "fe80::1"));
    struct sockaddr_storage other = {.ss_family = AF_UNIX};
    assert_false(http_peer_is_loopback((struct sockaddr *)&other));
}

static void peers_are_written_with_their_ports(void **state)
{
    (void)state;
    struct sockaddr_storage four = peer_of(AF_INET, "10.1.2.3"), six = peer_of(AF_INET6, "2001:db8::7");
    assert_true(text_equal(http_peer_text((struct sockaddr *)&four, &arena), TEXT("10.1.2.3:81")));
    assert_true(text_equal(http_peer_text((struct sockaddr *)&six, &arena), TEXT("[2001:db8::7]:82")));
    struct sockaddr_storage other = {.ss_family = AF_UNIX};
    assert_true(text_equal(http_peer_text((struct sockaddr *)&other, &arena), TEXT("unknown")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_header_of_a_name_in_any_case_is_found),
        cmocka_unit_test(repeated_headers_are_joined_in_order),
        cmocka_unit_test(a_response_header_that_would_inject_is_a_bug),
        cmocka_unit_test(more_response_headers_than_fit_are_a_bug),
        cmocka_unit_test(loopback_peers_are_told_apart),
        cmocka_unit_test(peers_are_written_with_their_ports),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
