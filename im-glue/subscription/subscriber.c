/* What we watch: found by address and by tag, and the SUBSCRIBE that is due. What peers say is in subscriber_news.c. */
#include "subscriber_private.h"

#define RETRY_MS_MIN 30000   /* after the first failure; twice that after the next */
#define RETRY_MS_MAX 1800000 /* a notifier that was down for long is found again within this time */
#define DIALOG_BYTES 512     /* of its texts, which come and go */

struct subscriber *subscriber_new(const struct subscriber_settings *settings)
{
    struct subscriber *subscriber = memory_new(sizeof(*subscriber));
    subscriber->settings = *settings;
    if (settings->subscriptions_max == 0)
        subscriber->settings.subscriptions_max = SUBSCRIBER_SUBSCRIPTIONS_MAX;
    subscriber->from = text_keep(settings->from);
    subscriber->host = text_keep(settings->host);
    return subscriber;
}

static void watch_free(struct watch *watch)
{
    sip_dialog_clear(&watch->dialog);
    free(watch->key);
    free(watch->package);
    free(watch->resource);
    free(watch->type);
    free(watch->route);
    free(watch);
}

void watch_release_gone(struct subscriber *subscriber)
{
    if (subscriber->gone)
        watch_free(subscriber->gone);
    subscriber->gone = NULL;
}

void subscriber_free(struct subscriber *subscriber)
{
    while (subscriber->keys)
        watch_forget(subscriber, subscriber->keys);
    watch_release_gone(subscriber);
    due_clear(&subscriber->due);
    free(subscriber->from);
    free(subscriber->host);
    free(subscriber);
}

/* --- found by address, by tag --- */

struct watch *watch_of_number(const struct subscriber *subscriber, uint64_t number)
{
    struct watch *watch = NULL;
    HASH_FIND(by_number, subscriber->numbers, &number, sizeof(number), watch);
    return watch;
}

static struct text key_of(struct text package, struct text resource, struct arena *arena)
{
    return text_format(arena, "%.*s %.*s", TEXT_ARG(package), TEXT_ARG(resource));
}

static struct watch *watch_of(const struct subscriber *subscriber, struct text package, struct text resource)
{
    struct watch *watch = NULL;
    struct arena arena;
    if (!subscriber->keys)
        return NULL;
    arena_init(&arena, "watch");
    struct text key = key_of(package, resource, &arena);
    HASH_FIND(by_key, subscriber->keys, key.bytes, key.length, watch);
    arena_clear(&arena);
    return watch;
}

static void leave_dialog(struct subscriber *subscriber, struct watch *watch)
{
    if (watch->begun)
        HASH_DELETE(by_number, subscriber->numbers, watch);
    sip_dialog_clear(&watch->dialog);
    watch->begun = watch->confirmed = watch->in_flight = watch->again = false;
    watch->notify_by_ms = INT64_MAX;
}

/* Its memory goes with the next call. */
void watch_forget(struct subscriber *subscriber, struct watch *watch)
{
    watch_release_gone(subscriber);
    leave_dialog(subscriber, watch);
    due_remove(&subscriber->due, &watch->due);
    HASH_DELETE(by_key, subscriber->keys, watch);
    subscriber->bytes -= watch->bytes;
    subscriber->gone = watch;
}

/* --- moments --- */

void watch_begin_anew(struct subscriber *subscriber, struct watch *watch, int64_t at_ms)
{
    leave_dialog(subscriber, watch);
    if (watch->ending)
        watch_forget(subscriber, watch);
    else
        due_set(&subscriber->due, &watch->due, at_ms);
}

void watch_begin_later(struct subscriber *subscriber, struct watch *watch, uint64_t retry_after_s, int64_t now_ms)
{
    int64_t delay_ms = (int64_t)RETRY_MS_MIN << (watch->failures < 6 ? watch->failures : 6);
    watch->failures++;
    if (retry_after_s)
        delay_ms = (int64_t)(retry_after_s < RETRY_MS_MAX / 1000 ? retry_after_s : RETRY_MS_MAX / 1000) * 1000;
    watch_begin_anew(subscriber, watch, now_ms + (delay_ms < RETRY_MS_MAX ? delay_ms : RETRY_MS_MAX));
}

static bool is_full(const struct subscriber *subscriber)
{
    const struct subscriber_settings *settings = &subscriber->settings;
    return subscriber_count(subscriber) >= settings->subscriptions_max ||
           (settings->bytes_max && subscriber->bytes >= settings->bytes_max);
}

size_t subscriber_bytes(const struct subscriber *subscriber)
{
    return subscriber->bytes;
}

bool subscriber_begin(struct subscriber *subscriber, const struct subscriber_order *order, int64_t now_ms)
{
    struct watch *watch = watch_of(subscriber, order->package, order->resource);
    struct arena arena;
    watch_release_gone(subscriber);
    if (watch && text_equal(text_of(watch->route), order->route) && !watch->ending) {
        watch->flow = order->flow;
        subscriber_refresh(subscriber, order->package, order->resource, now_ms);
        return true;
    }
    if (watch) {
        watch_forget(subscriber, watch);
        watch_release_gone(subscriber);
    } else if (is_full(subscriber)) {
        return false;
    }
    arena_init(&arena, "watch");
    watch = memory_new(sizeof(*watch));
    watch->package = text_keep(order->package);
    watch->resource = text_keep(order->resource);
    watch->type = text_keep(order->type);
    watch->route = text_keep(order->route);
    watch->flow = order->flow;
    watch->expires_s = watch->asked_s = order->expires_s;
    watch->key = text_keep(key_of(order->package, order->resource, &arena));
    watch->notify_by_ms = INT64_MAX;
    watch->bytes = sizeof(*watch) + DIALOG_BYTES + 2 * strlen(watch->key) + order->type.length + order->route.length;
    subscriber->bytes += watch->bytes;
    HASH_ADD_KEYPTR(by_key, subscriber->keys, watch->key, strlen(watch->key), watch);
    due_set(&subscriber->due, &watch->due, now_ms);
    arena_clear(&arena);
    return true;
}

void subscriber_refresh(struct subscriber *subscriber, struct text package, struct text resource, int64_t now_ms)
{
    struct watch *watch = watch_of(subscriber, package, resource);
    if (!watch)
        return;
    if (watch->begun && !watch->confirmed) /* the first NOTIFY says everything anyway */
        return;
    watch->again = watch->in_flight;
    if (!watch->in_flight)
        due_set(&subscriber->due, &watch->due, now_ms);
}

void subscriber_end(struct subscriber *subscriber, struct text package, struct text resource, int64_t now_ms)
{
    struct watch *watch = watch_of(subscriber, package, resource);
    watch_release_gone(subscriber);
    if (!watch)
        return;
    watch->ending = true;
    if (!watch->begun)
        watch_forget(subscriber, watch);
    else if (watch->confirmed)
        subscriber_refresh(subscriber, package, resource, now_ms);
    else
        watch->again = true; /* when the dialog is there to end it in */
}

int64_t subscriber_deadline(const struct subscriber *subscriber)
{
    return due_deadline(&subscriber->due);
}

size_t subscriber_count(const struct subscriber *subscriber)
{
    return HASH_CNT(by_key, subscriber->keys);
}

/* --- SUBSCRIBE --- */

static struct sip_message *first_request(struct subscriber *subscriber, struct watch *watch, struct arena *arena)
{
    struct sip_message *message = sip_request_new(TEXT("SUBSCRIBE"), text_of(watch->resource));
    struct text tag = random_hex(arena, 16);
    if (!message)
        return NULL;
    sip_header_set(message, "Max-Forwards", TEXT("70"));
    sip_header_set(message, "From", text_format(arena, "<%s>;tag=%.*s", subscriber->from, TEXT_ARG(tag)));
    sip_header_set(message, "To", text_format(arena, "<%s>", watch->resource));
    sip_header_set(message, "Call-ID",
                   text_format(arena, "%.*s@%s", TEXT_ARG(random_hex(arena, 32)), subscriber->host));
    sip_header_set(message, "CSeq", TEXT("1 SUBSCRIBE"));
    if (watch->route[0] && sip_header_set(message, "Route", text_of(watch->route)) != OK) {
        sip_message_free(message);
        return NULL;
    }
    sip_dialog_ask(&watch->dialog, message);
    text_hex_to_u64(tag, &watch->number);
    HASH_ADD(by_number, subscriber->numbers, number, sizeof(watch->number), watch);
    watch->begun = true;
    return message;
}

static struct sip_message *make_subscribe(struct subscriber *subscriber, struct watch *watch)
{
    struct arena arena;
    arena_init(&arena, "subscribe");
    struct sip_message *message = watch->confirmed ? sip_dialog_request(&watch->dialog, TEXT("SUBSCRIBE"))
                                                   : first_request(subscriber, watch, &arena);
    if (message) {
        sip_header_set(message, "Event", text_of(watch->package));
        sip_header_set(message, "Accept", text_of(watch->type));
        sip_header_set(message, "Expires", text_format(&arena, "%u", watch->ending ? 0 : (unsigned)watch->asked_s));
    }
    arena_clear(&arena);
    return message;
}

/* What has no NOTIFY in time, or has expired, is begun anew (RFC 6665 §4.1.2.4). */
static bool has_died(const struct watch *watch, int64_t now_ms)
{
    return watch->notify_by_ms <= now_ms || (watch->confirmed && watch->expires_ms <= now_ms);
}

bool subscriber_next(struct subscriber *subscriber, int64_t now_ms, struct errand *errand_out)
{
    watch_release_gone(subscriber);
    while (subscriber_deadline(subscriber) <= now_ms) {
        struct watch *watch = (struct watch *)due_first(&subscriber->due);
        if (watch->begun && (has_died(watch, now_ms) || !watch->confirmed)) {
            watch_begin_later(subscriber, watch, 0, now_ms);
            continue;
        }
        struct sip_message *message = make_subscribe(subscriber, watch);
        if (!message) {
            watch_forget(subscriber, watch);
            continue;
        }
        watch->in_flight = true;
        due_set(&subscriber->due, &watch->due, INT64_MAX);
        *errand_out = (struct errand){
            .subscription = watch->number,
            .message = message,
            .resource = text_of(watch->resource),
            .target = text_of(watch->dialog.target),
            .route = text_of(watch->confirmed ? watch->dialog.route : watch->route),
            .flow = watch->flow,
        };
        return true;
    }
    return false;
}
