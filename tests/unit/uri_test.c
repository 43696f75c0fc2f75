/* Addresses as peers write them, and the keys they are compared by. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "assert_text.h"
#include "uri.h"

static bool parses(const char *text)
{
    struct uri uri;
    return uri_parse(text_of(text), &uri);
}

static void assert_canonical(const char *text, const char *expected)
{
    struct arena arena;
    arena_init(&arena, "test");
    struct text canonical = uri_canonical(&arena, text_of(text));
    if (canonical.length != strlen(expected) ||
        memcmp(canonical.bytes ? canonical.bytes : "", expected, canonical.length))
        fail_msg("%s became %.*s, not %s", text, TEXT_ARG(canonical), expected);
    assert_text(uri_canonical(&arena, canonical), expected);
    arena_clear(&arena);
}

static void a_uri_is_split_into_its_parts(void **state)
{
    (void)state;
    struct uri uri;
    assert_true(uri_parse(text_of("SIPS:bob:secret@Example.NET:5061;transport=tcp;lr?subject=a&x=b@c"), &uri));
    assert_text(uri.scheme, "SIPS");
    assert_text(uri.user, "bob");
    assert_text(uri.host, "Example.NET");
    assert_int_equal(uri.port, 5061);
    assert_text(uri.parameters, "transport=tcp;lr");
    assert_text(uri.headers, "subject=a&x=b@c");
    assert_true(uri_parse(text_of("sip:[2001:db8::1]:5080"), &uri));
    assert_text(uri.host, "2001:db8::1");
    assert_int_equal(uri.port, 5080);
    assert_text(uri.user, "");
    assert_true(uri_parse(text_of("tel:+1-201-555;ext=5"), &uri));
    assert_text(uri.user, "+1-201-555");
    assert_text(uri.host, "");
    assert_text(uri.parameters, "ext=5");
    assert_true(uri_parse(text_of("sip:a;b?c/d=1@x"), &uri));
    assert_text(uri.user, "a;b?c/d=1");
}

static void what_is_no_address_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",          "sip",           "sip:",         "http://x/",      "sip:@x",      "sip:a@",      "sip:a b@x",
        "sip:a\n@x", "sip:a@x\r\n",   "sip:a%00@x",   "sip:a%4@x",      "sip:a%zz@x",  "sip:a@x%",    "sip:a@x:0",
        "sip:a@x:",  "sip:a@x:65536", "sip:a@x:5a",   "sip:a@b@c",      "sip:a@x;p@y", "sip:a@[::1",  "sip:a@[zz]",
        "sip:a@..x", "sip:a@.x",      "sip:a@x/y",    "<sip:a@x>",      "sip:a\"@x",   "tel:",        "tel:-",
        "tel:+",     "tel:12x",       "sip:[x]@host", "sip:a@[::1]x:1", "sip:\x7f@x",  "sip:a\xc3@x", ":a@x",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (parses(bad[i]))
            fail_msg("'%s' was taken for an address", bad[i]);
    }
    struct uri uri;
    assert_false(uri_parse((struct text){"sip:a\0@x", 8}, &uri));
    assert_false(uri_parse((struct text){NULL, 0}, &uri));
}

static void a_uri_over_the_limit_is_refused(void **state)
{
    (void)state;
    char text[URI_LENGTH_MAX + 1];
    struct uri uri;
    memset(text, 'a', sizeof(text));
    memcpy(text, "im:", 3);
    memcpy(text + URI_LENGTH_MAX - 2, "@x", 2);
    assert_true(uri_parse((struct text){text, URI_LENGTH_MAX}, &uri));
    struct arena arena;
    arena_init(&arena, "test");
    assert_int_equal(uri_canonical(&arena, (struct text){text, URI_LENGTH_MAX}).length, 0);
    arena_clear(&arena);
    assert_false(uri_parse((struct text){text, URI_LENGTH_MAX + 1}, &uri));
}

static void one_address_has_one_key(void **state)
{
    (void)state;
    assert_canonical("sip:bob@example.net", "sip:bob@example.net");
    assert_canonical("SIPS:bob@Example.NET:5061;transport=tls?x=y", "sip:bob@example.net");
    assert_canonical("im:bob@example.net", "sip:bob@example.net");
    assert_canonical("pres:bob@example.net", "sip:bob@example.net");
    assert_canonical("sip:bob:secret@example.net", "sip:bob@example.net");
    assert_canonical("sip:%62ob%2d1@example.net", "sip:bob-1@example.net");
    assert_canonical("sip:Bob@example.net", "sip:Bob@example.net");
    assert_canonical("sip:a%3bb@x", "sip:a%3Bb@x");
    assert_canonical("sip:a;b@x", "sip:a;b@x");
    assert_canonical("sip:a%40b@x", "sip:a%40b@x");
    assert_canonical("sip:Example.NET.", "sip:example.net");
    assert_canonical("sip:a@[2001:DB8:0::1]:5060", "sip:a@[2001:db8::1]");
    assert_canonical("sip:+1-201@x;user=phone", "sip:+1-201@x");
    assert_canonical("TEL:+1-(201).555", "tel:+1201555");
    assert_canonical("tel:70-42;phone-context=Example.COM", "tel:7042;phone-context=example.com");
    assert_canonical("tel:70-42;phone-context=+1-2", "tel:7042;phone-context=+12");
    assert_canonical("tel:+1201;phone-context=x", "tel:+1201");
    assert_canonical("tel:12;phone-context=X..", "tel:12;phone-context=x..");
    assert_canonical("tel:*31#12A", "tel:*31#12a");
    assert_canonical("nonsense", "");
}

/* In capitals no short way is taken: both ways lead to one key. */
static void the_short_way_to_a_key_leads_where_the_long_one_does(void **state)
{
    (void)state;
    static const char *const rest[] = {
        "bob@example.net",
        "b@x",
        "Bob.B-1_2@x-1.y",
        "b@x.",
        "b@.x",
        "b@x..y",
        "b@-x-",
        "b@",
        "@x",
        "bob",
        "b@x:5060",
        "b@x;a=b",
        "b@x?a=b",
        "b:p@x",
        "b@X.net",
        "b@x_y",
        "b%62@x",
        "b@127.0.0.1",
        "b@[::1]",
        "b@x@y",
        "+49@x",
        "b@x/y",
        "b b@x",
        "a@b.c.d.e",
    };
    struct arena arena;
    arena_init(&arena, "test");
    for (size_t i = 0; i < sizeof(rest) / sizeof(rest[0]); i++) {
        struct text short_way = uri_canonical(&arena, text_format(&arena, "sip:%s", rest[i]));
        struct text long_way = uri_canonical(&arena, text_format(&arena, "SIP:%s", rest[i]));
        if (!text_equal(short_way, long_way))
            fail_msg("%s: %.*s and %.*s", rest[i], TEXT_ARG(short_way), TEXT_ARG(long_way));
    }
    arena_clear(&arena);
}

static void the_domain_is_the_host_of_the_key(void **state)
{
    (void)state;
    assert_text(uri_domain(text_of("sip:bob@example.net")), "example.net");
    assert_text(uri_domain(text_of("sip:bob@[::1]")), "::1");
    assert_text(uri_domain(text_of("tel:+12")), "");
}

static void parameters_are_found_by_name_in_any_case(void **state)
{
    (void)state;
    struct text value;
    struct text list = text_of("Transport=tcp;lr;x=\"a;b=\\\"c\" ; tag = 1");
    assert_true(uri_parameter(list, text_of("transport"), &value));
    assert_text(value, "tcp");
    assert_true(uri_parameter(list, text_of("LR"), &value));
    assert_text(value, "");
    assert_true(uri_parameter(list, text_of("x"), &value));
    assert_text(value, "a;b=\\\"c");
    assert_true(uri_parameter(list, text_of("tag"), &value));
    assert_text(value, "1");
    assert_false(uri_parameter(list, text_of("b"), &value));
    assert_false(uri_parameter(text_of(""), text_of("b"), &value));
    assert_false(uri_parameter(text_of("a=\"open;b=1"), text_of("b"), &value));
}

static void parameters_are_walked_as_they_are_written(void **state)
{
    (void)state;
    struct text rest = text_of("a;b = 1 ;;c=\"x;y=\\\"\"; d=\"open"), name, value;
    static const char *const expected[][2] = {{"a", ""}, {"b", "1"}, {"", ""}, {"c", "\"x;y=\\\"\""}};
    for (size_t i = 0; i < 4; i++) {
        assert_true(uri_parameter_next(&rest, &name, &value));
        assert_text(name, expected[i][0]);
        assert_text(value, expected[i][1]);
    }
    assert_false(uri_parameter_next(&rest, &name, &value));
}

static void assert_name_addr(const char *text, const char *display, const char *uri, const char *parameters,
                             const char *rest)
{
    struct name_addr address;
    struct text after;
    if (!name_addr_parse(text_of(text), &address, &after))
        fail_msg("'%s' was not read", text);
    assert_text(address.display, display);
    assert_text(address.uri, uri);
    assert_text(address.parameters, parameters);
    assert_text(after, rest);
}

static void names_may_hold_every_delimiter_in_quotes(void **state)
{
    (void)state;
    assert_name_addr("\"Bob\" <sip:bob@x;a=b>;tag=1", "Bob", "sip:bob@x;a=b", "tag=1", "");
    assert_name_addr("\"B, <o> \\\"b\\\\\"<sip:bob@x>", "B, <o> \\\"b\\\\", "sip:bob@x", "", "");
    assert_name_addr("Bob  B. <sip:bob@x> ; tag=1", "Bob  B.", "sip:bob@x", "tag=1", "");
    assert_name_addr("<sip:a,b@x>", "", "sip:a,b@x", "", "");
    assert_name_addr("sip:bob@x;tag=1", "", "sip:bob@x", "tag=1", "");
    assert_name_addr(" sip:bob@x , <sip:c@y>;q=\"1,2\", sip:d@z", "", "sip:bob@x", "", "<sip:c@y>;q=\"1,2\", sip:d@z");
    assert_name_addr("<sip:c@y>;q=\"1,2\";p, sip:d@z", "", "sip:c@y", "q=\"1,2\";p", "sip:d@z");
}

static void a_broken_name_addr_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "  ",
        "\"Bob <sip:a@x>",
        "\"Bob\" sip:a@x",
        "Bob <sip:a@x",
        "<>",
        "< sip:a@x>",
        "<sip:a@x> tag",
        "sip:a @x",
        "Bo\"b <sip:a@x>",
        "sip:a@x;t=\"u",
        "<sip:a@x>\r\nX: y",
        ";tag=1",
        ",sip:a@x",
        "<sip:a<b@x>",
        "\"a\\\"",
    };
    struct name_addr address;
    struct text rest;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (name_addr_parse(text_of(bad[i]), &address, &rest))
            fail_msg("'%s' was taken for a name-addr", bad[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_uri_is_split_into_its_parts),
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(a_uri_over_the_limit_is_refused),
        cmocka_unit_test(one_address_has_one_key),
        cmocka_unit_test(the_short_way_to_a_key_leads_where_the_long_one_does),
        cmocka_unit_test(the_domain_is_the_host_of_the_key),
        cmocka_unit_test(parameters_are_found_by_name_in_any_case),
        cmocka_unit_test(parameters_are_walked_as_they_are_written),
        cmocka_unit_test(names_may_hold_every_delimiter_in_quotes),
        cmocka_unit_test(a_broken_name_addr_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
