/* Client transactions (RFC 3261 §17.1, RFC 6026 §7.2): a request is repeated until it is answered, and the answer is
 * told once. */
#include "sip_agent_private.h"

/* RFC 3261 §16.6: timer C is more than three minutes. Who rings longer has forgotten the call. */
#define PROCEEDING_MS_MAX 240000
#define BRANCH_DIGITS     16
#define MARK_DIGITS       8 /* behind them: of the request, to know it if it comes back */
#define SIP_PORT          5060

static bool is_reliable(const struct transaction *transaction)
{
    return transaction->flow.kind != FLOW_UDP;
}

static struct text_fingerprint key_of(struct text method, struct text branch)
{
    struct text parts[] = {TEXT("C"), method, branch};
    return transaction_key(parts, sizeof(parts) / sizeof(parts[0]));
}

/* --- requests --------------------------------------------------------------------------------------------------- */

static struct text mark_of(const struct sip_agent *agent, const struct sip_message *request, struct arena *arena)
{
    uint64_t mark = agent_mark(agent, request);
    unsigned char bytes[MARK_DIGITS / 2];
    for (size_t i = sizeof(bytes); i > 0; i--, mark >>= 8)
        bytes[i - 1] = mark & UINT8_MAX;
    return hex_encode(arena, bytes, sizeof(bytes));
}

/* Returns its branch. */
static struct text push_via(struct sip_agent *agent, struct sip_message *request, enum flow_kind kind)
{
    const struct sip_agent_settings *settings = &agent->settings;
    bool is_ipv6 = strchr(settings->host, ':') != NULL;
    struct arena *scratch = &agent->scratch;
    struct text branch =
        TEXT_CONCAT(scratch, TEXT("z9hG4bK"), random_hex(scratch, BRANCH_DIGITS), mark_of(agent, request, scratch));
    struct text port = text_number(scratch, kind == FLOW_TLS ? settings->tls_port : settings->port);
    sip_via_push(request,
                 TEXT_CONCAT(scratch, TEXT("SIP/2.0/"), text_of(flow_kind_name(kind)), is_ipv6 ? TEXT(" [") : TEXT(" "),
                             text_of(settings->host), is_ipv6 ? TEXT("]:") : TEXT(":"), port, TEXT(";branch="), branch,
                             TEXT(";rport")));
    return branch;
}

void sip_agent_request(struct sip_agent *agent, struct sip_message *request, const struct flow *flow, uint64_t cookie,
                       int64_t now_ms)
{
    arena_reset(&agent->scratch);
    struct text branch = push_via(agent, request, flow->kind), method = sip_method(request);
    struct text bytes = sip_message_write(request, &agent->scratch);
    if (text_equal(method, TEXT("ACK"))) {
        agent_output(agent, flow, bytes);
        sip_message_free(request);
        return;
    }
    bool is_invite = text_equal(method, TEXT("INVITE"));
    struct text_fingerprint key = key_of(method, branch);
    struct transaction *transaction =
        transaction_new(agent, is_invite ? CLIENT_INVITE : CLIENT_NON_INVITE, &key, flow, now_ms);
    transaction->cookie = cookie;
    agent_output(agent, flow, bytes);
    if (is_invite || !is_reliable(transaction)) /* an INVITE is looked at again for its ACK */
        transaction_keep(agent, transaction, bytes);
    transaction_arm(agent, transaction, now_ms, is_reliable(transaction) ? NEVER : agent->settings.t1_ms,
                    agent->end_ms);
    sip_message_free(request);
}

/* A Via as we write them: "SIP/2.0/UDP host:port;branch=…". */
static bool is_own(const struct sip_agent *agent, struct text via)
{
    struct text host = text_of(agent->settings.host), sent_by, parameters;
    uint64_t port;
    text_cut(via, ';', &sent_by, &parameters);
    size_t colon = sent_by.length;
    while (colon > 0 && sent_by.bytes[colon - 1] != ':')
        colon--;
    if (!text_to_u64(text_slice(sent_by, colon, sent_by.length), &port) ||
        (port != agent->settings.port && port != agent->settings.tls_port))
        return false;
    size_t at = text_find(sent_by, host);
    return at > 0 && at + host.length < sent_by.length && strchr(" [", sent_by.bytes[at - 1]) &&
           strchr(":]", sent_by.bytes[at + host.length]);
}

/* The mark is made when there is something to compare it with: few requests have been here before. */
size_t sip_agent_visits(const struct sip_agent *agent, const struct sip_message *request)
{
    struct arena arena;
    struct text via, sent_by, parameters, branch, mark = {0};
    size_t visits = 0;
    arena_init(&arena, "loop");
    for (size_t i = 0; sip_field_value(request, "Via", i, &via); i++) {
        if (!is_own(agent, via))
            continue;
        if (mark.length == 0)
            mark = mark_of(agent, request, &arena);
        text_cut(via, ';', &sent_by, &parameters);
        visits += uri_parameter(parameters, TEXT("branch"), &branch) && text_ends_with(branch, mark);
    }
    arena_clear(&arena);
    return visits;
}

/* --- responses -------------------------------------------------------------------------------------------------- */

/* RFC 3261 §18.1.2: what does not answer one of our requests is not for us. */
static bool is_via_ours(const struct sip_agent *agent, const struct sip_message *response)
{
    uint16_t port = sip_via_port(response) ? sip_via_port(response) : SIP_PORT;
    return text_equal_nocase(sip_via_host(response), text_of(agent->settings.host)) &&
           (port == agent->settings.port || port == agent->settings.tls_port);
}

static void tell(struct sip_agent *agent, const struct transaction *transaction, struct sip_message *response,
                 const struct flow *flow)
{
    agent_event(agent,
                &(struct sip_event){
                    .kind = SIP_EVENT_RESPONSE, .message = response, .flow = *flow, .cookie = transaction->cookie});
}

static void take_provisional(struct sip_agent *agent, struct transaction *transaction, struct sip_message *response,
                             const struct flow *flow, int64_t now_ms)
{
    if (transaction->state > PROCEEDING) {
        sip_message_free(response);
        return;
    }
    transaction->state = PROCEEDING;
    if (transaction->role == CLIENT_INVITE)
        transaction_arm(agent, transaction, now_ms, NEVER, PROCEEDING_MS_MAX);
    else
        transaction->repeat_ms = agent->settings.t2_ms;
    tell(agent, transaction, response, flow);
}

/* RFC 3261 §17.1.1.3: as the INVITE, with the To of the response and the top Via alone. */
static void acknowledge(struct sip_agent *agent, struct transaction *transaction, const struct sip_message *response)
{
    struct sip_message *invite = sip_message_read_own((struct text){transaction->bytes, transaction->bytes_length});
    transaction_keep(agent, transaction, (struct text){0});
    if (!invite || !sip_is_request(invite) ||
        sip_via_host(invite).length == 0) { /* the caller made what it must not send */
        sip_message_free(invite);
        return;
    }
    struct sip_message *ack = sip_request_new(TEXT("ACK"), sip_request_uri(invite, &agent->scratch));
    struct text via;
    sip_field_value(invite, "Via", 0, &via);
    sip_via_push(ack, via);
    sip_header_add(ack, "Max-Forwards", TEXT("70"));
    sip_field_copy(ack, invite, "Route");
    sip_field_copy(ack, invite, "From");
    sip_field_copy(ack, response, "To");
    sip_field_copy(ack, invite, "Call-ID");
    sip_header_add(ack, "CSeq", text_format(&agent->scratch, "%u ACK", (unsigned)sip_cseq(invite)));
    transaction_keep(agent, transaction, sip_message_write(ack, &agent->scratch));
    transaction_send(agent, transaction);
    sip_message_free(ack);
    sip_message_free(invite);
}

static void take_final(struct sip_agent *agent, struct transaction *transaction, struct sip_message *response,
                       const struct flow *flow, int64_t now_ms)
{
    bool is_success = sip_status(response) < 300;
    if (transaction->state > PROCEEDING) {
        if (transaction->role == CLIENT_INVITE && transaction->state == COMPLETED && !is_success)
            transaction_send(agent, transaction); /* the ACK was lost */
        sip_message_free(response);
        return;
    }
    if (transaction->role == CLIENT_INVITE && !is_success)
        acknowledge(agent, transaction, response);
    else
        transaction_keep(agent, transaction, (struct text){0});
    tell(agent, transaction, response, flow);
    transaction->state = transaction->role == CLIENT_INVITE && is_success ? ACCEPTED : COMPLETED;
    if (transaction->state == ACCEPTED || (transaction->role == CLIENT_INVITE && !is_reliable(transaction)))
        transaction_arm(agent, transaction, now_ms, NEVER, agent->end_ms);
    else /* timer K would absorb what is repeated, and an answer that belongs to nothing is dropped, too */
        transaction_free(agent, transaction);
}

void client_response(struct sip_agent *agent, struct sip_message *message, const struct flow *flow, int64_t now_ms)
{
    struct text_fingerprint key = key_of(sip_method(message), sip_branch(message));
    struct transaction *transaction = is_via_ours(agent, message) ? transaction_find(agent, &key) : NULL;
    if (!transaction)
        sip_message_free(message);
    else if (sip_status(message) < 200)
        take_provisional(agent, transaction, message, flow, now_ms);
    else
        take_final(agent, transaction, message, flow, now_ms);
}

/* --- time ------------------------------------------------------------------------------------------------------- */

/* Timers A and E: A doubles without bound, E up to T2 (RFC 3261 §17.1.1.2, §17.1.2.2). */
void client_repeat(struct sip_agent *agent, struct transaction *transaction, int64_t now_ms)
{
    int64_t next_ms = transaction->repeat_ms * 2;
    if (transaction->role == CLIENT_NON_INVITE && next_ms > agent->settings.t2_ms)
        next_ms = agent->settings.t2_ms;
    transaction_send(agent, transaction);
    transaction_repeat(agent, transaction, now_ms, next_ms);
}

void client_fail(struct sip_agent *agent, struct transaction *transaction, enum sip_failure failure)
{
    if (transaction->state <= PROCEEDING)
        agent_event(agent, &(struct sip_event){.kind = SIP_EVENT_FAILED,
                                               .flow = flow_unpack(&transaction->flow),
                                               .cookie = transaction->cookie,
                                               .failure = failure});
    transaction_free(agent, transaction);
}

void client_end(struct sip_agent *agent, struct transaction *transaction)
{
    client_fail(agent, transaction, SIP_FAILURE_TIMEOUT);
}
