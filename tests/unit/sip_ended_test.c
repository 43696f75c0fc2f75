/* What is left of answered requests: each repetition gets its own answer back for as long as the standard says,
 * whatever number of others comes and goes, and all memory goes with them. */
#include "sip_bench.h"

#include "../../im-glue/sip/sip_agent_private.h"

#define ABSORBED_MS 32000

struct number {
    uint64_t value;
    int64_t answered_ms;
};

static struct text numbered(uint64_t number, const char *branch)
{
    return text_format(&arena,
                       "MESSAGE sip:b@x SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK%s%llu;rport\r\n"
                       "From: <sip:a@x>;tag=f\r\nTo: <sip:b@x>\r\nCall-ID: %llu\r\nCSeq: 1 MESSAGE\r\n\r\n",
                       branch, (unsigned long long)number, (unsigned long long)number);
}

static struct flow peer_of(uint64_t number)
{
    struct flow peer = {.kind = FLOW_UDP};
    assert_true(flow_set_peer(&peer, number % 2 ? "192.0.2.1" : "2001:db8::1", (uint16_t)(1024 + number % 60000)));
    return peer;
}

static void take_and_answer(uint64_t number, int64_t now_ms)
{
    struct flow peer = peer_of(number);
    struct sip_message *request;
    sip_agent_tick(agent, now_ms);
    input(numbered(number, "a"), &peer, now_ms);
    uint64_t transaction = expect_request("MESSAGE", &request);
    struct text tag = text_format(&arena, "t%llu", (unsigned long long)number);
    sip_agent_respond(agent, transaction, sip_response_new(request, 202, NULL, tag), now_ms);
    sip_message_free(request);
    expect_output("SIP/2.0 202 ");
}

static void expect_answer_again(uint64_t number, int64_t now_ms)
{
    struct flow peer = peer_of(number);
    input(numbered(number, "a"), &peer, now_ms);
    const char *answered = output();
    assert_non_null(answered);
    assert_non_null(
        strstr(answered, text_cstring(&arena, text_format(&arena, ";tag=t%llu\r\n", (unsigned long long)number))));
    assert_int_equal(flow_port(&last_flow), 1024 + number % 60000);
    assert_int_equal(last_flow.peer.ss_family, peer.peer.ss_family);
    expect_nothing();
}

static void expect_its_answer(uint64_t number, int64_t now_ms)
{
    struct flow peer = peer_of(number);
    expect_answer_again(number, now_ms);
    input(numbered(number, "b"), &peer, now_ms); /* by another way */
    expect_output("SIP/2.0 482 ");
    expect_nothing();
}

static void each_gets_its_own_answer_while_thousands_come_and_go_in_waves(void **state)
{
    (void)state;
    enum { WAVES = 6, MOST = 12000 };
    static const int counts[WAVES] = {1, MOST, 20, 3000, MOST / 2, 5};
    static struct number live[WAVES * MOST];
    size_t first = 0, end = 0;
    for (int wave = 0; wave < WAVES; wave++) {
        for (int i = 0; i < counts[wave]; i++) {
            int64_t now_ms = wave * 20000 + (int64_t)i * 10000 / counts[wave];
            live[end] = (struct number){end + 1, now_ms};
            take_and_answer(live[end++].value, now_ms);
            while (live[first].answered_ms + ABSORBED_MS <= now_ms)
                first++;
            assert_int_equal(sip_agent_transactions(agent), end - first);
            assert_int_equal(sip_agent_deadline(agent), live[first].answered_ms + ABSORBED_MS);
            if (i % 50 == 0) {
                expect_its_answer(live[first].value, now_ms);
                expect_its_answer(live[first + (end - first) / 3].value, now_ms);
                expect_its_answer(live[end - 1].value, now_ms);
            }
            arena_reset(&arena);
        }
        /* Some 250 bytes each and as much for tables that come and go, and what lies in segments with others. */
        assert_true(sip_agent_bytes(agent) < (end - first) * 500 + (512u << 10));
    }
    sip_agent_tick(agent, WAVES * 20000 + ABSORBED_MS);
    assert_int_equal(sip_agent_transactions(agent), 0);
    assert_int_equal(sip_agent_bytes(agent), 0);
    assert_int_equal(sip_agent_deadline(agent), INT64_MAX);
    take_and_answer(1, WAVES * 20000 + ABSORBED_MS); /* it is a new one now */
}

static void when_one_has_ended_those_beside_it_have_not(void **state)
{
    (void)state;
    take_and_answer(1, 1000);
    take_and_answer(2, 1001);
    take_and_answer(3, 1001);
    sip_agent_tick(agent, 1000 + ABSORBED_MS);
    assert_int_equal(sip_agent_transactions(agent), 2);
    expect_its_answer(2, 1000 + ABSORBED_MS);
    expect_its_answer(3, 1000 + ABSORBED_MS);
    take_and_answer(1, 1000 + ABSORBED_MS);
    assert_int_equal(sip_agent_deadline(agent), 1001 + ABSORBED_MS);
    sip_agent_tick(agent, 1001 + ABSORBED_MS);
    assert_int_equal(sip_agent_transactions(agent), 1);
    expect_its_answer(1, 1001 + ABSORBED_MS);
}

static void a_clock_that_goes_back_ends_nothing_early(void **state)
{
    (void)state;
    take_and_answer(1, 5000);
    take_and_answer(2, 1000);
    sip_agent_tick(agent, 4999 + ABSORBED_MS);
    expect_its_answer(1, 4999 + ABSORBED_MS);
    expect_its_answer(2, 4999 + ABSORBED_MS);
    sip_agent_tick(agent, 5000 + ABSORBED_MS);
    assert_int_equal(sip_agent_transactions(agent), 0);
}

static void an_answer_of_any_size_is_given_again(void **state)
{
    (void)state;
    enum { BIG = 700000 };
    static char body[BIG];
    memset(body, 'x', sizeof(body));
    struct flow peer = peer_of(2);
    struct sip_message *request;
    take_and_answer(1, 0);
    input(numbered(2, "a"), &peer, 0);
    uint64_t transaction = expect_request("MESSAGE", &request);
    struct sip_message *response = sip_response_new(request, 200, NULL, TEXT("t2"));
    sip_body_set(response, TEXT("text/plain"), (struct text){body, sizeof(body)});
    sip_agent_respond(agent, transaction, response, 0);
    sip_message_free(request);
    expect_output("SIP/2.0 200 ");
    take_and_answer(3, 0);
    expect_its_answer(1, 10);
    expect_its_answer(3, 10);
    struct sip_output again;
    input(numbered(2, "a"), &peer, 20);
    assert_true(sip_agent_output(agent, &again));
    assert_true(again.bytes.length > BIG);
    assert_memory_equal(again.bytes.bytes + again.bytes.length - BIG, body, BIG);
    expect_its_answer(2, 30);
    assert_true(sip_agent_bytes(agent) > BIG);
    sip_agent_tick(agent, ABSORBED_MS);
    assert_int_equal(sip_agent_bytes(agent), 0);
}

static void what_was_answered_counts_for_the_limit(void **state)
{
    (void)state;
    struct sip_agent_settings settings = SIP_AGENT_SETTINGS_STANDARD;
    settings.bytes_max = 1u << 20;
    sip_agent_free(agent);
    agent = sip_agent_new(&settings);
    uint64_t number = 0;
    while (sip_agent_bytes(agent) < settings.bytes_max) {
        take_and_answer(++number, 0);
        arena_reset(&arena);
    }
    assert_true(number > 1000);
    struct flow peer = peer_of(1);
    input(numbered(number + 1, "a"), &peer, 0);
    expect_output("SIP/2.0 503 ");
    expect_answer_again(1, 100);
    expect_answer_again(number, 100);
    sip_agent_tick(agent, ABSORBED_MS);
    take_and_answer(number + 1, ABSORBED_MS);
}

/* --- hashes that nobody can choose, and that come by chance hardly ever ------------------------------------------ */

enum { BUCKETS = 64, SLOTS = 7 }; /* of the smallest table */

static struct text_fingerprint key_in(unsigned bucket, uint64_t number)
{
    return (struct text_fingerprint){.low = (uint64_t)1 << 32 | bucket, .high = number};
}

static void add_in(unsigned key_bucket, unsigned mark_bucket, uint64_t number, int64_t now_ms)
{
    struct transaction transaction = {.flow = {.kind = FLOW_UDP},
                                      .key = key_in(key_bucket, number),
                                      .in_merge_table = true,
                                      .merge_hash = key_in(mark_bucket, 0).low};
    ended_add(agent, &transaction, TEXT("x"), now_ms);
}

/* All slots from one to another, two with each. */
static void fill_slots(unsigned first, unsigned end, uint64_t *number, int64_t now_ms)
{
    for (unsigned slot = first; slot < end; slot += 2)
        add_in(slot / SLOTS, (slot + 1) / SLOTS, (*number)++, now_ms);
}

/* Two that found no room went through two thirds and one third of the table; the first filled its last two slots. */
static void a_search_ends_although_all_buckets_overflowed(void **state)
{
    (void)state;
    const unsigned part = 44;
    uint64_t number = 0;
    fill_slots(0, part * SLOTS, &number, 0);
    add_in(0, 0, 1000, 1);
    sip_agent_tick(agent, ABSORBED_MS);
    assert_int_equal(sip_agent_transactions(agent), 1);
    fill_slots(part * SLOTS + 2, BUCKETS * SLOTS, &number, ABSORBED_MS);
    add_in(part, part, 1001, ABSORBED_MS);
    for (unsigned bucket = 0; bucket < BUCKETS; bucket++) {
        struct text_fingerprint unknown = key_in(bucket, 2000);
        assert_null(ended_find(agent, &unknown));
    }
    struct text_fingerprint first = key_in(0, 1000), last = key_in(part, 1001);
    assert_non_null(ended_find(agent, &first));
    assert_non_null(ended_find(agent, &last));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        AGENT_TEST(each_gets_its_own_answer_while_thousands_come_and_go_in_waves),
        AGENT_TEST(when_one_has_ended_those_beside_it_have_not),
        AGENT_TEST(a_clock_that_goes_back_ends_nothing_early),
        AGENT_TEST(an_answer_of_any_size_is_given_again),
        AGENT_TEST(what_was_answered_counts_for_the_limit),
        AGENT_TEST(a_search_ends_although_all_buckets_overflowed),
    };
    return cmocka_run_group_tests(tests, open_module, NULL);
}
