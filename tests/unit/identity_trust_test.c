/* Whose word is taken: ranges of addresses in both families, names of certificates, and what proxies say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "test_arena.h"
#include "trust.h"

static struct trust_address address_of(const char *written)
{
    struct trust_address address;
    if (!trust_address_parse(text_of(written), &address))
        fail_msg("no address: %s", written);
    return address;
}

static struct trust_ranges ranges_of(const char *list)
{
    struct trust_ranges ranges;
    struct text bad;
    if (!trust_ranges_parse(text_of(list), &ranges, &bad))
        fail_msg("%s: %.*s", list, TEXT_ARG(bad));
    return ranges;
}

static struct sockaddr_storage peer_of(const char *written)
{
    struct sockaddr_storage peer = {0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&peer;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&peer;
    if (inet_pton(AF_INET, written, &v4->sin_addr) == 1)
        peer.ss_family = AF_INET;
    else if (inet_pton(AF_INET6, written, &v6->sin6_addr) == 1)
        peer.ss_family = AF_INET6;
    return peer;
}

static void a_range_holds_what_its_bits_say(void **state)
{
    (void)state;
    static const struct {
        const char *list, *address;
        bool held;
    } cases[] = {
        {"192.0.2.7", "192.0.2.7", true},
        {"192.0.2.7", "192.0.2.8", false},
        {"192.0.2.0/24", "192.0.2.255", true},
        {"192.0.2.0/24", "192.0.3.0", false},
        {"192.0.2.128/25", "192.0.2.127", false},
        {"192.0.2.128/25", "192.0.2.128", true},
        {"10.0.0.0/9", "10.127.255.255", true},
        {"10.0.0.0/9", "10.128.0.0", false},
        {"0.0.0.0/0", "203.0.113.9", true},
        {"0.0.0.0/0", "2001:db8::1", false},
        {"2001:db8::/32", "2001:db8:ffff::1", true},
        {"2001:db8::/32", "2001:db9::", false},
        {"2001:db8::/33", "2001:db8:8000::", false},
        {"2001:db8::1", "2001:db8:0:0:0:0:0:1", true},
        {"::1", "127.0.0.1", false},
        {" 198.51.100.1 ,, ", "198.51.100.1", true},
        {"198.51.100.1,2001:db8::/32,192.0.2.0/24", "192.0.2.1", true},
        {"", "192.0.2.1", false},
        /* the same host, written as IPv6 */
        {"192.0.2.0/24", "::ffff:192.0.2.9", true},
        {"192.0.2.0/24", "::ffff:192.0.3.9", false},
        {"::ffff:192.0.2.0/120", "192.0.2.9", true},
        {"::ffff:0:0/96", "192.0.2.9", true},
        {"::ffff:192.0.2.7", "192.0.2.7", true},
        /* a range of IPv6 is none of IPv4, however wide */
        {"::/0", "192.0.2.9", false},
        {"::/0", "::ffff:192.0.2.9", false},
        {"::/0", "2001:db8::1", true},
        {"::/80", "::ffff:192.0.2.9", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct trust_ranges ranges;
        struct text bad = {0};
        struct trust_address address = address_of(cases[i].address);
        if (strstr(cases[i].list, ",,")) { /* an empty part is a mistake */
            assert_false(trust_ranges_parse(text_of(cases[i].list), &ranges, &bad));
            continue;
        }
        ranges = ranges_of(cases[i].list);
        if (trust_ranges_have(&ranges, &address) != cases[i].held)
            fail_msg("%s in %s", cases[i].address, cases[i].list);
    }
}

static void what_is_no_range_is_named(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "192.0.2.1/24",  "192.0.2.0/33", "192.0.2.0/",         "192.0.2.0/-1",   "192.0.2",
        "192.0.2.256",   "example.com",  "2001:db8::1/32",     "2001:db8::/129", "192.0.2.0/24/8",
        "[2001:db8::1]", "192.0.2.1:80", "::ffff:192.0.2.1/32"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct trust_ranges ranges;
        struct text bad = {0}, list = text_join(&arena, TEXT("198.51.100.1, "), text_of(wrong[i]));
        if (trust_ranges_parse(list, &ranges, &bad))
            fail_msg("taken: %s", wrong[i]);
        assert_true(text_equal(bad, text_of(wrong[i])));
    }
    struct text_builder many;
    builder_init(&many, &arena);
    for (int i = 0; i <= TRUST_RANGES_MAX; i++)
        builder_add_format(&many, "%s192.0.2.%d", i ? "," : "", i);
    struct trust_ranges ranges;
    struct text bad;
    assert_false(trust_ranges_parse(builder_text(&many), &ranges, &bad));
}

static void an_address_is_written_as_people_know_it(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {{"192.0.2.1", "192.0.2.1"},
                                           {"::ffff:192.0.2.1", "192.0.2.1"},
                                           {"2001:DB8:0::1", "2001:db8::1"},
                                           {"::1", "::1"}};
    for (size_t i = 0; i < 4; i++) {
        struct trust_address address = address_of(pairs[i][0]);
        assert_true(text_equal(trust_address_text(&address, &arena), text_of(pairs[i][1])));
    }
}

static void a_peer_is_believed_by_address_or_certificate_alone(void **state)
{
    (void)state;
    struct trust trust = {
        .peers = ranges_of("192.0.2.0/24, 2001:db8:1::/48"), .names = {TEXT("proxy.example.com")}, .names_count = 1};
    const struct text good[] = {TEXT("other.example.com"), TEXT("proxy.example.com")};
    const struct text close[] = {TEXT("proxy.example.com.evil.example"), TEXT("proxy.example.co"), TEXT("")};
    struct sockaddr_storage inside = peer_of("192.0.2.9"), mapped = peer_of("::ffff:192.0.2.9");
    struct sockaddr_storage outside = peer_of("192.0.3.9"), unix_peer = {.ss_family = AF_UNIX};
    assert_true(trust_believes(&trust, (struct sockaddr *)&inside, NULL, 0));
    assert_true(trust_believes(&trust, (struct sockaddr *)&mapped, NULL, 0));
    assert_false(trust_believes(&trust, (struct sockaddr *)&outside, NULL, 0));
    assert_true(trust_believes(&trust, (struct sockaddr *)&outside, good, 2));
    assert_false(trust_believes(&trust, (struct sockaddr *)&outside, close, 3));
    assert_false(trust_believes(&trust, (struct sockaddr *)&unix_peer, NULL, 0));
    const struct trust nobody = {.names_count = 0};
    assert_false(trust_believes(&nobody, (struct sockaddr *)&inside, good, 2));
}

static void a_proxy_names_its_client_and_a_client_nobody(void **state)
{
    (void)state;
    static const struct {
        enum trust_forwarded form;
        const char *peer, *header, *client; /* client NULL: nobody is named */
    } cases[] = {
        {TRUST_X_FORWARDED_FOR, "192.0.2.1", "203.0.113.5", "203.0.113.5"},
        {TRUST_X_FORWARDED_FOR, "::ffff:192.0.2.1", "203.0.113.5", "203.0.113.5"},
        {TRUST_X_FORWARDED_FOR, "192.0.2.1", "203.0.113.5:4711", "203.0.113.5"},
        {TRUST_X_FORWARDED_FOR, "192.0.2.1", "2001:db8::5", "2001:db8::5"},
        {TRUST_X_FORWARDED_FOR, "192.0.2.1", "[2001:db8::5]:4711", "2001:db8::5"},
        /* what the client wrote itself stands on the left */
        {TRUST_X_FORWARDED_FOR, "192.0.2.1", "10.0.0.1, 127.0.0.1, 203.0.113.5", "203.0.113.5"},
        /* a chain of listed proxies */
        {TRUST_X_FORWARDED_FOR, "192.0.2.1", "198.51.100.1, 203.0.113.5, 192.0.2.2,192.0.2.3", "203.0.113.5"},
        {TRUST_X_FORWARDED_FOR, "192.0.2.1", "", NULL},
        {TRUST_X_FORWARDED_FOR, "192.0.2.1", "unknown", NULL},
        {TRUST_X_FORWARDED_FOR, "192.0.2.1", "203.0.113.5, unknown", NULL},
        {TRUST_X_FORWARDED_FOR, "192.0.2.1", "203.0.113.5,", NULL},
        {TRUST_X_FORWARDED_FOR, "192.0.2.1", "192.0.2.2", NULL},
        {TRUST_X_FORWARDED_FOR, "192.0.2.1", "for=203.0.113.5", NULL},
        {TRUST_X_FORWARDED_FOR, "203.0.113.9", "203.0.113.5", NULL},
        {TRUST_FORWARDED, "192.0.2.1", "for=203.0.113.5;proto=https", "203.0.113.5"},
        {TRUST_FORWARDED, "192.0.2.1", "proto=http; FOR=\"[2001:db8::5]:4711\"", "2001:db8::5"},
        {TRUST_FORWARDED, "192.0.2.1", "for=10.0.0.1, for=203.0.113.5", "203.0.113.5"},
        {TRUST_FORWARDED, "192.0.2.1", "for=_hidden", NULL},
        {TRUST_FORWARDED, "192.0.2.1", "by=203.0.113.5", NULL},
        {TRUST_FORWARDED, "192.0.2.1", "203.0.113.5", NULL},
        {TRUST_FORWARDED, "203.0.113.9", "for=203.0.113.5", NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct trust trust = {.proxies = ranges_of("192.0.2.0/24"), .forwarded = cases[i].form};
        struct sockaddr_storage peer = peer_of(cases[i].peer);
        struct trust_address client;
        bool named = trust_client(&trust, (struct sockaddr *)&peer, text_of(cases[i].header), &client);
        struct text written = trust_address_text(&client, &arena);
        if (named != (cases[i].client != NULL) || (named && !text_equal(written, text_of(cases[i].client))))
            fail_msg("%s from %s: %.*s", cases[i].header, cases[i].peer, TEXT_ARG(written));
    }
}

/* A proxy that may say for whom it asks may not say who asks. */
static void a_proxy_is_not_believed(void **state)
{
    (void)state;
    const struct trust trust = {.proxies = ranges_of("192.0.2.0/24")};
    struct sockaddr_storage peer = peer_of("192.0.2.1");
    assert_true(trust_is_proxy(&trust, (struct sockaddr *)&peer));
    assert_false(trust_believes(&trust, (struct sockaddr *)&peer, NULL, 0));
}

static void a_long_chain_of_proxies_ends(void **state)
{
    (void)state;
    const struct trust trust = {.proxies = ranges_of("192.0.2.0/24")};
    struct sockaddr_storage peer = peer_of("192.0.2.1");
    struct text_builder chain;
    struct trust_address client;
    builder_init(&chain, &arena);
    builder_add(&chain, TEXT("203.0.113.5"));
    for (int i = 0; i < TRUST_FORWARDED_MAX; i++)
        builder_add(&chain, TEXT(",192.0.2.2"));
    assert_false(trust_client(&trust, (struct sockaddr *)&peer, builder_text(&chain), &client));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_range_holds_what_its_bits_say),
        TEST(what_is_no_range_is_named),
        TEST(an_address_is_written_as_people_know_it),
        TEST(a_peer_is_believed_by_address_or_certificate_alone),
        TEST(a_proxy_names_its_client_and_a_client_nobody),
        TEST(a_proxy_is_not_believed),
        TEST(a_long_chain_of_proxies_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
