/* TLS over loopback: two transports on one loop, one that listens and one that connects. No test measures time; the
 * loop runs until what is awaited has happened. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/time.h>

#include "assert_text.h"
#include "tls_pair.h"
#include "transport.h"

#define LARGE_BYTES (2u << 20) /* more than the kernel takes at once, less than the queue holds */
#define GIVE_UP_S   60         /* a test that hangs fails instead */

struct side {
    struct transport *transport;
    struct flow flow; /* of the last input or unreachable */
    struct text_builder bytes;
    int closed, unreachable;
    bool echoes, disconnects;
};

static struct arena arena;
static struct loop *loop;
static struct tls_fixture *fixture;
static struct tls *server_tls, *client_tls;
static struct side server, client;
static size_t awaited_bytes; /* at both sides together */
static int awaited_ends;

static void stop_when_all_is_there(void)
{
    int ends = server.closed + client.closed + server.unreachable + client.unreachable;
    if (server.bytes.length + client.bytes.length >= awaited_bytes && ends >= awaited_ends)
        loop_stop(loop);
}

static void on_input(void *context, const struct flow *flow, struct text bytes)
{
    struct side *side = context;
    side->flow = *flow;
    builder_add(&side->bytes, bytes);
    if (side->echoes)
        transport_send(side->transport, flow, bytes);
    if (side->disconnects)
        transport_disconnect(side->transport, flow->connection);
    stop_when_all_is_there();
}

static void on_closed(void *context, uint64_t connection)
{
    struct side *side = context;
    (void)connection;
    side->closed++;
    stop_when_all_is_there();
}

static void on_unreachable(void *context, const struct flow *flow)
{
    struct side *side = context;
    side->unreachable++;
    side->flow = *flow;
    stop_when_all_is_there();
}

static void on_alarm(void *context)
{
    (void)context;
    fail_msg("nothing happened for too long");
}

static void run_until(size_t bytes, int ends)
{
    const struct itimerval patience = {.it_value.tv_sec = GIVE_UP_S}, none = {0};
    awaited_bytes = bytes;
    awaited_ends = ends;
    setitimer(ITIMER_REAL, &patience, NULL);
    loop_run(loop);
    setitimer(ITIMER_REAL, &none, NULL);
}

static void open_side(struct side *side)
{
    struct text error = {0};
    const struct transport_handler handler = {on_input, on_closed, on_unreachable, side};
    *side = (struct side){0};
    builder_init(&side->bytes, &arena);
    side->transport = transport_open(loop, "127.0.0.1", 0, &handler, &arena, &error);
    assert_non_null(side->transport);
}

static struct tls *open_as(const struct certificate *who)
{
    struct tls_settings settings = tls_settings_of(fixture, who);
    return tls_open_well(fixture, &settings);
}

static void listen_as(const struct certificate *who, enum tls_clients clients)
{
    struct text error = {0};
    server_tls = open_as(who);
    transport_use_tls(server.transport, server_tls);
    const struct transport_listener listener = {FLOW_TLS, "127.0.0.1", 0, clients};
    assert_true(transport_listen(server.transport, &listener, &arena, &error));
}

static int begin(void **state)
{
    (void)state;
    arena_init(&arena, "test");
    fixture = tls_fixture_new();
    client_tls = open_as(&fixture->alice);
    server_tls = NULL;
    loop = loop_new();
    loop_signal(loop, SIGALRM, on_alarm, NULL);
    open_side(&server);
    open_side(&client);
    transport_use_tls(client.transport, client_tls);
    return 0;
}

static int end(void **state)
{
    (void)state;
    transport_close(server.transport);
    transport_close(client.transport);
    loop_free(loop);
    tls_free(server_tls);
    tls_free(client_tls);
    tls_fixture_free(fixture);
    arena_clear(&arena);
    return 0;
}

static struct flow to_server(void)
{
    struct flow flow = {.kind = FLOW_TLS};
    assert_true(flow_set_peer(&flow, "127.0.0.1", transport_port_of(server.transport, FLOW_TLS)));
    return flow;
}

static void bytes_go_both_ways_on_one_connection(void **state)
{
    (void)state;
    listen_as(&fixture->server, TLS_CLIENTS_NONE);
    struct flow flow = to_server();
    server.echoes = true;
    transport_send(client.transport, &flow, TEXT("one "));
    transport_send(client.transport, &flow, TEXT("two "));
    run_until(16, 0);
    assert_int_equal(server.flow.kind, FLOW_TLS);
    assert_text(builder_text(&server.bytes), "one two ");
    assert_text(builder_text(&client.bytes), "one two ");
    uint64_t first = client.flow.connection;
    transport_send(client.transport, &flow, TEXT("three"));
    run_until(26, 0);
    assert_int_equal(client.flow.connection, first);
}

static void many_bytes_arrive_in_order(void **state)
{
    (void)state;
    listen_as(&fixture->server, TLS_CLIENTS_NONE);
    struct flow flow = to_server();
    char *bytes = arena_alloc(&arena, LARGE_BYTES);
    for (size_t i = 0; i < LARGE_BYTES; i++)
        bytes[i] = (char)(i * 31 + i / 997);
    server.echoes = true;
    transport_send(client.transport, &flow, (struct text){bytes, LARGE_BYTES});
    run_until(2 * LARGE_BYTES, 0);
    assert_memory_equal(server.bytes.bytes, bytes, LARGE_BYTES);
    assert_memory_equal(client.bytes.bytes, bytes, LARGE_BYTES);
}

static void the_peers_names_are_known(void **state)
{
    (void)state;
    const struct text *names;
    listen_as(&fixture->server, TLS_CLIENTS_REQUIRED);
    struct flow flow = to_server();
    transport_send(client.transport, &flow, TEXT("hello"));
    run_until(5, 0);
    assert_int_equal(transport_peer_names(server.transport, server.flow.connection, &arena, &names), 2);
    assert_text(names[0], "as.example.com");
    assert_text(names[1], "sip:as@example.com");
    assert_int_equal(transport_peer_names(server.transport, 999, &arena, &names), 0);
}

static void a_server_that_is_not_who_we_want_is_unreachable(void **state)
{
    (void)state;
    listen_as(&fixture->stranger, TLS_CLIENTS_NONE);
    struct flow flow = to_server();
    transport_send(client.transport, &flow, TEXT("secret"));
    run_until(0, 1);
    assert_int_equal(client.unreachable, 1);
    assert_int_equal(flow_port(&client.flow), flow_port(&flow));
    assert_int_equal(server.bytes.length, 0);
    assert_int_equal(server.closed, 0); /* it was never open */
}

static void a_client_that_is_not_let_in_is_never_heard(void **state)
{
    (void)state;
    struct tls *stranger = open_as(&fixture->stranger);
    transport_use_tls(client.transport, stranger);
    listen_as(&fixture->server, TLS_CLIENTS_REQUIRED);
    struct flow flow = {.kind = FLOW_TLS};
    assert_true(flow_set_peer(&flow, "127.0.0.1", transport_port_of(server.transport, FLOW_TLS)));
    transport_send(client.transport, &flow, TEXT("let me in"));
    run_until(0, 1);
    assert_int_equal(server.bytes.length, 0);
    assert_int_equal(server.closed, 0);
    transport_close(client.transport); /* before what it uses */
    tls_free(stranger);
    open_side(&client);
}

static void without_tls_there_is_no_way(void **state)
{
    (void)state;
    struct flow flow = {.kind = FLOW_TLS};
    assert_true(flow_set_peer(&flow, "127.0.0.1", transport_port(server.transport)));
    transport_send(server.transport, &flow, TEXT("x"));
    run_until(0, 1);
    assert_int_equal(server.unreachable, 1);
    assert_int_equal(transport_port_of(server.transport, FLOW_TLS), 0);
}

static void who_connects_does_not_get_what_is_meant_for_his_address(void **state)
{
    (void)state;
    listen_as(&fixture->server, TLS_CLIENTS_NONE);
    struct flow flow = to_server();
    transport_send(client.transport, &flow, TEXT("hello"));
    run_until(5, 0);
    struct flow by_address = server.flow;
    by_address.connection = 0;
    transport_send(server.transport, &by_address, TEXT("for whoever can prove to be there"));
    run_until(5, 1);
    assert_int_equal(server.unreachable, 1);
    assert_int_equal(client.bytes.length, 0);
}

static void last_words_arrive(void **state)
{
    (void)state;
    listen_as(&fixture->server, TLS_CLIENTS_NONE);
    struct flow flow = to_server();
    server.echoes = server.disconnects = true;
    transport_send(client.transport, &flow, TEXT("goodbye"));
    run_until(14, 3); /* both ends close, and the client hears of it for the peer too */
    assert_text(builder_text(&client.bytes), "goodbye");
    assert_int_equal(server.closed, 1);
    assert_int_equal(client.closed, 1);
}

static void other_words_than_tls_are_not_heard(void **state)
{
    (void)state;
    char byte;
    listen_as(&fixture->server, TLS_CLIENTS_NONE);
    struct flow flow = to_server();
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&flow.peer, flow_peer_length(&flow)), 0);
    assert_int_equal(send(fd, "OPTIONS sip:x SIP/2.0\r\n", 23, MSG_NOSIGNAL), 23);
    transport_send(client.transport, &flow, TEXT("after it")); /* the loop has something to wait for */
    run_until(8, 0);
    assert_text(builder_text(&server.bytes), "after it");
    errno = 0;
    assert_true(recv(fd, &byte, 1, 0) <= 0);
    assert_int_equal(server.closed, 0);
    close(fd);
}

static void connections_outlive_a_reload(void **state)
{
    (void)state;
    struct text error;
    listen_as(&fixture->server, TLS_CLIENTS_NONE);
    struct flow flow = to_server();
    server.echoes = true;
    transport_send(client.transport, &flow, TEXT("before"));
    run_until(12, 0);
    uint64_t first = client.flow.connection;
    assert_int_equal(tls_reload(server_tls, &arena, &error), OK);
    transport_send(client.transport, &flow, TEXT("after"));
    run_until(22, 0);
    assert_int_equal(client.flow.connection, first);
    assert_text(builder_text(&client.bytes), "beforeafter");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bytes_go_both_ways_on_one_connection, begin, end),
        cmocka_unit_test_setup_teardown(many_bytes_arrive_in_order, begin, end),
        cmocka_unit_test_setup_teardown(the_peers_names_are_known, begin, end),
        cmocka_unit_test_setup_teardown(a_server_that_is_not_who_we_want_is_unreachable, begin, end),
        cmocka_unit_test_setup_teardown(a_client_that_is_not_let_in_is_never_heard, begin, end),
        cmocka_unit_test_setup_teardown(without_tls_there_is_no_way, begin, end),
        cmocka_unit_test_setup_teardown(who_connects_does_not_get_what_is_meant_for_his_address, begin, end),
        cmocka_unit_test_setup_teardown(last_words_arrive, begin, end),
        cmocka_unit_test_setup_teardown(other_words_than_tls_are_not_heard, begin, end),
        cmocka_unit_test_setup_teardown(connections_outlive_a_reload, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
