/* All connections of a transport: which of them leads where, and new ones to who has none. */
#include "transport_private.h"

#include <errno.h>
#include <unistd.h>

void tcp_close(struct transport *transport)
{
    while (!TAILQ_EMPTY(&transport->idle))
        connection_end(TAILQ_FIRST(&transport->idle), false);
}

size_t tcp_peer_names(const struct transport *transport, uint64_t number, struct arena *arena,
                      const struct text **names_out)
{
    struct connection *connection = NULL;
    HASH_FIND(by_number, transport->by_number, &number, sizeof(number), connection);
    *names_out = NULL;
    return connection && connection->tls ? tls_session_names(connection->tls, arena, names_out) : 0;
}

/* NULL: could not even begin. */
static struct connection *connect_to(struct transport *transport, const struct flow *flow)
{
    if (HASH_CNT(by_number, transport->by_number) >= TRANSPORT_CONNECTIONS_MAX ||
        (flow->kind == FLOW_TLS && !transport->tls) || flow->kind > FLOW_TLS)
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
    connection_offer(connection);
    return connection;
}

static struct connection *find_connection(struct transport *transport, const struct flow *flow)
{
    struct connection *found = NULL;
    char peer[TRANSPORT_PEER_TEXT_MAX];
    if (flow->connection) {
        HASH_FIND(by_number, transport->by_number, &flow->connection, sizeof(flow->connection), found);
        return found && !found->lingers ? found : NULL;
    }
    struct flow plain = *flow;
    peer_plain(&plain.peer);
    connection_name_peer(&plain, peer);
    HASH_FIND(by_peer, transport->by_peer, peer, strlen(peer), found);
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
    connection_send(connection, bytes);
}

void tcp_disconnect(struct transport *transport, uint64_t number)
{
    struct connection *connection = NULL;
    HASH_FIND(by_number, transport->by_number, &number, sizeof(number), connection);
    if (connection)
        connection_close(connection);
}
