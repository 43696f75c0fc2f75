/* What a SUBSCRIBE asks for, what is refused (RFC 6665 §4.2.1), and what it changes. */
#include "notifier_private.h"

#define RETRY_AFTER TEXT("60") /* limits: whoever ends or forgets a subscription makes room */

static enum status refuse_with(struct notifier_refusal *refusal, int status, const char *header, struct text value)
{
    *refusal = (struct notifier_refusal){.status = status, .header = header, .value = value};
    return REFUSED;
}

static enum status refuse_saying(struct notifier_refusal *refusal, int status, const char *reason)
{
    *refusal = (struct notifier_refusal){.status = status, .reason = reason};
    return REFUSED;
}

static struct text field(const struct sip_message *request, const char *name, struct arena *arena)
{
    struct text value = {0};
    return sip_header(request, name, 0, arena, &value) ? text_trim(value) : (struct text){0};
}

struct text notifier_packages(const struct notifier *notifier, struct arena *arena)
{
    struct text_builder names;
    builder_init(&names, arena);
    for (size_t i = 0; i < notifier->settings.packages_count; i++)
        builder_add_format(&names, "%s%s", i ? ", " : "", notifier->settings.packages[i]->name);
    return builder_text(&names);
}

const struct event_package *package_of(const struct notifier *notifier, struct text name)
{
    for (size_t i = 0; i < notifier->settings.packages_count; i++)
        if (text_equal(text_of(notifier->settings.packages[i]->name), name))
            return notifier->settings.packages[i];
    return NULL;
}

static enum status read_event(const struct notifier *notifier, const struct sip_message *request, struct arena *arena,
                              struct notifier_request *read, struct notifier_refusal *refusal)
{
    struct text name, parameters;
    text_cut(field(request, "Event", arena), ';', &name, &parameters);
    uri_parameter(parameters, TEXT("id"), &read->id);
    read->package = package_of(notifier, text_trim(name));
    if (read->package)
        return OK;
    struct text packages = notifier_packages(notifier, arena);
    return refuse_with(refusal, 489, packages.length ? "Allow-Events" : NULL, packages);
}

/* Without Accept it takes what the package always sends. */
static bool accepts(const struct sip_message *request, const struct event_package *package, struct arena *arena)
{
    struct text value, one, range, parameters;
    struct text major = text_slice(text_of(package->type), 0, text_find_char(text_of(package->type), '/'));
    bool any = false;
    for (size_t i = 0; sip_header(request, "Accept", i, arena, &value); i++) {
        for (bool more = true; more; any = true) {
            more = text_cut(value, ',', &one, &value);
            text_cut(one, ';', &range, &parameters);
            range = text_trim(range);
            if (text_equal_nocase(range, text_of(package->type)) || text_equal(range, TEXT("*/*")) ||
                text_equal_nocase(range, text_format(arena, "%.*s/*", TEXT_ARG(major))))
                return true;
        }
    }
    return !any;
}

static enum status read_expires(const struct sip_message *request, struct arena *arena, struct notifier_request *read,
                                struct notifier_refusal *refusal)
{
    const struct event_package *package = read->package;
    struct text value = field(request, "Expires", arena);
    uint64_t seconds = package->expires_s;
    if (value.length && !text_to_u64(value, &seconds))
        return refuse_saying(refusal, 400, "Bad Expires");
    if (seconds > 0 && seconds < package->expires_s_min)
        return refuse_with(refusal, 423, "Min-Expires", text_format(arena, "%u", (unsigned)package->expires_s_min));
    read->seconds = seconds < package->expires_s_max ? (uint32_t)seconds : package->expires_s_max;
    return OK;
}

/* Our tags are the numbers of subscriptions. */
static struct subscription *known(const struct notifier *notifier, const struct sip_message *request)
{
    uint64_t number;
    if (!text_hex_to_u64(sip_to_tag(request), &number))
        return NULL;
    struct subscription *found = subscription_find(notifier, number);
    return found && sip_dialog_holds(&found->dialog, request) ? found : NULL;
}

enum status notifier_read(struct notifier *notifier, const struct sip_message *request, struct arena *arena,
                          struct notifier_request *read_out, struct notifier_refusal *refusal_out)
{
    *read_out = (struct notifier_request){0};
    enum status status = read_event(notifier, request, arena, read_out, refusal_out);
    if (status != OK)
        return status;
    if (sip_to_tag(request).length) {
        struct subscription *found = read_out->known = known(notifier, request);
        if (!found || found->reason)
            return refuse_with(refusal_out, 481, NULL, (struct text){0});
        if (found->package != read_out->package || !text_equal(text_of(found->id), read_out->id)) /* RFC 6665 §4.5.2 */
            return refuse_saying(refusal_out, 403, "Dialog Sharing Not Supported");
        read_out->resource = text_of(found->watched->resource);
    }
    if (!accepts(request, read_out->package, arena))
        return refuse_with(refusal_out, 406, NULL, (struct text){0});
    return read_expires(request, arena, read_out, refusal_out);
}

/* --- what it changes --- */

static enum status begin(struct notifier *notifier, const struct sip_message *request,
                         const struct notifier_request *read, const struct notifier_watch *watch,
                         const struct sip_message *response, struct subscription **subscription_out,
                         struct notifier_refusal *refusal)
{
    struct sip_dialog dialog;
    if (subscriber_holds(notifier, watch->subscriber) >= notifier->settings.of_one_max)
        return refuse_with(refusal, 480, "Retry-After", RETRY_AFTER);
    const struct notifier_settings *settings = &notifier->settings;
    if (notifier_count(notifier) >= settings->subscriptions_max ||
        (settings->bytes_max && notifier->bytes >= settings->bytes_max))
        return refuse_with(refusal, 503, "Retry-After", RETRY_AFTER);
    if (sip_dialog_answer(&dialog, request, response) != OK)
        return refuse_saying(refusal, 400, "Bad Contact Or Record-Route");
    *subscription_out = subscription_add(notifier, read, watch, &dialog);
    return OK;
}

static enum status renew(struct notifier *notifier, const struct sip_message *request,
                         const struct notifier_request *read, const struct notifier_watch *watch,
                         struct notifier_refusal *refusal)
{
    struct subscription *subscription = read->known;
    if (!text_equal(text_of(subscription->subscriber->address), watch->subscriber))
        return refuse_with(refusal, 403, NULL, (struct text){0});
    int status = sip_dialog_take(&subscription->dialog, request);
    if (status)
        return refuse_with(refusal, status, NULL, (struct text){0});
    subscription->flow = watch->flow;
    subscription_weigh(notifier, subscription);
    return OK;
}

enum status notifier_accept(struct notifier *notifier, const struct sip_message *request,
                            const struct notifier_request *read, const struct notifier_watch *watch,
                            struct sip_message *response, int64_t now_ms, struct notifier_refusal *refusal_out)
{
    struct subscription *subscription = read->known;
    char seconds[TEXT_DIGITS_MAX];
    *refusal_out = (struct notifier_refusal){0};
    enum status status = subscription ? renew(notifier, request, read, watch, refusal_out)
                                      : begin(notifier, request, read, watch, response, &subscription, refusal_out);
    if (status != OK)
        return status;
    subscription->expires_ms = now_ms + (int64_t)read->seconds * 1000;
    subscription->changed = true; /* RFC 6665 §4.2.1.2: the state at once, whether it is new or not */
    subscription->mark = 0;
    subscription->earliest_ms = now_ms;
    subscription_plan(notifier, subscription);
    subscription_write_later(notifier, subscription);
    size_t length = text_write_number(read->seconds, seconds);
    sip_header_set(response, "Expires", (struct text){seconds + TEXT_DIGITS_MAX - length, length});
    return OK;
}
