/* Who may send how much. What requests hold in memory until they are answered is counted, altogether and for each
 * sender: each may hold a quarter of what is still free, so that the busier the server is, the less one of them gets of
 * it, and there is always room for who sends little. */
#include "events_private.h"
#include "metrics.h"

#define REQUEST_BYTES     16384 /* of a parsed one: header fields, its arena, its transaction */
#define COPIES            3     /* of a body in memory: as it came, as it goes on, as it is delivered or stored */
#define COPY_BYTES        4096  /* of a copy, beside its message: the record of its fate, what the store is given */
#define SHARE             4     /* of what is free */
#define RETRY_AFTER_S     "5"   /* what is in progress now is answered by then, or has timed out elsewhere */
#define MINUTE_MS         60000
#define THOUSANDTHS       1000
#define RETRY_MS_PER_REST 60    /* a minute for 1000 thousandths */
#define IDLE_SENDERS_MAX  16384 /* some 3 MB */

enum excess { EXCESS_ALL, EXCESS_SHARE, EXCESS_RATE, EXCESS_QUEUE };

static void count_excess(enum excess excess, uint64_t count)
{
    static const char *const labels[] = {"reason=\"full\"", "reason=\"share\"", "reason=\"rate\"", "reason=\"queue\""};
    metric_add(metric_counter("im_glue_turned_away_total", labels[excess],
                              "Requests refused because all, or one of them, sent too much."),
               (int64_t)count);
}

void sender_count_turned_away(struct conversation *conversation)
{
    uint64_t count = sip_agent_turned_away(conversation->agent) - conversation->turned_away;
    conversation->turned_away += count;
    if (count > 0)
        count_excess(EXCESS_QUEUE, count);
}

static bool turn_away(struct request *request, enum excess excess)
{
    count_excess(excess, 1);
    request_answer_with(request, 503, NULL, "Retry-After", TEXT(RETRY_AFTER_S));
    return false;
}

static size_t free_bytes(const struct conversation *conversation)
{
    size_t max = conversation->settings.bytes_max, held = conversation->held_bytes;
    held += notifier_bytes(conversation->notifier) + subscriber_bytes(conversation->subscriber);
    return held < max ? max - held : 0;
}

static size_t cost_of(const struct request *request)
{
    return REQUEST_BYTES + COPIES * sip_body(request->message).length;
}

bool sender_has_room(struct request *request)
{
    struct conversation *conversation = request->conversation;
    if (conversation->pending < CONVERSATION_PENDING_MAX && cost_of(request) <= free_bytes(conversation))
        return true;
    return turn_away(request, EXCESS_ALL);
}

static struct sender *sender_of(struct conversation *conversation, struct text address)
{
    struct sender *sender = NULL;
    HASH_FIND(hh, conversation->senders, address.bytes, address.length, sender);
    if (sender)
        return sender;
    sender = memory_take(sizeof(*sender) + address.length);
    *sender = (struct sender){.used_up_at_ms = conversation->now.monotonic_ms, .address_length = address.length};
    if (address.length)
        memcpy(sender->address, address.bytes, address.length);
    HASH_ADD_KEYPTR(hh, conversation->senders, sender->address, address.length, sender);
    return sender;
}

static unsigned rate_of(const struct conversation *conversation, enum sender_rate rate)
{
    const struct conversation_settings *settings = &conversation->settings;
    const unsigned rates[SENDER_RATES] = {[SENDER_MESSAGES] = settings->messages_per_user,
                                          [SENDER_REGISTERS] = settings->registers_per_user,
                                          [SENDER_OF_DOMAIN] = settings->peering.messages_per_domain};
    return rates[rate];
}

/* What was used up comes back evenly: all of it in a minute. */
static void refresh(struct conversation *conversation, struct sender *sender)
{
    int64_t passed_ms = conversation->now.monotonic_ms - sender->used_up_at_ms;
    sender->used_up_at_ms = conversation->now.monotonic_ms;
    passed_ms = passed_ms < MINUTE_MS ? passed_ms : MINUTE_MS;
    for (int rate = 0; rate < SENDER_RATES; rate++) {
        int64_t back = passed_ms * rate_of(conversation, (enum sender_rate)rate) * THOUSANDTHS / MINUTE_MS;
        sender->used_up[rate] = sender->used_up[rate] > back ? sender->used_up[rate] - back : 0;
    }
}

/* RFC 3261 §21.4.18: of this user, and for now. A 503 would speak of the whole server, to a proxy that sends for many.
 */
static bool slow_down(struct request *request, int64_t missing, unsigned per_minute)
{
    struct arena *arena = &request->arena;
    struct sip_message *response = request_response(request, 480, NULL);
    long long seconds = (missing * RETRY_MS_PER_REST / per_minute + 999) / 1000;
    sip_header_add(response, "Retry-After", text_format(arena, "%lld", seconds > 0 ? seconds : 1));
    sip_header_add(
        response, "Warning",
        text_format(arena, "399 %s \"More than %u a minute\"", request->conversation->settings.agent.host, per_minute));
    count_excess(EXCESS_RATE, 1);
    request_send(request, response);
    return false;
}

static bool is_within_rate(struct request *request)
{
    struct conversation *conversation = request->conversation;
    struct sender *sender = request->sender;
    struct text method = sip_method(request->message);
    bool is_message = text_equal(method, TEXT("MESSAGE"));
    if ((!is_message && !text_equal(method, TEXT("REGISTER"))) || request->visit.again)
        return true;
    enum sender_rate rate = is_message ? SENDER_MESSAGES : SENDER_REGISTERS;
    if (is_message && request->domain.length)
        rate = SENDER_OF_DOMAIN;
    unsigned per_minute = rate_of(conversation, rate);
    if (per_minute == 0)
        return true;
    refresh(conversation, sender);
    int64_t after = sender->used_up[rate] + THOUSANDTHS, most = (int64_t)per_minute * THOUSANDTHS;
    if (after > most)
        return slow_down(request, after - most, per_minute);
    sender->used_up[rate] = after;
    return true;
}

static bool charge(struct request *request, size_t bytes)
{
    struct conversation *conversation = request->conversation;
    struct sender *sender = request->sender;
    size_t free = free_bytes(conversation);
    if (bytes > free)
        return turn_away(request, EXCESS_ALL);
    /* One at a time for each, however little is free. */
    if (sender->held > 0 && sender->held + bytes > free / SHARE)
        return turn_away(request, EXCESS_SHARE);
    sender->held += bytes;
    request->held += bytes;
    conversation->held_bytes += bytes;
    return true;
}

bool sender_admit(struct request *request)
{
    /* Those of another domain are one: nobody here knows how many they really are. */
    request->sender = sender_of(request->conversation, request->domain.length ? request->domain : request->user);
    return is_within_rate(request) && charge(request, cost_of(request));
}

bool sender_charge_copies(struct request *request, size_t count, size_t bytes)
{
    return charge(request, count * (bytes + COPY_BYTES));
}

static void forget(struct conversation *conversation, struct sender *sender)
{
    HASH_DEL(conversation->senders, sender);
    memory_give(sender, sizeof(*sender) + sender->address_length);
}

static bool is_idle(const struct sender *sender)
{
    for (int rate = 0; rate < SENDER_RATES; rate++)
        if (sender->used_up[rate])
            return false;
    return sender->held == 0;
}

void sender_release(struct request *request)
{
    struct conversation *conversation = request->conversation;
    struct sender *sender = request->sender;
    conversation->held_bytes -= request->held;
    if (!sender)
        return;
    sender->held -= request->held;
    /* Who writes once writes again: the next sweep is soon enough, while they are few. */
    if (HASH_COUNT(conversation->senders) > IDLE_SENDERS_MAX && is_idle(sender))
        forget(conversation, sender);
}

void sender_sweep(struct conversation *conversation)
{
    struct sender *sender, *next;
    HASH_ITER(hh, conversation->senders, sender, next)
    {
        refresh(conversation, sender);
        if (is_idle(sender))
            forget(conversation, sender);
    }
}

void sender_free_all(struct conversation *conversation)
{
    struct sender *sender, *next;
    HASH_ITER(hh, conversation->senders, sender, next)
    {
        forget(conversation, sender);
    }
}
