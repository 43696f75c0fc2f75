/* The agent's edges: what comes in, what is due, what goes out. The state machines are in sip_server.c and
 * sip_client.c. */
#include <assert.h>
#include <stdlib.h>

#include "sip_agent_private.h"

#define QUEUE_MIN 16
#define TAG_BYTES 4 /* RFC 3261 §19.3: 32 bits at least */

/* Without the brackets of an IPv6 address, as the library gives the host of a Via. */
static char *bare_host(const char *host)
{
    size_t length = strlen(host);
    bool bracketed = length > 2 && host[0] == '[' && host[length - 1] == ']';
    return text_keep((struct text){host + bracketed, length - 2 * (size_t)bracketed});
}

struct sip_agent *sip_agent_new(const struct sip_agent_settings *settings)
{
    assert(settings->t1_ms > 0 && settings->t2_ms >= settings->t1_ms && settings->body_max <= SIP_BODY_MAX);
    struct sip_agent *agent = memory_new(sizeof(*agent));
    agent->settings = *settings;
    agent->host = bare_host(settings->host);
    agent->settings.host = agent->host;
    if (settings->tls_port == 0)
        agent->settings.tls_port = settings->port;
    agent->end_ms = 64 * settings->t1_ms;
    agent->seed = text_hash_seed();
    ended_init(&agent->ended);
    arena_init(&agent->scratch, "sip agent");
    agent->tag_seed = text_hash(random_hex(&agent->scratch, 32), agent->seed);
    for (int i = 0; i < CALM_LISTS; i++)
        TAILQ_INIT(&agent->calm[i]);
    if (settings->queue_max > 0)
        agent->intake = intake_new(agent);
    return agent;
}

void sip_agent_free(struct sip_agent *agent)
{
    if (!agent)
        return;
    int64_t due;
    for (struct transaction *next; (next = transaction_next(agent, &due));)
        transaction_free(agent, next);
    for (struct sip_event event; sip_agent_event(agent, &event);)
        sip_message_free(event.message);
    for (struct sip_output output; sip_agent_output(agent, &output);)
        continue;
    link_free_all(agent);
    intake_free(agent);
    ended_free(agent);
    table_clear(&agent->keys);
    table_clear(&agent->merges);
    free(agent->slots);
    free(agent->heap);
    free(agent->events.items);
    free(agent->outputs.items);
    free(agent->host);
    arena_clear(&agent->scratch);
    free(agent);
}

size_t sip_agent_transactions(const struct sip_agent *agent)
{
    return agent->transaction_count + agent->ended.count;
}

size_t sip_agent_bytes(const struct sip_agent *agent)
{
    return agent->bytes;
}

/* --- queues ----------------------------------------------------------------------------------------------------- */

/* Each part with the hash of those before it, so that none need be copied. */
uint64_t agent_mark(const struct sip_agent *agent, const struct sip_message *request)
{
    uint32_t cseq = sip_cseq(request);
    uint64_t mark = text_hash(sip_from_tag(request), agent->seed);
    mark = text_hash(sip_view(request, SIP_VIEW_CALL_ID)->call_id, mark);
    mark = text_hash((struct text){(const char *)&cseq, sizeof(cseq)}, mark);
    mark = text_hash(sip_method(request), mark);
    return text_hash(request->request_uri, mark);
}

void agent_event(struct sip_agent *agent, const struct sip_event *event)
{
    struct event_queue *queue = &agent->events;
    if (queue->first + queue->count == queue->capacity) {
        queue->capacity = queue->capacity ? queue->capacity * 2 : QUEUE_MIN;
        queue->items = memory_resize(queue->items, queue->capacity * sizeof(*queue->items));
    }
    queue->items[queue->first + queue->count++] = *event;
}

bool sip_agent_event(struct sip_agent *agent, struct sip_event *event_out)
{
    struct event_queue *queue = &agent->events;
    if (queue->count == 0)
        return false;
    *event_out = queue->items[queue->first++];
    if (--queue->count == 0)
        queue->first = 0;
    return true;
}

static void add_output(struct sip_agent *agent, const struct output *output)
{
    struct output_queue *queue = &agent->outputs;
    if (queue->first + queue->count == queue->capacity) {
        queue->capacity = queue->capacity ? queue->capacity * 2 : QUEUE_MIN;
        queue->items = memory_resize(queue->items, queue->capacity * sizeof(*queue->items));
    }
    queue->items[queue->first + queue->count++] = *output;
}

void agent_output_parts(struct sip_agent *agent, const struct flow *flow, const struct text *parts, size_t count)
{
    struct output output = {.flow = *flow};
    for (size_t i = 0; i < count; i++)
        output.length += parts[i].length;
    if (output.length == 0)
        return;
    char *place = output.bytes = memory_take(output.length);
    for (size_t i = 0; i < count; place += parts[i++].length)
        if (parts[i].length)
            memcpy(place, parts[i].bytes, parts[i].length);
    add_output(agent, &output);
}

void agent_output(struct sip_agent *agent, const struct flow *flow, struct text bytes)
{
    agent_output_parts(agent, flow, &bytes, 1);
}

void agent_close(struct sip_agent *agent, const struct flow *flow)
{
    add_output(agent, &(struct output){.flow = *flow, .close = true});
}

bool sip_agent_output(struct sip_agent *agent, struct sip_output *output_out)
{
    struct output_queue *queue = &agent->outputs;
    memory_give(agent->given, agent->given_length);
    agent->given = NULL;
    if (queue->count == 0)
        return false;
    const struct output *output = &queue->items[queue->first++];
    agent->given = output->bytes;
    agent->given_length = output->length;
    *output_out = (struct sip_output){output->flow, {output->bytes, output->length}, output->close};
    if (--queue->count == 0)
        queue->first = 0;
    return true;
}

/* --- input ------------------------------------------------------------------------------------------------------ */

/* Answers end what is in progress, and an ACK wants nothing: both make room. */
static bool waits_its_turn(struct text bytes)
{
    return !text_starts_with_nocase(bytes, TEXT("SIP/")) && !text_starts_with(bytes, TEXT("ACK "));
}

void agent_message(struct sip_agent *agent, struct text bytes, const struct flow *flow, int64_t now_ms)
{
    if (agent->intake && waits_its_turn(bytes))
        intake_add(agent, bytes, flow, now_ms);
    else
        agent_request(agent, bytes, flow, now_ms);
}

struct text agent_retry_after(const struct sip_agent *agent, struct text call_id)
{
    static const struct text seconds[] = {TEXT_INIT("5"),  TEXT_INIT("6"),  TEXT_INIT("7"),  TEXT_INIT("8"),
                                          TEXT_INIT("9"),  TEXT_INIT("10"), TEXT_INIT("11"), TEXT_INIT("12"),
                                          TEXT_INIT("13"), TEXT_INIT("14")};
    return seconds[text_hash(call_id, agent->seed) % (sizeof(seconds) / sizeof(seconds[0]))];
}

/* RFC 3261 §8.2.7: the same for the same request, and to be known beforehand by nobody (§19.3). Of a hash with a seed
 * of its own no more than half, which tells nothing of what tables are made with. */
struct text agent_stateless_tag(struct sip_agent *agent, struct text call_id)
{
    uint64_t mark = text_hash(call_id, agent->tag_seed);
    unsigned char bytes[TAG_BYTES];
    for (size_t i = 0; i < sizeof(bytes); i++, mark >>= 8)
        bytes[i] = mark & UINT8_MAX;
    return hex_encode(&agent->scratch, bytes, sizeof(bytes));
}

void agent_refuse(struct sip_agent *agent, struct text bytes, const struct flow *flow, int64_t now_ms)
{
    struct sip_message *message;
    struct sip_fault fault;
    if (refusal_send(agent, bytes, flow))
        return;
    if (sip_message_parse(bytes, &message, &fault) == OK && sip_is_request(message)) {
        sip_via_stamp(message, flow_address_text(flow, &agent->scratch), flow_port(flow));
        return server_turn_away(agent, message, flow);
    }
    sip_message_free(message); /* what is broken is answered as ever: that costs no more */
    agent_request(agent, bytes, flow, now_ms);
}

void agent_request(struct sip_agent *agent, struct text bytes, const struct flow *flow, int64_t now_ms)
{
    struct sip_message *message;
    struct sip_fault fault;
    enum status status = sip_message_parse(bytes, &message, &fault);
    if (!message)
        return;
    if (!sip_is_request(message)) {
        client_response(agent, message, flow, now_ms);
        return;
    }
    sip_via_stamp(message, flow_address_text(flow, &agent->scratch), flow_port(flow));
    if (status == OK && sip_body(message).length > agent->settings.body_max) {
        status = REFUSED;
        fault = (struct sip_fault){513, sip_reason(513)};
    }
    if (status == OK) {
        server_request(agent, message, flow, now_ms);
        return;
    }
    server_refuse(agent, message, fault.code, fault.reason, flow);
    sip_message_free(message);
}

/* RFC 8489 §5: the first two bits of STUN are zero. No method name begins like that. */
static bool is_sip_datagram(struct text bytes)
{
    return bytes.length > 0 && (unsigned char)bytes.bytes[0] >= ' ';
}

void sip_agent_input(struct sip_agent *agent, struct text bytes, const struct flow *flow, int64_t now_ms)
{
    arena_reset(&agent->scratch);
    if (flow_is_stream(flow)) {
        stream_input(agent, bytes, flow, now_ms);
        return;
    }
    if (flow_is_connected(flow) && text_equal(bytes, TEXT("\r\n\r\n"))) {
        agent_output(agent, flow, TEXT("\r\n"));
        return;
    }
    while (text_starts_with(bytes, TEXT("\r\n")))
        bytes = text_slice(bytes, 2, bytes.length);
    if (is_sip_datagram(bytes))
        agent_message(agent, bytes, flow, now_ms);
    else if (!flow_is_connected(flow))
        stun_input(agent, bytes, flow);
}

static void fail_all(struct sip_agent *agent, const struct flow *flow)
{
    /* Looked up each time: the link goes with its last transaction. */
    for (struct link *link; (link = link_find(agent, flow)) && link->transactions;)
        client_fail(agent, link->transactions, SIP_FAILURE_TRANSPORT);
}

void sip_agent_closed(struct sip_agent *agent, uint64_t connection, int64_t now_ms)
{
    (void)now_ms;
    struct flow flow = {.kind = FLOW_TCP, .connection = connection};
    if (connection == 0)
        return;
    fail_all(agent, &flow);
    struct link *link = link_find(agent, &flow);
    if (!link)
        return;
    link->length = 0;
    link->blank_lines = 0;
    link->dead = false;
    link_release(agent, link);
}

void sip_agent_unreachable(struct sip_agent *agent, const struct flow *flow, int64_t now_ms)
{
    (void)now_ms;
    fail_all(agent, flow);
}

/* --- time ------------------------------------------------------------------------------------------------------- */

int64_t sip_agent_deadline(const struct sip_agent *agent)
{
    int64_t due, end = ended_deadline(agent);
    transaction_next(agent, &due);
    return due < end ? due : end;
}

void sip_agent_tick(struct sip_agent *agent, int64_t now_ms)
{
    arena_reset(&agent->scratch);
    ended_tick(agent, now_ms);
    struct transaction *transaction;
    for (int64_t due; (transaction = transaction_next(agent, &due)) && due <= now_ms;) {
        bool is_client = transaction->role == CLIENT_INVITE || transaction->role == CLIENT_NON_INVITE;
        bool ends = transaction->end_at <= now_ms;
        if (ends && is_client)
            client_end(agent, transaction);
        else if (ends)
            transaction_free(agent, transaction);
        else if (is_client)
            client_repeat(agent, transaction, now_ms);
        else
            server_repeat(agent, transaction, now_ms);
    }
}
