/* Listening sockets, and what becomes of who connects. */
#include "transport_private.h"

#include <errno.h>
#include <unistd.h>

#include "log.h"

#define ACCEPTS_MAX    64   /* of one turn of the listener */
#define LISTEN_BACKLOG 1024 /* a whole house of phones that comes back after a power cut */

static void on_accept(void *context, int fd, unsigned events);

bool listener_open(struct transport *transport, struct listener *listener, const struct flow *address)
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
    listener->transport = transport;
    listener->fd = fd;
    loop_watch(transport->loop, fd, LOOP_READ, on_accept, listener);
    return true;
}

void listener_close(struct listener *listener)
{
    if (listener->fd < 0)
        return;
    loop_unwatch(listener->transport->loop, listener->fd);
    close(listener->fd);
    listener->fd = -1;
}

void listener_resume(struct listener *listener)
{
    if (!listener->paused)
        return;
    listener->paused = false;
    loop_watch(listener->transport->loop, listener->fd, LOOP_READ, on_accept, listener);
}

/* Who connects by TLS has shown nothing that makes the address his, and nobody listens in a browser: these are used by
 * their numbers alone. */
static void admit(struct listener *listener, int fd, const struct flow *peer)
{
    struct transport *transport = listener->transport;
    struct connection *connection = connection_new(transport, fd, peer);
    if (flow_is_secure(peer)) {
        connection->tls = tls_session_accept(transport->tls, fd, listener->clients);
        connection->shaking = true;
    }
    if (listener->kind == FLOW_WS || listener->kind == FLOW_WSS) {
        connection->websocket = websocket_new(TRANSPORT_MESSAGE_MAX);
        connection->upgrading = true;
    }
    if (listener->kind == FLOW_TCP)
        connection_offer(connection);
    if (connection->shaking && !connection->tls)
        connection_end(connection, true);
    else
        connection_watch(connection);
}

static void on_accept(void *context, int fd, unsigned events)
{
    struct listener *listener = context;
    struct transport *transport = listener->transport;
    (void)events;
    for (unsigned i = 0; i < ACCEPTS_MAX; i++) {
        struct flow peer = {.kind = listener->kind};
        socklen_t length = sizeof(peer.peer);
        int accepted = accept4(fd, (struct sockaddr *)&peer.peer, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (accepted < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
            log_warning("no descriptor left for a connection");
            listener->paused = true; /* the backlog stays readable, and the loop would spin */
            loop_watch(transport->loop, fd, 0, on_accept, listener);
        }
        if (accepted < 0)
            return;
        if (HASH_CNT(by_number, transport->by_number) >= TRANSPORT_CONNECTIONS_MAX) {
            close(accepted);
            continue;
        }
        peer_plain(&peer.peer);
        admit(listener, accepted, &peer);
    }
}
