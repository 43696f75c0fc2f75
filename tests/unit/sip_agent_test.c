/* Server transactions under a clock of our own: what is told once, what is absorbed, what is answered again, and
 * where answers go. */
#include "sip_bench.h"

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

/* T1, T2 and T4 are settings: G begins with T1 and doubles up to T2, I is T4. */
static void timers_of_a_refused_invite_follow_the_settings(void **state)
{
    (void)state;
    struct sip_message *request;
    struct sip_agent_settings settings = SIP_AGENT_SETTINGS_STANDARD;
    settings.t1_ms = 200;
    settings.t2_ms = 800;
    settings.t4_ms = 1500;
    sip_agent_free(agent);
    agent = sip_agent_new(&settings);
    input(request_of((struct line){.method = "INVITE", .branch = "z9hG4bK1"}), &udp, 0);
    answer_next("INVITE", &request, 486, 0);
    sip_message_free(request);
    expect_output("SIP/2.0 486");
    static const int64_t moments[] = {200, 600, 1400, 2200, 3000};
    expect_sent_at("SIP/2.0 486", moments, 5, 3100);
    input(request_of((struct line){.method = "ACK", .branch = "z9hG4bK1", .to_tag = "mine"}), &udp, 3100);
    expect_nothing();
    assert_int_equal(sip_agent_deadline(agent), 4600);
    sip_agent_tick(agent, 4599);
    assert_int_equal(sip_agent_transactions(agent), 1);
    sip_agent_tick(agent, 4600);
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

static void a_cancel_of_what_cannot_be_cancelled_changes_nothing(void **state)
{
    (void)state;
    struct sip_message *request;
    input(request_of((struct line){.method = "MESSAGE", .branch = "z9hG4bK1"}), &udp, 0);
    uint64_t transaction = expect_request("MESSAGE", &request);
    input(request_of((struct line){.method = "CANCEL", .branch = "z9hG4bK1"}), &udp, 100);
    expect_output("SIP/2.0 200 ");
    expect_nothing();
    answer(transaction, request, 202, 200);
    expect_output("SIP/2.0 202 ");
    input(request_of((struct line){.method = "CANCEL", .branch = "z9hG4bK2"}), &udp, 300);
    expect_output("SIP/2.0 481 ");
    sip_message_free(request);
}

static void a_cancel_of_nothing_gets_481(void **state)
{
    (void)state;
    input(request_of((struct line){.method = "CANCEL", .branch = "z9hG4bK1"}), &udp, 0);
    expect_output("SIP/2.0 481 ");
    expect_nothing();
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

static void expect_bytes(const char *bytes, size_t length)
{
    struct sip_output next;
    assert_true(sip_agent_output(agent, &next));
    assert_int_equal(next.bytes.length, length);
    assert_memory_equal(next.bytes.bytes, bytes, length);
}

static void a_binding_request_of_stun_is_answered_with_the_address(void **state)
{
    (void)state;
    static const char request[] = "\0\1\0\0\x21\x12\xa4\x42xxxxxxxxxxxx";
    static const char software[] = "\0\1\0\x8\x21\x12\xa4\x42xxxxxxxxxxxx\x80\x22\0\1s\0\0\0";
    static const char user[] = "\0\1\0\x8\x21\x12\xa4\x42xxxxxxxxxxxx\0\x6\0\1s\0\0\0";
    /* 192.0.2.1:40000 against 2112a442: bd52 and e112a643 */
    static const char answered[] = "\1\1\0\xc\x21\x12\xa4\x42xxxxxxxxxxxx\0\x20\0\x8\0\1\xbd\x52\xe1\x12\xa6\x43";
    struct flow ipv6 = {.kind = FLOW_UDP};
    input((struct text){request, 20}, &udp, 0);
    expect_bytes(answered, 32);
    input((struct text){software, 28}, &udp, 0);
    expect_bytes(answered, 32);
    input((struct text){user, 28}, &udp, 0); /* what must be understood is not */
    for (size_t length = 1; length < 28; length++)
        if (length != 20)
            input((struct text){software, length}, &udp, 0);
    expect_nothing();
    assert_true(flow_set_peer(&ipv6, "2001:db8::1", 40000));
    input((struct text){request, 20}, &ipv6, 0);
    expect_bytes("\1\1\0\x18\x21\x12\xa4\x42xxxxxxxxxxxx\0\x20\0\x14\0\2\xbd\x52"
                 "\x01\x13\xa9\xfaxxxxxxxxxxxy",
                 44);
    expect_nothing();
}

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
    input((struct text){"\0\1\0\0\x21\x12\xa4\x43xxxxxxxxxxxx", 20}, &udp, 0); /* not quite STUN */
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
        AGENT_TEST(timers_of_a_refused_invite_follow_the_settings),
        AGENT_TEST(without_an_ack_timer_h_ends_it),
        AGENT_TEST(over_tcp_an_ack_ends_it_at_once),
        AGENT_TEST(an_accepted_invite_absorbs_repeats_and_passes_its_ack),
        AGENT_TEST(a_cancelled_invite_gets_487),
        AGENT_TEST(a_cancel_of_what_cannot_be_cancelled_changes_nothing),
        AGENT_TEST(a_cancel_of_nothing_gets_481),
        AGENT_TEST(the_source_is_written_into_the_via_and_answers_follow_it),
        AGENT_TEST(without_rport_the_answer_goes_to_the_port_of_the_via),
        AGENT_TEST(an_ipv6_host_is_bracketed_in_our_via),
        AGENT_TEST(a_binding_request_of_stun_is_answered_with_the_address),
        AGENT_TEST(broken_requests_are_answered_if_there_is_a_way_back),
        AGENT_TEST(a_body_beyond_the_limit_is_refused),
        AGENT_TEST(identifiers_beyond_reason_are_refused),
        AGENT_TEST(an_invite_full_to_the_limits_can_be_cancelled),
    };
    return cmocka_run_group_tests(tests, open_module, NULL);
}
