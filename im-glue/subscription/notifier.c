/* Subscriptions as the notifier keeps them: found by tag, by what is watched and by moment; their NOTIFYs one after
 * another. What a SUBSCRIBE may ask is in notifier_request.c. */
#include "notifier_private.h"

#define RETRY_MS 60000 /* after an answer that says nothing about when */

static void forget(struct notifier *notifier, struct subscription *subscription);
static void release_ended(struct notifier *notifier);

struct notifier *notifier_new(const struct notifier_settings *settings)
{
    struct notifier *notifier = memory_new(sizeof(*notifier));
    notifier->settings = *settings;
    if (settings->subscriptions_max == 0)
        notifier->settings.subscriptions_max = NOTIFIER_SUBSCRIPTIONS_MAX;
    TAILQ_INIT(&notifier->to_write);
    STAILQ_INIT(&notifier->to_remove);
    if (settings->of_one_max == 0)
        notifier->settings.of_one_max = NOTIFIER_OF_ONE_MAX;
    return notifier;
}

void notifier_free(struct notifier *notifier)
{
    release_ended(notifier);
    while (notifier->subscriptions) {
        forget(notifier, notifier->subscriptions);
        release_ended(notifier);
    }
    notifier_records_free(notifier);
    due_clear(&notifier->due);
    free(notifier);
}

/* --- found by tag, by what is watched, by who watches --- */

struct subscription *subscription_find(const struct notifier *notifier, uint64_t number)
{
    struct subscription *subscription = NULL;
    HASH_FIND(hh, notifier->subscriptions, &number, sizeof(number), subscription);
    return subscription;
}

static struct text watched_key(const struct event_package *package, struct text resource, struct arena *arena)
{
    return text_format(arena, "%s %.*s", package->name, TEXT_ARG(resource));
}

/* NULL: nobody watches it. */
static struct watched *find_watched(const struct notifier *notifier, const struct event_package *package,
                                    struct text resource)
{
    struct watched *watched = NULL;
    struct arena arena;
    if (!notifier->watched)
        return NULL;
    arena_init(&arena, "watched");
    struct text key = watched_key(package, resource, &arena);
    HASH_FIND(hh, notifier->watched, key.bytes, key.length, watched);
    arena_clear(&arena);
    return watched;
}

static struct watched *watched_get(struct notifier *notifier, const struct event_package *package, struct text resource)
{
    struct watched *watched = find_watched(notifier, package, resource);
    struct arena arena;
    if (watched)
        return watched;
    arena_init(&arena, "watched");
    watched = memory_new(sizeof(*watched));
    watched->key = text_keep(watched_key(package, resource, &arena));
    watched->resource = watched->key + strlen(package->name) + 1;
    HASH_ADD_KEYPTR(hh, notifier->watched, watched->key, strlen(watched->key), watched);
    arena_clear(&arena);
    return watched;
}

static struct subscriber_count *subscriber_find(const struct notifier *notifier, struct text address)
{
    struct subscriber_count *found = NULL;
    HASH_FIND(hh, notifier->subscribers, address.bytes, address.length, found);
    return found;
}

size_t subscriber_holds(const struct notifier *notifier, struct text address)
{
    const struct subscriber_count *found = subscriber_find(notifier, address);
    return found ? found->count : 0;
}

static struct subscriber_count *subscriber_get(struct notifier *notifier, struct text address)
{
    struct subscriber_count *found = subscriber_find(notifier, address);
    if (!found) {
        found = memory_new(sizeof(*found));
        found->address = text_keep(address);
        HASH_ADD_KEYPTR(hh, notifier->subscribers, found->address, address.length, found);
    }
    found->count++;
    return found;
}

/* --- life --- */

struct subscription *subscription_add(struct notifier *notifier, const struct notifier_request *read,
                                      const struct notifier_watch *watch, const struct sip_dialog *dialog)
{
    struct subscription *subscription = memory_new(sizeof(*subscription));
    subscription->dialog = *dialog;
    subscription->package = read->package;
    subscription->id = text_keep(read->id);
    subscription->flow = watch->flow;
    subscription->watched = watched_get(notifier, read->package, watch->resource);
    subscription->subscriber = subscriber_get(notifier, watch->subscriber);
    text_hex_to_u64(text_of(dialog->local_tag), &subscription->number);
    HASH_ADD(hh, notifier->subscriptions, number, sizeof(subscription->number), subscription);
    LIST_INSERT_HEAD(&subscription->watched->subscriptions, subscription, of_watched);
    subscription_weigh(notifier, subscription);
    return subscription;
}

/* As if it were the only one of who watches, and of what is watched: most are. */
void subscription_weigh(struct notifier *notifier, struct subscription *subscription)
{
    notifier->bytes -= subscription->bytes;
    subscription->bytes = sizeof(*subscription) + sizeof(*subscription->watched) + sizeof(*subscription->subscriber) +
                          sip_dialog_bytes(&subscription->dialog) + strlen(subscription->id) +
                          strlen(subscription->watched->key) + strlen(subscription->subscriber->address);
    notifier->bytes += subscription->bytes;
}

size_t notifier_bytes(const struct notifier *notifier)
{
    return notifier->bytes;
}

/* Out of every table; its memory goes with the next call, as its last NOTIFY may be in the hands of the caller. */
static void forget(struct notifier *notifier, struct subscription *subscription)
{
    release_ended(notifier);
    subscription_never_written(notifier, subscription);
    due_remove(&notifier->due, &subscription->due);
    HASH_DEL(notifier->subscriptions, subscription);
    LIST_REMOVE(subscription, of_watched);
    notifier->bytes -= subscription->bytes;
    notifier->ended = subscription;
}

static void release_ended(struct notifier *notifier)
{
    struct subscription *subscription = notifier->ended;
    if (!subscription)
        return;
    notifier->ended = NULL;
    if (LIST_EMPTY(&subscription->watched->subscriptions)) {
        HASH_DEL(notifier->watched, subscription->watched);
        free(subscription->watched->key);
        free(subscription->watched);
    }
    if (--subscription->subscriber->count == 0) {
        HASH_DEL(notifier->subscribers, subscription->subscriber);
        free(subscription->subscriber->address);
        free(subscription->subscriber);
    }
    sip_dialog_clear(&subscription->dialog);
    free(subscription->id);
    free(subscription);
}

/* --- moments --- */

/* The next NOTIFY, or the end of its time. A last NOTIFY does not wait for the interval of the package. */
void subscription_plan(struct notifier *notifier, struct subscription *subscription)
{
    int64_t at_ms = subscription->expires_ms;
    if (subscription->reason)
        at_ms = 0;
    else if (subscription->changed && subscription->earliest_ms < at_ms)
        at_ms = subscription->earliest_ms;
    due_set(&notifier->due, &subscription->due, subscription->in_flight ? INT64_MAX : at_ms);
}

void notifier_changed(struct notifier *notifier, const struct event_package *package, struct text resource)
{
    struct watched *watched = find_watched(notifier, package, resource);
    struct subscription *one;
    if (!watched)
        return;
    LIST_FOREACH(one, &watched->subscriptions, of_watched)
    {
        one->changed = true;
        subscription_plan(notifier, one);
    }
}

bool notifier_watched(const struct notifier *notifier, const struct event_package *package, struct text resource)
{
    const struct watched *watched = find_watched(notifier, package, resource);
    return watched && !LIST_EMPTY(&watched->subscriptions);
}

void notifier_end(struct notifier *notifier, const struct event_package *package, struct text resource,
                  const char *reason)
{
    struct watched *watched = find_watched(notifier, package, resource);
    struct subscription *one;
    if (!watched)
        return;
    LIST_FOREACH(one, &watched->subscriptions, of_watched)
    {
        one->reason = reason;
        subscription_plan(notifier, one);
    }
}

void notifier_reject(struct notifier *notifier, struct subscription *subscription, struct text subscriber)
{
    if (!text_equal(text_of(subscription->subscriber->address), subscriber))
        return;
    subscription->reason = "rejected";
    subscription_plan(notifier, subscription);
}

int64_t notifier_deadline(const struct notifier *notifier)
{
    return due_deadline(&notifier->due);
}

size_t notifier_count(const struct notifier *notifier)
{
    return HASH_COUNT(notifier->subscriptions);
}

/* --- NOTIFY --- */

static struct sip_message *make_notify(struct subscription *subscription, int64_t now_ms)
{
    struct sip_message *message = sip_dialog_request(&subscription->dialog, TEXT("NOTIFY"));
    struct arena arena;
    if (!message)
        return NULL;
    arena_init(&arena, "notify");
    int64_t left_s = (subscription->expires_ms - now_ms + 999) / 1000;
    struct text state = subscription->reason ? text_format(&arena, "terminated;reason=%s", subscription->reason)
                                             : text_format(&arena, "active;expires=%lld", (long long)left_s);
    struct text event =
        text_format(&arena, "%s%s%s", subscription->package->name, subscription->id[0] ? ";id=" : "", subscription->id);
    sip_header_set(message, "Event", event);
    sip_header_set(message, "Subscription-State", state);
    arena_clear(&arena);
    return message;
}

bool notifier_next(struct notifier *notifier, int64_t now_ms, struct notice *notice_out)
{
    release_ended(notifier);
    while (notifier_deadline(notifier) <= now_ms) {
        struct subscription *one = (struct subscription *)due_first(&notifier->due);
        if (!one->reason && one->expires_ms <= now_ms)
            one->reason = "timeout"; /* RFC 6665 §4.2.2 */
        *notice_out = (struct notice){
            .subscription = one->number,
            .message = make_notify(one, now_ms),
            .package = one->package,
            .resource = text_of(one->watched->resource),
            .subscriber = text_of(one->subscriber->address),
            .version = one->version++,
            .mark = &one->mark,
            .target = text_of(one->dialog.target),
            .route = text_of(one->dialog.route),
            .flow = one->flow,
        };
        one->changed = false;
        one->in_flight = true;
        one->earliest_ms = now_ms + one->package->interval_ms;
        if (one->reason || !notice_out->message)
            forget(notifier, one);
        else
            subscription_plan(notifier, one);
        if (notice_out->message)
            return true;
        release_ended(notifier);
    }
    return false;
}

/* RFC 6665 §4.2.2 and RFC 5057 §5.1: who says that is not there, or not for this any more. A challenge cannot be met.
 */
static bool ends_subscription(int status)
{
    static const int ends[] = {401, 403, 404, 405, 407, 408, 410, 416, 480,
                               481, 482, 483, 484, 485, 489, 501, 503, 604};
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
        if (status == ends[i])
            return true;
    return false;
}

void notifier_answered(struct notifier *notifier, uint64_t subscription, int status, uint32_t retry_after_s,
                       int64_t now_ms)
{
    struct subscription *one = subscription_find(notifier, subscription);
    release_ended(notifier);
    if (!one) /* it has ended */
        return;
    one->in_flight = false;
    /* RFC 6665 §4.2.2: busy for a while, and says so */
    bool busy = status == 503 && retry_after_s;
    if (ends_subscription(status) && !busy) {
        forget(notifier, one);
        release_ended(notifier);
        return;
    }
    if (status >= 300) /* what it has not taken is told again with all else, be it the next time */
        one->mark = 0;
    if (status >= 500) {
        one->changed = true;
        one->earliest_ms = now_ms + (retry_after_s ? (int64_t)retry_after_s * 1000 : RETRY_MS);
    }
    subscription_plan(notifier, one);
}
