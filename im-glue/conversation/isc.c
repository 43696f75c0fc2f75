/* Requests that a core sends us on their way (ISC, 3GPP TS 24.229 §5.7): our Route on top, then one that leads back to
 * where the core has stopped. They come once for their sender ("orig" in our Route) and once for their recipient, and
 * what goes on goes back by the rest of the Route (RFC 3261 §16.12). */
#include "conversation_private.h"
#include "delivery_private.h"
#include "domains_private.h"
#include "incoming_private.h"
#include "user.h"

#define ROUTE_BYTES_MAX 2048 /* as of a dialog: some twenty proxies */

static bool is_ours(const struct conversation *conversation, const struct uri *uri)
{
    const struct sip_agent_settings *agent = &conversation->settings.agent;
    if (!text_equal_nocase(uri->host, text_of(agent->host)) &&
        !text_equal_nocase(uri->host, conversation->settings.domain))
        return false;
    return uri->port == 0 || uri->port == agent->port || uri->port == agent->tls_port;
}

/* RFC 5502: whose turn it is, and is he registered, by another field than the Route. */
static void read_served_user(struct request *request, struct visit *visit)
{
    struct name_addr served;
    struct text value;
    if (!name_addr_parse(request_header(request, "P-Served-User"), &served, NULL))
        return;
    if (uri_parameter(served.parameters, TEXT("sescase"), &value))
        visit->originating = text_equal_nocase(value, TEXT("orig"));
    if (uri_parameter(served.parameters, TEXT("regstate"), &value))
        visit->unregistered = text_equal_nocase(value, TEXT("unreg"));
}

/* The fields below the topmost. Empty also where the next one would have to be asked by the rules of RFC 2543. */
static struct text rest_of_route(struct request *request)
{
    struct text_builder route;
    struct text value, ignored;
    struct name_addr hop;
    struct uri uri;
    builder_init(&route, &request->arena);
    for (size_t i = 1; sip_header(request->message, "Route", i, &request->arena, &value); i++) {
        if (i == 1 && (!name_addr_parse(value, &hop, NULL) || !uri_parse(hop.uri, &uri) ||
                       !uri_parameter(uri.parameters, TEXT("lr"), &ignored)))
            return (struct text){0};
        builder_add_format(&route, "%s%.*s", i > 1 ? ", " : "", TEXT_ARG(value));
    }
    return route.length <= ROUTE_BYTES_MAX ? builder_text(&route) : (struct text){0};
}

void isc_read(struct request *request)
{
    struct conversation *conversation = request->conversation;
    struct visit *visit = &request->visit;
    struct text value;
    struct name_addr hop;
    struct uri uri;
    if (!sip_header(request->message, "Route", 0, &request->arena, &value) || !name_addr_parse(value, &hop, NULL) ||
        !uri_parse(hop.uri, &uri) || !is_ours(conversation, &uri) || !request_is_of_core(request))
        return;
    visit->is = true;
    visit->originating = uri_parameter(uri.parameters, conversation->settings.orig_parameter, &value);
    visit->route = rest_of_route(request);
    read_served_user(request, visit);
    visit->again = !visit->originating && sip_agent_visits(conversation->agent, request->message) == 1;
}

/* Once is for its sender. */
bool isc_is_loop(const struct request *request)
{
    size_t most = request->visit.is && !request->visit.originating ? 1 : 0;
    return sip_agent_visits(request->conversation->agent, request->message) > most;
}

bool isc_goes_back(const struct conversation *conversation, const struct request *request, const struct served *served)
{
    struct imsettings settings = publication_settings(conversation, served);
    return request->visit.route.length && !request->visit.unregistered && settings.active && settings.visible;
}

/* What a core lets visit us because it comes from us: whoever it is for has been asked, and if it were kept again it
 * would come again. */
bool isc_take_own(struct incoming *incoming, struct served *served)
{
    struct request *request = incoming->request;
    struct visit *visit = &request->visit;
    if (!visit->is || visit->originating || !delivery_is_on_its_last_way(request, served))
        return false;
    visit->returns = visit->again = true;
    if (visit->route.length)
        relay_begin(incoming, served, false);
    else
        request_answer(request, 482, NULL);
    return true;
}

/* Whoever it is for: his turn comes when the core sends it again. */
static struct served *recipient_of(struct incoming *incoming, struct text address)
{
    struct request *request = incoming->request;
    struct conversation *conversation = request->conversation;
    struct user user;
    switch (user_find(conversation->documents, address, &request->arena, &user)) {
    case OK: return served_get(conversation, user.address);
    case NOT_FOUND: break;
    default: return request_answer_with(request, 500, "User Not Readable", "Retry-After", TEXT("5")), NULL;
    }
    if (!domain_is_ours(conversation, uri_domain(address)))
        return domain_served(conversation, text_copy(&request->arena, address));
    return incoming_refuse(incoming, address, 404, NULL, TEXT("no such user")), NULL;
}

void isc_go_on(struct incoming *incoming, struct text address)
{
    struct request *request = incoming->request;
    struct user user;
    switch (user_find(request->conversation->documents, request->user, &request->arena, &user)) {
    case OK: break;
    case NOT_FOUND:
        return incoming_refuse(incoming, address, 403, WARNING_FORBIDDEN " Function not allowed due to policy",
                               TEXT("its sender is no user"));
    default: return request_answer_with(request, 500, "User Not Readable", "Retry-After", TEXT("5"));
    }
    struct served *served = recipient_of(incoming, address);
    if (served)
        relay_begin(incoming, served, false);
}
