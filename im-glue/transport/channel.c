/* The bytes of one connection, through TLS or not. */
#include "transport_private.h"

#include <sys/socket.h>

/* At the end of a connection what still comes is thrown away as it is. */
ssize_t channel_read(struct connection *connection, char *bytes, size_t size)
{
    if (connection->tls && !connection->lingers)
        return tls_session_read(connection->tls, bytes, size);
    return recv(connection->fd, bytes, size, 0);
}

ssize_t channel_write(struct connection *connection, struct text bytes)
{
    if (connection->tls)
        return tls_session_write(connection->tls, bytes);
    return send(connection->fd, bytes.bytes, bytes.length, MSG_NOSIGNAL);
}

void channel_end(struct connection *connection)
{
    if (connection->tls)
        tls_session_bye(connection->tls);
    shutdown(connection->fd, SHUT_WR);
}
