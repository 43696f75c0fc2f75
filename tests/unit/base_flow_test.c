/* Addresses of peers: text, port and back, for both families. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "arena.h"
#include "flow.h"

static struct arena arena;

static void expect(const char *address, uint16_t port, const char *peer, const char *bare)
{
    struct flow flow = {.kind = FLOW_UDP};
    assert_true(flow_set_peer(&flow, address, port));
    assert_string_equal(text_cstring(&arena, flow_peer_text(&flow, &arena)), peer);
    assert_string_equal(text_cstring(&arena, flow_address_text(&flow, &arena)), bare);
    assert_int_equal(flow_port(&flow), port);
}

static void addresses_of_both_families_are_written_as_read(void **state)
{
    (void)state;
    expect("192.0.2.1", 5060, "192.0.2.1:5060", "192.0.2.1");
    expect("2001:DB8::1", 5060, "[2001:db8::1]:5060", "2001:db8::1");
    expect("::", 0, "[::]:0", "::");
    arena_clear(&arena);
}

static void an_ipv4_peer_of_a_dual_stack_socket_is_written_as_ipv4(void **state)
{
    (void)state;
    expect("::ffff:192.0.2.7", 65535, "192.0.2.7:65535", "192.0.2.7");
    arena_clear(&arena);
}

static void a_link_local_address_keeps_its_interface(void **state)
{
    (void)state;
    struct flow flow = {0};
    assert_true(flow_set_peer(&flow, "fe80::1%lo", 5060));
    struct sockaddr_in6 peer;
    memcpy(&peer, &flow.peer, sizeof(peer));
    assert_true(peer.sin6_scope_id != 0);
    assert_false(flow_set_peer(&flow, "fe80::1%no-such-interface", 5060));
}

static void what_is_no_numeric_address_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    struct flow flow = {0};
    assert_true(flow_set_peer(&flow, "192.0.2.1", 1));
    static const char *const wrong[] = {"",          "localhost",
                                        "192.0.2",   "192.0.2.1:5060",
                                        "[::1]",     "1.2.3.4 ",
                                        "256.0.0.1", "2001:db8::g",
                                        "%lo",       "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_false(flow_set_peer(&flow, wrong[i], 2));
    assert_int_equal(flow_port(&flow), 1);
}

static void the_length_is_that_of_the_family(void **state)
{
    (void)state;
    struct flow flow = {0};
    assert_int_equal(flow_peer_length(&flow), 0);
    assert_true(flow_set_peer(&flow, "192.0.2.1", 1));
    assert_int_equal(flow_peer_length(&flow), sizeof(struct sockaddr_in));
    assert_true(flow_set_peer(&flow, "::1", 1));
    assert_int_equal(flow_peer_length(&flow), sizeof(struct sockaddr_in6));
}

static void a_flow_without_peer_is_written_empty(void **state)
{
    (void)state;
    struct flow flow = {0};
    assert_int_equal(flow_address_text(&flow, &arena).length, 0);
    assert_int_equal(flow_port(&flow), 0);
    arena_clear(&arena);
}

static void kinds_are_read_as_they_are_written(void **state)
{
    (void)state;
    static const enum flow_kind kinds[] = {FLOW_UDP, FLOW_TCP, FLOW_TLS, FLOW_WS, FLOW_WSS};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        enum flow_kind kind = FLOW_UDP;
        const struct flow flow = {.kind = kinds[i]};
        assert_true(flow_kind_parse(text_of(flow_kind_name(kinds[i])), &kind));
        assert_int_equal(kind, kinds[i]);
        assert_int_equal(flow_is_connected(&flow), kinds[i] != FLOW_UDP);
        assert_int_equal(flow_is_stream(&flow), kinds[i] == FLOW_TCP || kinds[i] == FLOW_TLS);
        assert_int_equal(flow_is_secure(&flow), kinds[i] == FLOW_TLS || kinds[i] == FLOW_WSS);
    }
    enum flow_kind kind = FLOW_TCP;
    assert_true(flow_kind_parse(TEXT("tls"), &kind) && kind == FLOW_TLS);
    assert_false(flow_kind_parse(TEXT("sctp"), &kind));
    assert_false(flow_kind_parse(TEXT(""), &kind));
    assert_int_equal(kind, FLOW_TLS);
}

int main(void)
{
    arena_init(&arena, "test");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_of_both_families_are_written_as_read),
        cmocka_unit_test(an_ipv4_peer_of_a_dual_stack_socket_is_written_as_ipv4),
        cmocka_unit_test(a_link_local_address_keeps_its_interface),
        cmocka_unit_test(what_is_no_numeric_address_is_refused_and_changes_nothing),
        cmocka_unit_test(the_length_is_that_of_the_family),
        cmocka_unit_test(kinds_are_read_as_they_are_written),
        cmocka_unit_test(a_flow_without_peer_is_written_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
