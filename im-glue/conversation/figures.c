/* What monitoring is told: what became of messages, and how much is in progress. */
#include "events_private.h"
#include "metrics.h"

void message_count(struct text group, enum message_outcome outcome)
{
    static const char *const labels[][2] = {
        [MESSAGE_RECEIVED] = {"to=\"user\",outcome=\"received\"", "to=\"group\",outcome=\"received\""},
        [MESSAGE_RELAYED] = {"to=\"user\",outcome=\"relayed\"", "to=\"group\",outcome=\"relayed\""},
        [MESSAGE_STORED] = {"to=\"user\",outcome=\"stored\"", "to=\"group\",outcome=\"stored\""},
        [MESSAGE_DELIVERED] = {"to=\"user\",outcome=\"delivered\"", "to=\"group\",outcome=\"delivered\""},
        [MESSAGE_REFUSED] = {"to=\"user\",outcome=\"refused\"", "to=\"group\",outcome=\"refused\""},
        [MESSAGE_EXPIRED] = {"to=\"user\",outcome=\"expired\"", "to=\"group\",outcome=\"expired\""},
        [MESSAGE_DROPPED] = {"to=\"user\",outcome=\"dropped\"", "to=\"group\",outcome=\"dropped\""},
    };
    static struct metric *counters[sizeof(labels) / sizeof(labels[0])][2]; /* of the one thread of this module */
    struct metric **counter = &counters[outcome][group.length > 0];
    if (!*counter)
        *counter = metric_counter("im_glue_messages_total", labels[outcome][group.length > 0],
                                  "Messages and copies of them, by what became of them.");
    metric_add(*counter, 1);
}

void conversation_figures(const struct conversation *conversation, struct conversation_figures *figures_out)
{
    struct locator_figures locator;
    locator_figures(conversation->locator, &locator);
    *figures_out = (struct conversation_figures){
        .domains = HASH_COUNT(conversation->domains),
        .searches = locator.searches,
        .dns_answers = locator.entries,
        .users = HASH_COUNT(conversation->served),
        .bindings = conversation->bindings,
        .watchers = notifier_count(conversation->notifier),
        .watched = subscriber_count(conversation->subscriber),
        .requests = conversation->requests,
        .deliveries = conversation->deliveries_count,
        .commits = conversation->pending,
        .held_bytes = conversation->held_bytes,
        .waiting = conversation->waiting_count,
        .transaction_bytes = sip_agent_bytes(conversation->agent),
        .transactions = sip_agent_transactions(conversation->agent),
        .deferred_count = conversation->deferred.count,
        .deferred_bytes = conversation->deferred.bytes,
        .deferred_oldest_s =
            conversation->deferred_since_ms ? (conversation->now.wall_ms - conversation->deferred_since_ms) / 1000 : 0,
    };
}
