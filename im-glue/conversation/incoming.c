/* A MESSAGE as it comes from a user: is it his, is it whole, what of it goes on. Asks nobody who it is for. */
#include "incoming_private.h"
#include "privacy_private.h"

#define LIFETIME_S_MAX (INT64_C(100) * 365 * 86400) /* nobody means more, and sums of it are still numbers */
#define FULL_RETRY_S   "3600"                       /* who is away for a thousand messages is not back in a minute */

static bool check_hops(struct incoming *incoming, struct text *max_forwards_out);
static bool check_sender(struct incoming *incoming);
static bool read_lifetime(struct incoming *incoming);
static enum deferred_priority read_priority(struct request *request);
static struct sip_message *onward_message(struct incoming *incoming, struct text max_forwards);
static bool check_onward(struct incoming *incoming);

bool incoming_read(struct request *request, struct text exploder, struct incoming *incoming_out)
{
    struct text max_forwards, call_id = sip_call_id(request->message, &request->arena);
    struct incoming *incoming = incoming_out;
    *incoming = (struct incoming){
        .request = request,
        .exploder = exploder,
        .subject = request_header(request, "Subject"),
        .priority = read_priority(request),
    };
    incoming->call_id = text_slice(call_id, 0, call_id.length < INCOMING_ID_MAX ? call_id.length : INCOMING_ID_MAX);
    incoming->message_id = incoming->call_id; /* until the content says otherwise */
    if (!check_hops(incoming, &max_forwards) || !check_sender(incoming))
        return false;
    if ((exploder.length && !exploder_read(incoming)) || !content_check(incoming))
        return false;
    request->message_id = incoming->message_id;
    if (!read_lifetime(incoming))
        return false;
    request->onward = onward_message(incoming, max_forwards);
    incoming->message = sip_message_write(request->onward, &request->arena);
    incoming->sender = (struct group_sender){
        .identities = request->who.identities,
        .identities_count = request->who.identities_count,
        .anonymous = incoming->anonymous,
        .wall_ms = request->conversation->now.wall_ms,
    };
    return check_onward(incoming);
}

enum message_content incoming_content(const struct incoming *incoming)
{
    if (incoming->composing)
        return CONTENT_COMPOSING;
    if (incoming->report)
        return CONTENT_REPORT;
    return message_content_of_type(incoming->type);
}

struct fate incoming_fate(const struct incoming *incoming, struct text recipient, struct text group)
{
    return (struct fate){
        .message_id = incoming->message_id,
        .sender = incoming->request->user,
        .recipient = recipient,
        .group = group,
        .call_id = incoming->call_id,
    };
}

void incoming_note_refused(struct incoming *incoming, struct text recipient, int status, struct text detail)
{
    struct request *request = incoming->request;
    struct conversation *conversation = request->conversation;
    message_count((struct text){0}, incoming_content(incoming), MESSAGE_REFUSED);
    struct fate fate = incoming_fate(incoming, recipient, (struct text){0});
    fate = fate_with(&fate, FATE_REFUSED, conversation->now.wall_ms,
                     text_format(&request->arena, "%d %.*s", status, TEXT_ARG(detail)), &request->arena);
    work_note_fate(conversation, &fate);
}

/* "102 Too many participants": the number that the house has for it. */
static struct text numbered(const struct conversation *conversation, const char *warning, struct arena *arena)
{
    const struct conversation_settings *settings = &conversation->settings;
    struct text number, rest;
    text_cut(text_of(warning), ' ', &number, &rest);
    bool forbidden = text_equal(number, TEXT(WARNING_FORBIDDEN));
    if (!forbidden && !text_equal(number, TEXT(WARNING_MANY)))
        return text_of(warning);
    unsigned own = forbidden ? settings->warning_forbidden : settings->warning_many;
    return own ? text_format(arena, "%u %.*s", own, TEXT_ARG(rest)) : rest;
}

void incoming_refuse(struct incoming *incoming, struct text recipient, int status, const char *warning,
                     struct text detail)
{
    struct request *request = incoming->request;
    struct conversation *conversation = request->conversation;
    incoming_note_refused(incoming, recipient, status, detail);
    struct sip_message *response = request_response(request, status, NULL);
    if (warning)
        sip_header_add(response, "Warning",
                       text_format(&request->arena, "399 %s \"%.*s\"", conversation->settings.agent.host,
                                   TEXT_ARG(numbered(conversation, warning, &request->arena))));
    if (warning && status == 480) /* his queue is full: it empties when he comes back */
        sip_header_add(response, "Retry-After", TEXT(FULL_RETRY_S));
    request_send(request, response);
}

static bool check_hops(struct incoming *incoming, struct text *max_forwards_out)
{
    struct request *request = incoming->request;
    struct text known = incoming->exploder.length ? TEXT(EXPLODER_EXTENSION) : (struct text){0};
    struct text value = text_trim(request_header(request, "Max-Forwards"));
    uint64_t hops = 70;
    if (value.length && !text_to_u64(value, &hops))
        return request_answer(request, 400, "Bad Max-Forwards"), false;
    if (hops == 0)
        return request_answer(request, 483, NULL), false;
    if (request_refuse_extensions(request, "Require", known) ||
        request_refuse_extensions(request, "Proxy-Require", (struct text){0}))
        return false;
    *max_forwards_out = text_number(&request->arena, hops > 70 ? 69 : hops - 1);
    return true;
}

/* --- who sent it --- */

bool incoming_is_nobody(struct text canonical)
{
    return text_ends_with(uri_domain(canonical), TEXT("anonymous.invalid"));
}

/* The user himself, or nobody. A trusted peer has looked at that before it said who it is. */
bool incoming_is_own(const struct incoming *incoming, struct text canonical)
{
    const struct requester *who = &incoming->request->who;
    if (incoming_is_nobody(canonical) || requester_is(who, canonical))
        return true;
    if (incoming->request->vouched)
        return text_equal(uri_domain(canonical), incoming->request->domain);
    return who->proof == REQUESTER_ASSERTED;
}

struct group_sender incoming_asks_group(const struct incoming *incoming)
{
    static const struct group_question advertise = {.kind = TEXT_INIT("advertise")};
    struct group_sender sender = incoming->sender;
    if (incoming->advertisement)
        sender.question = &advertise;
    return sender;
}

static void refuse_without_messages(struct incoming *incoming)
{
    struct arena *arena = &incoming->request->arena;
    struct text recipient = uri_canonical(arena, sip_request_uri(incoming->request->message, arena));
    incoming_refuse(incoming, recipient, 403, WARNING_NO_MESSAGES, TEXT("its sender is without messages"));
}

static bool check_sender(struct incoming *incoming)
{
    struct request *request = incoming->request;
    struct name_addr from;
    if (!name_addr_parse(request_header(request, "From"), &from, NULL))
        return request_answer(request, 400, "Bad From"), false;
    struct text address = uri_canonical(&request->arena, from.uri);
    incoming->anonymous = incoming_is_nobody(address) || privacy_is_asked(request->message, &request->arena);
    if (!incoming_is_own(incoming, address))
        return request_answer(request, 403, "Not Your Address"), false;
    if (request->who.no_messages)
        return refuse_without_messages(incoming), false;
    if (!privacy_is_possible(request->message, &request->arena))
        return request_answer(request, 500, "Privacy Not Possible"), false;
    return true;
}

/* --- what becomes of it --- */

/* RFC 5627 §6: a device that is not there is not waited for, and must not hold up the others. */
static bool is_for_one_device(struct request *request)
{
    struct text ignored, address = sip_request_uri(request->message, &request->arena);
    struct uri uri;
    return text_find_char(address, ';') < address.length && uri_parse(address, &uri) &&
           uri_parameter(uri.parameters, TEXT("gr"), &ignored);
}

/* RFC 3261 §20.19: digits, however many. */
static bool read_seconds(struct text value, int64_t *seconds_out)
{
    uint64_t seconds;
    for (size_t i = 0; i < value.length; i++)
        if (value.bytes[i] < '0' || value.bytes[i] > '9')
            return false;
    bool is_huge = !text_to_u64(value, &seconds) || seconds > LIFETIME_S_MAX;
    *seconds_out = is_huge ? LIFETIME_S_MAX : (int64_t)seconds;
    return value.length > 0;
}

/* RFC 3428 §7: Expires counts from Date, or from now; a clock that is ahead of ours lengthens nothing. Zero means now
 * or never, and so does what is over already. */
static bool read_lifetime(struct incoming *incoming)
{
    struct request *request = incoming->request;
    int64_t now_ms = request->conversation->now.wall_ms, sent_ms = now_ms, seconds = 0;
    int64_t lifetime_ms = request->conversation->settings.deferral.lifetime_ms_max;
    struct text expires, date;
    bool bounded = sip_header(request->message, "Expires", 0, &request->arena, &expires);
    if (bounded && !read_seconds(text_trim(expires), &seconds))
        return request_answer(request, 400, "Bad Expires"), false;
    if (sip_header(request->message, "Date", 0, &request->arena, &date) &&
        !clock_parse_http_date(text_trim(date), &sent_ms))
        return request_answer(request, 400, "Bad Date"), false;
    incoming->expires_ms = lifetime_ms ? now_ms + lifetime_ms : INT64_MAX;
    if (bounded) {
        int64_t until_ms = (sent_ms < now_ms ? sent_ms : now_ms) + seconds * 1000;
        incoming->expires_ms = until_ms < incoming->expires_ms ? until_ms : incoming->expires_ms;
    }
    incoming->deferrable = incoming->expires_ms > now_ms && !incoming->composing && !is_for_one_device(request);
    return true;
}

/* RFC 3261 §20.26; what is an emergency is at least urgent. */
static enum deferred_priority read_priority(struct request *request)
{
    struct text value = text_trim(request_header(request, "Priority"));
    if (text_equal_nocase(value, TEXT("urgent")) || text_equal_nocase(value, TEXT("emergency")))
        return DEFERRED_URGENT;
    return text_equal_nocase(value, TEXT("non-urgent")) ? DEFERRED_NOT_URGENT : DEFERRED_NORMAL;
}

/* --- what goes on --- */

/* Without what is meant for this hop, with who sent it (RFC 3325 §5). The Via fields stay until it is sent, because a
 * message without one does not parse. It is gone before the message that it is made of. */
static struct sip_message *onward_message(struct incoming *incoming, struct text max_forwards)
{
    static const char *const hop_headers[] = {
        "Route",   "Record-Route",        "Authorization",       "Proxy-Authorization",
        "Contact", "P-Asserted-Identity", "P-Preferred-Identity"};
    struct request *request = incoming->request;
    struct sip_message *message = sip_message_borrow(request->message);
    struct text date;
    for (size_t i = 0; i < sizeof(hop_headers) / sizeof(hop_headers[0]); i++)
        sip_header_remove(message, hop_headers[i]);
    if (!request_peer_is_trusted(request))
        request_remove_core_headers(message);
    privacy_take_done(message, &request->arena);
    sip_header_set(message, "Max-Forwards", max_forwards);
    if (!incoming->anonymous)
        request_add_assertion(request, message);
    if (!sip_header(message, "Date", 0, &request->arena, &date))
        sip_header_set(message, "Date", clock_write_http_date(&request->arena, request->conversation->now.wall_ms));
    return message;
}

/* What was added may be a field or a byte too much; a message that cannot be read again must not be accepted. */
static bool check_onward(struct incoming *incoming)
{
    size_t bytes_max = incoming->request->conversation->settings.message_bytes_max;
    if (sip_message_fits(incoming->request->onward) && (bytes_max == 0 || incoming->message.length <= bytes_max))
        return true;
    struct sip_message *response = request_response(incoming->request, 513, NULL);
    sip_header_add(response, "Warning",
                   text_format(&incoming->request->arena, "399 %s \"Message too large, use large message mode\"",
                               incoming->request->conversation->settings.agent.host));
    request_send(incoming->request, response);
    return false;
}
