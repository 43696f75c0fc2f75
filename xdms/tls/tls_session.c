/* Sessions: one connection each, of our own loop or adopted from a library that drives the connection itself. */
#include "tls_private.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "metrics.h"

#define HANDSHAKE_BYTES_MAX                                                                                            \
    32768 /* of one handshake message: room for long chains, and a bound on what a peer can hold */
#define PLAIN_BYTES_MAX   65536 /* of what a peer that speaks no TLS has sent, read before it is answered */
#define RECORD_HANDSHAKE  22    /* RFC 8446 §5.1: first byte of every connection */
#define ALERT_RECORD      21
#define HELLO_VERSION_END 11 /* where the version ends that a ClientHello names: 3.3 for all since TLS 1.2 */

struct tls_session {
    gnutls_session_t gnutls;
    struct tls_generation *generation;
    int fd;
    bool owned; /* the library's session is ours to free */
    bool is_server;
    bool requires_client;
    bool started;     /* the peer's first bytes have been seen, and are TLS */
    bool turned_away; /* before the handshake */
    bool open, done;  /* open: the peer is known; done: the library has nothing left to send for it */
    char *name;       /* of the server we want; NULL: any */
    struct text plain_answer;
    const char *problem;
    bool blocked; /* a record waits in the library for room in the socket */
};

static struct tls_session *session_new(struct tls *tls, gnutls_session_t gnutls, int fd);
static void set_server(struct tls_session *session, enum tls_clients clients);
static void set_server_name(struct tls_session *session, const char *name);
static int on_finished(gnutls_session_t gnutls, unsigned type, unsigned when, unsigned incoming,
                       const gnutls_datum_t *message);
static ssize_t pull(gnutls_transport_ptr_t context, void *bytes, size_t size);
static ssize_t push(gnutls_transport_ptr_t context, const giovec_t *vectors, int count);
static bool turned_away(struct tls_session *session);
static void turn_away(struct tls_session *session, struct text answer);
static void count_handshake(const struct tls_session *session, bool good);

/* --- beginning and end --- */

struct tls_session *tls_session_accept(struct tls *tls, int fd, enum tls_clients clients)
{
    gnutls_session_t gnutls;
    if (gnutls_init(&gnutls, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) < 0)
        return NULL;
    struct tls_session *session = session_new(tls, gnutls, fd);
    session->owned = true;
    set_server(session, clients);
    return session;
}

struct tls_session *tls_session_adopt(struct tls *tls, void *gnutls_session, int fd, enum tls_clients clients,
                                      struct text plain_answer)
{
    struct tls_session *session = session_new(tls, gnutls_session, fd);
    session->plain_answer = plain_answer;
    set_server(session, clients);
    return session;
}

struct tls_session *tls_session_connect(struct tls *tls, int fd, const char *name)
{
    gnutls_session_t gnutls;
    if (gnutls_init(&gnutls, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) < 0)
        return NULL;
    struct tls_session *session = session_new(tls, gnutls, fd);
    session->owned = true;
    session->started = true; /* what a server says first is the library's affair */
    gnutls_credentials_set(gnutls, GNUTLS_CRD_CERTIFICATE, session->generation->client);
    if (!tls_servers_unverified(tls))
        set_server_name(session, name);
    return session;
}

static struct tls_session *session_new(struct tls *tls, gnutls_session_t gnutls, int fd)
{
    struct tls_session *session = memory_new(sizeof(*session));
    session->gnutls = gnutls;
    session->generation = tls_generation_take(tls);
    session->fd = fd;
    gnutls_session_set_ptr(gnutls, session);
    gnutls_priority_set(gnutls, session->generation->priority);
    gnutls_handshake_set_max_packet_length(gnutls, HANDSHAKE_BYTES_MAX);
    gnutls_handshake_set_hook_function(gnutls, GNUTLS_HANDSHAKE_FINISHED, GNUTLS_HOOK_POST, on_finished);
    gnutls_transport_set_ptr(gnutls, session);
    gnutls_transport_set_pull_function(gnutls, pull);
    gnutls_transport_set_vec_push_function(gnutls, push);
    return session;
}

/* A session that is taken up again would not show its certificate again: where clients are asked for one, each
 * handshake is a whole one. */
static void set_server(struct tls_session *session, enum tls_clients clients)
{
    session->is_server = true;
    session->requires_client = clients == TLS_CLIENTS_REQUIRED;
    gnutls_credentials_set(session->gnutls, GNUTLS_CRD_CERTIFICATE, session->generation->server);
    gnutls_certificate_server_set_request(session->gnutls,
                                          clients == TLS_CLIENTS_NONE ? GNUTLS_CERT_IGNORE : GNUTLS_CERT_REQUEST);
    if (clients == TLS_CLIENTS_NONE)
        gnutls_session_ticket_enable_server(session->gnutls, &session->generation->ticket_key);
}

/* RFC 6066 §3: addresses are not told to the server. */
static void set_server_name(struct tls_session *session, const char *name)
{
    size_t size = strlen(name) + 1;
    session->name = memcpy(memory_new(size), name, size);
    bool is_address = strchr(name, ':') || strspn(name, "0123456789.") == size - 1;
    if (!is_address)
        gnutls_server_name_set(session->gnutls, GNUTLS_NAME_DNS, name, size - 1);
}

void tls_session_free(struct tls_session *session)
{
    if (!session)
        return;
    if (!session->open)
        count_handshake(session, false);
    if (session->owned)
        gnutls_deinit(session->gnutls);
    tls_generation_release(session->generation);
    free(session->name);
    free(session);
}

static void count_handshake(const struct tls_session *session, bool good)
{
    static const char *const labels[2][2] = {{"role=\"client\",result=\"failed\"", "role=\"client\",result=\"good\""},
                                             {"role=\"server\",result=\"failed\"", "role=\"server\",result=\"good\""}};
    metric_add(
        metric_counter("xdm_tls_handshakes_total", labels[session->is_server][good], "TLS handshakes that ended."), 1);
}

/* --- handshake --- */

enum tls_progress tls_session_handshake(struct tls_session *session)
{
    if (session->done)
        return TLS_DONE;
    int result = gnutls_handshake(session->gnutls);
    session->done = result == GNUTLS_E_SUCCESS;
    if (session->done)
        return TLS_DONE;
    if (!gnutls_error_is_fatal(result))
        return gnutls_record_get_direction(session->gnutls) ? TLS_WRITES : TLS_READS;
    if (!session->problem) {
        session->problem = result == GNUTLS_E_FATAL_ALERT_RECEIVED
                               ? gnutls_alert_get_name(gnutls_alert_get(session->gnutls))
                               : gnutls_strerror(result);
        gnutls_alert_send_appropriate(session->gnutls, result);
    }
    return TLS_FAILED;
}

/* The peer's Finished is the last thing that a handshake of a server waits for, and nearly so for a client. */
static int on_finished(gnutls_session_t gnutls, unsigned type, unsigned when, unsigned incoming,
                       const gnutls_datum_t *message)
{
    struct tls_session *session = gnutls_session_get_ptr(gnutls);
    (void)type;
    (void)when;
    (void)message;
    if (incoming && !session->open) {
        session->open = true;
        count_handshake(session, true);
    }
    return 0;
}

/* The library calls it whether the peer has shown a certificate or not. Who drives an adopted session sends no alerts.
 */
int tls_session_verify(gnutls_session_t gnutls)
{
    struct tls_session *session = gnutls_session_get_ptr(gnutls);
    unsigned count = 0;
    gnutls_alert_description_t alert = GNUTLS_A_CERTIFICATE_REQUIRED;
    bool shown = gnutls_certificate_get_peers(gnutls, &count) && count > 0;
    if (session->is_server ? !shown && !session->requires_client : !session->name)
        return 0;
    session->problem = shown ? tls_peer_problem(gnutls, session->name, &alert) : "the peer shows no certificate";
    if (!session->problem)
        return 0;
    gnutls_alert_send(gnutls, GNUTLS_AL_FATAL, alert);
    return GNUTLS_E_CERTIFICATE_ERROR;
}

/* --- bytes --- */

ssize_t tls_session_read(struct tls_session *session, char *bytes, size_t size)
{
    ssize_t got = gnutls_record_recv(session->gnutls, bytes, size);
    if (got >= 0)
        return got;
    if (got == GNUTLS_E_PREMATURE_TERMINATION) /* messages carry their lengths: a missing goodbye hides nothing */
        return 0;
    errno = gnutls_error_is_fatal((int)got) || got == GNUTLS_E_REHANDSHAKE ? EPROTO : EAGAIN;
    if (errno == EPROTO)
        session->problem = gnutls_strerror((int)got);
    return -1;
}

ssize_t tls_session_write(struct tls_session *session, struct text bytes)
{
    assert(bytes.length > 0);
    ssize_t sent = session->blocked ? gnutls_record_send(session->gnutls, NULL, 0)
                                    : gnutls_record_send(session->gnutls, bytes.bytes, bytes.length);
    if (sent >= 0) {
        session->blocked = false;
        return sent;
    }
    if (gnutls_error_is_fatal((int)sent)) {
        session->problem = gnutls_strerror((int)sent);
        errno = EPROTO;
        return -1;
    }
    session->blocked = true;
    errno = EAGAIN;
    return -1;
}

void tls_session_bye(struct tls_session *session)
{
    if (session->open && !session->blocked)
        gnutls_bye(session->gnutls, GNUTLS_SHUT_WR);
}

/* --- the socket --- */

static ssize_t pull(gnutls_transport_ptr_t context, void *bytes, size_t size)
{
    struct tls_session *session = context;
    if (!session->started && turned_away(session)) {
        gnutls_transport_set_errno(session->gnutls, ECONNRESET);
        return -1;
    }
    ssize_t got = recv(session->fd, bytes, size, MSG_DONTWAIT);
    if (got < 0)
        gnutls_transport_set_errno(session->gnutls, errno == EWOULDBLOCK ? EAGAIN : errno);
    return got;
}

/* True: the peer has been answered, and nothing is to be read from it. */
static bool turned_away(struct tls_session *session)
{
    static const char too_old[] = {ALERT_RECORD, 3, 1, 0, 2, GNUTLS_AL_FATAL, GNUTLS_A_PROTOCOL_VERSION};
    unsigned char first[HELLO_VERSION_END];
    ssize_t got = recv(session->fd, first, sizeof(first), MSG_PEEK | MSG_DONTWAIT);
    if (got < 1)
        return false;
    session->started = first[0] == RECORD_HANDSHAKE || first[0] == ALERT_RECORD;
    if (!session->started) {
        session->problem = "the peer does not speak TLS";
        turn_away(session, session->plain_answer);
    } else if (!session->owned && got == HELLO_VERSION_END && !session->generation->speaks_old_versions &&
               first[0] == RECORD_HANDSHAKE && first[HELLO_VERSION_END - 2] == 3 && first[HELLO_VERSION_END - 1] < 3) {
        /* Who drives an adopted session sends no alerts. */
        session->problem = "the peer speaks old versions of TLS alone";
        turn_away(session, (struct text){too_old, sizeof(too_old)});
    }
    return session->turned_away;
}

/* What has been sent is read, so that closing does not reset the connection before the answer is seen. */
static void turn_away(struct tls_session *session, struct text answer)
{
    char bytes[4096];
    session->turned_away = true;
    for (size_t total = 0; total < PLAIN_BYTES_MAX; total += sizeof(bytes))
        if (recv(session->fd, bytes, sizeof(bytes), MSG_DONTWAIT) <= 0)
            break;
    ssize_t sent = answer.length ? send(session->fd, answer.bytes, answer.length, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;
    (void)sent; /* who does not read it does not want it */
}

static ssize_t push(gnutls_transport_ptr_t context, const giovec_t *vectors, int count)
{
    struct tls_session *session = context;
    struct msghdr message = {.msg_iov = (struct iovec *)vectors, .msg_iovlen = (size_t)count};
    ssize_t sent = sendmsg(session->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0)
        gnutls_transport_set_errno(session->gnutls, errno == EWOULDBLOCK ? EAGAIN : errno);
    return sent;
}

/* --- looking at it --- */

bool tls_session_open(const struct tls_session *session)
{
    return session->open;
}

bool tls_session_turned_away(const struct tls_session *session)
{
    return session->turned_away;
}

const char *tls_session_error(const struct tls_session *session)
{
    return session->problem ? session->problem : "the connection ended";
}

size_t tls_session_names(const struct tls_session *session, struct arena *arena, const struct text **names_out)
{
    unsigned count = 0;
    *names_out = NULL;
    const gnutls_datum_t *chain = session->open ? gnutls_certificate_get_peers(session->gnutls, &count) : NULL;
    bool verified = session->is_server || session->name;
    return chain && count && verified ? tls_certificate_names(&chain[0], arena, names_out) : 0;
}
