/* Messages that come from other domains: who may vouch for their senders (a trusted peer, or the certificate of the
 * domain itself), and which domains may come in at all. */
#include "conversation_private.h"
#include "log.h"
#include "user.h"

static bool refuse_domain(struct request *request, struct text domain, const char *warning)
{
    struct sip_message *response = request_response(request, 403, NULL);
    sip_header_add(response, "Warning",
                   text_format(&request->arena, "399 %s \"%s\"", request->conversation->settings.agent.host, warning));
    log_info("sender refused domain=%.*s reason=%s peer=%.*s", TEXT_ARG(domain), warning,
             TEXT_ARG(flow_peer_text(&request->flow, &request->arena)));
    request_send(request, response);
    return false;
}

/* He may have an account under an address of another domain. FAILED: nobody can say. */
static enum status find_user(struct request *request, struct text address)
{
    struct user user;
    return user_find(request->conversation->documents, address, &request->arena, &user);
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

static bool has_credentials(struct request *request)
{
    return request_header(request, "Authorization").length || request_header(request, "Proxy-Authorization").length;
}

/* The domain itself speaks for its user. */
static bool take_certified(struct request *request, struct text address, struct text domain)
{
    struct conversation *conversation = request->conversation;
    if (requester_of_assertion(conversation->documents, &address, 1, &request->arena, &request->who) != OK)
        return request_answer_with(request, 500, "Users Not Readable", "Retry-After", TEXT("5")), false;
    request->user = request->who.address;
    request->domain = domain;
    request->certified = true;
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

bool inbound_take(struct request *request)
{
    struct conversation *conversation = request->conversation;
    struct name_addr from;
    if (!text_equal(sip_method(request->message), TEXT("MESSAGE")))
        return true;
    if (request->who.proof == REQUESTER_ASSERTED)
        return check_asserted(request);
    if (has_credentials(request) || !name_addr_parse(request_header(request, "From"), &from, NULL))
        return true;
    struct text address = uri_canonical(&request->arena, from.uri), domain = uri_domain(address);
    bool nobody = incoming_is_nobody(address);
    if (domain.length == 0 || domain_is_ours(conversation, domain))
        return true;
    struct text certified = certified_domain(request, nobody ? (struct text){0} : domain);
    if (certified.length)
        return take_certified(request, address, certified);
    if (nobody)
        return true;
    switch (find_user(request, address)) {
    case OK: return true;
    case NOT_FOUND: return refuse_domain(request, domain, "Nobody vouches for this domain");
    default: return request_answer_with(request, 500, "Users Not Readable", "Retry-After", TEXT("5")), false;
    }
}
