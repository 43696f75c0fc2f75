/* Requests that wait for their turn: who sends much does not keep the others from theirs, and what is more than the
 * queue holds is told to come later. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "sip_agent.h"

#define QUEUE_MAX 100

static struct sip_agent *agent;
static struct arena arena;

static int open_agent(void **unused)
{
    struct sip_agent_settings settings = SIP_AGENT_SETTINGS_STANDARD;
    (void)unused;
    settings.queue_max = QUEUE_MAX;
    arena_init(&arena, "test");
    agent = sip_agent_new(&settings);
    return 0;
}

static int close_agent(void **unused)
{
    (void)unused;
    sip_agent_free(agent);
    arena_clear(&arena);
    return 0;
}

static struct flow peer(uint16_t port)
{
    struct flow flow = {.kind = FLOW_UDP};
    flow_set_peer(&flow, "192.0.2.1", port);
    return flow;
}

static struct text request(const char *user, unsigned number)
{
    return text_format(&arena,
                       "MESSAGE sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK%s%u;rport\r\n"
                       "Max-Forwards: 70\r\nFrom: <sip:%s@example.com>;tag=%u\r\nTo: <sip:bob@example.com>\r\n"
                       "Call-ID: %s%u\r\nCSeq: 1 MESSAGE\r\nContent-Length: 0\r\n\r\n",
                       user, number, user, number, user, number);
}

static void send_from(const struct flow *flow, const char *user, unsigned number)
{
    sip_agent_input(agent, request(user, number), flow, 0);
}

/* Whose turn it is; the request is answered. Empty: nobody's. */
static struct text next_turn(void)
{
    struct sip_event event;
    struct text from = {0};
    if (!sip_agent_turn(agent, 0))
        return from;
    assert_true(sip_agent_event(agent, &event));
    assert_true(sip_header(event.message, "From", 0, &arena, &from));
    sip_agent_respond(agent, event.transaction, sip_response_new(event.message, 200, NULL, TEXT("tag")), 0);
    sip_message_free(event.message);
    return from;
}

static size_t count_answers(const char *status)
{
    struct sip_output output;
    size_t count = 0;
    while (sip_agent_output(agent, &output))
        count += text_starts_with(output.bytes, text_of(status));
    return count;
}

static void one_who_sends_little_has_the_second_turn(void **unused)
{
    struct flow flood = peer(1000), other = peer(2000);
    (void)unused;
    for (unsigned i = 0; i < 50; i++)
        send_from(&flood, "mallory", i);
    send_from(&other, "alice", 0);
    assert_int_equal(sip_agent_waiting(agent), 51);
    assert_true(text_starts_with(next_turn(), TEXT("<sip:mallory@")));
    assert_true(text_starts_with(next_turn(), TEXT("<sip:alice@")));
    for (unsigned i = 1; i < 50; i++)
        assert_true(text_starts_with(next_turn(), TEXT("<sip:mallory@")));
    assert_int_equal(next_turn().length, 0);
    assert_int_equal(count_answers("SIP/2.0 200"), 51);
}

static void what_is_more_than_the_queue_holds_is_told_when_to_come_again(void **unused)
{
    struct flow flood = peer(1000);
    struct sip_output output;
    size_t refused = 0;
    (void)unused;
    for (unsigned i = 0; i < QUEUE_MAX + 30; i++)
        send_from(&flood, "mallory", i);
    while (sip_agent_output(agent, &output)) {
        assert_true(text_starts_with(output.bytes, TEXT("SIP/2.0 503 ")));
        assert_true(text_find(output.bytes, TEXT("\r\nRetry-After: ")) < output.bytes.length);
        refused++;
    }
    assert_int_equal(refused, 30);
    assert_int_equal(sip_agent_turned_away(agent), 30);
    assert_int_equal(sip_agent_waiting(agent), QUEUE_MAX);
}

static void a_full_queue_makes_room_for_who_has_nothing_in_it(void **unused)
{
    struct flow flood = peer(1000), other = peer(2000);
    (void)unused;
    for (unsigned i = 0; i < QUEUE_MAX; i++)
        send_from(&flood, "mallory", i);
    send_from(&other, "alice", 0);
    assert_int_equal(count_answers("SIP/2.0 503"), 1);
    next_turn();
    assert_true(text_starts_with(next_turn(), TEXT("<sip:alice@")));
}

static void a_repeated_request_is_not_refused_while_it_waits(void **unused)
{
    struct flow flood = peer(1000);
    (void)unused;
    for (unsigned i = 0; i < QUEUE_MAX; i++)
        send_from(&flood, "mallory", i);
    send_from(&flood, "mallory", 7);
    assert_int_equal(count_answers("SIP/2.0 503"), 0);
    assert_int_equal(sip_agent_waiting(agent), QUEUE_MAX);
}

static void a_repeated_request_is_answered_again_when_the_queue_is_full(void **unused)
{
    struct flow flood = peer(1000);
    (void)unused;
    send_from(&flood, "mallory", 0);
    next_turn();
    assert_int_equal(count_answers("SIP/2.0 200"), 1);
    for (unsigned i = 1; i <= QUEUE_MAX; i++)
        send_from(&flood, "mallory", i);
    send_from(&flood, "mallory", 0);
    assert_int_equal(count_answers("SIP/2.0 200"), 1);
}

static void answers_do_not_wait(void **unused)
{
    struct flow flow = peer(1000);
    struct sip_event event;
    struct sip_output output;
    struct sip_fault fault;
    struct sip_message *message;
    (void)unused;
    for (unsigned i = 0; i < QUEUE_MAX; i++)
        send_from(&flow, "mallory", i);
    message = sip_request_new(TEXT("MESSAGE"), TEXT("sip:bob@192.0.2.1"));
    sip_header_add(message, "From", TEXT("<sip:a@b.c>;tag=1"));
    sip_header_add(message, "To", TEXT("<sip:bob@b.c>"));
    sip_header_add(message, "Call-ID", TEXT("c1"));
    sip_header_add(message, "CSeq", TEXT("1 MESSAGE"));
    sip_agent_request(agent, message, &flow, 42, 0);
    assert_true(sip_agent_output(agent, &output));
    assert_int_equal(sip_message_parse(output.bytes, &message, &fault), OK);
    struct sip_message *response = sip_response_new(message, 200, NULL, TEXT("tag"));
    sip_agent_input(agent, sip_message_write(response, &arena), &flow, 0);
    assert_true(sip_agent_event(agent, &event));
    assert_int_equal(event.cookie, 42);
    sip_message_free(event.message);
    sip_message_free(response);
    sip_message_free(message);
}

static bool everybody_sends_for_many(void *context, const struct flow *flow)
{
    (void)context;
    (void)flow;
    return true;
}

static void users_behind_one_proxy_have_their_turns(void **unused)
{
    struct sip_agent_settings settings = SIP_AGENT_SETTINGS_STANDARD;
    struct flow proxy = peer(1000);
    (void)unused;
    settings.queue_max = QUEUE_MAX;
    settings.is_shared = everybody_sends_for_many;
    sip_agent_free(agent);
    agent = sip_agent_new(&settings);
    for (unsigned i = 0; i < 50; i++)
        send_from(&proxy, "mallory", i);
    send_from(&proxy, "alice", 0);
    next_turn();
    assert_true(text_starts_with(next_turn(), TEXT("<sip:alice@")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_who_sends_little_has_the_second_turn, open_agent, close_agent),
        cmocka_unit_test_setup_teardown(what_is_more_than_the_queue_holds_is_told_when_to_come_again, open_agent,
                                        close_agent),
        cmocka_unit_test_setup_teardown(a_full_queue_makes_room_for_who_has_nothing_in_it, open_agent, close_agent),
        cmocka_unit_test_setup_teardown(a_repeated_request_is_not_refused_while_it_waits, open_agent, close_agent),
        cmocka_unit_test_setup_teardown(a_repeated_request_is_answered_again_when_the_queue_is_full, open_agent,
                                        close_agent),
        cmocka_unit_test_setup_teardown(answers_do_not_wait, open_agent, close_agent),
        cmocka_unit_test_setup_teardown(users_behind_one_proxy_have_their_turns, open_agent, close_agent),
    };
    sip_open();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
