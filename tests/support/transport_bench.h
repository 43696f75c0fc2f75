/* A transport in a loop, what it has told, and peers that are plain sockets over loopback. No test measures time; the
 * loop runs until what is awaited has happened. Included by one test program at a time, so its state is that of the
 * program. */
#ifndef SUPPORT_TRANSPORT_BENCH_H
#define SUPPORT_TRANSPORT_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <unistd.h>

#include "arena.h"
#include "transport.h"

struct seen {
    struct flow flow; /* of the last input or unreachable */
    struct text_builder bytes;
    int inputs, closed, unreachable;
    uint64_t closed_connection;
};

static struct arena arena;
static struct loop *loop;
static struct transport *transport;
static struct seen seen;
static bool echoes, disconnects, floods, flooded; /* floods: the first input is too much */
static int awaited_inputs, awaited_closed, awaited_unreachable;
static size_t awaited_bytes;
static size_t room; /* for more inputs */

static inline void stop_when_all_is_there(void)
{
    if (seen.inputs >= awaited_inputs && seen.bytes.length >= awaited_bytes && seen.closed >= awaited_closed &&
        seen.unreachable >= awaited_unreachable)
        loop_stop(loop);
}

static inline void on_input(void *context, const struct flow *flow, struct text bytes)
{
    struct seen *mine = context;
    mine->flow = *flow;
    mine->inputs++;
    flooded = flooded || floods;
    builder_add(&mine->bytes, bytes);
    if (echoes)
        transport_send(transport, flow, bytes), transport_flush(transport);
    if (disconnects)
        transport_disconnect(transport, flow->connection);
    stop_when_all_is_there();
}

static inline void on_closed(void *context, uint64_t connection)
{
    struct seen *mine = context;
    mine->closed++;
    mine->closed_connection = connection;
    stop_when_all_is_there();
}

static inline void on_unreachable(void *context, const struct flow *flow)
{
    struct seen *mine = context;
    mine->unreachable++;
    mine->flow = *flow;
    stop_when_all_is_there();
}

static inline bool is_flooded(void *context)
{
    (void)context;
    return flooded;
}

static inline size_t room_left(void *context)
{
    (void)context;
    return room;
}

static const struct transport_handler handler = {on_input, on_closed, on_unreachable, &seen, is_flooded, room_left};

static inline struct transport *open_at(const char *host, uint16_t port)
{
    struct text error = {0};
    struct transport *opened = transport_open(loop, host, port, &handler, &arena, &error);
    if (!opened)
        fail_msg("%.*s", TEXT_ARG(error));
    return opened;
}

static inline void run_until(int inputs, size_t bytes, int closed, int unreachable)
{
    awaited_inputs = inputs;
    awaited_bytes = bytes;
    awaited_closed = closed;
    awaited_unreachable = unreachable;
    loop_run(loop);
}

static inline int begin(void **state)
{
    (void)state;
    arena_init(&arena, "test");
    loop = loop_new();
    seen = (struct seen){0};
    builder_init(&seen.bytes, &arena);
    echoes = disconnects = floods = flooded = false;
    room = SIZE_MAX;
    transport = open_at("127.0.0.1", 0);
    return 0;
}

static inline int end(void **state)
{
    (void)state;
    transport_close(transport);
    loop_free(loop);
    arena_clear(&arena);
    return 0;
}

/* --- a peer that is no transport -------------------------------------------------------------------------------- */

static inline struct flow ours(const char *host)
{
    struct flow flow = {0};
    assert_true(flow_set_peer(&flow, host, transport_port(transport)));
    return flow;
}

static inline int peer_socket(int type, const char *host)
{
    struct flow flow = ours(host);
    int fd = socket(flow.peer.ss_family, type | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&flow.peer, flow_peer_length(&flow)), 0);
    return fd;
}

static inline void peer_write(int fd, const char *bytes)
{
    assert_int_equal(send(fd, bytes, strlen(bytes), MSG_NOSIGNAL), (ssize_t)strlen(bytes));
}

static inline void peer_expect(int fd, const char *bytes)
{
    char buffer[256];
    size_t length = strlen(bytes), got = 0;
    while (got < length) {
        ssize_t some = recv(fd, buffer + got, length - got, 0);
        assert_true(some > 0);
        got += (size_t)some;
    }
    assert_memory_equal(buffer, bytes, length);
}

/* A listener of the peer's on a port of its own. */
static inline int peer_listen(struct flow *flow_out)
{
    socklen_t length = sizeof(flow_out->peer);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    *flow_out = (struct flow){.kind = FLOW_TCP};
    assert_true(flow_set_peer(flow_out, "127.0.0.1", 0));
    assert_int_equal(bind(fd, (struct sockaddr *)&flow_out->peer, flow_peer_length(flow_out)), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&flow_out->peer, &length), 0);
    return fd;
}

static inline void expect_end_of(int fd)
{
    char buffer[4096];
    ssize_t got;
    do
        got = recv(fd, buffer, sizeof(buffer), 0);
    while (got > 0);
    assert_true(got == 0 || errno == ECONNRESET);
    close(fd);
}

#define TRANSPORT_TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

#endif
