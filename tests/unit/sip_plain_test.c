/* What the short way takes, the library takes too: values put together at random out of parts that both may meet. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <setjmp.h>

#include <cmocka.h>
#include <osipparser2/osip_parser.h>

#include "../../im-glue/sip/sip_message_private.h"
#include "xorshift.h"

#define VALUES    1000000
#define VALUE_MAX 512

static uint64_t state = 0x2545f4914f6cdd1d;

static size_t below(size_t limit)
{
    return (size_t)(xorshift(&state) % limit);
}

/* Up to `most` of the parts, after each other. */
static struct text join(char value[VALUE_MAX], const char *const *parts, size_t count, size_t most)
{
    size_t length = 0;
    for (size_t i = below(most) + 1; i > 0; i--) {
        struct text part = text_of(parts[below(count)]);
        assert_true(length + part.length < VALUE_MAX);
        memcpy(value + length, part.bytes, part.length);
        length += part.length;
    }
    value[length] = '\0';
    return (struct text){value, length};
}

static const char *const address_parts[] = {
    "<sip:",       "alice", "@",     "example.com", ":5060", ">",   ";tag=", "1f.2_-~", ";",           ";lr",
    "\"Ann B.\" ", "<",     "=",     "sips:",       ";a=b",  ";ob", "%41",   " ",       "?a=b",        "a!*",
    "192.0.2.1",   ":",     "[::1]", "sip:x@y>",    "0",     ":0",  "@@",    "\"",      "<sip:b@host>"};
static const char *const via_parts[] = {"SIP/2.0/",
                                        "UDP",
                                        "TCP",
                                        " ",
                                        "example.com",
                                        "192.0.2.1",
                                        ":5060",
                                        ":",
                                        ";branch=",
                                        "z9hG4bKa",
                                        ";rport",
                                        ";received=",
                                        ";",
                                        "=",
                                        "SIP/2.0/UDP ",
                                        "[::1]",
                                        "SIP/2.0/TLS a;rport",
                                        "70000",
                                        ":0",
                                        "a.b-",
                                        "~!*+"};
static const char *const other_parts[] = {"text",  "/", "plain", ";charset=",    "utf-8",          "@", "a1~", "=",
                                          "\"x\"", " ", ";",     "message/cpim", "f81d@192.0.2.1", "*"};

/* …with this tag. */
static bool library_reads_address(const char *value, struct text tag)
{
    osip_from_t *address;
    osip_generic_param_t *found = NULL;
    char name[] = "tag";
    osip_from_init(&address);
    bool good = osip_from_parse(address, value) == OSIP_SUCCESS && address->url;
    if (good)
        osip_from_param_get_byname(address, name, &found);
    good = good && text_equal(found ? text_of(found->gvalue) : TEXT(""), tag);
    osip_from_free(address);
    return good;
}

static void plain_addresses_are_addresses_to_the_library(void **unused)
{
    char value[VALUE_MAX];
    size_t taken = 0, tagged = 0;
    (void)unused;
    for (size_t i = 0; i < VALUES; i++) {
        struct text text = join(value, address_parts, sizeof(address_parts) / sizeof(address_parts[0]), 9);
        struct text tag;
        if (!sip_plain_address(text, &tag))
            continue;
        assert_true(library_reads_address(value, tag));
        taken++;
        tagged += tag.length > 0;
    }
    assert_true(taken > 5 && tagged > 0);
}

static void plain_uris_are_uris_to_the_library(void **unused)
{
    char value[VALUE_MAX];
    size_t taken = 0;
    (void)unused;
    for (size_t i = 0; i < VALUES; i++) {
        osip_uri_t *uri;
        struct text text = join(value, address_parts, sizeof(address_parts) / sizeof(address_parts[0]), 7);
        if (!sip_plain_uri(text))
            continue;
        osip_uri_init(&uri);
        assert_int_equal(osip_uri_parse(uri, value), OSIP_SUCCESS);
        assert_non_null(uri->host);
        osip_uri_free(uri);
        taken++;
    }
    assert_true(taken > 5);
}

static void a_plain_via_has_the_parts_that_the_library_finds(void **unused)
{
    char value[VALUE_MAX];
    size_t taken = 0;
    (void)unused;
    for (size_t i = 0; i < VALUES; i++) {
        osip_via_t *via;
        struct sip_via parts;
        osip_generic_param_t *branch = NULL, *rport = NULL;
        char name[] = "branch", rport_name[] = "rport";
        uint64_t port = 0;
        struct text text = join(value, via_parts, sizeof(via_parts) / sizeof(via_parts[0]), 9);
        if (!sip_plain_via(text, &parts))
            continue;
        osip_via_init(&via);
        assert_int_equal(osip_via_parse(via, value), OSIP_SUCCESS);
        assert_true(text_equal(parts.host, text_of(via->host)));
        assert_true(!via->port || text_to_u64(text_of(via->port), &port));
        assert_int_equal(parts.port, port);
        osip_via_param_get_byname(via, name, &branch);
        assert_true(text_equal(branch ? text_of(branch->gvalue) : TEXT(""), parts.branch));
        osip_via_param_get_byname(via, rport_name, &rport);
        assert_int_equal(parts.wants_port, rport != NULL);
        osip_via_free(via);
        taken++;
    }
    assert_true(taken > 5);
}

static void plain_identifiers_and_types_are_such_to_the_library(void **unused)
{
    char value[VALUE_MAX];
    size_t ids = 0, types = 0;
    (void)unused;
    for (size_t i = 0; i < VALUES; i++) {
        struct text text = join(value, other_parts, sizeof(other_parts) / sizeof(other_parts[0]), 6);
        if (sip_plain_call_id(text)) {
            osip_call_id_t *call_id;
            osip_call_id_init(&call_id);
            assert_int_equal(osip_call_id_parse(call_id, value), OSIP_SUCCESS);
            osip_call_id_free(call_id);
            ids++;
        }
        if (sip_plain_content_type(text)) {
            osip_content_type_t *type;
            osip_content_type_init(&type);
            assert_int_equal(osip_content_type_parse(type, value), OSIP_SUCCESS);
            assert_true(type->type && type->subtype);
            osip_content_type_free(type);
            types++;
        }
    }
    assert_true(ids > 20 && types > 20);
}

static void what_phones_write_is_plain(void **unused)
{
    struct sip_via via;
    struct text tag;
    (void)unused;
    assert_true(sip_plain_address(TEXT("\"Alice B.\" <sip:alice@example.com;transport=tcp>;tag=a1-b2.c3"), &tag));
    assert_true(text_equal(tag, TEXT("a1-b2.c3")));
    assert_true(sip_plain_address(TEXT("<sip:+15551234@192.0.2.1:5060>"), &tag));
    assert_int_equal(tag.length, 0);
    assert_true(sip_plain_uri(TEXT("sip:bob@example.com")));
    assert_true(sip_plain_via(TEXT("SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK-1.2;rport"), &via));
    assert_true(sip_plain_call_id(TEXT("a84b4c76e66710@pc33.example.com")));
    assert_true(sip_plain_content_type(TEXT("text/plain;charset=UTF-8")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_addresses_are_addresses_to_the_library),
        cmocka_unit_test(plain_uris_are_uris_to_the_library),
        cmocka_unit_test(a_plain_via_has_the_parts_that_the_library_finds),
        cmocka_unit_test(plain_identifiers_and_types_are_such_to_the_library),
        cmocka_unit_test(what_phones_write_is_plain),
    };
    sip_open();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
