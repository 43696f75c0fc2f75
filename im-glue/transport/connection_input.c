/* What comes by a connection: that it is there, the handshake of TLS, bytes and the frames of WebSocket. */
#include "transport_private.h"

#include <errno.h>

#include "log.h"

static void hand_over(struct connection *connection, struct text bytes)
{
    struct transport *transport = connection->transport;
    struct flow flow = connection->flow;
    connection_touch(connection);
    transport->handler.input(transport->handler.context, &flow, bytes);
}

/* The handler may end the connection at any message. */
static void take_frames(struct connection *connection, struct text bytes)
{
    struct websocket *websocket = connection->websocket;
    struct text message;
    websocket_input(websocket, bytes);
    if (connection->upgrading && websocket_is_open(websocket)) {
        connection->upgrading = false;
        connection_touch(connection);
    }
    while (!connection->closed && !connection->lingers && websocket_message(websocket, &message))
        hand_over(connection, message);
    if (!connection->closed)
        connection_send_frames(connection);
}

static void read_some(struct connection *connection)
{
    struct transport *transport = connection->transport;
    ssize_t length = channel_read(connection, transport->buffer, TRANSPORT_READ_BYTES);
    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (length <= 0)
        return connection_end(connection, true);
    if (connection->lingers)
        return;
    bool held = connection_hold(connection);
    if (connection->websocket)
        take_frames(connection, (struct text){transport->buffer, (size_t)length});
    else
        hand_over(connection, (struct text){transport->buffer, (size_t)length});
    connection_release(connection, held);
}

/* False: it failed. */
static bool take_connected(struct connection *connection)
{
    int reason = 0;
    socklen_t length = sizeof(reason);
    struct transport *transport = connection->transport;
    getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &reason, &length);
    if (reason != 0)
        return false;
    connection->connecting = false;
    if (connection->flow.kind != FLOW_TLS)
        return true;
    struct arena arena;
    arena_init(&arena, "name");
    const char *name = connection->name;
    if (!name)
        name = text_cstring(&arena, flow_address_text(&connection->flow, &arena));
    connection->tls = tls_session_connect(transport->tls, connection->fd, name);
    connection->shaking = true;
    arena_clear(&arena);
    return connection->tls != NULL;
}

/* False: it failed. */
static bool shake(struct connection *connection)
{
    enum tls_progress progress = tls_session_handshake(connection->tls);
    if (progress == TLS_FAILED) {
        /* Strangers who knock are counted (tls.h); a peer that we want to reach is worth a line. */
        log_line(connection->named_by_peer ? LOG_LEVEL_WARNING : LOG_LEVEL_DEBUG, "no TLS peer=%s reason=%s",
                 connection->peer, tls_session_error(connection->tls));
        return false;
    }
    connection->shaking = progress != TLS_DONE;
    connection->shaking_writes = progress == TLS_WRITES;
    if (!connection->shaking)
        connection_touch(connection);
    return true;
}

/* The alert that says why is still read by a peer who sends on meanwhile. */
static void turn_away(struct connection *connection)
{
    if (connection->named_by_peer)
        return connection_end(connection, true);
    connection->shaking = false;
    connection->lingers = true;
    connection_touch(connection);
    shutdown(connection->fd, SHUT_WR);
    connection_watch(connection);
}

static bool is_flooded(const struct transport *transport)
{
    const struct transport_handler *handler = &transport->handler;
    return handler->is_flooded && handler->is_flooded(handler->context);
}

void connection_turn(void *context, int fd, unsigned events)
{
    struct connection *connection = context;
    (void)fd;
    if (connection->connecting && !take_connected(connection))
        return connection_end(connection, true);
    if (connection->shaking) {
        if (!shake(connection))
            return turn_away(connection);
        events = connection_is_opening(connection) ? 0 : LOOP_WRITE; /* what has waited for it goes out */
        connection_watch(connection);
    }
    bool held = connection_hold(connection);
    if (events & LOOP_WRITE)
        connection_send_queue(connection);
    bool reads = (events & LOOP_READ) && !is_flooded(connection->transport); /* else the loop says so again */
    if (reads && !connection->closed)
        read_some(connection);
    connection_release(connection, held);
}
