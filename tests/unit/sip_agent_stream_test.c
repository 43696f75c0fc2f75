/* Messages out of streams: framing, keep-alive, and what ends a connection. */
#include "sip_bench.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        AGENT_TEST(a_stream_may_be_cut_anywhere),
        AGENT_TEST(messages_in_one_segment_are_told_in_order),
        AGENT_TEST(connections_do_not_mix),
        AGENT_TEST(a_keep_alive_is_answered),
        AGENT_TEST(lost_framing_is_answered_and_the_connection_closed),
        AGENT_TEST(a_header_section_without_end_is_cut_off),
        AGENT_TEST(a_broken_message_in_good_frames_leaves_the_connection_open),
        AGENT_TEST(half_a_message_of_a_closed_connection_is_forgotten),
    };
    return cmocka_run_group_tests(tests, open_module, NULL);
}
