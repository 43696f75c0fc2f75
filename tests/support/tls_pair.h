/* A server and a client of the module under test, joined by a socket pair, and the files that both need. */
#ifndef TESTS_TLS_PAIR_H
#define TESTS_TLS_PAIR_H

#include <sys/socket.h>

#include "certificates.h"
#include "tls.h"

#define TURNS_MAX 1000 /* of a handshake over a socket pair; it needs a few */

struct tls_fixture {
    struct arena arena;
    char folder[64];
    struct certificate authority, server, alice, stranger_authority, stranger;
};

struct tls_ends {
    int server_fd, client_fd;
    struct tls_session *server, *client;
    enum tls_progress server_progress, client_progress;
};

static inline struct tls_fixture *tls_fixture_new(void)
{
    struct tls_fixture *fixture = memory_new(sizeof(*fixture));
    arena_init(&fixture->arena, "tls test");
    snprintf(fixture->folder, sizeof(fixture->folder), "/tmp/xdm-tls-XXXXXX");
    char *made = mkdtemp(fixture->folder);
    assert(made);
    const struct certificate_order authority = {
        .file = "ca", .common_name = "Test CA", .days_valid = 100, .is_authority = true};
    const struct certificate_order server = {
        .file = "server", .common_name = "server", .dns = "xcap.example.com", .ipv4 = "\x7f\0\0\1", .days_valid = 100};
    const struct certificate_order alice = {.file = "alice",
                                            .common_name = "Alice",
                                            .dns = "AS.example.com",
                                            .uri = "sip:as@example.com",
                                            .days_valid = 100};
    /* It calls itself as the other does, or a client of it would not even show its certificate. */
    const struct certificate_order other = {
        .file = "other-ca", .common_name = "Test CA", .days_valid = 100, .is_authority = true};
    const struct certificate_order stranger = {.file = "stranger", .common_name = "Mallory", .days_valid = 100};
    fixture->authority = certificate_make(fixture->folder, &authority, NULL);
    fixture->server = certificate_make(fixture->folder, &server, &fixture->authority);
    fixture->alice = certificate_make(fixture->folder, &alice, &fixture->authority);
    fixture->stranger_authority = certificate_make(fixture->folder, &other, NULL);
    fixture->stranger = certificate_make(fixture->folder, &stranger, &fixture->stranger_authority);
    return fixture;
}

static inline void tls_fixture_free(struct tls_fixture *fixture)
{
    certificate_free(&fixture->authority);
    certificate_free(&fixture->server);
    certificate_free(&fixture->alice);
    certificate_free(&fixture->stranger_authority);
    certificate_free(&fixture->stranger);
    rmdir(fixture->folder);
    arena_clear(&fixture->arena);
    free(fixture);
}

/* Both believe the test's authority. */
static inline struct tls_settings tls_settings_of(const struct tls_fixture *fixture, const struct certificate *who)
{
    return (struct tls_settings){
        .certificate = who->certificate_path,
        .key = who->key_path,
        .client_ca = fixture->authority.certificate_path,
        .server_ca = fixture->authority.certificate_path,
    };
}

static inline struct tls *tls_open_well(struct tls_fixture *fixture, const struct tls_settings *settings)
{
    struct text error = {0};
    struct tls *tls = tls_open(settings, &fixture->arena, &error);
    if (!tls) {
        fprintf(stderr, "%.*s\n", TEXT_ARG(error));
        abort();
    }
    return tls;
}

static inline struct tls_ends tls_ends_new(struct tls *server, struct tls *client, enum tls_clients clients,
                                           const char *name)
{
    int fds[2];
    int joined = socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds);
    assert(joined == 0);
    struct tls_ends ends = {.server_fd = fds[0], .client_fd = fds[1]};
    ends.server = tls_session_accept(server, fds[0], clients);
    ends.client = tls_session_connect(client, fds[1], name);
    ends.server_progress = ends.client_progress = TLS_READS;
    return ends;
}

/* Until both are done or one has failed. */
static inline bool tls_ends_shake(struct tls_ends *ends)
{
    for (size_t i = 0; i < TURNS_MAX; i++) {
        if (ends->client_progress != TLS_FAILED)
            ends->client_progress = tls_session_handshake(ends->client);
        if (ends->server_progress != TLS_FAILED)
            ends->server_progress = tls_session_handshake(ends->server);
        if (ends->server_progress == TLS_FAILED || ends->client_progress == TLS_FAILED)
            return false;
        if (ends->server_progress == TLS_DONE && ends->client_progress == TLS_DONE)
            return true;
    }
    return false;
}

static inline void tls_ends_free(struct tls_ends *ends)
{
    tls_session_free(ends->server);
    tls_session_free(ends->client);
    close(ends->server_fd);
    close(ends->client_fd);
}

#endif
