/* UDP: datagrams in batches, so that a burst costs few system calls. */
#include "transport_private.h"

#include <errno.h>
#include <unistd.h>

#define DATAGRAM_MAX 65536     /* the largest that UDP carries */
#define BATCH_MAX    32        /* datagrams of one call; more only adds latency to the first */
#define BUFFER_BYTES (4 << 20) /* kernel queue: what arrives while the store is busy must not be lost */

struct udp_batch {
    struct mmsghdr headers[BATCH_MAX];
    struct iovec vectors[BATCH_MAX];
    struct sockaddr_storage peers[BATCH_MAX];
    char bytes[BATCH_MAX][DATAGRAM_MAX];
};

static void on_readable(void *context, int fd, unsigned events);

bool udp_open(struct transport *transport, const struct flow *address)
{
    const int size = BUFFER_BYTES, off = 0;
    int fd = socket(address->peer.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    if (address->peer.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    if (bind(fd, (const struct sockaddr *)&address->peer, flow_peer_length(address)) != 0) {
        int reason = errno;
        close(fd);
        errno = reason;
        return false;
    }
    transport->udp_fd = fd;
    transport->batch = memory_new(sizeof(*transport->batch));
    loop_watch(transport->loop, fd, LOOP_READ, on_readable, transport);
    return true;
}

void udp_close(struct transport *transport)
{
    if (transport->udp_fd < 0)
        return;
    loop_unwatch(transport->loop, transport->udp_fd);
    close(transport->udp_fd);
    transport->udp_fd = -1;
    free(transport->batch);
}

static int receive(struct transport *transport, int fd)
{
    struct udp_batch *batch = transport->batch;
    for (size_t i = 0; i < BATCH_MAX; i++) {
        batch->vectors[i] = (struct iovec){batch->bytes[i], DATAGRAM_MAX};
        batch->headers[i].msg_hdr = (struct msghdr){
            .msg_name = &batch->peers[i],
            .msg_namelen = sizeof(batch->peers[i]),
            .msg_iov = &batch->vectors[i],
            .msg_iovlen = 1,
        };
    }
    return recvmmsg(fd, batch->headers, BATCH_MAX, 0, NULL);
}

static void on_readable(void *context, int fd, unsigned events)
{
    struct transport *transport = context;
    struct udp_batch *batch = transport->batch;
    (void)events;
    int count = receive(transport, fd);
    for (int i = 0; i < count; i++) {
        struct flow flow = {.kind = FLOW_UDP};
        memcpy(&flow.peer, &batch->peers[i], batch->headers[i].msg_hdr.msg_namelen);
        peer_plain(&flow.peer);
        struct text bytes = {batch->bytes[i], batch->headers[i].msg_len};
        transport->handler.input(transport->handler.context, &flow, bytes);
    }
}

void udp_send(struct transport *transport, const struct flow *flow, struct text bytes)
{
    struct sockaddr_storage peer;
    socklen_t length = peer_for_family(flow, transport->family, &peer);
    ssize_t sent =
        sendto(transport->udp_fd, bytes.bytes, bytes.length, MSG_NOSIGNAL, (const struct sockaddr *)&peer, length);
    /* A full queue is a lost datagram, which SIP sends again; another error will not go away by that. */
    if (sent < 0 && errno != EAGAIN && errno != ENOBUFS && errno != EINTR)
        notice_add(transport, flow, false);
}
