/* What monitoring is told: what became of messages, and how much is in progress. */
#include <stdio.h>

#include "events_private.h"
#include "metrics.h"

#define OUTCOMES (MESSAGE_DROPPED + 1)
#define CONTENTS (CONTENT_OTHER + 1)

void message_count(struct text group, enum message_content content, enum message_outcome outcome)
{
    static const char *const contents[] = {"text", "imdn", "composing", "other"};
    static const char *const outcomes[] = {
        [MESSAGE_RECEIVED] = "received",   [MESSAGE_RELAYED] = "relayed", [MESSAGE_STORED] = "stored",
        [MESSAGE_DELIVERED] = "delivered", [MESSAGE_REFUSED] = "refused", [MESSAGE_EXPIRED] = "expired",
        [MESSAGE_DROPPED] = "dropped"};
    static struct metric *counters[OUTCOMES][CONTENTS][2]; /* of the one thread of this module */
    struct metric **counter = &counters[outcome][content][group.length > 0];
    if (!*counter) {
        char labels[METRICS_LABELS_MAX];
        snprintf(labels, sizeof(labels), "to=\"%s\",content=\"%s\",outcome=\"%s\"", group.length ? "group" : "user",
                 contents[content], outcomes[outcome]);
        *counter = metric_counter("im_glue_messages_total", labels,
                                  "Messages and copies of them, by what is in them and what became of them.");
    }
    metric_add(*counter, 1);
}

enum message_content message_content_of_type(struct text type)
{
    type = text_trim(type);
    return type.length == 0 || text_starts_with_nocase(type, TEXT("text/")) ? CONTENT_TEXT : CONTENT_OTHER;
}

enum message_content message_content_of(const struct deferred *deferred)
{
    return deferred->kind == DEFERRED_REPORT ? CONTENT_REPORT : message_content_of_type(deferred->type);
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
        .watching_bytes = notifier_bytes(conversation->notifier) + subscriber_bytes(conversation->subscriber),
        .waiting = conversation->waiting_count,
        .transaction_bytes = sip_agent_bytes(conversation->agent),
        .transactions = sip_agent_transactions(conversation->agent),
        .deferred_count = conversation->deferred.count,
        .deferred_bytes = conversation->deferred.bytes,
        .deferred_oldest_s =
            conversation->deferred_since_ms ? (conversation->now.wall_ms - conversation->deferred_since_ms) / 1000 : 0,
    };
}
