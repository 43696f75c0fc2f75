/* Messages that leave for other domains: the next hop by a configured route or by DNS, one target after another until
 * somebody there answers (RFC 3263 §4.3), and what our users are told. */
#include "delivery_private.h"
#include "domains_private.h"
#include "events_private.h"
#include "incoming_private.h"
#include "log.h"
#include "metrics.h"
#include "user.h"

/* Where a branch may go; it is at the target before `next`. */
struct outbound {
    struct flow targets[LOCATOR_TARGETS_MAX];
    size_t count, next;
    const char *name; /* that the certificate of the next hop must hold; NULL: its address */
};

enum hop_result { HOP_SENT, HOP_FAILED, HOP_NOWHERE, HOP_UNKNOWN };

static void count(enum hop_result result);

/* --- may it leave? --- */

bool outbound_allows(const struct conversation *conversation, struct text address)
{
    struct text domain = uri_domain(address);
    return domain.length && domain_is_listed(conversation->settings.peering.domains_out, domain);
}

/* RFC 5363 §5.2 and common sense: what comes from others is for our users, or we would be anybody's relay. */
static bool is_of_our_user(struct request *request)
{
    struct user user;
    return domain_is_ours(request->conversation, uri_domain(request->user)) ||
           user_find(request->conversation->documents, request->user, &request->arena, &user) == OK;
}

int outbound_refusal(struct request *request, struct text address, const char **warning_out)
{
    bool leaves = outbound_allows(request->conversation, address);
    *warning_out = leaves ? "Not a relay between other domains" : "Domain not served here";
    if (!leaves)
        return 404;
    return is_of_our_user(request) ? 0 : 403;
}

bool outbound_may(struct incoming *incoming, struct text address)
{
    const char *warning;
    int status = outbound_refusal(incoming->request, address, &warning);
    if (status)
        incoming_refuse(incoming, address, status, warning,
                        status == 404 ? TEXT("domain not served") : TEXT("neither sender nor recipient is ours"));
    return status == 0;
}

/* --- the way --- */

/* RFC 5627 §4.1: an entry of a list may mean one device of his, which his own server knows. */
static bool is_his_device(const struct delivery *delivery, struct text uri, struct arena *arena)
{
    struct text device;
    struct uri parts;
    return uri_parse(uri, &parts) && uri_parameter(parts.parameters, TEXT("gr"), &device) &&
           text_equal(uri_canonical(arena, uri), text_of(delivery->recipient->address));
}

/* RFC 3428 §5: what goes on is a SIP address. */
static struct text request_uri_of(const struct delivery *delivery, const struct sip_message *stored,
                                  struct arena *arena)
{
    struct text uri = sip_request_uri(stored, arena), rest;
    uri = text_slice(uri, 0, text_find_char(uri, '?'));
    if (delivery->fate.group.length && !is_his_device(delivery, uri, arena))
        return text_of(delivery->recipient->address);
    if (text_starts_with_nocase(uri, TEXT("im:"))) {
        rest = text_slice(uri, 3, uri.length);
        return text_format(arena, "sip:%.*s", TEXT_ARG(rest));
    }
    return text_copy(arena, uri);
}

const char *outbound_certificate_name(struct text hop, struct arena *arena)
{
    struct flow numeric;
    struct uri uri;
    if (!uri_parse(hop, &uri))
        return NULL;
    char *host = text_cstring(arena, text_lower(arena, uri.host));
    return flow_set_peer(&numeric, host, 0) ? NULL : host;
}

bool outbound_is_loose(struct text hop)
{
    struct text ignored;
    struct uri uri;
    return uri_parse(hop, &uri) && uri_parameter(uri.parameters, TEXT("lr"), &ignored);
}

/* Back to a core, or to another domain as configured; empty: where the Request-URI says. */
static struct text next_hop(const struct delivery *delivery)
{
    struct name_addr first;
    if (delivery->route.length && name_addr_parse(delivery->route, &first, NULL))
        return first.uri;
    return domain_route(delivery->conversation->settings.peering.routes, text_of(delivery->recipient->domain->name));
}

void outbound_search(struct branch *branch, struct text hop)
{
    struct delivery *delivery = branch->delivery;
    branch->outbound = arena_new(&delivery->arena, struct outbound);
    branch->outbound->name = outbound_certificate_name(hop, &delivery->arena);
    delivery->branches++;
    locator_find(delivery->conversation->locator, hop, (uint64_t)(uintptr_t)branch,
                 delivery->conversation->now.monotonic_ms);
}

void outbound_send(struct delivery *delivery, const struct sip_message *stored)
{
    struct arena *arena = &delivery->arena;
    struct branch *branch = arena_new(arena, struct branch);
    struct text hop = next_hop(delivery);
    branch->delivery = delivery;
    branch->core = delivery->route.length > 0;
    branch->contact = request_uri_of(delivery, stored, arena);
    if (hop.length == 0)
        hop = branch->contact;
    else if (outbound_is_loose(hop))
        branch->path = branch->core ? delivery->route : text_format(arena, "<%.*s>", TEXT_ARG(hop));
    outbound_search(branch, hop);
}

/* True: it is on its way to the next target. Counts itself among the branches. */
static bool try_next(struct branch *branch)
{
    struct delivery *delivery = branch->delivery;
    struct outbound *outbound = branch->outbound;
    struct sip_message *stored = outbound->next < outbound->count ? delivery_read(delivery) : NULL;
    bool sent = false;
    while (stored && !sent && outbound->next < outbound->count) {
        struct flow target = outbound->targets[outbound->next++];
        target.name = outbound->name;
        target = delivery_flow_for_size(branch, &target, NULL);
        sent = delivery_send_branch(branch, stored, &target);
        if (sent)
            count(HOP_SENT);
    }
    sip_message_free(stored);
    return sent;
}

static int status_of(enum locator_outcome outcome)
{
    switch (outcome) {
    case LOCATOR_FOUND: return 480; /* but for none of them is the message, which has been noted; or none has TLS */
    case LOCATOR_NOWHERE: return 404;
    case LOCATOR_UNKNOWN: break;
    }
    return 503;
}

/* RFC 5630 §5.3: what is for a sips address leaves by TLS or not at all, whatever the route says. */
static void take_targets(struct branch *branch, const struct locator_result *result)
{
    struct outbound *outbound = branch->outbound;
    bool by_tls_only = text_starts_with_nocase(branch->contact, TEXT("sips:"));
    for (size_t i = 0; i < result->count; i++)
        if (!by_tls_only || flow_is_secure(&result->targets[i]))
            outbound->targets[outbound->count++] = result->targets[i];
}

static void count(enum hop_result result)
{
    static const char *const labels[] = {"result=\"sent\"", "result=\"failed\"", "result=\"nowhere\"",
                                         "result=\"unknown\""};
    static struct metric *counters[sizeof(labels) / sizeof(labels[0])]; /* of the one thread of this module */
    if (!counters[result])
        counters[result] = metric_counter("im_glue_hops_total", labels[result],
                                          "Messages to other domains, by what became of the next hop.");
    metric_add(counters[result], 1);
}

static void located(const struct locator_result *result)
{
    struct branch *branch = (struct branch *)(uintptr_t)result->cookie;
    if (branch->event)
        return event_located(branch, result);
    if (branch->query)
        return query_located(branch, result);
    struct delivery *delivery = branch->delivery;
    take_targets(branch, result);
    bool is_nowhere = result->outcome == LOCATOR_NOWHERE;
    bool is_contact = branch->name.length > 0 || (branch->core && !delivery->onward);
    delivery->nowhere = is_nowhere && !is_contact;
    if (result->outcome != LOCATOR_FOUND)
        count(is_nowhere ? HOP_NOWHERE : HOP_UNKNOWN);
    if (!try_next(branch)) /* a contact of ours is away then, and comes back under another name */
        return delivery_take_final(branch, is_contact ? 480 : status_of(result->outcome));
    delivery->branches--; /* that of the search */
}

void outbound_run(struct conversation *conversation)
{
    struct locator_result result;
    do {
        domain_run_waiting(conversation);
        while (locator_result(conversation->locator, &result))
            located(&result);
    } while (!TAILQ_EMPTY(&conversation->domains_ready)); /* what ended at once made room */
}

/* It takes datagrams alone: the same target before another. */
static bool try_datagram(struct branch *branch)
{
    struct sip_message *stored = branch->grown ? delivery_read(branch->delivery) : NULL;
    struct flow flow = branch->flow;
    if (!stored)
        return false;
    flow.kind = FLOW_UDP;
    branch->grown = false;
    bool sent = delivery_send_branch(branch, stored, &flow);
    sip_message_free(stored);
    return sent;
}

bool outbound_try_again(struct branch *branch)
{
    struct delivery *delivery = branch->delivery;
    struct conversation *conversation = delivery->conversation;
    if (delivery->finished)
        return false;
    if (try_datagram(branch))
        return true;
    count(HOP_FAILED);
    locator_mark_failed(conversation->locator, &branch->flow, conversation->now.monotonic_ms);
    log_info("next hop failed call-id=%.*s message-id=%.*s to=%s peer=%.*s", TEXT_ARG(delivery->fate.call_id),
             TEXT_ARG(delivery->fate.message_id), delivery->recipient->address,
             TEXT_ARG(flow_peer_text(&branch->flow, &delivery->arena)));
    return try_next(branch);
}

/* RFC 3325 §5: who sends it is said to those whom we trust to keep it for themselves. */
void outbound_prepare(const struct delivery *delivery, struct sip_message *message)
{
    const struct conversation *conversation = delivery->conversation;
    const struct served *recipient = delivery->recipient;
    if (recipient->domain &&
        !domain_is_listed(conversation->settings.peering.domains_asserted, text_of(recipient->domain->name))) {
        sip_header_remove(message, "P-Asserted-Identity");
        request_hide_core_headers(message);
    }
}

/* RFC 3261 §16.7 step 6: a 503 of somebody else is none of ours; silence of somebody else is not our user's. What the
 * other domain has decided is its answer. */
int outbound_answer_for(int status)
{
    if (status == 401 || status == 407)
        return 403;
    if (status == 503)
        return 500;
    return status == 0 || status == 408 || (status >= 300 && status < 400) ? 480 : status;
}

static const char *const said_headers[] = {"Warning",         "Retry-After", "Accept",      "Accept-Encoding",
                                           "Accept-Language", "Allow",       "Unsupported", "Permission-Missing"};

#define SAID_COUNT (sizeof(said_headers) / sizeof(said_headers[0]))

void outbound_note_answer(struct branch *branch, const struct sip_message *response)
{
    struct delivery *delivery = branch->delivery;
    if (sip_status(response) < 300 || !delivery->request)
        return;
    struct text *said = arena_array(&delivery->arena, struct text, SAID_COUNT), value;
    for (size_t i = 0; i < SAID_COUNT; i++)
        if (sip_header(response, said_headers[i], 0, &delivery->arena, &value))
            said[i] = text_copy(&delivery->arena, value);
    branch->said = said;
}

void outbound_add_answer(const struct delivery *delivery, struct sip_message *response)
{
    for (size_t i = 0; delivery->said && i < SAID_COUNT; i++)
        if (delivery->said[i].length)
            sip_header_add(response, said_headers[i], delivery->said[i]);
}

bool outbound_is_unheard(int status)
{
    return status == 0 || status == 408 || status == 503;
}
