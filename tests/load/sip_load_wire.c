/* Sockets of the SIP load generator: UDP in batches, or TCP connections with framing by Content-Length. */
#include "sip_load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS_MAX   256
#define BATCH_MAX    64
#define DATAGRAM_MAX 8192
#define BUFFER_BYTES (16 << 20) /* what comes in a burst is counted as received */

static struct sip_load_endpoint endpoints[SIP_LOAD_ENDPOINTS_MAX];
static struct mmsghdr headers[BATCH_MAX];
static struct iovec vectors[BATCH_MAX];
static char *datagrams;
static int events_fd;

static struct sockaddr_in server_address(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)sip_load_options.port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static void open_endpoint(struct sip_load_endpoint *endpoint)
{
    struct sockaddr_in address = server_address();
    socklen_t length = sizeof(address);
    const int one = 1, size = BUFFER_BYTES;
    bool tcp = sip_load_options.tcp;
    endpoint->fd = socket(AF_INET, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
    if (endpoint->fd < 0 || connect(endpoint->fd, (struct sockaddr *)&address, length) != 0)
        sip_load_die("cannot connect");
    if (tcp)
        setsockopt(endpoint->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    else if (setsockopt(endpoint->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) != 0)
        setsockopt(endpoint->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    fcntl(endpoint->fd, F_SETFL, O_NONBLOCK);
    getsockname(endpoint->fd, (struct sockaddr *)&address, &length);
    endpoint->port = ntohs(address.sin_port);
    endpoint->out_capacity = BATCH_MAX * SIP_LOAD_PACKET_MAX;
    endpoint->out = malloc(endpoint->out_capacity);
    endpoint->in = tcp ? malloc(2 * SIP_LOAD_READ_MAX) : NULL;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = endpoint};
    epoll_ctl(events_fd, EPOLL_CTL_ADD, endpoint->fd, &event);
}

void wire_open(void)
{
    events_fd = epoll_create1(EPOLL_CLOEXEC);
    datagrams = malloc((size_t)BATCH_MAX * DATAGRAM_MAX);
    for (unsigned i = 0; i < sip_load_options.endpoints; i++)
        open_endpoint(&endpoints[i]);
}

void wire_close(void)
{
    for (unsigned i = 0; i < sip_load_options.endpoints; i++) {
        close(endpoints[i].fd);
        free(endpoints[i].out);
        free(endpoints[i].in);
    }
    free(datagrams);
    close(events_fd);
}

struct sip_load_endpoint *wire_endpoint(uint32_t user)
{
    return &endpoints[user % sip_load_options.endpoints];
}

/* --- sending ---------------------------------------------------------------------------------------------------- */

static void flush_datagrams(struct sip_load_endpoint *endpoint)
{
    size_t begin = 0, done = 0;
    for (size_t i = 0; i < endpoint->packets_count; i++) {
        vectors[i] = (struct iovec){endpoint->out + begin, endpoint->packets[i] - begin};
        headers[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &vectors[i], .msg_iovlen = 1}};
        begin = endpoint->packets[i];
    }
    while (done < endpoint->packets_count) {
        int sent = sendmmsg(endpoint->fd, headers + done, (unsigned)(endpoint->packets_count - done), 0);
        if (sent <= 0)
            break; /* lost like any datagram, and sent again like any */
        done += (size_t)sent;
    }
    endpoint->packets_count = endpoint->out_length = 0;
}

static void flush_stream(struct sip_load_endpoint *endpoint)
{
    size_t done = 0;
    while (done < endpoint->out_length) {
        ssize_t sent = send(endpoint->fd, endpoint->out + done, endpoint->out_length - done, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN && errno != EINTR)
            sip_load_die("connection closed by the server");
        if (sent < 0)
            break;
        done += (size_t)sent;
    }
    endpoint->out_length -= done;
    memmove(endpoint->out, endpoint->out + done, endpoint->out_length);
}

static void flush_one(struct sip_load_endpoint *endpoint)
{
    if (sip_load_options.tcp)
        flush_stream(endpoint);
    else
        flush_datagrams(endpoint);
}

void wire_send(struct sip_load_endpoint *endpoint, const char *bytes, size_t length)
{
    bool full = endpoint->packets_count == BATCH_MAX || endpoint->out_length + length > endpoint->out_capacity;
    if (full)
        flush_one(endpoint);
    while (endpoint->out_length + length > endpoint->out_capacity) { /* TCP: the server does not read */
        endpoint->out_capacity *= 2;
        endpoint->out = realloc(endpoint->out, endpoint->out_capacity);
    }
    memcpy(endpoint->out + endpoint->out_length, bytes, length);
    endpoint->out_length += length;
    if (!sip_load_options.tcp)
        endpoint->packets[endpoint->packets_count++] = endpoint->out_length;
}

void wire_flush(void)
{
    for (unsigned i = 0; i < sip_load_options.endpoints; i++)
        if (endpoints[i].out_length)
            flush_one(&endpoints[i]);
}

/* --- receiving -------------------------------------------------------------------------------------------------- */

static void receive_datagrams(struct sip_load_endpoint *endpoint)
{
    for (int count = BATCH_MAX; count == BATCH_MAX;) {
        for (size_t i = 0; i < BATCH_MAX; i++) {
            vectors[i] = (struct iovec){datagrams + i * DATAGRAM_MAX, DATAGRAM_MAX};
            headers[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &vectors[i], .msg_iovlen = 1}};
        }
        count = recvmmsg(endpoint->fd, headers, BATCH_MAX, 0, NULL);
        size_t lengths[BATCH_MAX]; /* sending what answers them uses the headers again */
        for (int i = 0; i < count; i++)
            lengths[i] = headers[i].msg_len;
        for (int i = 0; i < count; i++)
            packet_take(endpoint, datagrams + (size_t)i * DATAGRAM_MAX, lengths[i]);
    }
}

/* Length of the first message in the bytes; 0: not all of it is there. */
static size_t whole_message(const char *bytes, size_t length)
{
    size_t value_length;
    const char *end = memmem(bytes, length, "\r\n\r\n", 4);
    if (!end)
        return 0;
    size_t head = (size_t)(end - bytes) + 4;
    const char *value = find_line(bytes, head, "Content-Length", &value_length);
    size_t whole = head + (value ? strtoul(value, NULL, 10) : 0);
    return whole <= length ? whole : 0;
}

static void receive_stream(struct sip_load_endpoint *endpoint)
{
    ssize_t got;
    do {
        got = recv(endpoint->fd, endpoint->in + endpoint->in_length, 2 * SIP_LOAD_READ_MAX - endpoint->in_length, 0);
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
            sip_load_die("connection closed by the server");
        if (got < 0)
            return;
        endpoint->in_length += (size_t)got;
        size_t at = 0;
        for (size_t whole; (whole = whole_message(endpoint->in + at, endpoint->in_length - at)) > 0; at += whole)
            packet_take(endpoint, endpoint->in + at, whole);
        endpoint->in_length -= at;
        memmove(endpoint->in, endpoint->in + at, endpoint->in_length);
    } while (got == SIP_LOAD_READ_MAX);
}

void wire_poll(int wait_ms)
{
    struct epoll_event happened[EVENTS_MAX];
    int ready = epoll_wait(events_fd, happened, EVENTS_MAX, wait_ms);
    for (int i = 0; i < ready; i++) {
        if (sip_load_options.tcp)
            receive_stream(happened[i].data.ptr);
        else
            receive_datagrams(happened[i].data.ptr);
    }
}
