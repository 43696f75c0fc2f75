/* UDP: datagrams in batches, so that a burst costs few system calls. */
#include "transport_private.h"

#include <errno.h>
#include <unistd.h>

#define DATAGRAM_MAX 65536     /* the largest that UDP carries */
#define BATCH_MAX    32        /* datagrams of one call; more only adds latency to the first */
#define BATCHES_MAX  16        /* of one turn: connections want theirs */
#define BUFFER_BYTES (4 << 20) /* kernel queue: what arrives while the store is busy must not be lost */

struct udp_batch {
    struct mmsghdr headers[BATCH_MAX];
    struct iovec vectors[BATCH_MAX];
    struct sockaddr_storage peers[BATCH_MAX];
    char bytes[BATCH_MAX][DATAGRAM_MAX];
};

/* Datagrams that go out together. */
struct udp_outbox {
    struct mmsghdr headers[BATCH_MAX];
    struct iovec vectors[BATCH_MAX];
    struct sockaddr_storage peers[BATCH_MAX];
    struct flow flows[BATCH_MAX];
    char bytes[DATAGRAM_MAX];
    size_t count, length;
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
    /* As much as the administrator allows (net.core.rmem_max), or all of it for who is one. */
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) != 0)
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
    transport->outbox = memory_new(sizeof(*transport->outbox));
    loop_watch(transport->loop, fd, LOOP_READ, on_readable, transport);
    return true;
}

void udp_close(struct transport *transport)
{
    if (transport->udp_fd < 0)
        return;
    udp_flush(transport);
    loop_unwatch(transport->loop, transport->udp_fd);
    close(transport->udp_fd);
    transport->udp_fd = -1;
    free(transport->batch);
    free(transport->outbox);
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

static int take_batch(struct transport *transport, int fd)
{
    struct udp_batch *batch = transport->batch;
    int count = receive(transport, fd);
    for (int i = 0; i < count; i++) {
        struct flow flow = {.kind = FLOW_UDP};
        memcpy(&flow.peer, &batch->peers[i], batch->headers[i].msg_hdr.msg_namelen);
        peer_plain(&flow.peer);
        struct text bytes = {batch->bytes[i], batch->headers[i].msg_len};
        transport->handler.input(transport->handler.context, &flow, bytes);
    }
    return count;
}

/* What is not fetched the kernel drops, and then nobody can be told to come later. */
static void on_readable(void *context, int fd, unsigned events)
{
    struct transport *transport = context;
    (void)events;
    for (int i = 0; i < BATCHES_MAX && take_batch(transport, fd) == BATCH_MAX; i++)
        continue;
}

/* A full queue of the kernel is a lost datagram, which SIP sends again; another error will not go away by that. */
static void note_error(struct transport *transport, const struct flow *flow)
{
    if (errno != EAGAIN && errno != ENOBUFS)
        notice_add(transport, flow, false);
}

void udp_flush(struct transport *transport)
{
    struct udp_outbox *outbox = transport->outbox;
    for (size_t done = 0; done < outbox->count;) {
        int sent = sendmmsg(transport->udp_fd, outbox->headers + done, (unsigned)(outbox->count - done), MSG_NOSIGNAL);
        if (sent > 0) {
            done += (size_t)sent;
        } else if (errno != EINTR) {
            note_error(transport, &outbox->flows[done]);
            done++;
        }
    }
    outbox->count = outbox->length = 0;
}

void udp_send(struct transport *transport, const struct flow *flow, struct text bytes)
{
    struct udp_outbox *outbox = transport->outbox;
    if (outbox->count == BATCH_MAX || bytes.length > sizeof(outbox->bytes) - outbox->length)
        udp_flush(transport);
    if (bytes.length > sizeof(outbox->bytes)) {
        errno = EMSGSIZE;
        return note_error(transport, flow);
    }
    size_t at = outbox->count++;
    char *place = outbox->bytes + outbox->length;
    memcpy(place, bytes.bytes, bytes.length);
    outbox->length += bytes.length;
    outbox->flows[at] = *flow;
    outbox->vectors[at] = (struct iovec){place, bytes.length};
    outbox->headers[at].msg_hdr = (struct msghdr){
        .msg_name = &outbox->peers[at],
        .msg_namelen = peer_for_family(flow, transport->family, &outbox->peers[at]),
        .msg_iov = &outbox->vectors[at],
        .msg_iovlen = 1,
    };
}
