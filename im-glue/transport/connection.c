/* A connection from its first byte to its last: TCP, and TLS and WebSocket on it; bounded queues, patience with limits.
 * It may be closed by the handler while its own bytes are being handled. */
#include "transport_private.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"

#define CONNECT_MS 10000 /* a peer that is silent for so long is not there; the handshake of TLS has as much */
#define LINGER_MS  2000  /* for the last words to arrive */

#define GATHERED_BYTES_MAX 65536 /* more goes out at once: the kernel's buffers hold it, ours need not */

/* --- life ------------------------------------------------------------------------------------------------------- */

void connection_name_peer(const struct flow *peer, char name[TRANSPORT_PEER_TEXT_MAX])
{
    struct arena arena;
    arena_init(&arena, "peer");
    snprintf(name, TRANSPORT_PEER_TEXT_MAX, "%s %.*s %s", flow_kind_name(peer->kind),
             TEXT_ARG(flow_peer_text(peer, &arena)), peer->name && peer->kind == FLOW_TLS ? peer->name : "");
    arena_clear(&arena);
}

struct connection *connection_new(struct transport *transport, int fd, const struct flow *peer)
{
    const int on = 1;
    struct connection *connection = memory_new(sizeof(*connection));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    connection->transport = transport;
    connection->fd = fd;
    connection->flow =
        (struct flow){.kind = peer->kind, .connection = ++transport->last_connection, .peer = peer->peer};
    connection->active_ms = clock_monotonic_ms();
    connection->name = peer->name ? text_keep(text_of(peer->name)) : NULL;
    connection_name_peer(peer, connection->peer);
    HASH_ADD(by_number, transport->by_number, flow.connection, sizeof(connection->flow.connection), connection);
    TAILQ_INSERT_TAIL(&transport->idle, connection, idle);
    transport->connections[peer->kind]++;
    return connection;
}

/* From here on it is used for whatever is sent to its peer. */
void connection_offer(struct connection *connection)
{
    struct transport *transport = connection->transport;
    struct connection *same;
    HASH_FIND(by_peer, transport->by_peer, connection->peer, strlen(connection->peer), same);
    if (!same)
        HASH_ADD_KEYPTR(by_peer, transport->by_peer, connection->peer, strlen(connection->peer), connection);
}

/* 0: frees it. */
static void resize_queue(struct connection *connection, size_t capacity)
{
    char *queue = capacity > 0 ? memory_take(capacity) : NULL;
    if (queue && connection->queue_length > 0)
        memcpy(queue, connection->queue, connection->queue_length);
    memory_give(connection->queue, connection->queue_capacity);
    connection->transport->queued_bytes += capacity - connection->queue_capacity;
    connection->queue_capacity = capacity;
    connection->queue = queue;
}

static void connection_free(struct connection *connection)
{
    tls_session_free(connection->tls);
    websocket_free(connection->websocket);
    resize_queue(connection, 0);
    free(connection->name);
    free(connection);
}

bool connection_is_opening(const struct connection *connection)
{
    return connection->connecting || connection->shaking || connection->upgrading;
}

/* Once for each connection, whoever ends it. */
static void tell_end(const struct connection *connection)
{
    struct flow peer = connection->flow;
    peer.connection = 0; /* as whoever sent to this peer knows it */
    if (connection->lingers)
        return;
    if (!connection_is_opening(connection))
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

static void leave_gathered(struct connection *connection)
{
    if (connection->is_gathered)
        TAILQ_REMOVE(&connection->transport->gathered, connection, gathered);
    connection->is_gathered = false;
}

void connection_end(struct connection *connection, bool tell)
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
    leave_gathered(connection);
    transport->connections[connection->flow.kind]--;
    if (!connection->held)
        connection_free(connection);
}

bool connection_hold(struct connection *connection)
{
    bool held = connection->held;
    connection->held = true;
    return held;
}

void connection_release(struct connection *connection, bool held)
{
    connection->held = held;
    if (connection->closed && !held)
        connection_free(connection);
}

void connection_touch(struct connection *connection)
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
    return connection_is_opening(connection) ? CONNECT_MS : TRANSPORT_IDLE_MS_MAX;
}

void connections_run_timer(struct transport *transport)
{
    int64_t now_ms = clock_monotonic_ms();
    struct connection *connection = TAILQ_FIRST(&transport->idle), *next;
    /* In the order of activity: behind this one nobody has been silent for long enough. */
    for (; connection && connection->active_ms + LINGER_MS <= now_ms; connection = next) {
        next = TAILQ_NEXT(connection, idle);
        if (connection->active_ms + patience_ms(connection) <= now_ms)
            connection_end(connection, true);
    }
}

void connection_watch(struct connection *connection)
{
    unsigned events = LOOP_READ | (connection->queue_length ? LOOP_WRITE : 0u);
    if (connection->connecting || connection->shaking)
        events = connection->connecting || connection->shaking_writes ? LOOP_WRITE : LOOP_READ;
    if (events == connection->watched) /* as after nearly all that is sent: the kernel need not be told */
        return;
    connection->watched = events;
    loop_watch(connection->transport->loop, connection->fd, events, connection_turn, connection);
}

/* --- outgoing --------------------------------------------------------------------------------------------------- */

static bool queue_bytes(struct connection *connection, struct text bytes)
{
    const struct transport *transport = connection->transport;
    size_t wanted = connection->queue_length + bytes.length;
    if (bytes.length == 0)
        return true;
    if (wanted > TRANSPORT_QUEUE_BYTES_MAX)
        return false;
    if (wanted > connection->queue_capacity) {
        if (transport->queued_bytes - connection->queue_capacity + wanted * 2 > transport->queued_bytes_max)
            return false;
        resize_queue(connection, wanted * 2);
    }
    memcpy(connection->queue + connection->queue_length, bytes.bytes, bytes.length);
    connection->queue_length = wanted;
    return true;
}

static bool write_queue(struct connection *connection)
{
    size_t sent = 0;
    while (sent < connection->queue_length) {
        struct text rest = {connection->queue + sent, connection->queue_length - sent};
        ssize_t some = channel_write(connection, rest);
        if (some < 0 && errno != EAGAIN && errno != EINTR)
            return false;
        if (some < 0)
            break;
        sent += (size_t)some;
    }
    if (sent == 0)
        return true;
    connection->queue_length -= sent;
    memmove(connection->queue, connection->queue + sent, connection->queue_length);
    if (connection->queue_length == 0) /* most connections are quiet, and there may be many */
        resize_queue(connection, 0);
    if (!connection->lingers)
        connection_touch(connection);
    return true;
}

/* False: it is to be sent now. */
static bool gather(struct connection *connection, struct text bytes)
{
    struct transport *transport = connection->transport;
    bool is_open = !connection_is_opening(connection) && !connection->lingers;
    if (!transport->gathers || !is_open || (connection->queue_length > 0 && !connection->is_gathered) ||
        connection->queue_length + bytes.length > GATHERED_BYTES_MAX || !queue_bytes(connection, bytes))
        return false;
    if (!connection->is_gathered)
        TAILQ_INSERT_TAIL(&transport->gathered, connection, gathered);
    connection->is_gathered = true;
    return true;
}

void connection_send_queue(struct connection *connection)
{
    leave_gathered(connection);
    if (!write_queue(connection))
        return connection_end(connection, true);
    if (connection->lingers && connection->queue_length == 0)
        channel_end(connection);
    connection_watch(connection);
}

void connections_flush(struct transport *transport)
{
    while (!TAILQ_EMPTY(&transport->gathered))
        connection_send_queue(TAILQ_FIRST(&transport->gathered));
}

/* What can be sent at once is, the rest is queued. The connection may have ended afterwards. */
static void send_bytes(struct connection *connection, struct text bytes)
{
    size_t sent = 0;
    if (gather(connection, bytes))
        return;
    if (connection->is_gathered) { /* before this, or not in its order */
        leave_gathered(connection);
        if (!write_queue(connection))
            return connection_end(connection, true);
    }
    if (!connection->connecting && !connection->shaking && connection->queue_length == 0) {
        ssize_t result = channel_write(connection, bytes);
        if (result < 0 && errno != EAGAIN && errno != EINTR)
            return connection_end(connection, true);
        sent = result > 0 ? (size_t)result : 0;
        if (!connection_is_opening(connection) && !connection->lingers)
            connection_touch(connection);
    }
    if (!queue_bytes(connection, text_slice(bytes, sent, bytes.length))) {
        log_warning("peer does not read, connection cut peer=%s", connection->peer);
        return connection_end(connection, true);
    }
    connection_watch(connection);
}

/* What is queued is still sent, what comes is thrown away. */
static void begin_end(struct connection *connection)
{
    if (connection->lingers)
        return;
    tell_end(connection);
    connection_touch(connection);
    forget_peer(connection);
    connection->upgrading = false;
    connection->lingers = true;
    if (connection->queue_length == 0)
        channel_end(connection);
    connection_watch(connection);
}

void connection_send_frames(struct connection *connection)
{
    struct text bytes;
    bool ended = websocket_is_ended(connection->websocket);
    if (websocket_output(connection->websocket, &bytes))
        send_bytes(connection, bytes);
    if (ended && !connection->closed)
        begin_end(connection);
}

void connection_send(struct connection *connection, struct text bytes)
{
    if (!connection->websocket)
        return send_bytes(connection, bytes);
    bool held = connection_hold(connection);
    websocket_send(connection->websocket, bytes);
    connection_send_frames(connection);
    connection_release(connection, held);
}

/* Closing at once would throw away what the peer has not read yet, as soon as it has sent us more. */
void connection_close(struct connection *connection)
{
    if (connection->lingers)
        return;
    if (connection_is_opening(connection))
        return connection_end(connection, true);
    if (!connection->websocket)
        return begin_end(connection);
    bool held = connection_hold(connection);
    websocket_close(connection->websocket);
    connection_send_frames(connection);
    connection_release(connection, held);
}
