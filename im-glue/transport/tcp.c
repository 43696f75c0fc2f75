/* TCP: connections by number and by peer, bounded queues, idle ones cut. A connection may be closed by the handler
 * while its own bytes are being handled. */
#include "transport_private.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"

#define CONNECT_MS     10000 /* a peer that is silent for so long is not there */
#define LINGER_MS      2000  /* for the last words to arrive */
#define ACCEPTS_MAX    64    /* of one turn of the listener */
#define LISTEN_BACKLOG 1024  /* a whole house of phones that comes back after a power cut */

static void on_accept(void *context, int fd, unsigned events);
static void on_connection(void *context, int fd, unsigned events);
static void connection_end(struct connection *connection, bool tell);

bool tcp_open(struct transport *transport, const struct flow *address)
{
    const int on = 1, off = 0;
    int fd = socket(address->peer.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (address->peer.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    if (bind(fd, (const struct sockaddr *)&address->peer, flow_peer_length(address)) != 0 ||
        listen(fd, LISTEN_BACKLOG) != 0) {
        int reason = errno;
        close(fd);
        errno = reason;
        return false;
    }
    transport->listen_fd = fd;
    loop_watch(transport->loop, fd, LOOP_READ, on_accept, transport);
    return true;
}

void tcp_close(struct transport *transport)
{
    while (!TAILQ_EMPTY(&transport->idle))
        connection_end(TAILQ_FIRST(&transport->idle), false);
    if (transport->listen_fd < 0)
        return;
    loop_unwatch(transport->loop, transport->listen_fd);
    close(transport->listen_fd);
    transport->listen_fd = -1;
}

/* --- life of a connection --- */

static struct connection *connection_new(struct transport *transport, int fd, const struct flow *peer)
{
    const int on = 1;
    struct connection *connection = memory_new(sizeof(*connection)), *same;
    struct arena arena;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    connection->transport = transport;
    connection->fd = fd;
    connection->flow = (struct flow){.kind = FLOW_TCP, .connection = ++transport->last_connection, .peer = peer->peer};
    connection->active_ms = clock_monotonic_ms();
    arena_init(&arena, "peer");
    struct text name = flow_peer_text(peer, &arena);
    memcpy(connection->peer, name.bytes,
           name.length < TRANSPORT_PEER_TEXT_MAX ? name.length : TRANSPORT_PEER_TEXT_MAX - 1);
    arena_clear(&arena);
    HASH_ADD(by_number, transport->by_number, flow.connection, sizeof(connection->flow.connection), connection);
    HASH_FIND(by_peer, transport->by_peer, connection->peer, strlen(connection->peer), same);
    if (!same)
        HASH_ADD_KEYPTR(by_peer, transport->by_peer, connection->peer, strlen(connection->peer), connection);
    TAILQ_INSERT_TAIL(&transport->idle, connection, idle);
    return connection;
}

static void connection_free(struct connection *connection)
{
    free(connection->queue);
    free(connection);
}

/* Once for each connection, whoever ends it. */
static void tell_end(const struct connection *connection)
{
    struct flow peer = connection->flow;
    peer.connection = 0; /* as whoever sent to this peer knows it */
    if (connection->lingers)
        return;
    if (!connection->connecting)
        notice_add(connection->transport, &connection->flow, true);
    if (connection->named_by_peer)
        notice_add(connection->transport, &peer, false);
}

/* From here on it cannot be sent to. */
static void forget_peer(struct connection *connection)
{
    struct transport *transport = connection->transport;
    struct connection *same;
    HASH_FIND(by_peer, transport->by_peer, connection->peer, strlen(connection->peer), same);
    if (same == connection)
        HASH_DELETE(by_peer, transport->by_peer, connection);
}

static void connection_end(struct connection *connection, bool tell)
{
    struct transport *transport = connection->transport;
    if (connection->closed)
        return;
    if (tell)
        tell_end(connection);
    connection->closed = true;
    loop_unwatch(transport->loop, connection->fd);
    close(connection->fd);
    HASH_DELETE(by_number, transport->by_number, connection);
    forget_peer(connection);
    TAILQ_REMOVE(&transport->idle, connection, idle);
    if (!connection->in_handler)
        connection_free(connection);
}

static void touch(struct connection *connection)
{
    struct transport *transport = connection->transport;
    connection->active_ms = clock_monotonic_ms();
    TAILQ_REMOVE(&transport->idle, connection, idle);
    TAILQ_INSERT_TAIL(&transport->idle, connection, idle);
}

static int64_t patience_ms(const struct connection *connection)
{
    if (connection->lingers)
        return LINGER_MS;
    return connection->connecting ? CONNECT_MS : TRANSPORT_IDLE_MS_MAX;
}

void tcp_run_timer(struct transport *transport)
{
    int64_t now_ms = clock_monotonic_ms();
    struct connection *connection = TAILQ_FIRST(&transport->idle), *next;
    /* In the order of activity: behind this one nobody has been silent for long enough. */
    for (; connection && connection->active_ms + LINGER_MS <= now_ms; connection = next) {
        next = TAILQ_NEXT(connection, idle);
        if (connection->active_ms + patience_ms(connection) <= now_ms)
            connection_end(connection, true);
    }
    if (transport->accept_paused) {
        transport->accept_paused = false;
        loop_watch(transport->loop, transport->listen_fd, LOOP_READ, on_accept, transport);
    }
}

/* --- incoming --- */

static void on_accept(void *context, int fd, unsigned events)
{
    struct transport *transport = context;
    (void)events;
    for (unsigned i = 0; i < ACCEPTS_MAX; i++) {
        struct flow peer = {.kind = FLOW_TCP};
        socklen_t length = sizeof(peer.peer);
        int accepted = accept4(fd, (struct sockaddr *)&peer.peer, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (accepted < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
            log_warning("no descriptor left for a connection");
            transport->accept_paused = true; /* the backlog stays readable, and the loop would spin */
            loop_watch(transport->loop, fd, 0, on_accept, transport);
        }
        if (accepted < 0)
            return;
        if (HASH_CNT(by_number, transport->by_number) >= TRANSPORT_CONNECTIONS_MAX) {
            close(accepted);
            continue;
        }
        peer_plain(&peer.peer);
        struct connection *connection = connection_new(transport, accepted, &peer);
        loop_watch(transport->loop, accepted, LOOP_READ, on_connection, connection);
    }
}

static void read_some(struct connection *connection)
{
    struct transport *transport = connection->transport;
    ssize_t length = read(connection->fd, transport->buffer, TRANSPORT_READ_BYTES);
    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (length <= 0)
        return connection_end(connection, true);
    if (connection->lingers)
        return;
    touch(connection);
    struct flow flow = connection->flow;
    connection->in_handler = true;
    transport->handler.input(transport->handler.context, &flow, (struct text){transport->buffer, (size_t)length});
    connection->in_handler = false;
    if (connection->closed)
        connection_free(connection);
}

/* --- outgoing --- */

static bool queue_bytes(struct connection *connection, struct text bytes)
{
    size_t wanted = connection->queue_length + bytes.length;
    if (bytes.length == 0)
        return true;
    if (wanted > TRANSPORT_QUEUE_BYTES_MAX)
        return false;
    if (wanted > connection->queue_capacity) {
        connection->queue_capacity = wanted * 2;
        connection->queue = memory_resize(connection->queue, connection->queue_capacity);
    }
    memcpy(connection->queue + connection->queue_length, bytes.bytes, bytes.length);
    connection->queue_length = wanted;
    return true;
}

static bool write_queue(struct connection *connection)
{
    if (connection->queue_length == 0)
        return true;
    ssize_t sent = send(connection->fd, connection->queue, connection->queue_length, MSG_NOSIGNAL);
    if (sent < 0)
        return errno == EAGAIN || errno == EINTR;
    connection->queue_length -= (size_t)sent;
    memmove(connection->queue, connection->queue + sent, connection->queue_length);
    if (connection->queue_length == 0) { /* most connections are quiet, and there may be many */
        free(connection->queue);
        connection->queue = NULL;
        connection->queue_capacity = 0;
    }
    if (!connection->lingers)
        touch(connection);
    return true;
}

static void watch(struct connection *connection)
{
    unsigned events = connection->connecting ? LOOP_WRITE : LOOP_READ | (connection->queue_length ? LOOP_WRITE : 0u);
    loop_watch(connection->transport->loop, connection->fd, events, on_connection, connection);
}

static void on_connection(void *context, int fd, unsigned events)
{
    struct connection *connection = context;
    if (connection->connecting) {
        int reason = 0;
        socklen_t length = sizeof(reason);
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &reason, &length);
        if (reason != 0)
            return connection_end(connection, true);
        connection->connecting = false;
    }
    if (events & LOOP_WRITE) {
        if (!write_queue(connection))
            return connection_end(connection, true);
        if (connection->lingers && connection->queue_length == 0)
            shutdown(connection->fd, SHUT_WR);
        watch(connection);
    }
    if (events & LOOP_READ)
        read_some(connection);
}

/* NULL: could not even begin. */
static struct connection *connect_to(struct transport *transport, const struct flow *flow)
{
    if (HASH_CNT(by_number, transport->by_number) >= TRANSPORT_CONNECTIONS_MAX)
        return NULL;
    int fd = socket(flow->peer.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return NULL;
    if (connect(fd, (const struct sockaddr *)&flow->peer, flow_peer_length(flow)) != 0 && errno != EINPROGRESS) {
        close(fd);
        return NULL;
    }
    struct connection *connection = connection_new(transport, fd, flow);
    connection->connecting = true;
    return connection;
}

static struct connection *find_connection(struct transport *transport, const struct flow *flow)
{
    struct connection *found = NULL;
    struct arena arena;
    if (flow->connection) {
        HASH_FIND(by_number, transport->by_number, &flow->connection, sizeof(flow->connection), found);
        return found && !found->lingers ? found : NULL;
    }
    struct flow plain = *flow;
    peer_plain(&plain.peer);
    arena_init(&arena, "peer");
    struct text peer = flow_peer_text(&plain, &arena);
    HASH_FIND(by_peer, transport->by_peer, peer.bytes, peer.length, found);
    arena_clear(&arena);
    if (!found)
        found = connect_to(transport, &plain);
    if (found)
        found->named_by_peer = true;
    return found;
}

void tcp_send(struct transport *transport, const struct flow *flow, struct text bytes)
{
    struct connection *connection = find_connection(transport, flow);
    if (!connection)
        return notice_add(transport, flow, false);
    size_t sent = 0;
    if (!connection->connecting && connection->queue_length == 0) {
        ssize_t result = send(connection->fd, bytes.bytes, bytes.length, MSG_NOSIGNAL);
        if (result < 0 && errno != EAGAIN && errno != EINTR)
            return connection_end(connection, true);
        sent = result > 0 ? (size_t)result : 0;
        touch(connection);
    }
    if (!queue_bytes(connection, text_slice(bytes, sent, bytes.length))) {
        log_warning("peer does not read, connection cut peer=%s", connection->peer);
        return connection_end(connection, true);
    }
    watch(connection);
}

/* Closing at once would throw away what the peer has not read yet, as soon as it has sent us more. */
void tcp_disconnect(struct transport *transport, uint64_t number)
{
    struct connection *connection = NULL;
    HASH_FIND(by_number, transport->by_number, &number, sizeof(number), connection);
    if (!connection || connection->lingers)
        return;
    if (connection->connecting)
        return connection_end(connection, true);
    tell_end(connection);
    touch(connection);
    forget_peer(connection);
    connection->lingers = true;
    if (connection->queue_length == 0)
        shutdown(connection->fd, SHUT_WR);
    watch(connection);
}
