/* Answers of the domain name system, read from bytes as servers send them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "assert_text.h"
#include "dns.h"
#include "test_arena.h"

/* A header with one question for "a.b", so many answers, and the answers; names point to offset 12. */
#define QUESTION "\1a\1b\0\0\x21\0\1"

static struct dns_answer read(char rcode, char answers, char authorities, const char *records, size_t length,
                              enum dns_type type)
{
    struct text_builder message;
    struct dns_answer answer;
    const char header[12] = {0, 1, (char)0x81, rcode, 0, 1, 0, answers, 0, authorities, 0, 0};
    builder_init(&message, &arena);
    builder_add(&message, (struct text){header, sizeof(header)});
    builder_add(&message, (struct text){QUESTION, sizeof(QUESTION) - 1});
    builder_add(&message, (struct text){records, length});
    struct text bytes = builder_text(&message);
    dns_answer_read(bytes.bytes, bytes.length, type, &arena, &answer);
    return answer;
}

#define READ(rcode, answers, authorities, records, type)                                                               \
    read(rcode, answers, authorities, records, sizeof(records) - 1, type)

#define SRV_RECORD   "\xc0\x0c\0\x21\0\1\0\0\0\x3c\0\x0a\0\1\0\2\x13\xc4\1H\xc0\x0c"
#define NAPTR_RECORD "\xc0\x0c\0\x23\0\1\0\0\0\x1e\0\x16\0\5\0\6\1s\7SIP+D2T\0\4_tcp\xc0\x0c"
#define CNAME_RECORD "\xc0\x0c\0\5\0\1\0\0\0\x0a\0\2\xc0\x0c"
#define SOA_RECORD   "\xc0\x0c\0\6\0\1\0\0\0\x63\0\x16\0\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\x14"

static void servers_of_a_service_are_read(void **state)
{
    (void)state;
    struct dns_answer answer = READ(0, 2, 0, CNAME_RECORD SRV_RECORD, DNS_SRV);
    assert_int_equal(answer.outcome, DNS_FOUND);
    assert_int_equal(answer.ttl_s, 10); /* of the alias on the way */
    assert_int_equal(answer.count, 1);
    assert_int_equal(answer.records[0].priority, 1);
    assert_int_equal(answer.records[0].weight, 2);
    assert_int_equal(answer.records[0].port, 5060);
    assert_text(answer.records[0].target, "h.a.b");
}

static void services_of_a_domain_are_read(void **state)
{
    (void)state;
    struct dns_answer answer = READ(0, 1, 0, NAPTR_RECORD, DNS_NAPTR);
    assert_int_equal(answer.outcome, DNS_FOUND);
    assert_int_equal(answer.ttl_s, 30);
    assert_int_equal(answer.records[0].order, 5);
    assert_int_equal(answer.records[0].preference, 6);
    assert_text(answer.records[0].flags, "s");
    assert_text(answer.records[0].service, "SIP+D2T");
    assert_text(answer.records[0].substitution, "");
    assert_text(answer.records[0].target, "_tcp.a.b");
}

static void what_is_not_there_is_remembered_as_long_as_it_says(void **state)
{
    (void)state;
    struct dns_answer answer = READ(3, 0, 1, SOA_RECORD, DNS_SRV);
    assert_int_equal(answer.outcome, DNS_NONE);
    assert_int_equal(answer.ttl_s, 20);
    answer = READ(0, 0, 0, "", DNS_NAPTR);
    assert_int_equal(answer.outcome, DNS_NONE);
    assert_int_equal(answer.ttl_s, DNS_NONE_TTL_S);
}

static void a_server_that_fails_has_said_nothing(void **state)
{
    (void)state;
    assert_int_equal(READ(2, 0, 0, "", DNS_SRV).outcome, DNS_UNKNOWN);
    assert_int_equal(READ(5, 0, 0, "", DNS_SRV).outcome, DNS_UNKNOWN);
}

static void what_is_cut_off_is_not_read(void **state)
{
    (void)state;
    const char whole[] = SRV_RECORD SRV_RECORD NAPTR_RECORD;
    for (size_t length = 0; length < sizeof(whole) - 1; length++) {
        assert_true(read(0, 3, 0, whole, length, DNS_SRV).count <= 2);
        assert_true(read(0, 3, 0, whole, length, DNS_NAPTR).count == 0);
    }
    assert_int_equal(READ(0, 1, 0, "\xc0\x0c\0\x21\0\1\0\0\0\x3c\0\6\0\1\0\2\x13\xc4", DNS_SRV).count, 0);
    assert_int_equal(READ(0, 1, 0, "\xc0\x0c\0\x23\0\1\0\0\0\x1e\0\6\0\5\0\6\x9s", DNS_NAPTR).count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(servers_of_a_service_are_read, begin, end),
        cmocka_unit_test_setup_teardown(services_of_a_domain_are_read, begin, end),
        cmocka_unit_test_setup_teardown(what_is_not_there_is_remembered_as_long_as_it_says, begin, end),
        cmocka_unit_test_setup_teardown(a_server_that_fails_has_said_nothing, begin, end),
        cmocka_unit_test_setup_teardown(what_is_cut_off_is_not_read, begin, end),
    };
    return cmocka_run_group_tests_name("dns", tests, NULL, NULL);
}
