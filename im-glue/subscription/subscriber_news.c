/* What notifiers say: answers to SUBSCRIBE, and NOTIFY with its reasons (RFC 6665 §4.1.2, §4.1.3). */
#include "subscriber_private.h"

static struct text field(const struct sip_message *message, const char *name, struct arena *arena)
{
    struct text value = {0};
    return sip_header(message, name, 0, arena, &value) ? text_trim(value) : (struct text){0};
}

static uint64_t number_in(const struct sip_message *message, const char *name, uint64_t otherwise)
{
    struct arena arena;
    uint64_t number;
    arena_init(&arena, "answer");
    struct text value = field(message, name, &arena);
    size_t end = 0;
    while (end < value.length && value.bytes[end] >= '0' && value.bytes[end] <= '9') /* "5 (maintenance)" */
        end++;
    if (end == 0 || !text_to_u64(text_slice(value, 0, end), &number))
        number = otherwise;
    arena_clear(&arena);
    return number;
}

/* Well before it ends: half of a short time, ten minutes of a long one (3GPP TS 24.229 §5.4.2.1.1). */
static void plan_refresh(struct subscriber *subscriber, struct watch *watch, int64_t now_ms)
{
    int64_t left_ms = watch->expires_ms - now_ms;
    int64_t early_ms = left_ms > 1200000 ? 600000 : left_ms / 2;
    int64_t at_ms = watch->again && watch->confirmed ? now_ms : watch->expires_ms - early_ms;
    if (watch->in_flight)
        return;
    if (watch->confirmed)
        watch->again = false;
    if (watch->notify_by_ms < at_ms)
        at_ms = watch->notify_by_ms;
    due_set(&subscriber->due, &watch->due, at_ms);
}

static void granted(struct subscriber *subscriber, struct watch *watch, const struct sip_message *answer,
                    int64_t now_ms)
{
    uint64_t seconds = number_in(answer, "Expires", watch->asked_s);
    watch->expires_ms = now_ms + (int64_t)(seconds < watch->asked_s ? seconds : watch->asked_s) * 1000;
    if (!watch->confirmed || watch->ending)
        watch->notify_by_ms = now_ms + 64 * subscriber->settings.t1_ms;
    plan_refresh(subscriber, watch, now_ms);
}

/* RFC 6665 §4.1.2.2: these say that there is no subscription any more. */
static bool says_gone(int status)
{
    return status == 404 || status == 405 || status == 410 || status == 416 || (status >= 480 && status <= 485) ||
           status == 489 || status == 501 || status == 604;
}

static void refused(struct subscriber *subscriber, struct watch *watch, const struct sip_message *answer,
                    int64_t now_ms)
{
    int status = sip_status(answer);
    uint64_t wanted_s = number_in(answer, "Min-Expires", 0);
    if (status == 423 && wanted_s > watch->asked_s && wanted_s <= UINT32_MAX) {
        watch->asked_s = (uint32_t)wanted_s;
        if (!watch->confirmed)
            return watch_begin_anew(subscriber, watch, now_ms);
        watch->again = true;
        return plan_refresh(subscriber, watch, now_ms);
    }
    if (status == 481 && watch->confirmed)
        return watch_begin_anew(subscriber, watch, now_ms);
    /* A refresh that failed leaves what was granted until it expires. */
    if (watch->confirmed && !says_gone(status) && watch->expires_ms > now_ms && !watch->ending) {
        due_set(&subscriber->due, &watch->due, watch->expires_ms);
        return;
    }
    watch_begin_later(subscriber, watch, number_in(answer, "Retry-After", 0), now_ms);
}

void subscriber_answered(struct subscriber *subscriber, uint64_t subscription, const struct sip_message *answer,
                         int64_t now_ms)
{
    struct watch *watch = watch_of_number(subscriber, subscription);
    watch_release_gone(subscriber);
    if (!watch) /* another dialog has taken its place */
        return;
    watch->in_flight = false;
    if (!answer && watch->confirmed && watch->expires_ms > now_ms && !watch->ending)
        due_set(&subscriber->due, &watch->due, watch->expires_ms);
    else if (!answer)
        watch_begin_later(subscriber, watch, 0, now_ms);
    else if (sip_status(answer) < 300)
        granted(subscriber, watch, answer, now_ms);
    else
        refused(subscriber, watch, answer, now_ms);
}

/* --- NOTIFY --- */

static struct watch *watch_in(const struct subscriber *subscriber, const struct sip_message *request)
{
    uint64_t number;
    if (!text_hex_to_u64(sip_to_tag(request), &number))
        return NULL;
    struct watch *watch = watch_of_number(subscriber, number);
    return watch && sip_dialog_holds(&watch->dialog, request) ? watch : NULL;
}

static int take_into_dialog(struct watch *watch, const struct sip_message *request)
{
    if (watch->confirmed)
        return sip_dialog_take(&watch->dialog, request);
    return sip_dialog_confirm(&watch->dialog, request) == OK ? 0 : 400;
}

/* RFC 6665 §4.1.3: what the reason says about trying again. */
static void ended(struct subscriber *subscriber, struct watch *watch, struct text parameters, int64_t now_ms,
                  struct news *news)
{
    static const char *const final[] = {"rejected", "noresource", "invariant"};
    struct text value;
    uint64_t retry_after_s = 0;
    uri_parameter(parameters, TEXT("reason"), &news->reason);
    news->ended = watch->ending;
    for (size_t i = 0; i < sizeof(final) / sizeof(final[0]); i++)
        news->ended = news->ended || text_equal_nocase(news->reason, text_of(final[i]));
    if (uri_parameter(parameters, TEXT("retry-after"), &value))
        text_to_u64(text_trim(value), &retry_after_s);
    if (news->ended)
        return watch_forget(subscriber, watch);
    bool at_once =
        text_equal_nocase(news->reason, TEXT("deactivated")) || text_equal_nocase(news->reason, TEXT("timeout"));
    if (at_once && retry_after_s == 0 && watch->failures == 0) {
        watch->failures++; /* a notifier that ends each of them at once is not asked in a loop */
        return watch_begin_anew(subscriber, watch, now_ms);
    }
    watch_begin_later(subscriber, watch, retry_after_s, now_ms);
}

static void goes_on(struct subscriber *subscriber, struct watch *watch, struct text parameters, int64_t now_ms)
{
    struct text value;
    uint64_t seconds;
    watch->failures = 0;
    if (uri_parameter(parameters, TEXT("expires"), &value) && text_to_u64(text_trim(value), &seconds) &&
        seconds < watch->asked_s) /* may be shortened at any time */
        watch->expires_ms = now_ms + (int64_t)seconds * 1000;
    if (!watch->confirmed && watch->expires_ms <= now_ms) /* before the 200 */
        watch->expires_ms = now_ms + (int64_t)watch->asked_s * 1000;
    watch->confirmed = true;
    if (!watch->ending)
        watch->notify_by_ms = INT64_MAX;
    plan_refresh(subscriber, watch, now_ms);
}

int subscriber_notified(struct subscriber *subscriber, const struct sip_message *request, struct arena *arena,
                        int64_t now_ms, struct news *news_out)
{
    struct watch *watch = watch_in(subscriber, request);
    struct text name, state, parameters;
    watch_release_gone(subscriber);
    if (!watch)
        return 481;
    text_cut(field(request, "Event", arena), ';', &name, &parameters);
    if (!text_equal(text_trim(name), text_of(watch->package)))
        return 489;
    text_cut(field(request, "Subscription-State", arena), ';', &state, &parameters);
    state = text_trim(state);
    if (state.length == 0)
        return 400;
    bool first = !watch->confirmed;
    int refusal = take_into_dialog(watch, request);
    if (refusal)
        return refusal;
    *news_out = (struct news){
        .package = text_of(watch->package),
        .resource = text_of(watch->resource),
        .type = field(request, "Content-Type", arena),
        .body = sip_body(request),
        .first = first,
    };
    if (text_equal_nocase(state, TEXT("terminated")))
        ended(subscriber, watch, parameters, now_ms, news_out);
    else
        goes_on(subscriber, watch, parameters, now_ms);
    return 200;
}
