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

/* Each of another source, so that none of them gives way to another. */
static void a_queue_of_large_requests_ends_where_memory_does(void **unused)
{
    enum { BODY = 30000, BYTES_MAX = 256 << 10 };
    static char body[BODY];
    struct sip_agent_settings settings = SIP_AGENT_SETTINGS_STANDARD;
    (void)unused;
    memset(body, 'x', sizeof(body));
    settings.queue_max = QUEUE_MAX;
    settings.bytes_max = BYTES_MAX;
    sip_agent_free(agent);
    agent = sip_agent_new(&settings);
    for (uint16_t i = 0; i < QUEUE_MAX; i++) {
        struct flow flow = peer(1000 + i);
        struct text head = request("alice", i);
        head = text_slice(head, 0, text_find(head, TEXT("Content-Length")));
        sip_agent_input(agent,
                        text_format(&arena, "%.*sContent-Length: %d\r\n\r\n%.*s", TEXT_ARG(head), BODY, BODY, body),
                        &flow, 0);
        assert_true(sip_agent_bytes(agent) < BYTES_MAX + BODY + 1024);
    }
    size_t waiting = sip_agent_waiting(agent);
    assert_in_range(waiting, 8, 9);
    assert_int_equal(count_answers("SIP/2.0 503"), QUEUE_MAX - waiting);
    assert_int_equal(sip_agent_room(agent, 0), 0);
    assert_true(text_starts_with(next_turn(), TEXT("<sip:alice@")));
    assert_true(sip_agent_room(agent, 0) > 0);
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

static void a_queue_that_was_full_is_a_short_one_until_it_is_empty(void **unused)
{
    struct flow flood = peer(1000);
    unsigned number = 0;
    (void)unused;
    assert_int_equal(sip_agent_room(agent, 0), QUEUE_MAX);
    for (; number < QUEUE_MAX + 1; number++)
        send_from(&flood, "mallory", number);
    assert_int_equal(count_answers("SIP/2.0 503"), 1);
    while (sip_agent_waiting(agent) > QUEUE_MAX / 4)
        next_turn();
    count_answers("");
    assert_int_equal(sip_agent_room(agent, 0), 0);
    send_from(&flood, "mallory", number++);
    assert_int_equal(count_answers("SIP/2.0 503"), 1);
    next_turn();
    assert_int_equal(sip_agent_room(agent, 0), 1);
    while (next_turn().length > 0)
        continue;
    assert_int_equal(sip_agent_room(agent, 0), QUEUE_MAX);
}

/* However long it may become for a moment: two turns of the loop are enough for it not to run dry. */
static void a_long_queue_that_was_full_holds_two_turns_of_the_loop(void **unused)
{
    enum { LONG = 2048, TWO_TURNS = 128 };
    struct sip_agent_settings settings = SIP_AGENT_SETTINGS_STANDARD;
    struct flow crowd = peer(1);
    unsigned number = 0;
    (void)unused;
    sip_agent_free(agent);
    settings.queue_max = LONG;
    agent = sip_agent_new(&settings);
    while (number <= LONG)
        send_from(&crowd, "crowd", number++);
    assert_int_equal(sip_agent_waiting(agent), LONG);
    while (sip_agent_waiting(agent) > TWO_TURNS)
        next_turn();
    assert_int_equal(sip_agent_room(agent, 0), 0);
    next_turn();
    assert_int_equal(sip_agent_room(agent, 0), 1);
    while (sip_agent_waiting(agent) > 0)
        next_turn();
    assert_int_equal(sip_agent_room(agent, 0), LONG);
}

static void there_is_no_room_while_the_next_one_has_waited_long(void **unused)
{
    struct flow flood = peer(1000);
    (void)unused;
    send_from(&flood, "mallory", 0);
    assert_int_equal(sip_agent_room(agent, 200), QUEUE_MAX - 1);
    assert_int_equal(sip_agent_room(agent, 201), 0);
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

static void of_many_the_one_with_most_gives_way(void **unused)
{
    const struct flow peers[] = {peer(1000), peer(2000), peer(3000)};
    const unsigned sent[] = {60, 40, 30}, stay[] = {35, 35, 30};
    static const char *const users[] = {"mallory", "bob", "alice"};
    size_t turns[3] = {0};
    (void)unused;
    for (size_t i = 0; i < 3; i++)
        for (unsigned number = 0; number < sent[i]; number++)
            send_from(&peers[i], users[i], number);
    assert_int_equal(count_answers("SIP/2.0 503"), 30);
    for (struct text from; (from = next_turn()).length > 0;)
        for (size_t i = 0; i < 3; i++)
            turns[i] += text_find(from, text_of(users[i])) < from.length;
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(turns[i], stay[i]);
}

/* --- how it is refused ------------------------------------------------------------------------------------------ */

static struct sip_message *refusal_of(struct text bytes)
{
    struct flow flow = peer(1000);
    struct sip_output output;
    struct sip_message *message;
    struct sip_fault fault;
    for (unsigned i = 0; i < QUEUE_MAX; i++) /* so that it does not push out another */
        send_from(&flow, "same", i);
    count_answers("");
    sip_agent_input(agent, bytes, &flow, 0);
    assert_true(sip_agent_output(agent, &output));
    assert_int_equal(sip_message_parse(output.bytes, &message, &fault), OK);
    assert_int_equal(sip_status(message), 503);
    assert_false(sip_agent_output(agent, &output));
    return message;
}

static struct text field_of(const struct sip_message *message, const char *name, size_t index)
{
    struct text value = {0};
    sip_header(message, name, index, &arena, &value);
    return value;
}

static struct text with_fields(const char *fields, const char *more)
{
    return text_format(&arena, "MESSAGE sip:d@b.c SIP/2.0\r\n%s%sMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n", fields,
                       more);
}

/* The second of each is read as a whole, since a line is folded. */
static void a_refusal_made_of_lines_is_that_of_the_whole_request(void **unused)
{
    static const char *const written[] = {
        "Via: SIP/2.0/UDP a.example.com:5070;rport;branch=z9hG4bK1\r\nFrom: <sip:a@b.c>;tag=1\r\nTo: <sip:d@b.c>\r\n"
        "Call-ID: c1\r\nCSeq: 7 MESSAGE\r\n",
        "v: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK2;rport\r\nf: <sip:a@b.c>;tag=1\r\nt: <sip:d@b.c>;tag=there\r\n"
        "i: c2@x\r\nCSEQ:   7 MESSAGE\r\n",
        "To: \"D\" <sip:d@b.c>\r\nvia: SIP/2.0/TCP p.example.com;branch=z9hG4bK3;rport;x\r\nfrom: A "
        "<sip:a@b.c>;tag=1\r\n"
        "Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKa;received=192.0.2.8;rport=9\r\nCall-ID: c3\r\nCSeq: 8 MESSAGE\r\n"
        "V: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKb, SIP/2.0/UDP 192.0.2.6;branch=z9hG4bKc\r\nContent-Type: "
        "text/plain\r\n",
        "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK4\r\nFrom: <sip:a@b.c>;tag=1\r\nTo: <sip:d@b.c>\r\nCall-ID: c4\r\n"
        "CSeq: 7 MESSAGE\r\nThing: of ours\r\nVictor: no Via\r\nFromage: x\r\nTopic: x\r\nI-Like: x\r\n",
        "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK5;rport=1;received=192.0.2.99\r\nFrom: <sip:a@b.c>;tag=1\r\n"
        "To: <sip:d@b.c>\r\nCall-ID: c5\r\nCSeq: 7 MESSAGE\r\n",
    };
    static const char *const names[] = {"Via", "From", "Call-ID", "CSeq", "Retry-After"};
    (void)unused;
    for (size_t i = 0; i < sizeof(written) / sizeof(written[0]); i++) {
        struct sip_message *quick = refusal_of(with_fields(written[i], ""));
        struct sip_message *whole = refusal_of(with_fields(written[i], "Subject: a\r\n b\r\n"));
        for (size_t j = 0; j < 5 * (sizeof(names) / sizeof(names[0])); j++) {
            struct text a = field_of(quick, names[j / 5], j % 5), b = field_of(whole, names[j / 5], j % 5);
            assert_true(text_equal(a, b));
        }
        assert_true(sip_to_tag(quick).length > 0);
        assert_true(field_of(quick, "Retry-After", 0).length > 0);
        sip_message_free(quick);
        sip_message_free(whole);
    }
}

static void a_refusal_has_one_tag(void **unused)
{
    static const char *const tagged[] = {"<sip:d@b.c>; tag=there", "<sip:d@b.c>;x=1 ;TAG=there", "sip:d@b.c;tag=there",
                                         "\">;tag=x\" <sip:d@b.c>;tag=there"};
    (void)unused;
    for (size_t i = 0; i < sizeof(tagged) / sizeof(tagged[0]); i++) {
        struct text bytes =
            with_fields("Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1;rport\r\nFrom: <sip:a@b.c>;tag=1\r\n"
                        "Call-ID: c1\r\nCSeq: 7 MESSAGE\r\n",
                        text_format(&arena, "To: %s\r\n", tagged[i]).bytes);
        struct sip_message *refusal = refusal_of(bytes);
        assert_true(text_equal(field_of(refusal, "To", 0), text_of(tagged[i])));
        sip_message_free(refusal);
    }
    struct sip_message *named =
        refusal_of(with_fields("Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1;rport\r\nFrom: <sip:a@b.c>;tag=1\r\n"
                               "Call-ID: c1\r\nCSeq: 7 MESSAGE\r\n",
                               "To: \"x;tag=y\" <sip:d@b.c>\r\n"));
    assert_true(sip_to_tag(named).length > 0);
    sip_message_free(named);
}

static void those_that_are_refused_do_not_all_come_back_at_once(void **unused)
{
    struct text first = {0};
    bool differ = false;
    (void)unused;
    for (unsigned i = 0; i < 50; i++) {
        uint64_t seconds;
        struct sip_message *refusal = refusal_of(request("mallory", 1000 + i)),
                           *again = refusal_of(request("mallory", 1000 + i));
        struct text after = field_of(refusal, "Retry-After", 0);
        assert_true(text_to_u64(after, &seconds) && seconds >= 5 && seconds < 15);
        assert_true(text_equal(after, field_of(again, "Retry-After", 0)));
        differ = differ || (i > 0 && !text_equal(after, first));
        first = after;
        sip_message_free(refusal);
        sip_message_free(again);
    }
    assert_true(differ);
}

static struct text of_call(unsigned branch, unsigned call, const char *more)
{
    struct text fields = text_format(&arena,
                                     "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK%u;rport\r\nFrom: <sip:a@b.c>;tag=1\r\n"
                                     "To: <sip:d@b.c>\r\nCall-ID: c%u\r\nCSeq: 7 MESSAGE\r\n",
                                     branch, call);
    return with_fields(fields.bytes, more);
}

/* RFC 3261 §8.2.7, §19.3: nothing is remembered of what was refused, and whoever repeats it hears the same. */
static void a_repeated_request_is_refused_with_the_same_tag(void **unused)
{
    (void)unused;
    for (unsigned i = 0; i < 20; i++) {
        struct text one = of_call(i, i, ""), whole = of_call(i, i, "Subject: a\r\n b\r\n"),
                    other = of_call(i, i + 100, "");
        struct sip_message *refusals[] = {refusal_of(one), refusal_of(one), refusal_of(whole), refusal_of(whole),
                                          refusal_of(other)};
        struct text tag = sip_to_tag(refusals[0]);
        assert_true(tag.length >= 8);
        for (size_t j = 1; j < 4; j++)
            assert_true(text_equal(sip_to_tag(refusals[j]), tag));
        assert_false(text_equal(sip_to_tag(refusals[4]), tag));
        for (size_t j = 0; j < 5; j++)
            sip_message_free(refusals[j]);
    }
}

/* Whoever sent it has been told 408 by his own transaction (RFC 3261 §17.1.2.2), and sends it again. */
static void what_waited_longer_than_its_sender_is_let_go(void **unused)
{
    struct sip_agent_settings settings = SIP_AGENT_SETTINGS_STANDARD;
    struct flow flow = peer(1000);
    struct sip_event event;
    (void)unused;
    send_from(&flow, "alice", 1);
    sip_agent_input(agent, request("alice", 2), &flow, 2);
    sip_agent_input(agent, request("alice", 3), &flow, 3);
    assert_true(sip_agent_turn(agent, 64 * settings.t1_ms + 2));
    assert_true(sip_agent_event(agent, &event));
    assert_true(text_equal(sip_call_id(event.message, &arena), TEXT("alice3")));
    sip_message_free(event.message);
    assert_false(sip_agent_event(agent, &event));
    assert_int_equal(sip_agent_waiting(agent), 0);
    assert_int_equal(sip_agent_turned_away(agent), 2);
    send_from(&flow, "alice", 4);
    assert_false(sip_agent_turn(agent, 64 * settings.t1_ms + 5));
    assert_int_equal(sip_agent_waiting(agent), 0);
    assert_int_equal(count_answers(""), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_who_sends_little_has_the_second_turn, open_agent, close_agent),
        cmocka_unit_test_setup_teardown(what_is_more_than_the_queue_holds_is_told_when_to_come_again, open_agent,
                                        close_agent),
        cmocka_unit_test_setup_teardown(a_queue_of_large_requests_ends_where_memory_does, open_agent, close_agent),
        cmocka_unit_test_setup_teardown(a_full_queue_makes_room_for_who_has_nothing_in_it, open_agent, close_agent),
        cmocka_unit_test_setup_teardown(a_queue_that_was_full_is_a_short_one_until_it_is_empty, open_agent,
                                        close_agent),
        cmocka_unit_test_setup_teardown(a_long_queue_that_was_full_holds_two_turns_of_the_loop, open_agent,
                                        close_agent),
        cmocka_unit_test_setup_teardown(there_is_no_room_while_the_next_one_has_waited_long, open_agent, close_agent),
        cmocka_unit_test_setup_teardown(a_repeated_request_is_not_refused_while_it_waits, open_agent, close_agent),
        cmocka_unit_test_setup_teardown(a_repeated_request_is_answered_again_when_the_queue_is_full, open_agent,
                                        close_agent),
        cmocka_unit_test_setup_teardown(answers_do_not_wait, open_agent, close_agent),
        cmocka_unit_test_setup_teardown(of_many_the_one_with_most_gives_way, open_agent, close_agent),
        cmocka_unit_test_setup_teardown(a_refusal_made_of_lines_is_that_of_the_whole_request, open_agent, close_agent),
        cmocka_unit_test_setup_teardown(a_refusal_has_one_tag, open_agent, close_agent),
        cmocka_unit_test_setup_teardown(a_repeated_request_is_refused_with_the_same_tag, open_agent, close_agent),
        cmocka_unit_test_setup_teardown(what_waited_longer_than_its_sender_is_let_go, open_agent, close_agent),
        cmocka_unit_test_setup_teardown(those_that_are_refused_do_not_all_come_back_at_once, open_agent, close_agent),
        cmocka_unit_test_setup_teardown(users_behind_one_proxy_have_their_turns, open_agent, close_agent),
    };
    sip_open();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
