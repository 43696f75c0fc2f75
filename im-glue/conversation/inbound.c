/* Messages that come from other domains: who may vouch for their senders (a trusted peer, or the domain itself by its
 * certificate or address), and which domains may come in at all. */
#include "conversation_private.h"
#include "domains_private.h"
#include "incoming_private.h"
#include "log.h"
#include "user.h"

static bool refuse_domain(struct request *request, struct text domain, const char *warning)
{
    struct sip_message *response = request_response(request, 403, NULL);
    sip_header_add(response, "Warning",
                   text_format(&request->arena, "399 %s \"%s\"", request->conversation->settings.agent.host, warning));
    log_info("sender refused call-id=%.*s domain=%.*s reason=%s peer=%.*s",
             TEXT_ARG(sip_call_id(request->message, &request->arena)), TEXT_ARG(domain), warning,
             TEXT_ARG(flow_peer_text(&request->flow, &request->arena)));
    request_send(request, response);
    return false;
}

/* He may have an account under an address of another domain. FAILED: nobody can say. */
static enum status find_user(struct request *request, struct text address)
{
    struct user user;
    return person_find(request->conversation, address, &request->arena, &user);
}

static bool is_listed(const struct request *request, struct text domain)
{
    return domain_is_listed(request->conversation->settings.peering.domains_in, domain);
}

/* RFC 5922 §7.1: a name, or a SIP URI without a user. */
static struct text domain_of_name(struct text name)
{
    return text_starts_with_nocase(name, TEXT("sip:")) ? text_slice(name, 4, name.length) : name;
}

/* The domain that the certificate of the peer names; of several the one of the sender. Empty: none that may come in. */
static struct text certified_domain(struct request *request, struct text wanted)
{
    const struct conversation_settings *settings = &request->conversation->settings;
    const struct text *names = NULL;
    struct text found = {0};
    if (!settings->peering.by_certificate || !settings->peer_names || request->flow.kind != FLOW_TLS)
        return found;
    size_t count =
        settings->peer_names(settings->peer_names_context, request->flow.connection, &request->arena, &names);
    for (size_t i = 0; i < count; i++) {
        struct text domain = domain_of_name(names[i]);
        if (domain_is_ours(request->conversation, domain) || !is_listed(request, domain))
            continue;
        if (text_equal_nocase(domain, wanted) || wanted.length == 0)
            return text_lower(&request->arena, domain);
    }
    return found;
}

/* The domain that whoever connects from this address may speak for. Empty: none. */
static struct text domain_of_address(struct request *request, struct text wanted)
{
    const struct conversation_settings *settings = &request->conversation->settings;
    struct text rest = settings->peering.peers, one, domain, range, bad, found = {0};
    struct trust_address address;
    struct trust_ranges ranges;
    if (!trust_address_of((const struct sockaddr *)&request->flow.peer, &address))
        return found;
    for (bool more = rest.length > 0; more && found.length == 0;) {
        more = text_cut(rest, ',', &one, &rest);
        text_cut(one, '=', &domain, &range);
        domain = text_trim(domain);
        bool fits = wanted.length == 0 || text_equal_nocase(domain, wanted);
        if (fits && is_listed(request, domain) && trust_ranges_parse(text_trim(range), &ranges, &bad) &&
            trust_ranges_have(&ranges, &address))
            found = text_lower(&request->arena, domain);
    }
    return found;
}

bool conversation_peers_valid(struct text peers, struct text *bad_out)
{
    struct text one, domain, range, bad;
    struct trust_ranges ranges;
    for (bool more = text_trim(peers).length > 0; more;) {
        more = text_cut(peers, ',', &one, &peers);
        *bad_out = text_trim(one);
        if (!text_cut(one, '=', &domain, &range) || text_trim(domain).length == 0 || text_trim(range).length == 0 ||
            !trust_ranges_parse(text_trim(range), &ranges, &bad))
            return false;
    }
    return true;
}

static bool has_credentials(struct request *request)
{
    return request_header(request, "Authorization").length || request_header(request, "Proxy-Authorization").length;
}

/* Who it really is where From does not say: a domain knows its own users (RFC 3325 §5). */
static struct text asserted_of(struct request *request, struct text domain)
{
    struct name_addr asserted;
    struct text address = {0};
    if (name_addr_parse(request_header(request, "P-Asserted-Identity"), &asserted, NULL))
        address = uri_canonical(&request->arena, asserted.uri);
    return text_equal(uri_domain(address), domain) ? address : (struct text){0};
}

/* The domain itself speaks for its user. One of ours proves that himself, also when it asserts him. */
static bool take_vouched(struct request *request, struct text address, struct text domain)
{
    struct conversation *conversation = request->conversation;
    struct text asserted = asserted_of(request, domain);
    if (asserted.length) {
        enum status status = find_user(request, asserted);
        if (status == OK)
            return true;
        if (status != NOT_FOUND)
            return request_answer_with(request, 500, "Users Not Readable", "Retry-After", TEXT("5")), false;
        address = asserted;
    }
    if (person_asserted(conversation, &address, 1, &request->arena, &request->who) != OK)
        return request_answer_with(request, 500, "Users Not Readable", "Retry-After", TEXT("5")), false;
    request->user = request->who.address;
    request->domain = domain;
    request->vouched = true;
    return true;
}

/* A trusted peer has said who it is, perhaps somebody of another domain. */
static bool check_asserted(struct request *request)
{
    struct text domain = uri_domain(request->user);
    if (domain.length == 0 || domain_is_ours(request->conversation, domain) || incoming_is_nobody(request->user))
        return true;
    switch (find_user(request, request->user)) {
    case OK: return true;
    case NOT_FOUND: break;
    default: return request_answer_with(request, 500, "Users Not Readable", "Retry-After", TEXT("5")), false;
    }
    if (!is_listed(request, domain))
        return refuse_domain(request, domain, "Domain not accepted here");
    request->domain = text_copy(&request->arena, domain);
    return true;
}

/* False: answered and freed. From is of another domain, or of nobody (`domain` is empty). */
static bool take_stranger(struct request *request, struct text address, struct text domain)
{
    struct text vouched = certified_domain(request, domain);
    if (vouched.length == 0)
        vouched = domain_of_address(request, domain);
    if (vouched.length)
        return take_vouched(request, address, vouched);
    return domain.length == 0 || refuse_domain(request, domain, "Nobody vouches for this domain");
}

bool inbound_take(struct request *request)
{
    struct name_addr from;
    if (!text_equal(sip_method(request->message), TEXT("MESSAGE")))
        return true;
    if (request->who.proof == REQUESTER_ASSERTED)
        return check_asserted(request);
    if (has_credentials(request) || !name_addr_parse(request_header(request, "From"), &from, NULL))
        return true;
    struct text address = uri_canonical(&request->arena, from.uri), domain = uri_domain(address);
    if (domain.length == 0 || domain_is_ours(request->conversation, domain))
        return true;
    if (incoming_is_nobody(address))
        return take_stranger(request, address, (struct text){0});
    switch (find_user(request, address)) { /* one of ours proves that himself, whoever speaks for the domain */
    case OK: return true;
    case NOT_FOUND: return take_stranger(request, address, domain);
    default: return request_answer_with(request, 500, "Users Not Readable", "Retry-After", TEXT("5")), false;
    }
}
