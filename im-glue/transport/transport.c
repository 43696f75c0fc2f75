/* Opens the sockets and spreads what is sent over them. */
#include "transport_private.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "log.h"

#define PORT_TRIES_MAX 50  /* a port that is free for TCP may be taken for UDP */
#define TIMER_SECONDS  1   /* of idle checks and of accepting again */
#define SPARE_FDS      256 /* beside connections: store, log, listeners */

static bool resolve(const char *host, uint16_t port, struct flow *address_out);
static void on_timer(void *context, int fd, unsigned events);
static void on_wake(void *context, int fd, unsigned events);

static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    const rlim_t wanted = TRANSPORT_CONNECTIONS_MAX + SPARE_FDS;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < wanted)
        log_warning("only %llu descriptors allowed, %llu wanted", (unsigned long long)limit.rlim_cur,
                    (unsigned long long)wanted);
}

static uint16_t bound_port(int fd)
{
    struct flow flow = {0};
    socklen_t length = sizeof(flow.peer);
    getsockname(fd, (struct sockaddr *)&flow.peer, &length);
    return flow_port(&flow);
}

static bool set_port(struct flow *address, uint16_t port)
{
    char host[NI_MAXHOST];
    return getnameinfo((struct sockaddr *)&address->peer, flow_peer_length(address), host, sizeof(host), NULL, 0,
                       NI_NUMERICHOST) == 0 &&
           flow_set_peer(address, host, port);
}

/* TCP first: with port 0 the kernel picks one, which UDP then has to have too. */
static bool open_both(struct transport *transport, struct flow address, const char **failed_out)
{
    for (unsigned i = 0; i < PORT_TRIES_MAX; i++) {
        *failed_out = "tcp";
        if (!listener_open(transport, &transport->listeners[FLOW_TCP], &address))
            return false;
        struct flow same = address;
        transport->port = bound_port(transport->listeners[FLOW_TCP].fd);
        *failed_out = "udp";
        transport->family = address.peer.ss_family;
        if (set_port(&same, transport->port) && udp_open(transport, &same))
            return true;
        int reason = errno;
        listener_close(&transport->listeners[FLOW_TCP]);
        errno = reason;
        if (flow_port(&address) != 0 || reason != EADDRINUSE)
            return false;
    }
    return false;
}

static bool open_timer(struct transport *transport)
{
    const struct itimerspec every = {{TIMER_SECONDS, 0}, {TIMER_SECONDS, 0}};
    transport->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (transport->timer_fd < 0)
        return false;
    timerfd_settime(transport->timer_fd, 0, &every, NULL);
    loop_watch(transport->loop, transport->timer_fd, LOOP_READ, on_timer, transport);
    return true;
}

static bool open_wake(struct transport *transport)
{
    transport->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (transport->wake_fd < 0)
        return false;
    loop_watch(transport->loop, transport->wake_fd, LOOP_READ, on_wake, transport);
    return true;
}

static struct text error_line(const char *failed, const char *host, uint16_t port, struct arena *arena)
{
    return text_format(arena, "%s: %s %s:%u", errno == EADDRINUSE ? "address already in use" : strerror(errno), failed,
                       host, port);
}

struct transport *transport_open(struct loop *loop, const char *host, uint16_t port,
                                 const struct transport_handler *handler, struct arena *arena, struct text *error_out)
{
    struct transport *transport = memory_new(sizeof(*transport));
    struct flow address;
    const char *failed = "timer";
    transport->loop = loop;
    transport->handler = *handler;
    transport->queued_bytes_max = TRANSPORT_QUEUED_BYTES_MAX;
    transport->udp_fd = transport->answers_fd = transport->timer_fd = transport->wake_fd = -1;
    for (int kind = 0; kind < FLOW_KINDS; kind++)
        transport->listeners[kind] = (struct listener){.kind = (enum flow_kind)kind, .fd = -1};
    transport->buffer = memory_new(TRANSPORT_READ_BYTES);
    TAILQ_INIT(&transport->idle);
    TAILQ_INIT(&transport->gathered);
    raise_descriptor_limit();
    if (!resolve(host, port, &address))
        *error_out = text_format(arena, "no such address: %s", host);
    else if (!open_both(transport, address, &failed) || !open_timer(transport) || !open_wake(transport))
        *error_out = error_line(failed, host, port, arena);
    else
        return transport;
    transport_close(transport);
    return NULL;
}

static bool resolve(const char *host, uint16_t port, struct flow *address_out)
{
    struct addrinfo hints = {.ai_flags = AI_PASSIVE, .ai_socktype = SOCK_DGRAM}, *found = NULL;
    char service[8];
    snprintf(service, sizeof(service), "%u", port);
    size_t length = strlen(host);
    bool bracketed = length > 2 && host[0] == '[' && host[length - 1] == ']';
    char bare[NI_MAXHOST];
    if (length >= sizeof(bare))
        return false;
    memcpy(bare, host + bracketed, length - 2 * (size_t)bracketed);
    bare[length - 2 * (size_t)bracketed] = '\0';
    if (getaddrinfo(bare, service, &hints, &found) != 0)
        return false;
    *address_out = (struct flow){0};
    memcpy(&address_out->peer, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    return true;
}

uint16_t transport_port(const struct transport *transport)
{
    return transport->port;
}

void transport_limit_queues(struct transport *transport, size_t bytes_max)
{
    transport->queued_bytes_max = bytes_max;
}

size_t transport_connections(const struct transport *transport, enum flow_kind kind)
{
    return transport->connections[kind];
}

bool transport_speaks_ipv6(const struct transport *transport)
{
    return transport->family == AF_INET6;
}

size_t transport_queued_bytes(const struct transport *transport)
{
    return transport->queued_bytes;
}

void transport_use_tls(struct transport *transport, struct tls *tls)
{
    transport->tls = tls;
}

bool transport_listen(struct transport *transport, const struct transport_listener *listener, struct arena *arena,
                      struct text *error_out)
{
    struct flow address = {.kind = listener->kind};
    assert(listener->kind > FLOW_TCP && (transport->tls || !flow_is_secure(&address)));
    transport->listeners[listener->kind].clients = listener->clients;
    if (!resolve(listener->host, listener->port, &address))
        *error_out = text_format(arena, "no such address: %s", listener->host);
    else if (!listener_open(transport, &transport->listeners[listener->kind], &address))
        *error_out = error_line(flow_kind_name(listener->kind), listener->host, listener->port, arena);
    else
        return true;
    return false;
}

uint16_t transport_port_of(const struct transport *transport, enum flow_kind kind)
{
    int fd = transport->listeners[kind].fd;
    return fd >= 0 ? bound_port(fd) : 0;
}

size_t transport_peer_names(const struct transport *transport, uint64_t connection, struct arena *arena,
                            const struct text **names_out)
{
    return tcp_peer_names(transport, connection, arena, names_out);
}

void transport_close(struct transport *transport)
{
    tcp_close(transport);
    for (int kind = 0; kind < FLOW_KINDS; kind++)
        listener_close(&transport->listeners[kind]);
    udp_close(transport);
    if (transport->timer_fd >= 0) {
        loop_unwatch(transport->loop, transport->timer_fd);
        close(transport->timer_fd);
    }
    if (transport->wake_fd >= 0) {
        loop_unwatch(transport->loop, transport->wake_fd);
        close(transport->wake_fd);
    }
    free(transport->notices);
    free(transport->buffer);
    free(transport);
}

static void on_timer(void *context, int fd, unsigned events)
{
    struct transport *transport = context;
    uint64_t expirations;
    (void)events;
    if (read(fd, &expirations, sizeof(expirations)) != (ssize_t)sizeof(expirations))
        return;
    connections_run_timer(transport);
    for (int kind = 0; kind < FLOW_KINDS; kind++)
        listener_resume(&transport->listeners[kind]);
}

void notice_add(struct transport *transport, const struct flow *flow, bool is_closed)
{
    const uint64_t one = 1;
    if (transport->notice_count == transport->notice_capacity) {
        transport->notice_capacity = transport->notice_capacity ? transport->notice_capacity * 2 : 16;
        transport->notices =
            memory_resize(transport->notices, transport->notice_capacity * sizeof(*transport->notices));
    }
    transport->notices[transport->notice_count++] = (struct notice){is_closed, *flow};
    ssize_t written = write(transport->wake_fd, &one, sizeof(one));
    assert(written == (ssize_t)sizeof(one) || errno == EAGAIN);
}

static void on_wake(void *context, int fd, unsigned events)
{
    struct transport *transport = context;
    struct notice *notices = transport->notices;
    size_t count = transport->notice_count;
    uint64_t wakes;
    (void)events;
    if (read(fd, &wakes, sizeof(wakes)) != (ssize_t)sizeof(wakes))
        return;
    transport->notices = NULL; /* handlers may cause more */
    transport->notice_count = transport->notice_capacity = 0;
    for (size_t i = 0; i < count; i++) {
        if (notices[i].is_closed)
            transport->handler.closed(transport->handler.context, notices[i].flow.connection);
        else
            transport->handler.unreachable(transport->handler.context, &notices[i].flow);
    }
    free(notices);
}

void transport_send(struct transport *transport, const struct flow *flow, struct text bytes)
{
    if (bytes.length == 0)
        return;
    if (flow->kind == FLOW_UDP)
        udp_send(transport, flow, bytes);
    else
        tcp_send(transport, flow, bytes);
}

void transport_gather(struct transport *transport)
{
    transport->gathers = true;
}

void transport_flush(struct transport *transport)
{
    transport->gathers = false;
    connections_flush(transport);
    udp_flush(transport);
}

size_t transport_dropped(const struct transport *transport)
{
    return udp_dropped(transport);
}

void transport_disconnect(struct transport *transport, uint64_t connection)
{
    tcp_disconnect(transport, connection);
}
