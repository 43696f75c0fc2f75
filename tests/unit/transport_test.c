/* Real sockets over loopback: what is sent arrives, what ends is told once, who does not read is cut. No test measures
 * time; the loop runs until what is awaited has happened. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "arena.h"
#include "transport.h"

#define MANY           300
#define MORE_THAN_FITS 10000 /* datagrams, in the queue of the kernel */

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

static void stop_when_all_is_there(void)
{
    if (seen.inputs >= awaited_inputs && seen.bytes.length >= awaited_bytes && seen.closed >= awaited_closed &&
        seen.unreachable >= awaited_unreachable)
        loop_stop(loop);
}

static void on_input(void *context, const struct flow *flow, struct text bytes)
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

static void on_closed(void *context, uint64_t connection)
{
    struct seen *mine = context;
    mine->closed++;
    mine->closed_connection = connection;
    stop_when_all_is_there();
}

static void on_unreachable(void *context, const struct flow *flow)
{
    struct seen *mine = context;
    mine->unreachable++;
    mine->flow = *flow;
    stop_when_all_is_there();
}

static bool is_flooded(void *context)
{
    (void)context;
    return flooded;
}

static size_t room_left(void *context)
{
    (void)context;
    return room;
}

static const struct transport_handler handler = {on_input, on_closed, on_unreachable, &seen, is_flooded, room_left};

/* The next turn begins after so many. */
static int64_t run_turn(void *context, int64_t now_ms)
{
    int *turns = context;
    flooded = flooded && --*turns > 0;
    return now_ms + 1;
}

static struct transport *open_at(const char *host, uint16_t port)
{
    struct text error = {0};
    struct transport *opened = transport_open(loop, host, port, &handler, &arena, &error);
    if (!opened)
        fail_msg("%.*s", TEXT_ARG(error));
    return opened;
}

static void run_until(int inputs, size_t bytes, int closed, int unreachable)
{
    awaited_inputs = inputs;
    awaited_bytes = bytes;
    awaited_closed = closed;
    awaited_unreachable = unreachable;
    loop_run(loop);
}

static int begin(void **state)
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

static int end(void **state)
{
    (void)state;
    transport_close(transport);
    loop_free(loop);
    arena_clear(&arena);
    return 0;
}

/* --- a peer that is no transport -------------------------------------------------------------------------------- */

static struct flow ours(const char *host)
{
    struct flow flow = {0};
    assert_true(flow_set_peer(&flow, host, transport_port(transport)));
    return flow;
}

static int peer_socket(int type, const char *host)
{
    struct flow flow = ours(host);
    int fd = socket(flow.peer.ss_family, type | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&flow.peer, flow_peer_length(&flow)), 0);
    return fd;
}

static void peer_write(int fd, const char *bytes)
{
    assert_int_equal(send(fd, bytes, strlen(bytes), MSG_NOSIGNAL), (ssize_t)strlen(bytes));
}

static void peer_expect(int fd, const char *bytes)
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
static int peer_listen(struct flow *flow_out)
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

static void expect_end_of(int fd)
{
    char buffer[4096];
    ssize_t got;
    do
        got = recv(fd, buffer, sizeof(buffer), 0);
    while (got > 0);
    assert_true(got == 0 || errno == ECONNRESET);
    close(fd);
}

/* --- datagrams -------------------------------------------------------------------------------------------------- */

static void datagrams_go_both_ways(void **state)
{
    (void)state;
    int peer = peer_socket(SOCK_DGRAM, "127.0.0.1");
    peer_write(peer, "one");
    run_until(1, 0, 0, 0);
    assert_int_equal(seen.flow.kind, FLOW_UDP);
    assert_string_equal(text_cstring(&arena, flow_address_text(&seen.flow, &arena)), "127.0.0.1");
    transport_send(transport, &seen.flow, TEXT("two"));
    transport_flush(transport);
    peer_expect(peer, "two");
    close(peer);
}

static void a_burst_of_datagrams_arrives_in_order(void **state)
{
    (void)state;
    int peer = peer_socket(SOCK_DGRAM, "127.0.0.1");
    for (int i = 0; i < 100; i++) {
        char letter[2] = {(char)('!' + i % 64), '\0'};
        peer_write(peer, letter);
    }
    run_until(100, 0, 0, 0);
    for (int i = 0; i < 100; i++)
        assert_int_equal(seen.bytes.bytes[i], '!' + i % 64);
    close(peer);
}

static void a_large_datagram_arrives_whole(void **state)
{
    (void)state;
    static char large[60000];
    int peer = peer_socket(SOCK_DGRAM, "127.0.0.1");
    memset(large, 'x', sizeof(large));
    assert_int_equal(send(peer, large, sizeof(large), 0), sizeof(large));
    run_until(1, 0, 0, 0);
    assert_int_equal(seen.bytes.length, sizeof(large));
    close(peer);
}

static void a_datagram_that_cannot_be_sent_is_told(void **state)
{
    (void)state;
    struct flow flow = {.kind = FLOW_UDP};
    static char huge[70000];
    assert_true(flow_set_peer(&flow, "127.0.0.1", 9));
    transport_send(transport, &flow, (struct text){huge, sizeof(huge)});
    transport_flush(transport);
    assert_int_equal(seen.unreachable, 0);
    run_until(0, 0, 0, 1);
    assert_int_equal(flow_port(&seen.flow), 9);
}

static void answers_have_a_queue_of_their_own(void **state)
{
    static char request[1200] = "MESSAGE sip:bob@example.com SIP/2.0\r\n";
    const struct text answer = TEXT_INIT("SIP/2.0 200 OK\r\n");
    (void)state;
    int peer = peer_socket(SOCK_DGRAM, "127.0.0.1");
    for (int i = 0; i < MORE_THAN_FITS; i++) /* what does not fit is dropped */
        assert_int_equal(send(peer, request, sizeof(request), 0), sizeof(request));
    peer_write(peer, answer.bytes);
    run_until(1, 0, 0, 0);
    assert_true(text_starts_with(builder_text(&seen.bytes), answer));
    run_until(MANY, 0, 0, 0); /* requests have not been forgotten */
    assert_true(transport_dropped(transport) > 0 && transport_dropped(transport) < MORE_THAN_FITS);
    close(peer);
}

/* --- connections ------------------------------------------------------------------------------------------------ */

static void bytes_of_a_connection_go_both_ways(void **state)
{
    (void)state;
    int peer = peer_socket(SOCK_STREAM, "127.0.0.1");
    peer_write(peer, "hello");
    run_until(0, 5, 0, 0);
    assert_int_equal(seen.flow.kind, FLOW_TCP);
    assert_true(seen.flow.connection != 0);
    transport_send(transport, &seen.flow, TEXT("world"));
    peer_expect(peer, "world");
    close(peer);
    run_until(0, 0, 1, 0);
    assert_int_equal(seen.closed_connection, seen.flow.connection);
}

static void a_peer_without_connection_is_connected_to_once(void **state)
{
    (void)state;
    struct flow flow;
    int listener = peer_listen(&flow);
    transport_send(transport, &flow, TEXT("one "));
    transport_send(transport, &flow, TEXT("two "));
    loop_post(loop, (loop_fn *)loop_stop, loop);
    loop_run(loop);
    int peer = accept(listener, NULL, NULL);
    peer_write(peer, "x");
    run_until(1, 0, 0, 0);
    transport_send(transport, &flow, TEXT("three"));
    peer_expect(peer, "one two three");
    struct pollfd more = {.fd = listener, .events = POLLIN};
    assert_int_equal(poll(&more, 1, 0), 0);
    /* Who sent without a number hears of the end too. */
    close(peer);
    run_until(0, 0, 1, 1);
    assert_int_equal(seen.flow.connection, 0);
    assert_int_equal(flow_port(&seen.flow), flow_port(&flow));
    close(listener);
}

/* A peer that has said something; seen.flow is its connection. */
static int peer_heard(void)
{
    int peer = peer_socket(SOCK_STREAM, "127.0.0.1");
    peer_write(peer, "x");
    run_until(1, 0, 0, 0);
    return peer;
}

static void what_is_gathered_goes_out_together(void **state)
{
    (void)state;
    char got[64];
    int peer = peer_heard();
    transport_send(transport, &seen.flow, TEXT("at once, "));
    transport_gather(transport);
    transport_send(transport, &seen.flow, TEXT("together "));
    transport_send(transport, &seen.flow, TEXT("with this"));
    peer_expect(peer, "at once, ");
    assert_int_equal(recv(peer, got, sizeof(got), MSG_DONTWAIT), -1);
    transport_flush(transport);
    assert_int_equal(recv(peer, got, sizeof(got), MSG_DONTWAIT), 18); /* one piece */
    assert_memory_equal(got, "together with this", 18);
    transport_send(transport, &seen.flow, TEXT(" and alone"));
    peer_expect(peer, " and alone");
    assert_int_equal(transport_queued_bytes(transport), 0);
    close(peer);
}

static void too_much_is_not_gathered_and_keeps_its_order(void **state)
{
    (void)state;
    static char block[50000], got[3 * sizeof(block)];
    size_t length = 0;
    int peer = peer_heard();
    transport_gather(transport);
    for (int i = 0; i < 3; i++) {
        memset(block, 'a' + i, sizeof(block));
        transport_send(transport, &seen.flow, (struct text){block, sizeof(block)});
    }
    transport_flush(transport);
    while (length < sizeof(got)) {
        ssize_t some = recv(peer, got + length, sizeof(got) - length, MSG_DONTWAIT);
        length += some > 0 ? (size_t)some : 0;
        loop_post(loop, (loop_fn *)loop_stop, loop);
        loop_run(loop);
    }
    for (size_t i = 0; i < sizeof(got); i++)
        assert_int_equal(got[i], 'a' + (char)(i / sizeof(block)));
    close(peer);
}

static void what_is_gathered_reaches_who_is_disconnected(void **state)
{
    (void)state;
    int peer = peer_heard();
    transport_gather(transport);
    transport_send(transport, &seen.flow, TEXT("goodbye"));
    transport_disconnect(transport, seen.flow.connection);
    transport_flush(transport);
    peer_expect(peer, "goodbye");
    expect_end_of(peer);
    run_until(0, 0, 1, 0);
}

static void who_is_gone_is_told_of_at_the_flush(void **state)
{
    (void)state;
    const struct linger reset = {1, 0};
    int peer = peer_heard();
    struct flow flow = seen.flow;
    setsockopt(peer, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    close(peer);
    transport_gather(transport);
    transport_send(transport, &flow, TEXT("late"));
    transport_send(transport, &flow, TEXT("later"));
    transport_flush(transport);
    run_until(0, 0, 1, 0);
    assert_int_equal(seen.closed_connection, flow.connection);
    assert_int_equal(transport_queued_bytes(transport), 0);
}

static void a_connection_that_came_in_is_used_for_its_peer(void **state)
{
    (void)state;
    int peer = peer_socket(SOCK_STREAM, "127.0.0.1");
    peer_write(peer, "x");
    run_until(1, 0, 0, 0);
    struct flow flow = seen.flow;
    flow.connection = 0;
    transport_send(transport, &flow, TEXT("back"));
    peer_expect(peer, "back");
    close(peer);
}

static void a_closed_port_is_unreachable(void **state)
{
    (void)state;
    struct flow flow;
    close(peer_listen(&flow));
    transport_send(transport, &flow, TEXT("hello"));
    assert_int_equal(seen.unreachable, 0); /* told by the loop, not from inside the call */
    run_until(0, 0, 0, 1);
    assert_int_equal(flow_port(&seen.flow), flow_port(&flow));
    assert_int_equal(seen.flow.connection, 0);
    assert_int_equal(seen.closed, 0);
}

static void a_connection_that_is_gone_is_unreachable(void **state)
{
    (void)state;
    int peer = peer_socket(SOCK_STREAM, "127.0.0.1");
    peer_write(peer, "x");
    run_until(1, 0, 0, 0);
    close(peer);
    run_until(0, 0, 1, 0);
    struct flow gone = seen.flow;
    transport_send(transport, &gone, TEXT("late"));
    run_until(0, 0, 0, 1);
    assert_int_equal(seen.flow.connection, gone.connection);
    transport_disconnect(transport, gone.connection);
    assert_int_equal(seen.closed, 1);

    /* Its number is not given to the next one. */
    peer = peer_socket(SOCK_STREAM, "127.0.0.1");
    peer_write(peer, "y");
    run_until(2, 0, 0, 0);
    assert_true(seen.flow.connection != gone.connection);
    close(peer);
}

static void a_connection_may_be_ended_inside_its_input(void **state)
{
    (void)state;
    disconnects = echoes = true;
    int peer = peer_socket(SOCK_STREAM, "127.0.0.1");
    peer_write(peer, "bye");
    run_until(0, 0, 1, 0);
    assert_int_equal(seen.closed_connection, seen.flow.connection);
    peer_expect(peer, "bye"); /* what was sent before still arrives */
    peer_write(peer, "ignored");
    assert_int_equal(seen.inputs, 1);
    expect_end_of(peer);
    /* The end of the socket itself is not told again. */
    int other = peer_socket(SOCK_STREAM, "127.0.0.1");
    peer_write(other, "x");
    run_until(2, 0, 2, 0);
    assert_int_equal(seen.closed, 2);
    expect_end_of(other);
}

static void who_does_not_read_is_cut(void **state)
{
    (void)state;
    static char block[65536];
    int peer = peer_socket(SOCK_STREAM, "127.0.0.1");
    peer_write(peer, "x");
    run_until(1, 0, 0, 0);
    struct flow flow = seen.flow;
    /* More than the queue and all the kernel's buffers hold. */
    for (int i = 0; i < 1024 && seen.unreachable == 0; i++)
        transport_send(transport, &flow, (struct text){block, sizeof(block)});
    run_until(0, 0, 1, 1);
    assert_int_equal(seen.closed, 1);
    expect_end_of(peer);
}

static void what_peers_leave_unread_is_bounded_for_all_of_them(void **state)
{
    (void)state;
    enum { PEERS = 3, BYTES_MAX = 1 << 20 };
    static char block[65536];
    struct flow flows[PEERS];
    int peers[PEERS];
    transport_limit_queues(transport, BYTES_MAX);
    for (int i = 0; i < PEERS; i++) {
        peers[i] = peer_socket(SOCK_STREAM, "127.0.0.1");
        peer_write(peers[i], "x");
        run_until(i + 1, 0, 0, 0);
        flows[i] = seen.flow;
    }
    assert_int_equal(transport_connections(transport, FLOW_TCP), PEERS);
    for (int i = 0; i < 1024 * PEERS && transport_connections(transport, FLOW_TCP) > 0; i++) {
        transport_send(transport, &flows[i % PEERS], (struct text){block, sizeof(block)});
        assert_in_range(transport_queued_bytes(transport), 0, BYTES_MAX);
    }
    run_until(0, 0, PEERS, 0);
    assert_int_equal(transport_connections(transport, FLOW_TCP), 0);
    assert_int_equal(transport_queued_bytes(transport), 0);
    for (int i = 0; i < PEERS; i++)
        close(peers[i]);
}

static int64_t count_turn(void *context, int64_t now_ms)
{
    int *turns = context;
    ++*turns;
    return now_ms + 1;
}

/* Turns of the loop until so many datagrams, which all are there before it begins, were taken. */
static int turns_for(int count)
{
    int turns = 0, peer = peer_socket(SOCK_DGRAM, "127.0.0.1");
    for (int i = 0; i < count; i++)
        peer_write(peer, "request");
    close(peer);
    loop_set_deadline(loop, count_turn, &turns);
    run_until(seen.inputs + count, 0, 0, 0);
    return turns;
}

static void what_finds_no_room_is_fetched_little_by_little(void **state)
{
    (void)state;
    int with_room = turns_for(500);
    room = 0;
    assert_true(turns_for(500) > 2 * with_room);
}

static void a_flood_leaves_connections_unread_until_the_next_turn(void **state)
{
    static const char *const words[] = {"one", "two", "three", "four"};
    int peers[4], turns = MANY;
    (void)state;
    for (int i = 0; i < 4; i++) {
        peers[i] = peer_socket(SOCK_STREAM, "127.0.0.1");
        peer_write(peers[i], words[i]);
    }
    floods = true;
    loop_set_deadline(loop, run_turn, &turns);
    run_until(1, 0, 0, 0);
    assert_int_equal(seen.inputs, 1);
    run_until(2, 0, 0, 0);
    assert_int_equal(seen.inputs, 2); /* one in each of those turns */
    assert_int_equal(turns, 0);
    run_until(4, 0, 0, 0);
    assert_int_equal(seen.bytes.length, strlen("onetwothreefour"));
    for (int i = 0; i < 4; i++)
        close(peers[i]);
}

static void a_slow_reader_gets_everything(void **state)
{
    (void)state;
    static char block[1 << 20];
    int peer = peer_socket(SOCK_STREAM, "127.0.0.1");
    peer_write(peer, "x");
    run_until(1, 0, 0, 0);
    for (size_t i = 0; i < sizeof(block); i++)
        block[i] = (char)(i % 251);
    for (int i = 0; i < 3; i++)
        transport_send(transport, &seen.flow, (struct text){block, sizeof(block)});
    size_t got = 0;
    while (got < 3 * sizeof(block)) {
        static char buffer[65536];
        ssize_t some = recv(peer, buffer, sizeof(buffer), MSG_DONTWAIT);
        for (ssize_t i = 0; i < some; i++)
            assert_int_equal((unsigned char)buffer[i], (got + (size_t)i) % sizeof(block) % 251);
        got += some > 0 ? (size_t)some : 0;
        loop_post(loop, (loop_fn *)loop_stop, loop);
        loop_run(loop);
    }
    close(peer);
}

static void many_connections_are_told_apart(void **state)
{
    (void)state;
    static int peers[MANY];
    echoes = true;
    for (int i = 0; i < MANY; i++) {
        peers[i] = peer_socket(SOCK_STREAM, "127.0.0.1");
        peer_write(peers[i], i % 2 ? "odd" : "eve");
    }
    run_until(0, 3 * MANY, 0, 0);
    for (int i = 0; i < MANY; i++) {
        peer_expect(peers[i], i % 2 ? "odd" : "eve");
        close(peers[i]);
    }
    run_until(0, 0, MANY, 0);
    assert_int_equal(seen.closed, MANY);
}

static void without_descriptors_connections_wait(void **state)
{
    (void)state;
    struct rlimit before, none;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    int peer = peer_socket(SOCK_STREAM, "127.0.0.1");
    peer_write(peer, "patient");
    int lowest = dup(peer);
    close(lowest);
    none = before;
    none.rlim_cur = (rlim_t)lowest;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    for (int i = 0; i < 3; i++) {
        loop_post(loop, (loop_fn *)loop_stop, loop);
        loop_run(loop);
    }
    assert_int_equal(seen.inputs, 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    run_until(1, 0, 0, 0);
    assert_int_equal(seen.bytes.length, 7);
    close(peer);
}

/* --- opening ---------------------------------------------------------------------------------------------------- */

/* Its UDP port is taken by this test alone. Another process may have the TCP port of that number, which is named first:
 * then it is another number's turn. */
static struct text error_of_taken_udp_port(void)
{
    struct text error = {0};
    for (int tries = 0; tries < 100; tries++) {
        struct flow flow = {0};
        socklen_t length = sizeof(flow.peer);
        int taken = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        assert_true(flow_set_peer(&flow, "127.0.0.1", 0));
        assert_int_equal(bind(taken, (struct sockaddr *)&flow.peer, flow_peer_length(&flow)), 0);
        assert_int_equal(getsockname(taken, (struct sockaddr *)&flow.peer, &length), 0);
        assert_null(transport_open(loop, "127.0.0.1", flow_port(&flow), &handler, &arena, &error));
        close(taken);
        if (!text_starts_with(error, TEXT("address already in use: tcp ")))
            break;
    }
    return error;
}

static void a_port_that_is_taken_is_named(void **state)
{
    (void)state;
    struct text error = {0};
    uint16_t port = transport_port(transport);
    assert_true(port != 0);
    assert_null(transport_open(loop, "127.0.0.1", port, &handler, &arena, &error));
    struct text expected = text_format(&arena, "address already in use: tcp 127.0.0.1:%u", (unsigned)port);
    assert_true(text_equal(error, expected));
    assert_true(text_starts_with(error_of_taken_udp_port(), TEXT("address already in use: udp 127.0.0.1:")));
    assert_null(transport_open(loop, "no such host", 0, &handler, &arena, &error));
    assert_true(text_starts_with(error, TEXT("no such address: ")));
}

static void both_families_are_served_by_one_socket(void **state)
{
    (void)state;
    struct text error = {0};
    transport_close(transport);
    transport = transport_open(loop, "[::]", 0, &handler, &arena, &error);
    if (!transport) { /* a machine without IPv6 */
        transport = open_at("127.0.0.1", 0);
        skip();
    }
    echoes = true;
    static const char *const hosts[] = {"127.0.0.1", "::1"};
    static const int types[] = {SOCK_DGRAM, SOCK_STREAM};
    for (int i = 0; i < 4; i++) {
        int peer = peer_socket(types[i / 2], hosts[i % 2]);
        peer_write(peer, "both");
        run_until(i + 1, 0, 0, 0);
        assert_string_equal(text_cstring(&arena, flow_address_text(&seen.flow, &arena)), hosts[i % 2]);
        assert_int_equal(seen.flow.peer.ss_family, i % 2 ? AF_INET6 : AF_INET);
        peer_expect(peer, "both");
        close(peer);
    }
}

#define TRANSPORT_TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(datagrams_go_both_ways),
        TRANSPORT_TEST(a_burst_of_datagrams_arrives_in_order),
        TRANSPORT_TEST(a_large_datagram_arrives_whole),
        TRANSPORT_TEST(a_datagram_that_cannot_be_sent_is_told),
        TRANSPORT_TEST(answers_have_a_queue_of_their_own),
        TRANSPORT_TEST(bytes_of_a_connection_go_both_ways),
        TRANSPORT_TEST(a_peer_without_connection_is_connected_to_once),
        TRANSPORT_TEST(what_is_gathered_goes_out_together),
        TRANSPORT_TEST(too_much_is_not_gathered_and_keeps_its_order),
        TRANSPORT_TEST(what_is_gathered_reaches_who_is_disconnected),
        TRANSPORT_TEST(who_is_gone_is_told_of_at_the_flush),
        TRANSPORT_TEST(a_connection_that_came_in_is_used_for_its_peer),
        TRANSPORT_TEST(a_closed_port_is_unreachable),
        TRANSPORT_TEST(a_connection_that_is_gone_is_unreachable),
        TRANSPORT_TEST(a_connection_may_be_ended_inside_its_input),
        TRANSPORT_TEST(who_does_not_read_is_cut),
        TRANSPORT_TEST(what_peers_leave_unread_is_bounded_for_all_of_them),
        TRANSPORT_TEST(what_finds_no_room_is_fetched_little_by_little),
        TRANSPORT_TEST(a_flood_leaves_connections_unread_until_the_next_turn),
        TRANSPORT_TEST(a_slow_reader_gets_everything),
        TRANSPORT_TEST(many_connections_are_told_apart),
        TRANSPORT_TEST(without_descriptors_connections_wait),
        TRANSPORT_TEST(a_port_that_is_taken_is_named),
        TRANSPORT_TEST(both_families_are_served_by_one_socket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
