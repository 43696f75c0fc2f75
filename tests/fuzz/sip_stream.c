/* A stream in pieces, datagrams and the passing of time against one agent: it must neither fall nor leak, and what is
 * cut differently must be told the same. The first byte of the input says how it is cut. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "sip_agent.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TIME_STEPS 64

static void drain(struct sip_agent *agent, size_t *requests_out, bool answer, int64_t now_ms)
{
    struct sip_event event;
    struct sip_output output;
    while (sip_agent_event(agent, &event)) {
        *requests_out += event.kind == SIP_EVENT_REQUEST;
        if (answer && event.kind == SIP_EVENT_REQUEST)
            sip_agent_respond(agent, event.transaction, sip_response_new(event.message, 486, NULL, TEXT("t")), now_ms);
        if (event.kind == SIP_EVENT_REQUEST)
            assert(event.message != NULL && sip_is_request(event.message));
        sip_message_free(event.message);
    }
    while (sip_agent_output(agent, &output))
        assert(output.close || output.bytes.length > 0);
}

static size_t run(struct text bytes, size_t piece, const struct flow *flow, bool answer)
{
    struct sip_agent_settings settings = SIP_AGENT_SETTINGS_STANDARD;
    settings.body_max = 1000;
    struct sip_agent *agent = sip_agent_new(&settings);
    size_t requests = 0;
    for (size_t at = 0; at < bytes.length; at += piece) {
        size_t end = at + piece < bytes.length ? at + piece : bytes.length;
        sip_agent_input(agent, text_slice(bytes, at, end), flow, (int64_t)at);
        drain(agent, &requests, answer, (int64_t)at);
    }
    for (int i = 0; i < TIME_STEPS && sip_agent_deadline(agent) != INT64_MAX; i++) {
        int64_t now_ms = sip_agent_deadline(agent);
        sip_agent_tick(agent, now_ms);
        drain(agent, &requests, answer, now_ms);
    }
    sip_agent_closed(agent, flow->connection, INT64_MAX);
    sip_agent_free(agent);
    return requests;
}

/* What comes while the queue is full, and then its turn when it is not. */
static void run_crowded(struct text bytes, const struct flow *flow)
{
    struct sip_agent_settings settings = SIP_AGENT_SETTINGS_STANDARD;
    struct flow other = {.kind = FLOW_UDP};
    size_t requests = 0;
    settings.queue_max = 2;
    struct sip_agent *agent = sip_agent_new(&settings);
    assert(flow_set_peer(&other, "192.0.2.2", 5060));
    for (int i = 0; i < 2; i++)
        sip_agent_input(agent, TEXT("OPTIONS sip:a SIP/2.0\r\n\r\n"), &other, 0);
    sip_agent_input(agent, bytes, flow, 0);
    sip_agent_input(agent, bytes, flow, 0);
    drain(agent, &requests, true, 0);
    while (sip_agent_turn(agent, 0))
        drain(agent, &requests, true, 0);
    sip_agent_input(agent, bytes, flow, 1);
    sip_agent_free(agent);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool opened;
    if (!opened)
        sip_open();
    opened = true;
    if (size == 0)
        return 0;
    struct text bytes = {(const char *)data + 1, size - 1};
    struct flow stream = {.kind = FLOW_TCP, .connection = 1}, datagram = {.kind = FLOW_UDP};
    bool good = flow_set_peer(&stream, "192.0.2.1", 5060) && flow_set_peer(&datagram, "2001:db8::1", 5060);
    assert(good);
    size_t whole = run(bytes, bytes.length + 1, &stream, false);
    size_t pieces = run(bytes, (size_t)data[0] + 1, &stream, false);
    assert(whole == pieces);
    run(bytes, bytes.length + 1, &stream, true);
    run(bytes, bytes.length + 1, &datagram, true);
    run_crowded(bytes, &datagram);
    return 0;
}
