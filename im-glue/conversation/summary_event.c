/* The package "message-summary" (RFC 3842): how many messages wait for a user, told to himself; and a notice by MESSAGE
 * for clients that do not subscribe. Nobody's identity is in either. */
#include "delivery_private.h"
#include "events_private.h"
#include "kept_private.h"
#include "reports_private.h"

#define EXPIRES_S     3600 /* RFC 3842 §3.3 */
#define EXPIRES_S_MIN 60
#define EXPIRES_S_MAX 86400
#define INTERVAL_MS   1000           /* RFC 3842 §3.9 */
#define QUARANTINE_MS 5000           /* a burst of messages, or of deletions, is one change */
#define COUNTED_MAX   STORE_PAGE_MAX /* read one by one to know their class; what is more counts as text */

enum summary_class { SUMMARY_TEXT, SUMMARY_MULTIMEDIA, SUMMARY_CLASSES }; /* RFC 3458 §6.2 */

enum summary_age { SUMMARY_NEW, SUMMARY_OLD, SUMMARY_AGES };

struct summary {
    uint64_t all[SUMMARY_CLASSES][SUMMARY_AGES], urgent[SUMMARY_CLASSES][SUMMARY_AGES];
};

static struct text write_state(struct conversation *conversation, const struct notice *notice, struct arena *arena);

const struct event_kind summary_event = {
    .package = {"message-summary", "application/simple-message-summary", EXPIRES_S, EXPIRES_S_MIN, EXPIRES_S_MAX,
                INTERVAL_MS},
    .may_watch = events_is_owner,
    .write = write_state,
};

/* --- how many --- */

static void count_item(struct summary *summary, const struct deferred *item, int64_t listed_ms)
{
    enum summary_age age = item->received_ms <= listed_ms ? SUMMARY_OLD : SUMMARY_NEW;
    bool text = item->type.length == 0 || text_starts_with_nocase(item->type, TEXT("text/"));
    enum summary_class class = text && item->kind == DEFERRED_PAGER ? SUMMARY_TEXT : SUMMARY_MULTIMEDIA;
    if (item->kind == DEFERRED_REPORT || item->again) /* no message, or one that he knows */
        return;
    summary->all[class][age]++;
    summary->urgent[class][age] += item->priority == DEFERRED_URGENT;
}

static bool count_waiting(const struct conversation *conversation, struct text owner, struct summary *summary_out)
{
    struct deferred_figures figures;
    struct deferred_page page = {0};
    struct arena arena;
    int64_t listed_ms;
    *summary_out = (struct summary){0};
    arena_init(&arena, "summary");
    bool counted = deferred_figures(conversation->documents, owner, &figures) == OK &&
                   deferred_listed(conversation->documents, owner, &arena, &listed_ms) == OK &&
                   deferred_list(conversation->documents, owner, TEXT(""), COUNTED_MAX, &arena, &page) == OK;
    for (size_t i = 0; i < page.count; i++)
        count_item(summary_out, &page.items[i], listed_ms);
    if (counted && page.more && figures.count > page.count)
        summary_out->all[SUMMARY_TEXT][SUMMARY_NEW] += figures.count - page.count;
    arena_clear(&arena);
    return counted;
}

static uint64_t sum_of(const struct summary *summary)
{
    uint64_t sum = 0;
    for (size_t class = 0; class < SUMMARY_CLASSES; class ++)
        sum += summary->all[class][SUMMARY_NEW] + summary->all[class][SUMMARY_OLD];
    return sum;
}

/* What was told, as one number: two that differ differ in it. */
static uint64_t mark_of(const struct summary *summary)
{
    return text_hash((struct text){(const char *)summary, sizeof(*summary)}, 0) | 1;
}

/* Old is what he has seen in a list; that he was told of a number makes nothing old (RFC 3842 §3.5). */
static struct text write_state(struct conversation *conversation, const struct notice *notice, struct arena *arena)
{
    static const char *const names[SUMMARY_CLASSES] = {"Text-Message", "Multimedia-Message"};
    struct served *served = served_get(conversation, notice->resource);
    struct summary summary;
    struct text_builder body;
    if (!count_waiting(conversation, notice->resource, &summary))
        return (struct text){0};
    served->summary_told = mark_of(&summary);
    builder_init(&body, arena);
    builder_add_format(&body, "Messages-Waiting: %s\r\nMessage-Account: %.*s\r\n", sum_of(&summary) ? "yes" : "no",
                       TEXT_ARG(notice->resource));
    for (size_t i = 0; i < SUMMARY_CLASSES; i++)
        builder_add_format(
            &body, "%s: %llu/%llu (%llu/%llu)\r\n", names[i], (unsigned long long)summary.all[i][SUMMARY_NEW],
            (unsigned long long)summary.all[i][SUMMARY_OLD], (unsigned long long)summary.urgent[i][SUMMARY_NEW],
            (unsigned long long)summary.urgent[i][SUMMARY_OLD]);
    return builder_text(&body);
}

/* --- when --- */

void summary_changed(struct conversation *conversation, struct text address)
{
    if (!events_watched(conversation, &summary_event, address) && !list_is_watched(conversation, address))
        return;
    struct served *served = served_get(conversation, address);
    if (served->summary_at_ms)
        return;
    served->summary_at_ms = conversation->now.monotonic_ms + QUARANTINE_MS;
    TAILQ_INSERT_TAIL(&conversation->summaries, served, summary);
}

void summary_written(struct conversation *conversation, const struct work *work)
{
    if (notifier_count(conversation->notifier) == 0)
        return;
    for (size_t i = 0; i < work->count; i++)
        if (text_equal(work->commits[i].key.usage, TEXT(DOCUMENT_DEFERRED)))
            summary_changed(conversation, work->commits[i].key.owner);
}

void summary_run_deadlines(struct conversation *conversation)
{
    struct served *served;
    while ((served = TAILQ_FIRST(&conversation->summaries)) &&
           served->summary_at_ms <= conversation->now.monotonic_ms) {
        struct summary summary;
        TAILQ_REMOVE(&conversation->summaries, served, summary);
        served->summary_at_ms = 0;
        /* a try that failed changes a record and no number */
        if (!count_waiting(conversation, text_of(served->address), &summary) ||
            served->summary_told != mark_of(&summary))
            events_changed(conversation, &summary_event, text_of(served->address));
        list_changed(conversation, text_of(served->address));
    }
}

int64_t summary_deadline(const struct conversation *conversation)
{
    const struct served *first = TAILQ_FIRST(&conversation->summaries);
    return first ? first->summary_at_ms : INT64_MAX;
}

/* --- by MESSAGE --- */

static struct text write_notice(struct conversation *conversation, const struct served *served, uint64_t count,
                                struct arena *arena)
{
    struct text from = conversation->settings.deferred_address;
    struct sip_message *message =
        message_of_server(conversation, from, text_of(served->address), random_hex(arena, 32), arena);
    if (!message)
        return (struct text){0};
    sip_header_add(message, "Expires", TEXT("0"));
    sip_body_set(message, TEXT("text/plain"),
                 text_format(arena, "%llu message%s waiting", (unsigned long long)count, count == 1 ? "" : "s"));
    struct text bytes = sip_message_write(message, arena);
    sip_message_free(message);
    return bytes;
}

/* Is there something that he has to fetch? */
static bool is_some_left(struct conversation *conversation, const struct served *served)
{
    struct deferred_page page = {0};
    struct arena arena;
    bool left = false;
    arena_init(&arena, "left");
    deferred_list(conversation->documents, text_of(served->address), TEXT(""), COUNTED_MAX, &arena, &page);
    for (size_t i = 0; i < page.count && !left; i++)
        left = !queue_hands_over(conversation, served, &page.items[i]);
    arena_clear(&arena);
    return left;
}

/* For who is there now and leaves what waits to be fetched; who has it handed over sees it anyway. */
void summary_came(struct conversation *conversation, struct served *served)
{
    struct summary summary;
    if (!conversation->settings.waiting_notice || conversation->settings.deferred_address.length == 0 ||
        queue_hands_over_all(conversation, served) ||
        !count_waiting(conversation, text_of(served->address), &summary) || sum_of(&summary) == 0 ||
        !is_some_left(conversation, served))
        return;
    struct delivery *delivery = delivery_new(conversation, served);
    delivery->message = write_notice(conversation, served, sum_of(&summary), &delivery->arena);
    delivery->fate.recipient = text_of(served->address);
    delivery->untold = true;
    delivery_send(delivery);
}
