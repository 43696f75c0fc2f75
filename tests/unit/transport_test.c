/* Datagrams, turns of the loop and opening: what is sent arrives, who is too many waits, a port that is taken is named.
 */
#include "transport_bench.h"

#define MANY           300
#define MORE_THAN_FITS 10000 /* datagrams, in the queue of the kernel */

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

/* The next turn begins after so many. */
static int64_t run_turn(void *context, int64_t now_ms)
{
    int *turns = context;
    flooded = flooded && --*turns > 0;
    return now_ms + 1;
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSPORT_TEST(datagrams_go_both_ways),
        TRANSPORT_TEST(a_burst_of_datagrams_arrives_in_order),
        TRANSPORT_TEST(a_large_datagram_arrives_whole),
        TRANSPORT_TEST(a_datagram_that_cannot_be_sent_is_told),
        TRANSPORT_TEST(answers_have_a_queue_of_their_own),
        TRANSPORT_TEST(what_finds_no_room_is_fetched_little_by_little),
        TRANSPORT_TEST(a_flood_leaves_connections_unread_until_the_next_turn),
        TRANSPORT_TEST(a_port_that_is_taken_is_named),
        TRANSPORT_TEST(both_families_are_served_by_one_socket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
