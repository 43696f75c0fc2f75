/* Server transactions (RFC 3261 §17.2, RFC 6026 §7.1, RFC 4320): requests are told once and answered as often as they
 * are repeated. */
#include <assert.h>
#include <stdlib.h>

#include "sip_agent_private.h"

#define TRYING_MS 200 /* RFC 3261 §17.2.1: an INVITE that is not answered by then gets a 100 */
#define SIP_PORT  5060

#define VIA_PARTS  5 /* of the key of a request: what its top Via says, and the rest of it */
#define REST_PARTS 3

static bool is_reliable(const struct transaction *transaction)
{
    return transaction->flow.kind != FLOW_UDP;
}

/* Where the answer to a stamped request goes (RFC 3261 §18.2.2, RFC 3581 §4). */
static struct flow response_flow(const struct sip_message *request, const struct flow *flow)
{
    struct flow answer = *flow;
    if (flow_is_connected(flow) || sip_via_wants_port(request))
        return answer;
    in_port_t port = htons(sip_via_port(request) ? sip_via_port(request) : SIP_PORT);
    if (answer.peer.ss_family == AF_INET6)
        memcpy((char *)&answer.peer + offsetof(struct sockaddr_in6, sin6_port), &port, sizeof(port));
    else
        memcpy((char *)&answer.peer + offsetof(struct sockaddr_in, sin_port), &port, sizeof(port));
    return answer;
}

/* --- keys ------------------------------------------------------------------------------------------------------- */

/* RFC 3261 §17.2.3; without the cookie a peer of RFC 2543 is recognised by the rest of the request. */
static bool has_cookie(struct text branch)
{
    return branch.length > 7 && text_starts_with_nocase(branch, TEXT("z9hG4bK"));
}

static struct text_fingerprint via_key(struct sip_agent *agent, struct text method, const struct sip_via *via,
                                       const struct text *rest, size_t rest_count)
{
    struct arena *scratch = &agent->scratch;
    struct text parts[VIA_PARTS + REST_PARTS] = {TEXT("S"), method, text_lower(scratch, via->host),
                                                 text_number(scratch, via->port ? via->port : SIP_PORT), via->branch};
    assert(rest_count <= REST_PARTS);
    for (size_t i = 0; i < rest_count; i++)
        parts[VIA_PARTS + i] = rest[i];
    return transaction_key(parts, VIA_PARTS + rest_count);
}

static struct text_fingerprint key_of(struct sip_agent *agent, const struct sip_message *request, struct text method)
{
    struct arena *scratch = &agent->scratch;
    const struct sip_via *via = &sip_view(request, SIP_VIEW_VIA)->via;
    if (has_cookie(via->branch))
        return via_key(agent, method, via, NULL, 0);
    struct text rest[REST_PARTS] = {sip_call_id(request, scratch), sip_from_tag(request),
                                    text_number(scratch, sip_cseq(request))};
    return via_key(agent, method, via, rest, REST_PARTS);
}

/* --- requests --------------------------------------------------------------------------------------------------- */

static void send_response(struct sip_agent *agent, const struct sip_message *response, const struct flow *flow)
{
    agent_output(agent, flow, sip_message_write(response, &agent->scratch));
}

void server_refuse(struct sip_agent *agent, const struct sip_message *request, int status, const char *reason,
                   const struct flow *flow)
{
    if (text_equal(sip_method(request), TEXT("ACK")))
        return;
    struct text call_id = sip_call_id(request, &agent->scratch);
    struct sip_message *response = sip_response_new(request, status, reason, agent_stateless_tag(agent, call_id));
    if (status == 503)
        sip_header_add(response, "Retry-After", agent_retry_after(agent, call_id));
    struct flow answer = response_flow(request, flow);
    send_response(agent, response, &answer);
    sip_message_free(response);
}

static struct transaction *begin(struct sip_agent *agent, const struct text_fingerprint *key,
                                 const struct sip_message *request, const struct flow *flow, int64_t now_ms)
{
    bool is_invite = text_equal(sip_method(request), TEXT("INVITE"));
    struct flow answer = response_flow(request, flow);
    struct transaction *transaction =
        transaction_new(agent, is_invite ? SERVER_INVITE : SERVER_NON_INVITE, key, &answer, now_ms);
    struct text bytes = sip_trying_write(request, &agent->scratch);
    transaction->template = agent_keep_bytes(agent, bytes);
    transaction->template_length = bytes.length;
    /* Who sent a non-INVITE request has given up after 64*T1, so an answer would be in vain. */
    if (is_invite)
        transaction_arm(agent, transaction, now_ms, TRYING_MS, NEVER);
    else
        transaction_arm(agent, transaction, now_ms, server_silence_ms(agent), agent->end_ms);
    return transaction;
}

static void answer_again(struct sip_agent *agent, const struct ended_entry *ended)
{
    struct flow flow = {.kind = FLOW_UDP};
    memcpy(&flow.peer, &ended->peer, sizeof(ended->peer));
    if (ended->length > 0)
        agent_output(agent, &flow, (struct text){ended->bytes, ended->length});
}

/* True: it is known, and was answered again if it was answered before. */
static bool absorb(struct sip_agent *agent, const struct text_fingerprint *key)
{
    const struct transaction *transaction = transaction_find(agent, key);
    if (transaction && transaction->bytes && transaction->state != CONFIRMED)
        transaction_send(agent, transaction);
    if (transaction)
        return true;
    const struct ended_entry *ended = ended_find(agent, key);
    if (ended)
        answer_again(agent, ended);
    return ended != NULL;
}

bool server_absorb(struct sip_agent *agent, struct text method, const struct sip_via *via)
{
    if (!has_cookie(via->branch))
        return false;
    struct text_fingerprint key = via_key(agent, method, via, NULL, 0);
    return absorb(agent, &key);
}

static void take_ack(struct sip_agent *agent, struct sip_message *ack, const struct flow *flow, int64_t now_ms)
{
    struct text_fingerprint key = key_of(agent, ack, TEXT("INVITE"));
    struct transaction *transaction = transaction_find(agent, &key);
    if (!transaction || transaction->state == ACCEPTED) {
        agent_event(agent, &(struct sip_event){.kind = SIP_EVENT_ACK, .message = ack, .flow = *flow});
        return;
    }
    sip_message_free(ack);
    if (transaction->state != COMPLETED)
        return;
    if (is_reliable(transaction)) {
        transaction_free(agent, transaction);
        return;
    }
    transaction->state = CONFIRMED;
    transaction_keep(agent, transaction, (struct text){0});
    transaction_arm(agent, transaction, now_ms, NEVER, agent->settings.t4_ms);
}

/* A response in the caller's stead, made of the 100: another start line, and a tag behind the To. */
static struct text turn_into(struct sip_agent *agent, const struct transaction *transaction, int status,
                             struct text tag)
{
    static const struct text to_begin = TEXT_INIT("\r\nTo: ");
    struct text trying = {transaction->template, transaction->template_length}, rest;
    struct text_builder bytes;
    size_t start_end = text_find(trying, TEXT("\r\n"));
    rest = text_slice(trying, start_end, trying.length);
    size_t to = text_find(rest, to_begin);
    size_t to_end = to + to_begin.length;
    to_end += text_find(text_slice(rest, to_end, rest.length), TEXT("\r\n"));
    builder_init(&bytes, &agent->scratch);
    builder_add_format(&bytes, "SIP/2.0 %d %s", status, sip_reason(status));
    builder_add(&bytes, text_slice(rest, 0, to_end));
    if (tag.length > 0)
        builder_add_format(&bytes, ";tag=%.*s", TEXT_ARG(tag));
    builder_add(&bytes, text_slice(rest, to_end, rest.length));
    return builder_text(&bytes);
}

/* Requests that cannot be cancelled, and yet be meant: then it changes nothing. */
static bool is_of_another(struct sip_agent *agent, const struct sip_message *cancel)
{
    static const struct text methods[] = {TEXT_INIT("MESSAGE"),   TEXT_INIT("REGISTER"), TEXT_INIT("OPTIONS"),
                                          TEXT_INIT("SUBSCRIBE"), TEXT_INIT("NOTIFY"),   TEXT_INIT("PUBLISH")};
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        struct text_fingerprint key = key_of(agent, cancel, methods[i]);
        if (transaction_find(agent, &key) || ended_find(agent, &key))
            return true;
    }
    return false;
}

/* RFC 3261 §9.2: a CANCEL is answered by itself; the INVITE gets 487 if it had no final answer yet. */
static void take_cancel(struct sip_agent *agent, const struct text_fingerprint *key, struct sip_message *cancel,
                        const struct flow *flow, int64_t now_ms)
{
    struct text_fingerprint invite_key = key_of(agent, cancel, TEXT("INVITE"));
    struct transaction *invite = transaction_find(agent, &invite_key);
    struct text tag = random_hex(&agent->scratch, 16);
    bool is_meant = invite || is_of_another(agent, cancel);
    uint64_t number = begin(agent, key, cancel, flow, now_ms)->number;
    struct sip_message *response = sip_response_new(cancel, is_meant ? 200 : 481, NULL, tag);
    if (sip_to_tag(cancel).length > 0)
        tag = (struct text){0};
    sip_agent_respond(agent, number, response, now_ms);
    sip_message_free(cancel);
    if (!invite || invite->state > PROCEEDING)
        return;
    struct text bytes = turn_into(agent, invite, 487, tag);
    server_forget_template(agent, invite);
    server_respond_to_invite(agent, invite, 487, bytes, now_ms);
}

/* RFC 3261 §8.2.2.2; what a core sends twice on purpose has another Route the second time. */
static uint64_t merge_mark(const struct sip_agent *agent, const struct sip_message *request)
{
    struct text route = {0};
    uint64_t mark = agent_mark(agent, request);
    return sip_field_value(request, "Route", 0, &route) ? text_hash(route, mark) : mark;
}

/* True if the request goes no further. `mark`: 0 for one inside a dialog, which is never merged. */
static bool refused(struct sip_agent *agent, const struct text_fingerprint *key, const struct sip_message *request,
                    uint64_t mark, const struct flow *flow)
{
    if (key->low == 0 && key->high == 0)
        server_refuse(agent, request, 400, "Identifiers too long", flow);
    else if (agent->bytes >= agent->settings.bytes_max)
        server_refuse(agent, request, 503, NULL, flow);
    else if (mark && merge_known(agent, mark))
        server_refuse(agent, request, 482, "Merged request", flow);
    else
        return false;
    return true;
}

void server_turn_away(struct sip_agent *agent, struct sip_message *message, const struct flow *flow)
{
    struct text_fingerprint key = key_of(agent, message, sip_method(message));
    if (!absorb(agent, &key)) {
        server_refuse(agent, message, 503, NULL, flow);
        agent->turned_away++;
    }
    sip_message_free(message);
}

void server_request(struct sip_agent *agent, struct sip_message *message, const struct flow *flow, int64_t now_ms)
{
    struct text method = sip_method(message);
    if (text_equal(method, TEXT("ACK"))) {
        take_ack(agent, message, flow, now_ms);
        return;
    }
    struct text_fingerprint key = key_of(agent, message, method);
    ended_expect(agent, key.low);
    uint64_t mark = sip_to_tag(message).length > 0 ? 0 : merge_mark(agent, message);
    if (mark)
        ended_expect(agent, mark);
    if (absorb(agent, &key) || refused(agent, &key, message, mark, flow)) {
        sip_message_free(message);
        return;
    }
    if (text_equal(method, TEXT("CANCEL"))) {
        take_cancel(agent, &key, message, flow, now_ms);
        return;
    }
    struct transaction *transaction = begin(agent, &key, message, flow, now_ms);
    if (mark)
        merge_add(agent, transaction, mark);
    agent_event(agent,
                &(struct sip_event){
                    .kind = SIP_EVENT_REQUEST, .transaction = transaction->number, .message = message, .flow = *flow});
}
