/* Client transactions under a clock of our own: when requests are sent again, when they fail, and many at once. */
#include <malloc.h>

#include "sip_bench.h"

/* --- client, not INVITE ----------------------------------------------------------------------------------------- */

static void timer_e_doubles_up_to_t2_and_timer_f_gives_up(void **state)
{
    (void)state;
    sip_agent_request(agent, outgoing("MESSAGE"), &udp, 42, 0);
    expect_output("MESSAGE sip:carol@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.1:5060;branch=z9hG4bK");
    static const int64_t moments[] = {500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500};
    expect_sent_at("MESSAGE sip:carol", moments, 10, 31999);
    expect_nothing();
    sip_agent_tick(agent, 32000);
    expect_failure(SIP_FAILURE_TIMEOUT, 42);
    assert_int_equal(sip_agent_transactions(agent), 0);
}

static void a_late_tick_does_not_send_in_bursts(void **state)
{
    (void)state;
    sip_agent_request(agent, outgoing("MESSAGE"), &udp, 42, 0);
    expect_output("MESSAGE");
    sip_agent_tick(agent, 10000);
    expect_output("MESSAGE");
    expect_nothing();
    assert_int_equal(sip_agent_deadline(agent), 11000);
}

static void after_100_the_interval_is_t2(void **state)
{
    (void)state;
    sip_agent_request(agent, outgoing("MESSAGE"), &udp, 42, 0);
    struct sip_message *request = sent_request("MESSAGE");
    input(response_to(request, 100), &udp, 100);
    expect_response(100, 42);
    static const int64_t moments[] = {500, 4500, 8500};
    expect_sent_at("MESSAGE", moments, 3, 9000);
    input(response_to(request, 200), &udp, 9000);
    expect_response(200, 42);
    sip_message_free(request);
}

static void the_answer_is_told_once_and_repeats_of_it_are_dropped(void **state)
{
    (void)state;
    sip_agent_request(agent, outgoing("MESSAGE"), &udp, 42, 0);
    struct sip_message *request = sent_request("MESSAGE");
    input(response_to(request, 200), &udp, 100);
    expect_response(200, 42);
    input(response_to(request, 200), &udp, 200);
    input(response_to(request, 100), &udp, 200);
    expect_nothing();
    /* What timer K would keep it for is done without: nothing is left of it. */
    assert_int_equal(sip_agent_transactions(agent), 0);
    assert_int_equal(sip_agent_bytes(agent), 0);
    input(response_to(request, 200), &udp, 5200);
    expect_nothing();
    sip_message_free(request);
}

static void over_tcp_nothing_is_repeated(void **state)
{
    (void)state;
    struct flow elsewhere = tcp;
    tcp.connection = 0;
    sip_agent_request(agent, outgoing("MESSAGE"), &tcp, 42, 0);
    struct sip_message *request = sent_request("MESSAGE");
    assert_true(text_starts_with(sip_branch(request), TEXT("z9hG4bK")));
    assert_int_equal(last_flow.connection, 0);
    expect_sent_at("", NULL, 0, 31999);
    /* The answer comes on the connection that was made meanwhile. */
    input(response_to(request, 200), &elsewhere, 31999);
    expect_response(200, 42);
    assert_int_equal(sip_agent_transactions(agent), 0);
    sip_message_free(request);
}

static void over_tls_nothing_is_repeated_and_the_via_says_so(void **state)
{
    (void)state;
    struct flow tls = {.kind = FLOW_TLS, .peer = tcp.peer}, made = {.kind = FLOW_TLS, .connection = 9};
    sip_agent_request(agent, outgoing("MESSAGE"), &tls, 42, 0);
    struct sip_message *request = sent_request("MESSAGE");
    struct text via;
    assert_true(sip_header(request, "Via", 0, &arena, &via));
    assert_true(text_starts_with(via, TEXT("SIP/2.0/TLS 198.51.100.1:5061;")));
    assert_int_equal(last_flow.kind, FLOW_TLS);
    expect_sent_at("", NULL, 0, 31999);
    input(response_to(request, 200), &made, 31999);
    expect_response(200, 42);
    assert_int_equal(sip_agent_transactions(agent), 0);
    sip_message_free(request);
}

static void responses_that_answer_nothing_of_ours_are_dropped(void **state)
{
    (void)state;
    sip_agent_request(agent, outgoing("MESSAGE"), &udp, 42, 0);
    struct sip_message *request = sent_request("MESSAGE");
    struct text via, wrong;
    assert_true(sip_header(request, "Via", 0, &arena, &via));

    struct sip_message *other = sip_message_clone(request);
    sip_header_set(other, "Via", TEXT("SIP/2.0/UDP 198.51.100.1:5060;branch=z9hG4bKother"));
    input(response_to(other, 200), &udp, 100);
    wrong = text_join(&arena, TEXT("SIP/2.0/UDP 203.0.113.9:5060;branch="), sip_branch(request));
    sip_header_set(other, "Via", wrong);
    input(response_to(other, 200), &udp, 100);
    wrong = text_join(&arena, TEXT("SIP/2.0/UDP 198.51.100.1:5099;branch="), sip_branch(request));
    sip_header_set(other, "Via", wrong);
    input(response_to(other, 200), &udp, 100);
    sip_header_set(other, "Via", via);
    sip_header_set(other, "CSeq", TEXT("1 OPTIONS"));
    input(response_to(other, 200), &udp, 100);
    expect_nothing();
    sip_message_free(other);

    /* Matching is by branch and method alone (RFC 3261 §17.1.3). */
    input(response_to(request, 404), &udp, 200);
    expect_response(404, 42);
    sip_message_free(request);
}

/* RFC 3261 §16.3 step 4. */
static void what_comes_back_is_known_unless_it_is_for_somebody_else(void **state)
{
    (void)state;
    sip_agent_request(agent, outgoing("MESSAGE"), &udp, 42, 0);
    struct sip_message *request = sent_request("MESSAGE");
    assert_int_equal(sip_agent_visits(agent, request), 1);
    assert_int_equal(sip_request_uri_set(request, TEXT("sip:dave@example.com")), OK);
    assert_int_equal(sip_agent_visits(agent, request), 0);
    assert_int_equal(sip_request_uri_set(request, TEXT("sip:carol@example.com")), OK);
    assert_int_equal(sip_agent_visits(agent, request), 1);
    assert_int_equal(sip_header_set(request, "Via", TEXT("SIP/2.0/UDP 198.51.100.1:5060;branch=z9hG4bKanother")), OK);
    assert_int_equal(sip_agent_visits(agent, request), 0);
    sip_message_free(request);
    request = outgoing("MESSAGE");
    assert_int_equal(sip_agent_visits(agent, request), 0);
    sip_message_free(request);
}

static void what_cannot_be_reached_fails_at_once(void **state)
{
    (void)state;
    struct flow other = udp, connected = tcp;
    assert_true(flow_set_peer(&other, "192.0.2.77", 40000));
    tcp.connection = 0;
    sip_agent_request(agent, outgoing("MESSAGE"), &udp, 1, 0);
    sip_agent_request(agent, outgoing("MESSAGE"), &other, 2, 0);
    sip_agent_request(agent, outgoing("MESSAGE"), &tcp, 3, 0);
    sip_agent_request(agent, outgoing("MESSAGE"), &connected, 4, 0);
    sip_agent_request(agent, outgoing("INVITE"), &connected, 5, 0);
    while (output())
        continue;
    sip_agent_unreachable(agent, &udp, 10);
    expect_failure(SIP_FAILURE_TRANSPORT, 1);
    sip_agent_unreachable(agent, &tcp, 10);
    expect_failure(SIP_FAILURE_TRANSPORT, 3);
    sip_agent_closed(agent, 7, 10);
    expect_failure(SIP_FAILURE_TRANSPORT, 5);
    expect_failure(SIP_FAILURE_TRANSPORT, 4);
    sip_agent_closed(agent, 7, 10);
    expect_nothing();
    assert_int_equal(sip_agent_transactions(agent), 1);
}

/* --- client, INVITE --------------------------------------------------------------------------------------------- */

static void timer_a_doubles_without_bound_and_timer_b_gives_up(void **state)
{
    (void)state;
    sip_agent_request(agent, outgoing("INVITE"), &udp, 42, 0);
    expect_output("INVITE");
    static const int64_t moments[] = {500, 1500, 3500, 7500, 15500, 31500};
    expect_sent_at("INVITE", moments, 6, 31999);
    sip_agent_tick(agent, 32000);
    expect_failure(SIP_FAILURE_TIMEOUT, 42);
}

static void a_ringing_invite_is_not_repeated_but_ends(void **state)
{
    (void)state;
    sip_agent_request(agent, outgoing("INVITE"), &udp, 42, 0);
    struct sip_message *request = sent_request("INVITE");
    input(response_to(request, 180), &udp, 100);
    expect_response(180, 42);
    expect_sent_at("", NULL, 0, 180000);
    expect_nothing();
    sip_agent_tick(agent, 300000);
    expect_failure(SIP_FAILURE_TIMEOUT, 42);
    sip_message_free(request);
}

static void a_refusal_is_acknowledged_as_often_as_it_comes(void **state)
{
    (void)state;
    sip_agent_request(agent, outgoing("INVITE"), &udp, 42, 0);
    struct sip_message *request = sent_request("INVITE");
    input(response_to(request, 486), &udp, 100);
    expect_response(486, 42);
    struct sip_message *ack = sent_request("ACK");
    struct text value;
    assert_true(text_equal(sip_branch(ack), sip_branch(request)));
    assert_true(text_equal(sip_to_tag(ack), TEXT("peer")));
    assert_true(sip_header(ack, "Route", 0, &arena, &value));
    assert_false(sip_header(ack, "Via", 1, &arena, &value));
    assert_int_equal(sip_cseq(ack), 1);
    sip_message_free(ack);
    input(response_to(request, 486), &udp, 600);
    expect_output("ACK sip:carol@example.com SIP/2.0\r\n");
    expect_nothing();
    assert_int_equal(sip_agent_deadline(agent), 32100);
    sip_agent_tick(agent, 32100);
    assert_int_equal(sip_agent_transactions(agent), 0);
    sip_message_free(request);
}

static void an_accepted_invite_is_told_once_and_its_ack_is_the_callers(void **state)
{
    (void)state;
    sip_agent_request(agent, outgoing("INVITE"), &udp, 42, 0);
    struct sip_message *request = sent_request("INVITE");
    input(response_to(request, 200), &udp, 100);
    expect_response(200, 42);
    expect_nothing();
    sip_agent_request(agent, outgoing("ACK"), &udp, 0, 110);
    expect_output("ACK ");
    assert_int_equal(sip_agent_deadline(agent), 32100);
    sip_agent_tick(agent, 32100);
    assert_int_equal(sip_agent_transactions(agent), 0);
    sip_message_free(request);
}

/* --- many ------------------------------------------------------------------------------------------------------- */

#define MANY 50000

static size_t heap_bytes(void)
{
    return mallinfo2().uordblks + mallinfo2().hblkhd;
}

/* What counts for the limit is what is really held, give or take what the heap adds to each piece. */
static void expect_counted(size_t before)
{
    size_t held = heap_bytes() - before, counted = sip_agent_bytes(agent);
    if (before == 0) /* the sanitizer's heap does not tell */
        return;
    print_message("%zu bytes each, of which %zu are counted\n", held / MANY, counted / MANY);
    assert_true(held < counted + counted / 8 && counted < held + held / 8);
}

static void fifty_thousand_live_transactions_are_found_and_end(void **state)
{
    (void)state;
    struct arena scratch;
    arena_init(&scratch, "many");
    size_t before = heap_bytes();
    for (int i = 0; i < MANY; i++) {
        struct sip_event event;
        sip_agent_input(agent,
                        text_format(&scratch,
                                    "MESSAGE sip:b@x SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK%d;rport\r\n"
                                    "From: <sip:a@x>;tag=f\r\nTo: <sip:b@x>\r\nCall-ID: %d\r\nCSeq: 1 MESSAGE\r\n\r\n",
                                    i, i),
                        &udp, i / 100);
        assert_true(sip_agent_event(agent, &event));
        answer(event.transaction, event.message, 200, i / 100);
        sip_message_free(event.message);
        assert_non_null(output());
        arena_reset(&scratch);
        arena_reset(&arena);
    }
    assert_int_equal(sip_agent_transactions(agent), MANY);
    expect_counted(before);
    for (int i = 0; i < MANY; i += 97) {
        sip_agent_input(agent,
                        text_format(&scratch,
                                    "MESSAGE sip:b@x SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK%d;rport\r\n"
                                    "From: <sip:a@x>;tag=f\r\nTo: <sip:b@x>\r\nCall-ID: %d\r\nCSeq: 1 MESSAGE\r\n\r\n",
                                    i, i),
                        &udp, 1000);
        expect_output("SIP/2.0 200");
        arena_reset(&scratch);
        arena_reset(&arena);
    }
    sip_agent_tick(agent, 31999);
    assert_int_equal(sip_agent_transactions(agent), MANY);
    sip_agent_tick(agent, 32000 + MANY / 100);
    assert_int_equal(sip_agent_transactions(agent), 0);
    arena_clear(&scratch);
}

static void fifty_thousand_that_wait_are_counted_too(void **state)
{
    (void)state;
    struct sip_message *model = outgoing("MESSAGE");
    size_t before = heap_bytes();
    for (uint64_t i = 0; i < MANY; i++) {
        sip_agent_request(agent, sip_message_clone(model), &udp, i, 0);
        assert_non_null(output());
        arena_reset(&arena);
    }
    sip_message_free(model);
    assert_int_equal(sip_agent_transactions(agent), MANY);
    expect_counted(before);
}

static void limit_bytes(size_t bytes_max)
{
    struct sip_agent_settings settings = SIP_AGENT_SETTINGS_STANDARD;
    settings.host = "198.51.100.1";
    settings.tls_port = 5061;
    settings.bytes_max = bytes_max;
    sip_agent_free(agent);
    agent = sip_agent_new(&settings);
}

static void beyond_the_limit_new_requests_get_503(void **state)
{
    (void)state;
    struct sip_message *model = outgoing("MESSAGE"), *request;
    struct text first = request_of((struct line){.method = "MESSAGE", .branch = "z9hG4bK0", .call_id = "first"});
    limit_bytes(1u << 20);
    input(first, &udp, 0);
    answer_next("MESSAGE", &request, 200, 0);
    sip_message_free(request);
    expect_output("SIP/2.0 200");
    for (uint64_t i = 0; sip_agent_bytes(agent) < 1u << 20; i++) {
        sip_agent_request(agent, sip_message_clone(model), &tcp, i, 0);
        struct sip_output sent;
        assert_true(sip_agent_output(agent, &sent));
    }
    sip_message_free(model);
    size_t transactions = sip_agent_transactions(agent);
    struct text bytes = request_of((struct line){.method = "MESSAGE", .branch = "z9hG4bK1"});
    input(bytes, &udp, 0);
    const char *answered = output();
    assert_non_null(answered);
    assert_true(text_starts_with(text_of(answered), TEXT("SIP/2.0 503 ")));
    assert_non_null(strstr(answered, "\r\nRetry-After: "));
    expect_nothing();
    assert_int_equal(sip_agent_transactions(agent), transactions);
    input(first, &udp, 100); /* what was answered is answered again */
    expect_output("SIP/2.0 200");
    /* All hang on one connection: when it ends, they end with it, and there is room again. */
    sip_agent_closed(agent, tcp.connection, 0);
    assert_int_equal(sip_agent_transactions(agent), 1);
    for (struct sip_event event; sip_agent_event(agent, &event);)
        assert_int_equal(event.kind, SIP_EVENT_FAILED);
    input(bytes, &udp, 0);
    expect_request("MESSAGE", NULL);
}

static void every_byte_that_was_counted_is_given_back(void **state)
{
    (void)state;
    struct sip_message *request;
    input(request_of((struct line){.method = "INVITE", .branch = "z9hG4bK1"}), &udp, 0);
    answer_next("INVITE", &request, 486, 10);
    sip_message_free(request);
    input(request_of((struct line){.method = "MESSAGE", .branch = "z9hG4bK2", .call_id = "d"}), &udp, 20);
    expect_request("MESSAGE", NULL); /* never answered */
    sip_agent_request(agent, outgoing("MESSAGE"), &udp, 1, 30);
    sip_agent_request(agent, outgoing("INVITE"), &tcp, 2, 30);
    input(TEXT("MESSAGE sip:bob@example.com SIP/2.0\r\nVia: "), &tcp, 40);
    while (output())
        continue;
    assert_true(sip_agent_bytes(agent) > 5 * 300);
    sip_agent_closed(agent, tcp.connection, 50);
    sip_agent_tick(agent, 1000000);
    assert_int_equal(sip_agent_transactions(agent), 0);
    assert_int_equal(sip_agent_bytes(agent), 0);
    for (struct sip_event event; sip_agent_event(agent, &event);)
        sip_message_free(event.message);
}

static void unfinished_messages_on_many_streams_are_bounded(void **state)
{
    (void)state;
    enum { BYTES_MAX = 1 << 20, PIECE = 60000, STREAMS = 100 };
    static char piece[PIECE];
    static const char head[] = "MESSAGE sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/TCP x;branch=z9hG4bK1\r\n"
                               "Content-Length: 500000\r\n\r\n";
    size_t closed = 0;
    limit_bytes(BYTES_MAX);
    memset(piece, 'x', sizeof(piece));
    for (uint64_t i = 0; i < STREAMS; i++) {
        struct flow stream = tcp;
        stream.connection = 100 + i;
        input(text_of(head), &stream, 0);
        input((struct text){piece, sizeof(piece)}, &stream, 0);
        for (struct sip_output sent; sip_agent_output(agent, &sent);) {
            assert_true(sent.close);
            closed++;
            sip_agent_closed(agent, sent.flow.connection, 0);
        }
        assert_true(sip_agent_bytes(agent) <= BYTES_MAX + 1024 * STREAMS);
    }
    assert_true(closed > STREAMS / 2);
    for (uint64_t i = 0; i < STREAMS; i++)
        sip_agent_closed(agent, 100 + i, 0);
    assert_int_equal(sip_agent_bytes(agent), 0);
}

static void deadlines_come_in_order_whatever_was_ended_between(void **state)
{
    (void)state;
    struct sip_message *requests[300];
    for (int i = 0; i < 300; i++) {
        sip_agent_request(agent, outgoing("MESSAGE"), &udp, (uint64_t)i, i * 37 % 301);
        requests[i] = sent_request("MESSAGE");
    }
    for (int i = 0; i < 300; i += 3) {
        input(response_to(requests[i], 200), &udp, 350);
        expect_response(200, (uint64_t)i);
    }
    int64_t last = 0, failed = 0;
    for (int64_t due; (due = sip_agent_deadline(agent)) != INT64_MAX; last = due) {
        assert_true(due >= last);
        sip_agent_tick(agent, due);
        while (output())
            arena_reset(&arena);
        for (struct sip_event event; sip_agent_event(agent, &event); failed++)
            assert_int_equal(event.kind, SIP_EVENT_FAILED);
    }
    assert_int_equal(failed, 200);
    for (int i = 0; i < 300; i++)
        sip_message_free(requests[i]);
}

static void what_is_not_taken_is_freed_with_the_agent(void **state)
{
    (void)state;
    input(request_of((struct line){.method = "INVITE", .branch = "z9hG4bK1"}), &udp, 0);
    sip_agent_request(agent, outgoing("MESSAGE"), &udp, 1, 0);
    sip_agent_request(agent, outgoing("INVITE"), &tcp, 2, 0);
    input(TEXT("half a mess"), &tcp, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        AGENT_TEST(timer_e_doubles_up_to_t2_and_timer_f_gives_up),
        AGENT_TEST(a_late_tick_does_not_send_in_bursts),
        AGENT_TEST(after_100_the_interval_is_t2),
        AGENT_TEST(the_answer_is_told_once_and_repeats_of_it_are_dropped),
        AGENT_TEST(over_tcp_nothing_is_repeated),
        AGENT_TEST(over_tls_nothing_is_repeated_and_the_via_says_so),
        AGENT_TEST(responses_that_answer_nothing_of_ours_are_dropped),
        AGENT_TEST(what_comes_back_is_known_unless_it_is_for_somebody_else),
        AGENT_TEST(what_cannot_be_reached_fails_at_once),
        AGENT_TEST(timer_a_doubles_without_bound_and_timer_b_gives_up),
        AGENT_TEST(a_ringing_invite_is_not_repeated_but_ends),
        AGENT_TEST(a_refusal_is_acknowledged_as_often_as_it_comes),
        AGENT_TEST(an_accepted_invite_is_told_once_and_its_ack_is_the_callers),
        AGENT_TEST(fifty_thousand_live_transactions_are_found_and_end),
        AGENT_TEST(fifty_thousand_that_wait_are_counted_too),
        AGENT_TEST(beyond_the_limit_new_requests_get_503),
        AGENT_TEST(every_byte_that_was_counted_is_given_back),
        AGENT_TEST(unfinished_messages_on_many_streams_are_bounded),
        AGENT_TEST(deadlines_come_in_order_whatever_was_ended_between),
        AGENT_TEST(what_is_not_taken_is_freed_with_the_agent),
    };
    return cmocka_run_group_tests(tests, open_module, NULL);
}
