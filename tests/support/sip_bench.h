/* An agent under a clock of the test's own, what is put into it and what it must give. Included by one test program at
 * a time, so its state is that of the program. */
#ifndef SUPPORT_SIP_BENCH_H
#define SUPPORT_SIP_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sip_agent.h"

static struct arena arena;
static struct sip_agent *agent;
static struct flow udp, tcp;

static inline int begin(void **state)
{
    (void)state;
    struct sip_agent_settings settings = SIP_AGENT_SETTINGS_STANDARD;
    settings.host = "198.51.100.1";
    settings.tls_port = 5061;
    arena_init(&arena, "test");
    agent = sip_agent_new(&settings);
    udp = (struct flow){.kind = FLOW_UDP};
    tcp = (struct flow){.kind = FLOW_TCP, .connection = 7};
    assert_true(flow_set_peer(&udp, "192.0.2.1", 40000));
    assert_true(flow_set_peer(&tcp, "192.0.2.2", 50000));
    return 0;
}

static inline int end(void **state)
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

static inline struct text request_of(struct line line)
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

static inline void input(struct text bytes, const struct flow *flow, int64_t now_ms)
{
    sip_agent_input(agent, bytes, flow, now_ms);
}

/* --- what comes out --------------------------------------------------------------------------------------------- */

static struct flow last_flow;

/* Next output as text in the arena; NULL if there is none. */
static inline const char *output(void)
{
    struct sip_output next;
    if (!sip_agent_output(agent, &next))
        return NULL;
    last_flow = next.flow;
    return next.close ? "close" : text_cstring(&arena, next.bytes);
}

static inline void expect_output(const char *start)
{
    const char *next = output();
    assert_non_null(next);
    if (strncmp(next, start, strlen(start)) != 0)
        fail_msg("expected %s, got %s", start, next);
}

static inline void expect_nothing(void)
{
    const char *next = output();
    if (next)
        fail_msg("unexpected output %s", next);
    struct sip_event event;
    assert_false(sip_agent_event(agent, &event));
}

static inline uint64_t expect_request(const char *method, struct sip_message **message_out)
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

static inline void expect_response(int status, uint64_t cookie)
{
    struct sip_event event;
    assert_true(sip_agent_event(agent, &event));
    assert_int_equal(event.kind, SIP_EVENT_RESPONSE);
    assert_int_equal(sip_status(event.message), status);
    assert_int_equal(event.cookie, cookie);
    sip_message_free(event.message);
}

static inline void expect_failure(enum sip_failure failure, uint64_t cookie)
{
    struct sip_event event;
    assert_true(sip_agent_event(agent, &event));
    assert_int_equal(event.kind, SIP_EVENT_FAILED);
    assert_int_equal(event.failure, failure);
    assert_int_equal(event.cookie, cookie);
    assert_null(event.message);
}

static inline void answer(uint64_t transaction, const struct sip_message *request, int status, int64_t now_ms)
{
    sip_agent_respond(agent, transaction, sip_response_new(request, status, NULL, TEXT("mine")), now_ms);
}

static inline void answer_next(const char *method, struct sip_message **request_out, int status, int64_t now_ms)
{
    uint64_t transaction = expect_request(method, request_out);
    answer(transaction, *request_out, status, now_ms);
}

/* Runs the clock to `until_ms` and checks that something was sent at exactly these moments. */
static inline void expect_sent_at(const char *start, const int64_t *moments, size_t count, int64_t until_ms)
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

static inline struct sip_message *outgoing(const char *method)
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
static inline struct sip_message *sent_request(const char *method)
{
    const char *bytes = output();
    struct sip_message *request;
    struct sip_fault fault;
    assert_non_null(bytes);
    assert_int_equal(sip_message_parse(text_of(bytes), &request, &fault), OK);
    assert_string_equal(text_cstring(&arena, sip_method(request)), method);
    return request;
}

static inline struct text response_to(const struct sip_message *request, int status)
{
    struct sip_message *response = sip_response_new(request, status, NULL, TEXT("peer"));
    struct text bytes = sip_message_write(response, &arena);
    sip_message_free(response);
    return bytes;
}

static inline int open_module(void **state)
{
    (void)state;
    sip_open();
    return 0;
}

#define AGENT_TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

#endif
