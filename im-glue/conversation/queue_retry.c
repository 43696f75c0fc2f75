/* When what could not be handed over is tried again, though nobody registers. */
#include "conversation_private.h"
#include "kept_private.h"

/* A phone in a lift, a phone that restarts, a phone that is off: later ones wait for its next registration. */
void queue_plan_retry(struct conversation *conversation, struct served *served)
{
    static const int64_t delays_ms[CONVERSATION_RETRIES] = {60000, 300000, 1800000, 7200000};
    queue_forget_retry(conversation, served);
    bool registers = !served->domain && !core_way(conversation, served).length;
    if (served->retries >= CONVERSATION_RETRIES && registers)
        return;
    if (served->retries >= CONVERSATION_RETRIES) /* nobody registers there: until the message expires */
        served->retries = CONVERSATION_RETRIES - 1;
    served->retry_list = served->retries++;
    served->retry_at_ms = conversation->now.monotonic_ms + delays_ms[served->retry_list];
    TAILQ_INSERT_TAIL(&conversation->retries[served->retry_list], served, retry);
}

void queue_forget_retry(struct conversation *conversation, struct served *served)
{
    if (served->retry_at_ms)
        TAILQ_REMOVE(&conversation->retries[served->retry_list], served, retry);
    served->retry_at_ms = 0;
}

void queue_run_deadlines(struct conversation *conversation)
{
    for (size_t i = 0; i < CONVERSATION_RETRIES; i++) {
        struct served *served;
        while ((served = TAILQ_FIRST(&conversation->retries[i])) &&
               served->retry_at_ms <= conversation->now.monotonic_ms) {
            queue_forget_retry(conversation, served);
            queue_flush(conversation, served);
        }
    }
}

int64_t queue_deadline(const struct conversation *conversation)
{
    int64_t deadline = INT64_MAX;
    for (size_t i = 0; i < CONVERSATION_RETRIES; i++) {
        const struct served *first = TAILQ_FIRST(&conversation->retries[i]);
        if (first && first->retry_at_ms < deadline)
            deadline = first->retry_at_ms;
    }
    return deadline;
}
