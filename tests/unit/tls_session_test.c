/* Sessions over a socket pair: who is let in, who is told why not, and that bytes arrive whatever the socket takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>

#include "assert_text.h"
#include "metrics.h"
#include "tls_pair.h"

#define MANY_BYTES  (3u << 20) /* more than two socket buffers hold */
#define TICKETS_MAX 10         /* what a server sends of its own accord after a handshake */
#define GARBAGE     2000       /* connections with broken first bytes */

static struct tls_fixture *fixture;
static struct tls *server, *alice, *stranger;

static struct tls *open_as(const struct certificate *who)
{
    struct tls_settings settings = tls_settings_of(fixture, who);
    return tls_open_well(fixture, &settings);
}

static int begin(void **state)
{
    (void)state;
    fixture = tls_fixture_new();
    server = open_as(&fixture->server);
    alice = open_as(&fixture->alice);
    stranger = open_as(&fixture->stranger);
    return 0;
}

static int end(void **state)
{
    (void)state;
    tls_free(server);
    tls_free(alice);
    tls_free(stranger);
    tls_fixture_free(fixture);
    return 0;
}

static void say(struct tls_session *from, struct tls_session *to, const char *words)
{
    char bytes[TLS_RECORD_MAX];
    size_t length = strlen(words);
    assert_int_equal(tls_session_write(from, text_of(words)), length);
    ssize_t got = -1;
    for (int i = 0; i < TICKETS_MAX && got < 0; i++) {
        got = tls_session_read(to, bytes, sizeof(bytes));
        assert_true(got >= 0 || errno == EAGAIN);
    }
    assert_int_equal(got, length);
    assert_memory_equal(bytes, words, length);
}

static void both_ends_hear_each_other(void **state)
{
    (void)state;
    char byte;
    struct tls_ends ends = tls_ends_new(server, alice, TLS_CLIENTS_NONE, "xcap.example.com");
    assert_false(tls_session_open(ends.server));
    assert_true(tls_ends_shake(&ends));
    assert_true(tls_session_open(ends.server) && tls_session_open(ends.client));
    say(ends.client, ends.server, "who is there?");
    say(ends.server, ends.client, "nobody");
    assert_int_equal(tls_session_read(ends.server, &byte, 1), -1);
    assert_int_equal(errno, EAGAIN);
    tls_session_bye(ends.client);
    assert_int_equal(tls_session_read(ends.server, &byte, 1), 0);
    tls_ends_free(&ends);
}

/* The server is known by its certificate: by a DNS name, or by the address we connect to. */
static void a_server_must_have_the_name_we_want(void **state)
{
    (void)state;
    struct tls_ends ends = tls_ends_new(server, alice, TLS_CLIENTS_NONE, "127.0.0.1");
    assert_true(tls_ends_shake(&ends));
    tls_ends_free(&ends);
    const char *const others[] = {"evil.example.com", "127.0.0.2"};
    for (size_t i = 0; i < 2; i++) {
        ends = tls_ends_new(server, alice, TLS_CLIENTS_NONE, others[i]);
        assert_false(tls_ends_shake(&ends));
        assert_int_equal(ends.client_progress, TLS_FAILED);
        assert_string_equal(tls_session_error(ends.client), "the peer's certificate is for another name");
        tls_ends_free(&ends);
    }
}

static void a_server_of_a_foreign_ca_is_refused(void **state)
{
    (void)state;
    struct tls_ends ends = tls_ends_new(stranger, alice, TLS_CLIENTS_NONE, "Mallory");
    assert_false(tls_ends_shake(&ends));
    assert_string_equal(tls_session_error(ends.client), "the peer's certificate is not signed by the CA that it names");
    tls_ends_free(&ends);
    struct tls_settings settings = tls_settings_of(fixture, &fixture->alice);
    settings.servers_unverified = true;
    struct tls *trusting = tls_open_well(fixture, &settings);
    ends = tls_ends_new(stranger, trusting, TLS_CLIENTS_NONE, "Mallory");
    assert_true(tls_ends_shake(&ends));
    const struct text *names;
    assert_int_equal(tls_session_names(ends.client, &fixture->arena, &names), 0); /* nobody looked */
    tls_ends_free(&ends);
    tls_free(trusting);
}

static void a_client_with_a_good_certificate_has_names(void **state)
{
    (void)state;
    const struct text *names;
    struct tls_ends ends = tls_ends_new(server, alice, TLS_CLIENTS_REQUIRED, "xcap.example.com");
    assert_int_equal(tls_session_names(ends.server, &fixture->arena, &names), 0);
    assert_true(tls_ends_shake(&ends));
    assert_int_equal(tls_session_names(ends.server, &fixture->arena, &names), 2);
    assert_text(names[0], "as.example.com");
    assert_text(names[1], "sip:as@example.com");
    tls_ends_free(&ends);
}

/* One set of CAs per program: a client without a certificate has none to show. */
static void a_client_that_is_not_asked_has_no_names(void **state)
{
    (void)state;
    const struct text *names;
    struct tls_ends ends = tls_ends_new(server, alice, TLS_CLIENTS_NONE, "xcap.example.com");
    assert_true(tls_ends_shake(&ends));
    assert_int_equal(tls_session_names(ends.server, &fixture->arena, &names), 0);
    tls_ends_free(&ends);
}

/* In TLS 1.3 the client is done before the server has seen its certificate: the server's word decides. */
static void refused(struct tls *client, enum tls_clients clients, const char *reason)
{
    struct tls_ends ends = tls_ends_new(server, client, clients, "xcap.example.com");
    const struct text *names;
    assert_false(tls_ends_shake(&ends));
    assert_int_equal(ends.server_progress, TLS_FAILED);
    assert_string_equal(tls_session_error(ends.server), reason);
    assert_int_equal(tls_session_names(ends.server, &fixture->arena, &names), 0);
    char byte;
    assert_int_equal(tls_session_read(ends.client, &byte, 1), -1); /* an alert */
    assert_int_equal(errno, EPROTO);
    tls_ends_free(&ends);
}

static void a_client_of_a_foreign_ca_is_refused(void **state)
{
    (void)state;
    refused(stranger, TLS_CLIENTS_REQUIRED, "the peer's certificate is not signed by the CA that it names");
    refused(stranger, TLS_CLIENTS_OPTIONAL, "the peer's certificate is not signed by the CA that it names");
}

static void a_client_without_a_certificate_is_let_in_where_it_may(void **state)
{
    (void)state;
    const struct certificate_order order = {.file = "unknown", .common_name = "unknown", .days_valid = 1};
    struct certificate own = certificate_make(fixture->folder, &order, NULL);
    struct tls *client = open_as(&own); /* of no CA that the server names: it is not shown */
    const struct text *names;
    struct tls_ends ends = tls_ends_new(server, client, TLS_CLIENTS_OPTIONAL, "xcap.example.com");
    assert_true(tls_ends_shake(&ends));
    assert_int_equal(tls_session_names(ends.server, &fixture->arena, &names), 0);
    tls_ends_free(&ends);
    refused(client, TLS_CLIENTS_REQUIRED, "the peer shows no certificate");
    tls_free(client);
    certificate_free(&own);
}

static void an_expired_client_is_refused(void **state)
{
    (void)state;
    const struct certificate_order order = {.file = "late", .common_name = "late", .days_valid = -1};
    struct certificate late = certificate_make(fixture->folder, &order, &fixture->authority);
    struct tls *client = open_as(&late);
    refused(client, TLS_CLIENTS_REQUIRED, "the peer's certificate has expired");
    refused(client, TLS_CLIENTS_OPTIONAL, "the peer's certificate has expired");
    tls_free(client);
    certificate_free(&late);
}

/* A server that knows the list, instead of the one that all tests share. */
static void met_by(int64_t days_valid, const struct certificate *revoked, const char *reason)
{
    const char *path = text_cstring(&fixture->arena, text_format(&fixture->arena, "%s/crl", fixture->folder));
    struct tls *shared = server;
    struct tls_settings settings = tls_settings_of(fixture, &fixture->server);
    certificate_revoke(path, &fixture->authority, revoked, days_valid);
    settings.client_crl = path;
    server = tls_open_well(fixture, &settings);
    if (reason) {
        refused(alice, TLS_CLIENTS_OPTIONAL, reason);
    } else {
        struct tls_ends ends = tls_ends_new(server, alice, TLS_CLIENTS_REQUIRED, "xcap.example.com");
        assert_true(tls_ends_shake(&ends));
        tls_ends_free(&ends);
    }
    tls_free(server);
    server = shared;
    unlink(path);
}

static void a_revoked_client_is_refused(void **state)
{
    (void)state;
    met_by(1, &fixture->alice, "the peer's certificate is revoked");
    met_by(1, &fixture->server, NULL);                                /* somebody else */
    met_by(-1, &fixture->alice, "the peer's certificate is revoked"); /* a list that is old still says what it said */
}

static void the_common_name_speaks_only_without_alternatives(void **state)
{
    (void)state;
    const struct text *names;
    const struct certificate_order plain = {.file = "plain", .common_name = "Peer One", .days_valid = 10};
    const struct certificate_order hidden = {
        .file = "hidden", .common_name = "admin", .dns = "odd name.example.com", .days_valid = 10};
    struct certificate made[] = {certificate_make(fixture->folder, &plain, &fixture->authority),
                                 certificate_make(fixture->folder, &hidden, &fixture->authority)};
    const size_t counts[] = {1, 0};
    for (size_t i = 0; i < 2; i++) {
        struct tls *client = open_as(&made[i]);
        struct tls_ends ends = tls_ends_new(server, client, TLS_CLIENTS_OPTIONAL, "xcap.example.com");
        assert_true(tls_ends_shake(&ends));
        assert_int_equal(tls_session_names(ends.server, &fixture->arena, &names), counts[i]);
        if (counts[i])
            assert_text(names[0], "Peer One");
        tls_ends_free(&ends);
        tls_free(client);
        certificate_free(&made[i]);
    }
}

/* Connections that are open when the certificate is exchanged go on, and so do handshakes that had begun. */
static void sessions_outlive_a_reload(void **state)
{
    (void)state;
    struct text error = {0};
    struct tls_ends open = tls_ends_new(server, alice, TLS_CLIENTS_NONE, "xcap.example.com");
    struct tls_ends begun = tls_ends_new(server, alice, TLS_CLIENTS_NONE, "xcap.example.com");
    assert_true(tls_ends_shake(&open));
    tls_session_handshake(begun.client);
    tls_session_handshake(begun.server);
    for (int i = 0; i < 3; i++)
        assert_int_equal(tls_reload(server, &fixture->arena, &error), OK);
    say(open.client, open.server, "still here");
    assert_true(tls_ends_shake(&begun));
    say(begun.client, begun.server, "me too");
    tls_ends_free(&open);
    tls_ends_free(&begun);
}

static void many_bytes_arrive_in_order(void **state)
{
    (void)state;
    char *sent = memory_new(MANY_BYTES), *got = memory_new(MANY_BYTES + TLS_RECORD_MAX);
    size_t written = 0, read = 0;
    bool was_full = false;
    for (size_t i = 0; i < MANY_BYTES; i++)
        sent[i] = (char)(i * 31 + i / 997);
    struct tls_ends ends = tls_ends_new(server, alice, TLS_CLIENTS_NONE, "xcap.example.com");
    assert_true(tls_ends_shake(&ends));
    while (read < MANY_BYTES) {
        ssize_t step = 1;
        while (written < MANY_BYTES && step > 0) {
            step = tls_session_write(ends.client, (struct text){sent + written, MANY_BYTES - written});
            written += step > 0 ? (size_t)step : 0;
        }
        was_full = was_full || step < 0;
        step = tls_session_read(ends.server, got + read, TLS_RECORD_MAX);
        assert_true(step > 0 || errno == EAGAIN);
        read += step > 0 ? (size_t)step : 0;
    }
    assert_true(was_full);
    assert_int_equal(read, MANY_BYTES);
    assert_memory_equal(sent, got, MANY_BYTES);
    tls_ends_free(&ends);
    free(sent);
    free(got);
}

static void who_speaks_no_tls_is_not_waited_for(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    struct tls_session *session = tls_session_accept(server, fds[0], TLS_CLIENTS_NONE);
    assert_int_equal(tls_session_handshake(session), TLS_READS);
    assert_int_equal(write(fds[1], "GET", 3), 3); /* less than the header of a record */
    assert_int_equal(tls_session_handshake(session), TLS_FAILED);
    assert_true(tls_session_turned_away(session));
    assert_string_equal(tls_session_error(session), "the peer does not speak TLS");
    tls_session_free(session);
    close(fds[0]);
    close(fds[1]);
}

/* A true first flight with some of its bytes broken, in pieces. */
static void broken_handshakes_end(void **state)
{
    (void)state;
    char hello[TLS_RECORD_MAX];
    struct metric *failed =
        metric_counter("xdm_tls_handshakes_total", "role=\"server\",result=\"failed\"", "TLS handshakes that ended.");
    int64_t failed_before = metric_value(failed);
    struct tls_ends ends = tls_ends_new(server, alice, TLS_CLIENTS_NONE, "xcap.example.com");
    tls_session_handshake(ends.client);
    ssize_t length = recv(ends.server_fd, hello, sizeof(hello), 0);
    assert_true(length > 100);
    tls_ends_free(&ends);
    srand48(7);
    for (int i = 0; i < GARBAGE; i++) {
        int fds[2];
        char broken[TLS_RECORD_MAX];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
        struct tls_session *session = tls_session_accept(server, fds[0], TLS_CLIENTS_OPTIONAL);
        memcpy(broken, hello, (size_t)length);
        for (int j = 0; j < 4; j++)
            broken[1 + lrand48() % (length - 1)] = (char)lrand48();
        ssize_t cut = 1 + lrand48() % length;
        assert_int_equal(send(fds[1], broken, (size_t)cut, MSG_NOSIGNAL), cut);
        enum tls_progress progress = tls_session_handshake(session);
        ssize_t more = send(fds[1], broken + cut, (size_t)(length - cut), MSG_NOSIGNAL);
        if (more > 0 && progress != TLS_FAILED)
            progress = tls_session_handshake(session);
        assert_int_not_equal(progress, TLS_DONE);
        tls_session_free(session);
        close(fds[0]);
        close(fds[1]);
    }
    assert_true(metric_value(failed) >= failed_before + GARBAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ends_hear_each_other),
        cmocka_unit_test(a_server_must_have_the_name_we_want),
        cmocka_unit_test(a_server_of_a_foreign_ca_is_refused),
        cmocka_unit_test(a_client_with_a_good_certificate_has_names),
        cmocka_unit_test(a_client_that_is_not_asked_has_no_names),
        cmocka_unit_test(a_client_of_a_foreign_ca_is_refused),
        cmocka_unit_test(a_client_without_a_certificate_is_let_in_where_it_may),
        cmocka_unit_test(an_expired_client_is_refused),
        cmocka_unit_test(a_revoked_client_is_refused),
        cmocka_unit_test(the_common_name_speaks_only_without_alternatives),
        cmocka_unit_test(sessions_outlive_a_reload),
        cmocka_unit_test(many_bytes_arrive_in_order),
        cmocka_unit_test(who_speaks_no_tls_is_not_waited_for),
        cmocka_unit_test(broken_handshakes_end),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
