/* The transaction layer under a clock of our own: when things are sent again, what is absorbed, what is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <malloc.h>
#include <stdio.h>

#include "sip_agent.h"

static struct arena arena;
static struct sip_agent *agent;
static struct flow udp, tcp;

static int begin(void **state)
{
    (void)state;
    struct sip_agent_settings settings = SIP_AGENT_SETTINGS_STANDARD;
    settings.host = "198.51.100.1";
    arena_init(&arena, "test");
    agent = sip_agent_new(&settings);
    udp = (struct flow){.kind = FLOW_UDP};
    tcp = (struct flow){.kind = FLOW_TCP, .connection = 7};
    assert_true(flow_set_peer(&udp, "192.0.2.1", 40000));
    assert_true(flow_set_peer(&tcp, "192.0.2.2", 50000));
    return 0;
}

static int end(void **state)
{
    (void)state;
    sip_agent_free(agent);
    arena_clear(&arena);
    return 0;
}

/* --- what goes in ----------------------------------------------------------------------------------------------- */

struct line {
    const char *method, *branch, *to_tag, *call_id, *via_extra;
    unsigned cseq;
};

static struct text request_of(struct line line)
{
    const char *cseq_method = line.method;
    return text_format(&arena,
                       "%s sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP client.example:5070;branch=%s%s\r\n"
                       "From: <sip:alice@example.com>;tag=f\r\nTo: <sip:bob@example.com>%s%s\r\nCall-ID: %s\r\n"
                       "CSeq: %u %s\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
                       line.method, line.branch, line.via_extra ? line.via_extra : ";rport", line.to_tag ? ";tag=" : "",
                       line.to_tag ? line.to_tag : "", line.call_id ? line.call_id : "c", line.cseq ? line.cseq : 1,
                       cseq_method);
}

static void input(struct text bytes, const struct flow *flow, int64_t now_ms)
{
    sip_agent_input(agent, bytes, flow, now_ms);
}

/* --- what comes out --------------------------------------------------------------------------------------------- */

static struct flow last_flow;

/* Next output as text in the arena; NULL if there is none. */
static const char *output(void)
{
    struct sip_output next;
    if (!sip_agent_output(agent, &next))
        return NULL;
    last_flow = next.flow;
    return next.close ? "close" : text_cstring(&arena, next.bytes);
}

static void expect_output(const char *start)
{
    const char *next = output();
    assert_non_null(next);
    if (strncmp(next, start, strlen(start)) != 0)
        fail_msg("expected %s, got %s", start, next);
}

static void expect_nothing(void)
{
    const char *next = output();
    if (next)
        fail_msg("unexpected output %s", next);
    struct sip_event event;
    assert_false(sip_agent_event(agent, &event));
}

static uint64_t expect_request(const char *method, struct sip_message **message_out)
{
    struct sip_event event;
    assert_true(sip_agent_event(agent, &event));
    assert_int_equal(event.kind, SIP_EVENT_REQUEST);
    assert_string_equal(text_cstring(&arena, sip_method(event.message)), method);
    if (message_out)
        *message_out = event.message;
    else
        sip_message_free(event.message);
    return event.transaction;
}

static void expect_response(int status, uint64_t cookie)
{
    struct sip_event event;
    assert_true(sip_agent_event(agent, &event));
    assert_int_equal(event.kind, SIP_EVENT_RESPONSE);
    assert_int_equal(sip_status(event.message), status);
    assert_int_equal(event.cookie, cookie);
    sip_message_free(event.message);
}

static void expect_failure(enum sip_failure failure, uint64_t cookie)
{
    struct sip_event event;
    assert_true(sip_agent_event(agent, &event));
    assert_int_equal(event.kind, SIP_EVENT_FAILED);
    assert_int_equal(event.failure, failure);
    assert_int_equal(event.cookie, cookie);
    assert_null(event.message);
}

static void answer(uint64_t transaction, const struct sip_message *request, int status, int64_t now_ms)
{
    sip_agent_respond(agent, transaction, sip_response_new(request, status, NULL, TEXT("mine")), now_ms);
}

static void answer_next(const char *method, struct sip_message **request_out, int status, int64_t now_ms)
{
    uint64_t transaction = expect_request(method, request_out);
    answer(transaction, *request_out, status, now_ms);
}

/* Runs the clock to `until_ms` and checks that something was sent at exactly these moments. */
static void expect_sent_at(const char *start, const int64_t *moments, size_t count, int64_t until_ms)
{
    size_t seen = 0;
    for (int64_t due; (due = sip_agent_deadline(agent)) <= until_ms;) {
        sip_agent_tick(agent, due);
        for (const char *next; (next = output()); seen++) {
            if (strncmp(next, start, strlen(start)) != 0)
                fail_msg("expected %s, got %s", start, next);
            assert_true(seen < count);
            assert_int_equal(due, moments[seen]);
        }
    }
    assert_int_equal(seen, count);
}

static struct sip_message *outgoing(const char *method)
{
    struct sip_message *request = sip_request_new(text_of(method), TEXT("sip:carol@example.com"));
    assert_int_equal(sip_header_add(request, "Max-Forwards", TEXT("70")), OK);
    assert_int_equal(sip_header_add(request, "From", TEXT("<sip:alice@example.com>;tag=f")), OK);
    assert_int_equal(sip_header_add(request, "To", TEXT("<sip:carol@example.com>")), OK);
    assert_int_equal(sip_header_add(request, "Call-ID", TEXT("out")), OK);
    assert_int_equal(sip_header_add(request, "CSeq", text_format(&arena, "1 %s", method)), OK);
    assert_int_equal(sip_header_add(request, "Route", TEXT("<sip:proxy.example;lr>")), OK);
    return request;
}

/* The request that the agent sent, as its peer reads it. */
static struct sip_message *sent_request(const char *method)
{
    const char *bytes = output();
    struct sip_message *request;
    struct sip_fault fault;
    assert_non_null(bytes);
    assert_int_equal(sip_message_parse(text_of(bytes), &request, &fault), OK);
    assert_string_equal(text_cstring(&arena, sip_method(request)), method);
    return request;
}

static struct text response_to(const struct sip_message *request, int status)
{
    struct sip_message *response = sip_response_new(request, status, NULL, TEXT("peer"));
    struct text bytes = sip_message_write(response, &arena);
    sip_message_free(response);
    return bytes;
}

/* --- server, not INVITE ----------------------------------------------------------------------------------------- */

static void a_request_is_told_once_and_answered_as_often_as_it_comes(void **state)
{
    (void)state;
    struct text bytes = request_of((struct line){.method = "MESSAGE", .branch = "z9hG4bK1"});
    struct sip_message *request;
    input(bytes, &udp, 0);
    uint64_t transaction = expect_request("MESSAGE", &request);
    input(bytes, &udp, 500);
    expect_nothing();
    answer(transaction, request, 200, 600);
    expect_output("SIP/2.0 200 OK\r\n");
    input(bytes, &udp, 1500);
    expect_output("SIP/2.0 200 OK\r\n");
    expect_nothing();
    answer(transaction, request, 500, 1600);
    expect_nothing();
    sip_message_free(request);
}

static void timer_j_absorbs_for_32_seconds(void **state)
{
    (void)state;
    struct text bytes = request_of((struct line){.method = "MESSAGE", .branch = "z9hG4bK1"});
    struct sip_message *request;
    input(bytes, &udp, 0);
    answer_next("MESSAGE", &request, 200, 1000);
    sip_message_free(request);
    expect_output("SIP/2.0 200");
    assert_int_equal(sip_agent_deadline(agent), 33000);
    sip_agent_tick(agent, 32999);
    input(bytes, &udp, 32999);
    expect_output("SIP/2.0 200");
    expect_nothing();
    sip_agent_tick(agent, 33000);
    assert_int_equal(sip_agent_transactions(agent), 0);
    input(bytes, &udp, 33001);
    expect_request("MESSAGE", NULL);
}

static void over_tcp_an_answered_request_is_forgotten(void **state)
{
    (void)state;
    struct sip_message *request;
    input(request_of((struct line){.method = "MESSAGE", .branch = "z9hG4bK1"}), &tcp, 0);
    answer_next("MESSAGE", &request, 200, 1000);
    sip_message_free(request);
    expect_output("SIP/2.0 200");
    assert_int_equal(last_flow.connection, 7);
    assert_int_equal(sip_agent_transactions(agent), 0);
    assert_int_equal(sip_agent_deadline(agent), INT64_MAX);
}

static void other_methods_branches_and_senders_are_other_requests(void **state)
{
    (void)state;
    input(request_of((struct line){.method = "MESSAGE", .branch = "z9hG4bK1"}), &udp, 0);
    expect_request("MESSAGE", NULL);
    input(request_of((struct line){.method = "OPTIONS", .branch = "z9hG4bK1"}), &udp, 0);
    expect_request("OPTIONS", NULL);
    input(request_of((struct line){.method = "MESSAGE", .branch = "z9hG4bK2", .cseq = 2}), &udp, 0);
    expect_request("MESSAGE", NULL);
    static const char other[] = "MESSAGE sip:b@x SIP/2.0\r\nVia: SIP/2.0/UDP CLIENT.example:5071;branch=z9hG4bK1\r\n"
                                "From: <sip:a@x>;tag=g\r\nTo: <sip:b@x>\r\nCall-ID: d\r\nCSeq: 1 MESSAGE\r\n\r\n";
    input(text_of(other), &udp, 0);
    expect_request("MESSAGE", NULL);
    assert_int_equal(sip_agent_transactions(agent), 4);
}

static void a_branch_without_cookie_is_told_apart_by_the_rest(void **state)
{
    (void)state;
    struct line line = {.method = "MESSAGE", .branch = "1", .call_id = "a"};
    input(request_of(line), &udp, 0);
    expect_request("MESSAGE", NULL);
    input(request_of(line), &udp, 0);
    expect_nothing();
    line.call_id = "b";
    input(request_of(line), &udp, 0);
    expect_request("MESSAGE", NULL);
    line.cseq = 2;
    input(request_of(line), &udp, 0);
    expect_request("MESSAGE", NULL);
}

static void the_same_request_by_another_way_is_refused(void **state)
{
    (void)state;
    input(request_of((struct line){.method = "MESSAGE", .branch = "z9hG4bK1"}), &udp, 0);
    expect_request("MESSAGE", NULL);
    input(request_of((struct line){.method = "MESSAGE", .branch = "z9hG4bK2"}), &udp, 10);
    expect_output("SIP/2.0 482 ");
    expect_nothing();
    /* With a To tag it is a request inside a dialog, and another number is another request. */
    input(request_of((struct line){.method = "MESSAGE", .branch = "z9hG4bK3", .to_tag = "t"}), &udp, 10);
    expect_request("MESSAGE", NULL);
    input(request_of((struct line){.method = "MESSAGE", .branch = "z9hG4bK4", .cseq = 2}), &udp, 10);
    expect_request("MESSAGE", NULL);
}

static void provisional_answers_are_held_back_while_the_client_repeats_fast(void **state)
{
    (void)state;
    struct text bytes = request_of((struct line){.method = "MESSAGE", .branch = "z9hG4bK1"});
    struct sip_message *request;
    input(bytes, &udp, 0);
    uint64_t transaction = expect_request("MESSAGE", &request);
    answer(transaction, request, 100, 1000);
    answer(transaction, request, 180, 5000);
    expect_nothing();
    static const int64_t moments[] = {3500};
    expect_sent_at("SIP/2.0 100 Trying\r\n", moments, 1, 3500);
    input(bytes, &udp, 7500);
    expect_output("SIP/2.0 100 ");
    answer(transaction, request, 202, 8000);
    expect_output("SIP/2.0 202 Accepted\r\n");
    sip_message_free(request);
}

static void nobody_says_408_to_a_request_that_is_no_invite(void **state)
{
    (void)state;
    struct text bytes = request_of((struct line){.method = "MESSAGE", .branch = "z9hG4bK1"});
    struct sip_message *request;
    input(bytes, &udp, 0);
    answer_next("MESSAGE", &request, 408, 1000);
    sip_message_free(request);
    input(bytes, &udp, 1500);
    expect_nothing();
}

static void a_request_that_is_never_answered_goes_after_32_seconds(void **state)
{
    (void)state;
    struct sip_message *request;
    input(request_of((struct line){.method = "MESSAGE", .branch = "z9hG4bK1"}), &tcp, 0);
    uint64_t transaction = expect_request("MESSAGE", &request);
    static const int64_t moments[] = {3500};
    expect_sent_at("SIP/2.0 100", moments, 1, 40000);
    assert_int_equal(sip_agent_transactions(agent), 0);
    answer(transaction, request, 200, 40000);
    expect_nothing();
    sip_message_free(request);
}

/* --- server, INVITE --------------------------------------------------------------------------------------------- */

static void an_invite_gets_100_after_200_ms_and_repeats_get_the_last_answer(void **state)
{
    (void)state;
    struct text bytes = request_of((struct line){.method = "INVITE", .branch = "z9hG4bK1"});
    struct sip_message *request;
    input(bytes, &udp, 0);
    uint64_t transaction = expect_request("INVITE", &request);
    static const int64_t moments[] = {200};
    expect_sent_at("SIP/2.0 100 Trying\r\n", moments, 1, 100000);
    input(bytes, &udp, 100000);
    expect_output("SIP/2.0 100");
    answer(transaction, request, 180, 100100);
    expect_output("SIP/2.0 180");
    input(bytes, &udp, 100200);
    expect_output("SIP/2.0 180");
    expect_nothing();
    sip_message_free(request);
}

static void a_refused_invite_is_repeated_by_timer_g_until_its_ack(void **state)
{
    (void)state;
    struct sip_message *request;
    input(request_of((struct line){.method = "INVITE", .branch = "z9hG4bK1"}), &udp, 0);
    answer_next("INVITE", &request, 486, 0);
    sip_message_free(request);
    expect_output("SIP/2.0 486");
    static const int64_t moments[] = {500, 1500, 3500, 7500, 11500};
    expect_sent_at("SIP/2.0 486", moments, 5, 12000);
    struct text ack = request_of((struct line){.method = "ACK", .branch = "z9hG4bK1", .to_tag = "mine"});
    input(ack, &udp, 12000);
    input(ack, &udp, 12500);
    input(request_of((struct line){.method = "INVITE", .branch = "z9hG4bK1"}), &udp, 12600);
    expect_nothing();
    assert_int_equal(sip_agent_deadline(agent), 17000);
    sip_agent_tick(agent, 17000);
    assert_int_equal(sip_agent_transactions(agent), 0);
}

static void without_an_ack_timer_h_ends_it(void **state)
{
    (void)state;
    struct sip_message *request;
    input(request_of((struct line){.method = "INVITE", .branch = "z9hG4bK1"}), &tcp, 0);
    answer_next("INVITE", &request, 486, 0);
    sip_message_free(request);
    expect_output("SIP/2.0 486");
    expect_sent_at("", NULL, 0, 31999);
    assert_int_equal(sip_agent_transactions(agent), 1);
    sip_agent_tick(agent, 32000);
    assert_int_equal(sip_agent_transactions(agent), 0);
}

static void over_tcp_an_ack_ends_it_at_once(void **state)
{
    (void)state;
    struct sip_message *request;
    input(request_of((struct line){.method = "INVITE", .branch = "z9hG4bK1"}), &tcp, 0);
    answer_next("INVITE", &request, 486, 0);
    sip_message_free(request);
    expect_output("SIP/2.0 486");
    input(request_of((struct line){.method = "ACK", .branch = "z9hG4bK1", .to_tag = "mine"}), &tcp, 10);
    expect_nothing();
    assert_int_equal(sip_agent_transactions(agent), 0);
}

static void an_accepted_invite_absorbs_repeats_and_passes_its_ack(void **state)
{
    (void)state;
    struct text bytes = request_of((struct line){.method = "INVITE", .branch = "z9hG4bK1"});
    struct sip_message *request;
    struct sip_event event;
    input(bytes, &udp, 0);
    uint64_t transaction = expect_request("INVITE", &request);
    answer(transaction, request, 200, 0);
    expect_output("SIP/2.0 200");
    input(bytes, &udp, 500);
    expect_nothing();
    answer(transaction, request, 200, 600); /* the caller's repetition */
    expect_output("SIP/2.0 200");
    input(request_of((struct line){.method = "ACK", .branch = "z9hG4bK9", .to_tag = "mine"}), &udp, 700);
    assert_true(sip_agent_event(agent, &event));
    assert_int_equal(event.kind, SIP_EVENT_ACK);
    sip_message_free(event.message);
    sip_message_free(request);
    assert_int_equal(sip_agent_deadline(agent), 32000);
    sip_agent_tick(agent, 32000);
    assert_int_equal(sip_agent_transactions(agent), 0);
}

static void a_cancelled_invite_gets_487(void **state)
{
    (void)state;
    struct sip_message *request;
    static const char invite[] = "INVITE sip:b@x SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1;rport\r\n"
                                 "Via: SIP/2.0/UDP behind;branch=z9hG4bK0\r\nFrom: <sip:a@x>;tag=f\r\nTo: <sip:b@x>\r\n"
                                 "Call-ID: c\r\nCSeq: 1 INVITE\r\n\r\n";
    static const char cancel[] = "CANCEL sip:b@x SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1;rport\r\n"
                                 "From: <sip:a@x>;tag=f\r\nTo: <sip:b@x>\r\nCall-ID: c\r\nCSeq: 1 CANCEL\r\n\r\n";
    input(text_of(invite), &udp, 0);
    uint64_t transaction = expect_request("INVITE", &request);
    input(text_of(cancel), &udp, 100);
    expect_output("SIP/2.0 200 OK\r\n");
    const char *terminated = output();
    assert_non_null(terminated);
    assert_non_null(strstr(terminated, "SIP/2.0 487 Request Terminated\r\n"));
    assert_non_null(strstr(terminated, "behind;branch=z9hG4bK0"));
    assert_non_null(strstr(terminated, "To: <sip:b@x>;tag="));
    input(text_of(cancel), &udp, 200);
    expect_output("SIP/2.0 200 OK\r\n");
    answer(transaction, request, 200, 300);
    expect_nothing();
    sip_message_free(request);
}

static void a_cancel_of_nothing_gets_481(void **state)
{
    (void)state;
    input(request_of((struct line){.method = "CANCEL", .branch = "z9hG4bK1"}), &udp, 0);
    expect_output("SIP/2.0 481 ");
    expect_nothing();
}

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

static void the_answer_is_told_once_and_timer_k_absorbs_repeats(void **state)
{
    (void)state;
    sip_agent_request(agent, outgoing("MESSAGE"), &udp, 42, 0);
    struct sip_message *request = sent_request("MESSAGE");
    input(response_to(request, 200), &udp, 100);
    expect_response(200, 42);
    input(response_to(request, 200), &udp, 200);
    input(response_to(request, 100), &udp, 200);
    expect_nothing();
    assert_int_equal(sip_agent_deadline(agent), 5100);
    sip_agent_tick(agent, 5100);
    assert_int_equal(sip_agent_transactions(agent), 0);
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

/* --- Via -------------------------------------------------------------------------------------------------------- */

static void the_source_is_written_into_the_via_and_answers_follow_it(void **state)
{
    (void)state;
    struct sip_message *request;
    struct text via;
    input(request_of((struct line){.method = "MESSAGE", .branch = "z9hG4bK1", .via_extra = ";rport;received=6.6.6.6"}),
          &udp, 0);
    answer_next("MESSAGE", &request, 200, 0);
    assert_true(sip_header(request, "Via", 0, &arena, &via));
    assert_string_equal(text_cstring(&arena, via),
                        "SIP/2.0/UDP client.example:5070;branch=z9hG4bK1;received=192.0.2.1;rport=40000");
    expect_output("SIP/2.0 200");
    assert_int_equal(flow_port(&last_flow), 40000);
    sip_message_free(request);
}

static void without_rport_the_answer_goes_to_the_port_of_the_via(void **state)
{
    (void)state;
    struct sip_message *request;
    input(request_of((struct line){.method = "MESSAGE", .branch = "z9hG4bK1", .via_extra = ";x"}), &udp, 0);
    answer_next("MESSAGE", &request, 200, 0);
    expect_output("SIP/2.0 200");
    assert_int_equal(flow_port(&last_flow), 5070);
    assert_string_equal(text_cstring(&arena, flow_address_text(&last_flow, &arena)), "192.0.2.1");
    sip_message_free(request);

    struct flow ipv6 = {.kind = FLOW_UDP};
    assert_true(flow_set_peer(&ipv6, "2001:db8::5", 1234));
    input(TEXT("OPTIONS sip:x.example SIP/2.0\r\nVia: SIP/2.0/UDP [2001:db8::9];branch=z9hG4bK2\r\nFrom: "
               "<sip:a@x>;tag=1\r\n"
               "To: <sip:x@x>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n\r\n"),
          &ipv6, 0);
    answer_next("OPTIONS", &request, 200, 0);
    expect_output("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP [2001:db8::9];branch=z9hG4bK2;received=2001:db8::5\r\n");
    assert_string_equal(text_cstring(&arena, flow_peer_text(&last_flow, &arena)), "[2001:db8::5]:5060");
    sip_message_free(request);
}

static void an_ipv6_host_is_bracketed_in_our_via(void **state)
{
    (void)state;
    struct sip_agent_settings settings = SIP_AGENT_SETTINGS_STANDARD;
    settings.host = "[2001:db8::1]";
    settings.port = 5070;
    sip_agent_free(agent);
    agent = sip_agent_new(&settings);
    sip_agent_request(agent, outgoing("MESSAGE"), &udp, 42, 0);
    struct sip_message *request = sent_request("MESSAGE");
    struct text via;
    assert_true(sip_header(request, "Via", 0, &arena, &via));
    assert_true(text_starts_with(via, TEXT("SIP/2.0/UDP [2001:db8::1]:5070;branch=z9hG4bK")));
    input(response_to(request, 200), &udp, 0);
    expect_response(200, 42);
    sip_message_free(request);
}

/* --- what is broken --------------------------------------------------------------------------------------------- */

static void broken_requests_are_answered_if_there_is_a_way_back(void **state)
{
    (void)state;
    static const char rest[] = "Via: SIP/2.0/UDP h;branch=z9hG4bK1;rport\r\nFrom: <sip:a@x>;tag=f\r\nTo: <sip:b@x>\r\n"
                               "Call-ID: c\r\n";
    input(text_format(&arena, "MESSAGE sip:b@x SIP/2.0\r\n%sCSeq: 1 INVITE\r\n\r\n", rest), &udp, 0);
    expect_output(
        "SIP/2.0 400 CSeq names another method\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1;received=192.0.2.1;rport=40000");
    input(text_format(&arena, "MESSAGE sip:b@x SIP/4.0\r\n%sCSeq: 1 MESSAGE\r\n\r\n", rest), &udp, 0);
    expect_output("SIP/2.0 505 ");
    input(text_format(&arena, "MESSAGE sip:b@x SIP/2.0\r\n%sCSeq: 1 MESSAGE\r\nl: 9\r\n\r\nhi", rest), &udp, 0);
    expect_output("SIP/2.0 400 Content-Length beyond the end\r\n");
    input(text_format(&arena, "ACK sip:b@x SIP/2.0\r\n%sCSeq: 1 INVITE\r\n\r\n", rest), &udp, 0);
    input(TEXT("MESSAGE sip:b@x SIP/2.0\r\n\r\n"), &udp, 0);
    input(text_format(&arena, "SIP/2.0 200 OK\r\n%s\r\n", rest), &udp, 0);
    input(TEXT("\r\n\r\n"), &udp, 0);
    input(TEXT(""), &udp, 0);
    input(TEXT("garbage"), &udp, 0);
    input((struct text){"\0\1\0\0\x21\x12\xa4\x42xxxxxxxxxxxx", 20}, &udp, 0); /* STUN */
    expect_nothing();
    assert_int_equal(sip_agent_transactions(agent), 0);
}

static void a_body_beyond_the_limit_is_refused(void **state)
{
    (void)state;
    struct sip_agent_settings settings = SIP_AGENT_SETTINGS_STANDARD;
    settings.body_max = 4;
    sip_agent_free(agent);
    agent = sip_agent_new(&settings);
    static const char request[] = "MESSAGE sip:b@x SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1;rport\r\n"
                                  "From: <sip:a@x>;tag=f\r\nTo: <sip:b@x>\r\nCall-ID: c\r\nCSeq: 1 MESSAGE\r\n"
                                  "Content-Length: 5\r\n\r\nhello";
    input(text_of(request), &udp, 0);
    expect_output("SIP/2.0 513 ");
    expect_nothing();
    input(text_of(request), &tcp, 0);
    expect_output("SIP/2.0 513 ");
    expect_output("close");
    expect_nothing();
}

static void identifiers_beyond_reason_are_refused(void **state)
{
    (void)state;
    char branch[3000];
    memset(branch, 'x', sizeof(branch) - 1);
    branch[sizeof(branch) - 1] = '\0';
    input(request_of((struct line){.method = "MESSAGE", .branch = branch}), &udp, 0);
    expect_output("SIP/2.0 400 Identifiers too long");
    assert_int_equal(sip_agent_transactions(agent), 0);
}

/* The answers that are made here must not outgrow what is read: they hold more bytes than the request. */
static void an_invite_full_to_the_limits_can_be_cancelled(void **state)
{
    (void)state;
    struct text_builder invite;
    builder_init(&invite, &arena);
    builder_add(&invite, TEXT("INVITE sip:b@x SIP/2.0\r\nv:SIP/2.0/UDP h;branch=z9hG4bK1;rport"));
    for (int i = 0; i < 62; i++)
        builder_add(&invite, TEXT(";a"));
    builder_add(&invite, TEXT("\r\nf:<sip:a@x>;tag=f\r\nt:<sip:b@x>\r\ni:c\r\nCSeq:1 INVITE\r\n"));
    for (int i = 0; i < 59; i++)
        builder_add_format(&invite, "v:SIP/2.0/UDP h;branch=%0240d\r\n", i);
    builder_add(&invite, TEXT("\r\n"));
    assert_true(builder_text(&invite).length < SIP_HEADER_BYTES_MAX);
    input(builder_text(&invite), &udp, 0);
    expect_request("INVITE", NULL);
    input(request_of((struct line){.method = "CANCEL", .branch = "z9hG4bK1"}), &udp, 0);
    expect_output("SIP/2.0 481");
    input(
        TEXT("CANCEL sip:b@x SIP/2.0\r\nv:SIP/2.0/UDP h;branch=z9hG4bK1\r\nf:<sip:a@x>;tag=f\r\nt:<sip:b@x>\r\ni:c\r\n"
             "CSeq:1 CANCEL\r\n\r\n"),
        &udp, 0);
    expect_output("SIP/2.0 200");
    const char *terminated = output();
    assert_non_null(strstr(terminated, "SIP/2.0 487"));
    assert_non_null(strstr(terminated, "Via: SIP/2.0/UDP h;branch=z9hG4bK1;a;a"));
    assert_non_null(strstr(terminated, "To: <sip:b@x>;tag="));
}

/* --- streams ---------------------------------------------------------------------------------------------------- */

#define STREAM_REQUEST(number)                                                                                         \
    "MESSAGE sip:b@x SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK" number                                              \
    "\r\nFrom: <sip:a@x>;tag=f\r\nTo: <sip:b@x>\r\n"                                                                   \
    "Call-ID: " number "\r\nCSeq: 1 MESSAGE\r\nContent-Length: 7\r\n\r\n\r\n\r\nhi!"

static void expect_whole_request(void)
{
    struct sip_message *request;
    expect_request("MESSAGE", &request);
    assert_true(text_equal(sip_body(request), TEXT("\r\n\r\nhi!")));
    sip_message_free(request);
}

static void a_stream_may_be_cut_anywhere(void **state)
{
    (void)state;
    static const char bytes[] = STREAM_REQUEST("1") STREAM_REQUEST("2");
    size_t length = sizeof(bytes) - 1;
    for (size_t cut = 1; cut < length; cut++) {
        tcp.connection = cut;
        input((struct text){bytes, cut}, &tcp, 0);
        input((struct text){bytes + cut, length - cut}, &tcp, 0);
        expect_whole_request();
        expect_whole_request();
        expect_nothing();
        end(NULL);
        begin(NULL);
    }
    for (size_t i = 0; i < length; i++)
        input((struct text){bytes + i, 1}, &tcp, 0);
    expect_whole_request();
    expect_whole_request();
    expect_nothing();
}

static void messages_in_one_segment_are_told_in_order(void **state)
{
    (void)state;
    static const char bytes[] = "\r\n" STREAM_REQUEST("1") "\r\n" STREAM_REQUEST("2") STREAM_REQUEST("3");
    input(text_of(bytes), &tcp, 0);
    static const char *const calls[] = {"1", "2", "3"};
    for (int i = 0; i < 3; i++) {
        struct sip_message *request;
        expect_request("MESSAGE", &request);
        assert_string_equal(text_cstring(&arena, sip_call_id(request, &arena)), calls[i]);
        sip_message_free(request);
    }
    expect_nothing();
}

static void connections_do_not_mix(void **state)
{
    (void)state;
    static const char bytes[] = STREAM_REQUEST("1");
    struct flow other = tcp;
    other.connection = 8;
    input((struct text){bytes, 40}, &tcp, 0);
    input((struct text){bytes, 50}, &other, 0);
    input((struct text){bytes + 40, sizeof(bytes) - 41}, &tcp, 0);
    expect_whole_request();
    sip_agent_closed(agent, 8, 0);
    expect_nothing();
}

static void a_keep_alive_is_answered(void **state)
{
    (void)state;
    input(TEXT("\r\n\r\n"), &tcp, 0);
    expect_output("\r\n");
    assert_int_equal(last_flow.connection, 7);
    input(TEXT("\r"), &tcp, 0);
    input(TEXT("\n\r"), &tcp, 0);
    expect_nothing();
    input(TEXT("\n"), &tcp, 0);
    expect_output("\r\n");
    static const char bytes[] = STREAM_REQUEST("1");
    input(text_of(bytes), &tcp, 0);
    expect_whole_request();
    input(TEXT("\r\n\r\n"), &tcp, 0);
    expect_output("\r\n");
    expect_nothing();
    /* A flood is not answered by a flood. */
    input(TEXT("\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n"), &tcp, 0);
    expect_output("\r\n");
    expect_nothing();
}

static void expect_lost(const char *bytes, const char *answer_start)
{
    static uint64_t connection = 1000;
    tcp.connection = connection++;
    input(text_of(bytes), &tcp, 0);
    if (answer_start)
        expect_output(answer_start);
    expect_output("close");
    assert_int_equal(last_flow.connection, tcp.connection);
    input(TEXT(STREAM_REQUEST("1")), &tcp, 0);
    expect_nothing();
    sip_agent_closed(agent, tcp.connection, 0);
}

static void lost_framing_is_answered_and_the_connection_closed(void **state)
{
    (void)state;
#define FRAME(length)                                                                                                  \
    "MESSAGE sip:b@x SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\r\nFrom: <sip:a@x>;tag=f\r\nTo: <sip:b@x>\r\n"      \
    "Call-ID: 1\r\nCSeq: 1 MESSAGE\r\n" length "\r\n" STREAM_REQUEST("2")
    expect_lost(FRAME(""), "SIP/2.0 400 Missing Content-Length\r\n");
    expect_lost(FRAME("Content-Length: 0\r\nl: 0\r\n"), "SIP/2.0 400 Repeated Content-Length\r\n");
    expect_lost(FRAME("Content-Length: -1\r\n"), "SIP/2.0 400 Bad Content-Length\r\n");
    expect_lost(FRAME("Content-Length :\r\n 5\r\n"), "SIP/2.0 400 Bad Content-Length\r\n");
    expect_lost(FRAME("Content-Length: 99999999999999999999\r\n"), "SIP/2.0 400 Bad Content-Length\r\n");
    expect_lost(FRAME("Content-Length: 1048577\r\n"), "SIP/2.0 513 Message Too Large\r\n");
    expect_lost("GET / HTTP/1.1\r\nHost: x\r\n\r\n", NULL);
    expect_lost("SIP/2.0 200 OK\r\n\r\n", NULL);
    assert_int_equal(sip_agent_transactions(agent), 0);
}

static void a_header_section_without_end_is_cut_off(void **state)
{
    (void)state;
    struct text_builder bytes;
    builder_init(&bytes, &arena);
    builder_add(&bytes, TEXT("MESSAGE sip:b@x SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\r\nX: "));
    while (bytes.length <= SIP_HEADER_BYTES_MAX)
        builder_add_char(&bytes, 'x');
    struct text all = builder_text(&bytes);
    for (size_t i = 0; i < all.length; i += 100)
        input(text_slice(all, i, i + 100 < all.length ? i + 100 : all.length), &tcp, 0);
    expect_output("SIP/2.0 513 Header section too large\r\n");
    expect_output("close");
    expect_nothing();
}

static void a_broken_message_in_good_frames_leaves_the_connection_open(void **state)
{
    (void)state;
    input(
        TEXT(
            "MESSAGE sip:b@x SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\r\nFrom: x\r\nl: 2\r\n\r\nhi" STREAM_REQUEST(
                "2")),
        &tcp, 0);
    expect_output("SIP/2.0 400 Bad From\r\n");
    expect_whole_request();
    expect_nothing();
}

static void half_a_message_of_a_closed_connection_is_forgotten(void **state)
{
    (void)state;
    static const char bytes[] = STREAM_REQUEST("1");
    input((struct text){bytes, 100}, &tcp, 0);
    sip_agent_closed(agent, 7, 0);
    input(text_of(bytes), &tcp, 0);
    expect_whole_request();
    expect_nothing();
}

/* --- many ------------------------------------------------------------------------------------------------------- */

#define MANY 50000

static size_t heap_bytes(void)
{
    return mallinfo2().uordblks;
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
    print_message("%zu bytes per answered server transaction\n", (heap_bytes() - before) / MANY);
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

static int open_module(void **state)
{
    (void)state;
    sip_open();
    return 0;
}

#define AGENT_TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        AGENT_TEST(a_request_is_told_once_and_answered_as_often_as_it_comes),
        AGENT_TEST(timer_j_absorbs_for_32_seconds),
        AGENT_TEST(over_tcp_an_answered_request_is_forgotten),
        AGENT_TEST(other_methods_branches_and_senders_are_other_requests),
        AGENT_TEST(a_branch_without_cookie_is_told_apart_by_the_rest),
        AGENT_TEST(the_same_request_by_another_way_is_refused),
        AGENT_TEST(provisional_answers_are_held_back_while_the_client_repeats_fast),
        AGENT_TEST(nobody_says_408_to_a_request_that_is_no_invite),
        AGENT_TEST(a_request_that_is_never_answered_goes_after_32_seconds),
        AGENT_TEST(an_invite_gets_100_after_200_ms_and_repeats_get_the_last_answer),
        AGENT_TEST(a_refused_invite_is_repeated_by_timer_g_until_its_ack),
        AGENT_TEST(without_an_ack_timer_h_ends_it),
        AGENT_TEST(over_tcp_an_ack_ends_it_at_once),
        AGENT_TEST(an_accepted_invite_absorbs_repeats_and_passes_its_ack),
        AGENT_TEST(a_cancelled_invite_gets_487),
        AGENT_TEST(a_cancel_of_nothing_gets_481),
        AGENT_TEST(timer_e_doubles_up_to_t2_and_timer_f_gives_up),
        AGENT_TEST(a_late_tick_does_not_send_in_bursts),
        AGENT_TEST(after_100_the_interval_is_t2),
        AGENT_TEST(the_answer_is_told_once_and_timer_k_absorbs_repeats),
        AGENT_TEST(over_tcp_nothing_is_repeated),
        AGENT_TEST(responses_that_answer_nothing_of_ours_are_dropped),
        AGENT_TEST(what_cannot_be_reached_fails_at_once),
        AGENT_TEST(timer_a_doubles_without_bound_and_timer_b_gives_up),
        AGENT_TEST(a_ringing_invite_is_not_repeated_but_ends),
        AGENT_TEST(a_refusal_is_acknowledged_as_often_as_it_comes),
        AGENT_TEST(an_accepted_invite_is_told_once_and_its_ack_is_the_callers),
        AGENT_TEST(the_source_is_written_into_the_via_and_answers_follow_it),
        AGENT_TEST(without_rport_the_answer_goes_to_the_port_of_the_via),
        AGENT_TEST(an_ipv6_host_is_bracketed_in_our_via),
        AGENT_TEST(broken_requests_are_answered_if_there_is_a_way_back),
        AGENT_TEST(a_body_beyond_the_limit_is_refused),
        AGENT_TEST(identifiers_beyond_reason_are_refused),
        AGENT_TEST(an_invite_full_to_the_limits_can_be_cancelled),
        AGENT_TEST(a_stream_may_be_cut_anywhere),
        AGENT_TEST(messages_in_one_segment_are_told_in_order),
        AGENT_TEST(connections_do_not_mix),
        AGENT_TEST(a_keep_alive_is_answered),
        AGENT_TEST(lost_framing_is_answered_and_the_connection_closed),
        AGENT_TEST(a_header_section_without_end_is_cut_off),
        AGENT_TEST(a_broken_message_in_good_frames_leaves_the_connection_open),
        AGENT_TEST(half_a_message_of_a_closed_connection_is_forgotten),
        AGENT_TEST(fifty_thousand_live_transactions_are_found_and_end),
        AGENT_TEST(deadlines_come_in_order_whatever_was_ended_between),
        AGENT_TEST(what_is_not_taken_is_freed_with_the_agent),
    };
    return cmocka_run_group_tests(tests, open_module, NULL);
}
