/* Answers of server transactions (RFC 3261 §17.2, RFC 6026 §7.1, RFC 4320): what each makes of its transaction. */
#include <assert.h>

#include "sip_agent_private.h"

static bool is_reliable(const struct transaction *transaction)
{
    return transaction->flow.kind != FLOW_UDP;
}

/* How long a client over UDP repeats before its interval reaches T2 (RFC 4320 §4.1). */
int64_t server_silence_ms(const struct sip_agent *agent)
{
    int64_t sum = 0;
    for (int64_t interval = agent->settings.t1_ms; interval < agent->settings.t2_ms; interval *= 2)
        sum += interval;
    return sum;
}

void server_forget_template(struct sip_agent *agent, struct transaction *transaction)
{
    agent_drop_bytes(agent, transaction->template, transaction->template_length);
    transaction->template = NULL;
    transaction->template_length = 0;
}

static void respond_provisional(struct sip_agent *agent, struct transaction *transaction, int status, struct text bytes,
                                int64_t now_ms)
{
    if (transaction->state > PROCEEDING)
        return;
    /* RFC 4320 §4.1: nothing but 100, and over UDP not while the client still repeats fast. */
    if (transaction->role == SERVER_NON_INVITE &&
        (status != 100 || (!is_reliable(transaction) && now_ms < transaction->born_ms + server_silence_ms(agent))))
        return;
    transaction->state = PROCEEDING;
    transaction_keep(agent, transaction, bytes);
    transaction_send(agent, transaction);
    transaction_repeat(agent, transaction, now_ms, NEVER);
}

void server_respond_to_invite(struct sip_agent *agent, struct transaction *transaction, int status, struct text bytes,
                              int64_t now_ms)
{
    bool is_again = transaction->state == ACCEPTED;
    transaction_keep(agent, transaction, bytes);
    transaction_send(agent, transaction);
    if (status < 300) {
        /* RFC 6026 §7.1: the caller repeats a 2xx; repeated INVITEs are absorbed without an answer. */
        transaction->state = ACCEPTED;
        transaction_keep(agent, transaction, (struct text){0});
        if (!is_again)
            transaction_arm(agent, transaction, now_ms, NEVER, agent->end_ms);
        return;
    }
    transaction->state = COMPLETED;
    transaction_arm(agent, transaction, now_ms, is_reliable(transaction) ? NEVER : agent->settings.t1_ms,
                    agent->end_ms);
}

/* Over UDP the answer is all that is left of it. */
static void respond_to_other(struct sip_agent *agent, struct transaction *transaction, int status, struct text bytes,
                             int64_t now_ms)
{
    if (status == 408) /* RFC 4320 §4.2: the client has its own timeout */
        bytes = (struct text){0};
    struct flow flow = flow_unpack(&transaction->flow);
    agent_output(agent, &flow, bytes);
    if (!is_reliable(transaction))
        ended_add(agent, transaction, bytes, now_ms);
    transaction_free(agent, transaction);
}

void sip_agent_respond(struct sip_agent *agent, uint64_t number, struct sip_message *response, int64_t now_ms)
{
    struct transaction *transaction = transaction_numbered(agent, number);
    int status = sip_status(response);
    bool is_server = transaction && (transaction->role == SERVER_INVITE || transaction->role == SERVER_NON_INVITE);
    bool is_again = is_server && transaction->state == ACCEPTED && status >= 200 && status < 300;
    if (is_server && (transaction->state <= PROCEEDING || is_again)) {
        struct text bytes = sip_message_write(response, &agent->scratch);
        if (status >= 200)
            server_forget_template(agent, transaction);
        if (status < 200)
            respond_provisional(agent, transaction, status, bytes, now_ms);
        else if (transaction->role == SERVER_INVITE)
            server_respond_to_invite(agent, transaction, status, bytes, now_ms);
        else
            respond_to_other(agent, transaction, status, bytes, now_ms);
    }
    sip_message_free(response);
}

void server_repeat(struct sip_agent *agent, struct transaction *transaction, int64_t now_ms)
{
    if (transaction->state == TRYING) {
        transaction->state = PROCEEDING;
        transaction_keep(agent, transaction, (struct text){transaction->template, transaction->template_length});
        transaction_send(agent, transaction);
        transaction_repeat(agent, transaction, now_ms, NEVER);
        return;
    }
    assert(transaction->role == SERVER_INVITE && transaction->state == COMPLETED);
    int64_t next_ms = transaction->repeat_ms * 2;
    transaction_send(agent, transaction);
    transaction_repeat(agent, transaction, now_ms, next_ms < agent->settings.t2_ms ? next_ms : agent->settings.t2_ms);
}
