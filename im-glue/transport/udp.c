/* UDP: datagrams in batches, so that a burst costs few system calls. Two sockets share the port: the kernel gives one
 * of them what begins like an answer of SIP, so that answers have a queue of their own, in which a crowd of requests
 * leaves no less room for them. */
#include "transport_private.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/sock_diag.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"

#define DATAGRAM_MAX 65536     /* the largest that UDP carries */
#define APART        1088      /* so that the beginnings of datagrams do not share lines of the processor's cache */
#define BATCH_MAX    32        /* datagrams of one call; more only adds latency to the first */
#define BUFFER_BYTES (4 << 20) /* kernel queue: what arrives while the store is busy must not be lost */

/* The same while more come than are fetched, and not only in a burst: there is always something to fetch, and the more
 * waits, the longer it does. */
#define BUFFER_BYTES_CROWDED (256 << 10)
#define CROWDED_MS           250

/* Of one turn: connections want theirs. */
#define ANSWER_BATCHES_MAX  64
#define REQUEST_BATCHES_MAX 16

/* Fetching requests that find no room takes a fortieth of the processor time, and sending their refusals as much again:
 * it is time that those lack who are served. What is too much even for that the kernel drops, and its sender repeats
 * it. What has been saved up is for a crowd that comes at once. */
#define REFUSING_SHARE 40
#define EARNED_US_MAX  80000

struct udp_batch {
    struct mmsghdr headers[BATCH_MAX];
    struct iovec vectors[BATCH_MAX];
    struct sockaddr_storage peers[BATCH_MAX];
    char bytes[BATCH_MAX][DATAGRAM_MAX + APART];
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

/* As much as the administrator allows (net.core.rmem_max), or all of it for who is one. */
static void set_buffer(int fd, int size)
{
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) != 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
}

static int open_socket(const struct flow *address, bool shares)
{
    const int size = BUFFER_BYTES, off = 0, on = 1;
    int fd = socket(address->peer.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (address->peer.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    if (shares)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    set_buffer(fd, size);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    if (bind(fd, (const struct sockaddr *)&address->peer, flow_peer_length(address)) == 0)
        return fd;
    int reason = errno;
    close(fd);
    errno = reason;
    return -1;
}

/* Sockets of a port are numbered in the order in which they were bound. */
static bool tell_apart(int fd)
{
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x5349502f, 0, 1), /* "SIP/" */
        BPF_STMT(BPF_RET | BPF_K, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    const struct sock_fprog program = {sizeof(steps) / sizeof(steps[0]), steps};
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof(program)) == 0;
}

bool udp_open(struct transport *transport, const struct flow *address)
{
    transport->udp_fd = open_socket(address, true);
    if (transport->udp_fd < 0)
        return false;
    transport->answers_fd = open_socket(address, true);
    if (transport->answers_fd >= 0 && !tell_apart(transport->udp_fd)) {
        close(transport->answers_fd);
        transport->answers_fd = -1;
    }
    if (transport->answers_fd < 0)
        log_warning("answers share the queue of requests over UDP: %s", strerror(errno));
    transport->requests_us = clock_thread_us();
    transport->batch = memory_new(sizeof(*transport->batch));
    transport->outbox = memory_new(sizeof(*transport->outbox));
    loop_watch(transport->loop, transport->udp_fd, LOOP_READ, on_readable, transport);
    if (transport->answers_fd >= 0)
        loop_watch(transport->loop, transport->answers_fd, LOOP_READ, on_readable, transport);
    return true;
}

static void close_socket(struct transport *transport, int *fd)
{
    if (*fd < 0)
        return;
    loop_unwatch(transport->loop, *fd);
    close(*fd);
    *fd = -1;
}

void udp_close(struct transport *transport)
{
    if (transport->udp_fd < 0)
        return;
    udp_flush(transport);
    close_socket(transport, &transport->udp_fd);
    close_socket(transport, &transport->answers_fd);
    free(transport->batch);
    free(transport->outbox);
}

static int receive(struct transport *transport, int fd, size_t count_max)
{
    struct udp_batch *batch = transport->batch;
    for (size_t i = 0; i < count_max; i++) {
        batch->vectors[i] = (struct iovec){batch->bytes[i], DATAGRAM_MAX};
        batch->headers[i].msg_hdr = (struct msghdr){
            .msg_name = &batch->peers[i],
            .msg_namelen = sizeof(batch->peers[i]),
            .msg_iov = &batch->vectors[i],
            .msg_iovlen = 1,
        };
    }
    return recvmmsg(fd, batch->headers, (unsigned)count_max, 0, NULL);
}

/* False: there are no more. */
static bool take_batch(struct transport *transport, int fd, size_t count_max)
{
    struct udp_batch *batch = transport->batch;
    int count = receive(transport, fd, count_max);
    for (int i = 0; i < count; i++) {
        struct flow flow = {.kind = FLOW_UDP};
        memcpy(&flow.peer, &batch->peers[i], batch->headers[i].msg_hdr.msg_namelen);
        peer_plain(&flow.peer);
        struct text bytes = {batch->bytes[i], batch->headers[i].msg_len};
        transport->handler.input(transport->handler.context, &flow, bytes);
    }
    return count == (int)count_max;
}

static void take_answers(struct transport *transport)
{
    for (int i = 0; i < ANSWER_BATCHES_MAX && take_batch(transport, transport->answers_fd, BATCH_MAX); i++)
        continue;
}

static void note_emptied(struct transport *transport, bool emptied)
{
    int64_t now_ms = clock_monotonic_coarse_ms();
    if (emptied || !transport->behind_ms)
        transport->behind_ms = emptied ? 0 : now_ms;
    bool crowded = !emptied && now_ms - transport->behind_ms > CROWDED_MS;
    if (transport->crowded != crowded)
        set_buffer(transport->udp_fd, crowded ? BUFFER_BYTES_CROWDED : BUFFER_BYTES);
    transport->crowded = crowded;
}

static size_t room_of(const struct transport *transport)
{
    const struct transport_handler *handler = &transport->handler;
    return handler->room ? handler->room(handler->context) : SIZE_MAX;
}

/* What finds room at once; of what finds none as much as there is time for. True: nothing is left. */
static bool take_all_requests(struct transport *transport)
{
    int64_t now_us = clock_thread_us();
    transport->earned_us += now_us - transport->requests_us;
    if (transport->earned_us > EARNED_US_MAX)
        transport->earned_us = EARNED_US_MAX;
    transport->requests_us = now_us;
    for (int i = 0; i < REQUEST_BATCHES_MAX; i++) {
        size_t room = room_of(transport), count_max = room && room < BATCH_MAX ? room : BATCH_MAX;
        if (!room && transport->earned_us <= 0)
            return false;
        if (!take_batch(transport, transport->udp_fd, count_max))
            return true;
        now_us = clock_thread_us();
        if (!room)
            transport->earned_us -= (now_us - transport->requests_us) * REFUSING_SHARE;
        transport->requests_us = now_us;
    }
    return false;
}

static void take_requests(struct transport *transport)
{
    note_emptied(transport, take_all_requests(transport));
}

/* Answers first, whichever socket has something: they end what is in progress. */
static void on_readable(void *context, int fd, unsigned events)
{
    struct transport *transport = context;
    (void)events;
    if (transport->answers_fd >= 0)
        take_answers(transport);
    if (fd == transport->udp_fd)
        take_requests(transport);
}

size_t udp_dropped(const struct transport *transport)
{
    uint32_t figures[SK_MEMINFO_VARS] = {0};
    socklen_t length = sizeof(figures);
    if (getsockopt(transport->udp_fd, SOL_SOCKET, SO_MEMINFO, figures, &length) != 0)
        return 0;
    return figures[SK_MEMINFO_DROPS];
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
