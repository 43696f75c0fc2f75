/* The server behind TLS: the same requests and answers, and whom it tells its handler of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>

#include "assert_text.h"
#include "http_probe.h"
#include "tls_pair.h"

#define NEAR_MS     300
#define BODY_BYTES  90000
#define CONNECTIONS 40 /* with reloads in between */

struct caller {
    int fd;
    struct tls_session *tls;
};

static struct tls_fixture *fixture;
static struct tls *server, *alice, *stranger;
static struct probe *probe;

static struct tls *open_as(const struct certificate *who)
{
    struct tls_settings settings = tls_settings_of(fixture, who);
    return tls_open_well(fixture, &settings);
}

static int begin_all(void **state)
{
    (void)state;
    fixture = tls_fixture_new();
    alice = open_as(&fixture->alice);
    stranger = open_as(&fixture->stranger);
    return 0;
}

static int end_all(void **state)
{
    (void)state;
    tls_free(alice);
    tls_free(stranger);
    tls_fixture_free(fixture);
    return 0;
}

static int begin(void **state)
{
    (void)state;
    server = open_as(&fixture->server);
    probe = probe_new();
    probe->with_preview = true;
    probe->settings.tls = server;
    return 0;
}

static int end(void **state)
{
    (void)state;
    probe_stop(probe);
    tls_free(server);
    return 0;
}

static void wait_for(const struct caller *caller, short events)
{
    struct pollfd polled = {.fd = caller->fd, .events = events};
    assert_int_equal(poll(&polled, 1, PROBE_GIVE_UP_S * 1000), 1);
}

/* False: the handshake failed. */
static bool call(struct caller *caller, struct tls *who)
{
    caller->fd = probe_connect(probe);
    fcntl(caller->fd, F_SETFL, O_NONBLOCK);
    caller->tls = tls_session_connect(who, caller->fd, "127.0.0.1");
    for (;;) {
        enum tls_progress progress = tls_session_handshake(caller->tls);
        if (progress == TLS_DONE || progress == TLS_FAILED)
            return progress == TLS_DONE;
        wait_for(caller, progress == TLS_READS ? POLLIN : POLLOUT);
    }
}

static void say(struct caller *caller, struct text words)
{
    while (words.length) {
        ssize_t sent = tls_session_write(caller->tls, words);
        if (sent < 0 && errno != EAGAIN)
            return;
        if (sent < 0)
            wait_for(caller, POLLOUT);
        words = text_slice(words, sent > 0 ? (size_t)sent : 0, words.length);
    }
}

/* Until `end` has come or the server closes. */
static struct text hear(struct caller *caller, const char *end_text)
{
    char bytes[TLS_RECORD_MAX];
    struct text_builder heard;
    builder_init(&heard, &probe->arena);
    while (!end_text || !text_ends_with(builder_text(&heard), text_of(end_text))) {
        ssize_t got = tls_session_read(caller->tls, bytes, sizeof(bytes));
        if (got == 0 || (got < 0 && errno != EAGAIN))
            break;
        if (got < 0)
            wait_for(caller, POLLIN);
        else
            builder_add(&heard, (struct text){bytes, (size_t)got});
    }
    return builder_text(&heard);
}

static void hang_up(struct caller *caller)
{
    tls_session_free(caller->tls);
    close(caller->fd);
}

static void handlers_see_the_clients_names(void **state)
{
    (void)state;
    struct caller caller;
    probe->settings.clients = TLS_CLIENTS_OPTIONAL;
    probe_open(probe);
    assert_true(call(&caller, alice));
    for (int i = 0; i < 3; i++) { /* the certificate is known by the connection */
        say(&caller, TEXT("GET /who HTTP/1.1\r\nHost: x\r\n\r\n"));
        assert_true(probe_has(hear(&caller, "as@example.com>"), "tls <as.example.com> <sip:as@example.com>"));
    }
    hang_up(&caller);
}

static void clients_that_are_not_asked_have_no_names(void **state)
{
    (void)state;
    struct caller caller;
    probe_open(probe);
    assert_true(call(&caller, alice));
    say(&caller, TEXT("GET /who HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_true(text_ends_with(hear(&caller, "tls"), TEXT("\r\n\r\ntls")));
    hang_up(&caller);
}

static void a_foreign_certificate_reaches_no_handler(void **state)
{
    (void)state;
    static const enum tls_clients ways[] = {TLS_CLIENTS_OPTIONAL, TLS_CLIENTS_REQUIRED};
    struct tls_settings settings = tls_settings_of(fixture, &fixture->stranger);
    struct tls *mallory = tls_open_well(fixture, &settings);
    for (size_t i = 0; i < 2; i++) {
        struct caller caller;
        probe->settings.clients = ways[i];
        probe_open(probe);
        if (call(&caller, mallory)) {
            say(&caller, TEXT("GET /who HTTP/1.1\r\nHost: x\r\n\r\n"));
            assert_int_equal(hear(&caller, NULL).length, 0);
        }
        hang_up(&caller);
        http_server_close(probe->server);
        probe->server = NULL;
    }
    assert_true(probe_saw(probe, ""));
    tls_free(mallory);
}

static void large_bodies_pass_both_ways(void **state)
{
    (void)state;
    struct caller caller;
    probe_open(probe);
    assert_true(call(&caller, alice));
    char *body = memory_new(BODY_BYTES + 1);
    memset(body, 'b', BODY_BYTES);
    body[BODY_BYTES - 1] = '!';
    say(&caller,
        text_format(&probe->arena, "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", BODY_BYTES, body));
    assert_true(hear(&caller, "b!").length > BODY_BYTES);
    say(&caller, TEXT("GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
    assert_true(hear(&caller, NULL).length > 8u << 20);
    hang_up(&caller);
    free(body);
}

static void a_handler_may_wait(void **state)
{
    (void)state;
    struct caller caller;
    probe_open(probe);
    assert_true(call(&caller, alice));
    say(&caller, TEXT("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n"));
    probe_await(probe, 1);
    assert_true(probe_resume_one(probe));
    assert_true(text_ends_with(hear(&caller, "GET /wait "), TEXT("GET /wait ")));
    hang_up(&caller);
}

static void plain_http_is_told_so(void **state)
{
    (void)state;
    probe_open(probe);
    struct text answer = probe_ask(probe, TEXT("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_true(probe_status_is(answer, "400"));
    assert_true(text_ends_with(answer, TEXT("\r\n\r\nThis port speaks TLS: use https instead of http\n")));
    assert_true(probe_saw(probe, ""));
}

static void a_handshake_that_stalls_is_cut(void **state)
{
    (void)state;
    char bytes[64];
    probe->settings.header_ms_max = NEAR_MS;
    probe_open(probe);
    int silent = probe_connect(probe), begun = probe_connect(probe);
    PROBE_SAY(begun, "\x16\x03\x01\x01"); /* the head of a record, not whole */
    errno = 0;
    assert_true(recv(silent, bytes, sizeof(bytes), 0) <= 0 && errno != EAGAIN);
    assert_true(recv(begun, bytes, sizeof(bytes), 0) <= 0 && errno != EAGAIN);
    close(silent);
    close(begun);
}

/* Those who shake hands count as connections. */
static void the_limit_of_connections_holds(void **state)
{
    (void)state;
    struct caller caller, late;
    probe->settings.connections_max = 2;
    probe_open(probe);
    int silent = probe_connect(probe);
    assert_true(call(&caller, alice));
    late.fd = probe_connect(probe); /* waits in the kernel's queue */
    fcntl(late.fd, F_SETFL, O_NONBLOCK);
    late.tls = tls_session_connect(alice, late.fd, "127.0.0.1");
    assert_int_equal(tls_session_handshake(late.tls), TLS_READS);
    close(silent);
    enum tls_progress progress = TLS_READS;
    while (progress == TLS_READS) {
        wait_for(&late, POLLIN);
        progress = tls_session_handshake(late.tls);
    }
    assert_int_equal(progress, TLS_DONE);
    hang_up(&late);
    hang_up(&caller);
}

static void connections_outlive_reloads(void **state)
{
    (void)state;
    struct caller callers[CONNECTIONS];
    struct text error;
    probe_open(probe);
    for (size_t i = 0; i < CONNECTIONS; i++) {
        assert_true(call(&callers[i], alice));
        assert_int_equal(tls_reload(server, &fixture->arena, &error), OK);
    }
    for (size_t i = 0; i < CONNECTIONS; i++) {
        say(&callers[i], TEXT("GET /x HTTP/1.1\r\nHost: x\r\n\r\n"));
        assert_true(text_ends_with(hear(&callers[i], "GET /x "), TEXT("GET /x ")));
        hang_up(&callers[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(handlers_see_the_clients_names, begin, end),
        cmocka_unit_test_setup_teardown(clients_that_are_not_asked_have_no_names, begin, end),
        cmocka_unit_test_setup_teardown(a_foreign_certificate_reaches_no_handler, begin, end),
        cmocka_unit_test_setup_teardown(large_bodies_pass_both_ways, begin, end),
        cmocka_unit_test_setup_teardown(a_handler_may_wait, begin, end),
        cmocka_unit_test_setup_teardown(plain_http_is_told_so, begin, end),
        cmocka_unit_test_setup_teardown(a_handshake_that_stalls_is_cut, begin, end),
        cmocka_unit_test_setup_teardown(the_limit_of_connections_holds, begin, end),
        cmocka_unit_test_setup_teardown(connections_outlive_reloads, begin, end),
    };
    return cmocka_run_group_tests(tests, begin_all, end_all);
}
