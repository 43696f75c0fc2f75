/* Where requests go (RFC 3263): a small domain name system in the test says what there is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "assert_text.h"
#include "locator.h"
#include "test_arena.h"

/* A line for each record: "NAPTR example.net 10 50 s SIP+D2T _sip._tcp.example.net", "SRV _sip._tcp.example.net 1 0
 * 5060 a.example.net", "A a.example.net 192.0.2.1"; "unknown NAME": no server says. */
static const char *const *zone;
static struct locator *locator;
static size_t asked;
static int64_t now_ms, ttl_s;

static struct text word(struct text *line)
{
    struct text first;
    text_cut(*line, ' ', &first, line);
    return first;
}

static uint16_t number(struct text *line)
{
    uint64_t value = 0;
    assert_true(text_to_u64(word(line), &value));
    return (uint16_t)value;
}

static bool read_record(struct text line, const struct dns_question *question, struct dns_record *record_out)
{
    struct text type = word(&line);
    *record_out = (struct dns_record){0};
    if (!text_equal(type, question->type == DNS_ADDRESSES ? TEXT("A") : text_of(dns_type_name(question->type))) ||
        !text_equal(word(&line), question->name))
        return false;
    if (question->type == DNS_ADDRESSES) {
        struct flow flow = {0};
        assert_true(flow_set_peer(&flow, text_cstring(&arena, line), 0));
        record_out->address = flow.peer;
    } else if (question->type == DNS_SRV) {
        record_out->priority = number(&line);
        record_out->weight = number(&line);
        record_out->port = number(&line);
        record_out->target = line;
    } else {
        record_out->order = number(&line);
        record_out->preference = number(&line);
        record_out->flags = word(&line);
        record_out->service = word(&line);
        record_out->target = line;
    }
    return true;
}

static void answer(const struct dns_question *question)
{
    struct dns_record records[DNS_RECORDS_MAX];
    struct dns_answer answer = {.outcome = DNS_NONE, .ttl_s = ttl_s, .records = records};
    asked++;
    for (const char *const *line = zone; *line; line++) {
        answer.count += read_record(text_of(*line), question, &records[answer.count]);
        if (text_equal(text_of(*line), text_format(&arena, "unknown %.*s", TEXT_ARG(question->name))))
            answer.outcome = DNS_UNKNOWN;
        if (text_equal(text_of(*line), text_format(&arena, "silent %.*s", TEXT_ARG(question->name))))
            return;
    }
    if (answer.count)
        answer.outcome = DNS_FOUND;
    locator_answer(locator, question->number, &answer, now_ms);
}

static void answer_all(void)
{
    struct dns_question question;
    while (locator_question(locator, &question)) {
        question.name = text_copy(&arena, question.name);
        answer(&question);
    }
}

static struct text result_text(void)
{
    static const char *const outcomes[] = {"found", "nowhere", "unknown"};
    struct locator_result result;
    struct text_builder line;
    builder_init(&line, &arena);
    if (!locator_result(locator, &result))
        return TEXT("no result");
    if (result.count == 0)
        return text_of(outcomes[result.outcome]);
    for (size_t i = 0; i < result.count; i++)
        builder_add_format(&line, "%s%s %.*s", i ? ", " : "", flow_kind_name(result.targets[i].kind),
                           TEXT_ARG(flow_peer_text(&result.targets[i], &arena)));
    return builder_text(&line);
}

static void expect(const char *uri, const char *targets)
{
    locator_find(locator, text_of(uri), 7, now_ms);
    answer_all();
    assert_text(result_text(), targets);
    assert_text(result_text(), "no result");
}

static void use(const char *const *lines, const struct locator_settings *settings)
{
    locator_free(locator);
    zone = lines;
    locator = locator_new(settings);
}

static int set_up(void **state)
{
    static const struct locator_settings all = {{FLOW_TLS, FLOW_TCP, FLOW_UDP}, 3, true, 10000, 86400000, 1000};
    now_ms = 1000;
    ttl_s = 60;
    asked = 0;
    use((const char *const[]){NULL}, &all);
    return begin(state);
}

static int tear_down(void **state)
{
    locator_free(locator);
    locator = NULL;
    return end(state);
}

static void an_address_needs_no_question(void **state)
{
    (void)state;
    expect("sip:bob@192.0.2.7", "UDP 192.0.2.7:5060");
    expect("sips:bob@192.0.2.7", "TLS 192.0.2.7:5061");
    expect("sip:bob@192.0.2.7:5070;transport=tcp", "TCP 192.0.2.7:5070");
    expect("sips:bob@192.0.2.7:5071;transport=tcp", "TLS 192.0.2.7:5071");
    expect("sip:bob@[2001:db8::7];transport=tls", "TLS [2001:db8::7]:5061");
    expect("sip:bob@example.net;maddr=192.0.2.8", "UDP 192.0.2.8:5060");
    assert_int_equal(asked, 0);
}

static const char *const plain[] = {"A example.net 192.0.2.1", "A example.net 2001:db8::1", NULL};

static void a_port_or_nothing_else_leads_to_addresses(void **state)
{
    static const struct locator_settings all = {{FLOW_TLS, FLOW_TCP, FLOW_UDP}, 3, true, 10000, 86400000, 1000};
    (void)state;
    use(plain, &all);
    expect("sip:bob@example.net:5080", "UDP [2001:db8::1]:5080, UDP 192.0.2.1:5080");
    assert_int_equal(asked, 1);
    expect("sips:bob@Example.NET.:5080", "TLS [2001:db8::1]:5080, TLS 192.0.2.1:5080");
    expect("sip:bob@example.net", "UDP [2001:db8::1]:5060, UDP 192.0.2.1:5060");
    expect("sips:bob@example.net", "TLS [2001:db8::1]:5061, TLS 192.0.2.1:5061");
    expect("sip:bob@example.net;transport=tcp", "TCP [2001:db8::1]:5060, TCP 192.0.2.1:5060");
    expect("sip:bob@nowhere.example", "nowhere");
    expect("sip:bob@example.net;transport=ws", "nowhere");
    expect("tel:+15550100", "nowhere");
}

static const char *const full[] = {"NAPTR example.net 20 10 s SIP+D2U _sip._udp.example.net",
                                   "NAPTR example.net 10 50 s SIP+D2T _sip._tcp.example.net",
                                   "NAPTR example.net 10 40 s SIPS+D2T _sips._tcp.example.net",
                                   "NAPTR example.net 1 1 s SIP+D2S _sip._sctp.example.net",
                                   "NAPTR example.net 1 1 u E2U+email example.net",
                                   "SRV _sip._udp.example.net 1 0 5060 b.example.net",
                                   "SRV _sip._tcp.example.net 2 0 5062 b.example.net",
                                   "SRV _sip._tcp.example.net 1 0 5061 a.example.net",
                                   "SRV _sips._tcp.example.net 1 0 5063 a.example.net",
                                   "A a.example.net 192.0.2.1",
                                   "A b.example.net 192.0.2.2",
                                   NULL};

static void the_domain_says_which_transport_first(void **state)
{
    static const struct locator_settings all = {{FLOW_TLS, FLOW_TCP, FLOW_UDP}, 3, true, 10000, 86400000, 1000};
    static const struct locator_settings without_tls = {{FLOW_TCP, FLOW_UDP}, 2, true, 10000, 86400000, 1000};
    (void)state;
    use(full, &all);
    expect("sip:bob@example.net", "TLS 192.0.2.1:5063, TCP 192.0.2.1:5061, TCP 192.0.2.2:5062, UDP 192.0.2.2:5060");
    expect("sips:bob@example.net", "TLS 192.0.2.1:5063");
    expect("sip:bob@example.net;transport=tcp", "TCP 192.0.2.1:5061, TCP 192.0.2.2:5062");
    use(full, &without_tls);
    expect("sip:bob@example.net", "TCP 192.0.2.1:5061, TCP 192.0.2.2:5062, UDP 192.0.2.2:5060");
    expect("sips:bob@example.net", "nowhere");
}

static void without_naptr_services_are_tried_in_our_order(void **state)
{
    static const struct locator_settings all = {{FLOW_TLS, FLOW_TCP, FLOW_UDP}, 3, true, 10000, 86400000, 1000};
    static const char *const lines[] = {"SRV _sip._udp.example.net 1 0 5060 a.example.net",
                                        "SRV _sip._tcp.example.net 1 0 5061 a.example.net",
                                        "A a.example.net 192.0.2.1",
                                        "A example.net 192.0.2.9",
                                        "unknown example.net",
                                        NULL};
    (void)state;
    use(lines, &all);
    expect("sip:bob@example.net", "TCP 192.0.2.1:5061, UDP 192.0.2.1:5060");
}

static void weights_share_the_load(void **state)
{
    static const struct locator_settings all = {{FLOW_UDP}, 1, true, 10000, 86400000, 1000};
    static const char *const lines[] = {"SRV _sip._udp.example.net 1 90 5060 a.example.net",
                                        "SRV _sip._udp.example.net 1 10 5060 b.example.net",
                                        "SRV _sip._udp.example.net 2 0 5060 c.example.net",
                                        "A a.example.net 192.0.2.1",
                                        "A b.example.net 192.0.2.2",
                                        "A c.example.net 192.0.2.3",
                                        NULL};
    size_t first = 0;
    (void)state;
    use(lines, &all);
    for (int i = 0; i < 1000; i++) {
        locator_find(locator, TEXT("sip:bob@example.net"), 1, now_ms);
        answer_all();
        struct text text = result_text();
        assert_true(text_ends_with(text, TEXT(", UDP 192.0.2.3:5060")));
        first += text_starts_with(text, TEXT("UDP 192.0.2.1:"));
    }
    assert_in_range(first, 800, 970); /* 900 of 1000; a thousand tries are beyond this once in 10^13 */
    assert_int_equal(asked, 5);
}

static void a_service_that_is_not_there_is_not_looked_for_elsewhere(void **state)
{
    static const struct locator_settings all = {{FLOW_UDP}, 1, true, 10000, 86400000, 1000};
    static const char *const lines[] = {"SRV _sip._udp.example.net 0 0 0 ", "A example.net 192.0.2.1", NULL};
    (void)state;
    use(lines, &all);
    expect("sip:bob@example.net", "nowhere");
}

static void instant_messages_may_have_a_place_of_their_own(void **state)
{
    static const struct locator_settings all = {{FLOW_UDP}, 1, true, 10000, 86400000, 1000};
    static const char *const lines[] = {"SRV _im._sip.example.net 0 0 5090 im.example.net",
                                        "A im.example.net 192.0.2.5", "A example.net 192.0.2.1",
                                        "A example.org 192.0.2.2", NULL};
    (void)state;
    use(lines, &all);
    expect("im:bob@example.net", "UDP 192.0.2.5:5090");
    expect("sip:bob@example.net", "UDP 192.0.2.1:5060");
    expect("im:bob@example.org", "UDP 192.0.2.2:5060");
}

static void answers_are_good_as_long_as_they_say(void **state)
{
    static const struct locator_settings all = {{FLOW_UDP}, 1, true, 10000, 100000, 1000};
    (void)state;
    use(plain, &all);
    expect("sip:bob@example.net:5080", "UDP [2001:db8::1]:5080, UDP 192.0.2.1:5080");
    now_ms += 59999;
    expect("sip:bob@example.net:5080", "UDP [2001:db8::1]:5080, UDP 192.0.2.1:5080");
    assert_int_equal(asked, 1);
    now_ms += 1;
    ttl_s = 1000; /* more than is allowed */
    expect("sip:bob@example.net:5080", "UDP [2001:db8::1]:5080, UDP 192.0.2.1:5080");
    assert_int_equal(asked, 2);
    now_ms += 100000;
    ttl_s = 0; /* good for this one question */
    expect("sip:bob@example.net:5080", "UDP [2001:db8::1]:5080, UDP 192.0.2.1:5080");
    now_ms += 1;
    expect("sip:bob@example.net:5080", "UDP [2001:db8::1]:5080, UDP 192.0.2.1:5080");
    assert_int_equal(asked, 4);
}

static void who_failed_comes_last_for_a_while(void **state)
{
    static const struct locator_settings all = {{FLOW_TLS, FLOW_TCP, FLOW_UDP}, 3, true, 10000, 86400000, 1000};
    struct flow failed = {.kind = FLOW_TCP};
    (void)state;
    use(full, &all);
    assert_true(flow_set_peer(&failed, "192.0.2.1", 5061));
    locator_mark_failed(locator, &failed, now_ms);
    expect("sip:bob@example.net;transport=tcp", "TCP 192.0.2.2:5062, TCP 192.0.2.1:5061");
    now_ms += LOCATOR_FAILED_MS;
    expect("sip:bob@example.net;transport=tcp", "TCP 192.0.2.1:5061, TCP 192.0.2.2:5062");
}

static void silence_ends(void **state)
{
    static const struct locator_settings all = {{FLOW_UDP}, 1, true, 10000, 86400000, 1000};
    static const char *const lines[] = {"silent example.net", "unknown example.org", NULL};
    (void)state;
    use(lines, &all);
    expect("sip:bob@example.org", "unknown");
    assert_int_equal(locator_deadline(locator), INT64_MAX);
    locator_find(locator, TEXT("sip:bob@example.net"), 1, now_ms);
    answer_all();
    assert_int_equal(locator_deadline(locator), 11000);
    locator_tick(locator, 10999);
    assert_text(result_text(), "no result");
    locator_tick(locator, 11000);
    assert_text(result_text(), "unknown");
}

static void many_who_want_the_same_ask_once(void **state)
{
    static const struct locator_settings all = {{FLOW_UDP}, 1, true, 10000, 86400000, 1000};
    struct locator_figures figures;
    (void)state;
    use(plain, &all);
    for (int i = 0; i < 500; i++)
        locator_find(locator, TEXT("sip:bob@example.net:5080"), 1, now_ms);
    answer_all();
    for (int i = 0; i < 500; i++)
        assert_text(result_text(), "UDP [2001:db8::1]:5080, UDP 192.0.2.1:5080");
    assert_int_equal(asked, 1);
    locator_figures(locator, &figures);
    assert_int_equal(figures.searches, 0);
}

static void what_is_remembered_is_bounded(void **state)
{
    static const struct locator_settings all = {{FLOW_UDP}, 1, true, 10000, 86400000, 100};
    struct locator_figures figures;
    (void)state;
    use(plain, &all);
    for (int i = 0; i < 1000; i++)
        expect(text_cstring(&arena, text_format(&arena, "sip:bob@n%d.example:5060", i)), "nowhere");
    locator_figures(locator, &figures);
    assert_in_range(figures.entries, 1, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_address_needs_no_question, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_port_or_nothing_else_leads_to_addresses, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_domain_says_which_transport_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_naptr_services_are_tried_in_our_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(weights_share_the_load, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_service_that_is_not_there_is_not_looked_for_elsewhere, set_up, tear_down),
        cmocka_unit_test_setup_teardown(instant_messages_may_have_a_place_of_their_own, set_up, tear_down),
        cmocka_unit_test_setup_teardown(answers_are_good_as_long_as_they_say, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_failed_comes_last_for_a_while, set_up, tear_down),
        cmocka_unit_test_setup_teardown(silence_ends, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_who_want_the_same_ask_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_remembered_is_bounded, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("locator", tests, NULL, NULL);
}
