/* Connections: what is sent arrives, what ends is told once, who does not read is cut. */
#include <poll.h>
#include <sys/resource.h>

#include "transport_bench.h"

#define MANY 300

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

int main(void)
{
    const struct CMUnitTest tests[] = {
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
        TRANSPORT_TEST(a_slow_reader_gets_everything),
        TRANSPORT_TEST(many_connections_are_told_apart),
        TRANSPORT_TEST(without_descriptors_connections_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
