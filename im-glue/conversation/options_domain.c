/* OPTIONS to users of other domains and of cores: by the same rules and the same way as a MESSAGE (outbound.c), but
 * nothing waits: who asks hears what one of their servers says, or 480. */
#include "domains_private.h"
#include "options_private.h"

/* RFC 3325 §5: who asks is said to those whom we trust to keep it for themselves. */
static struct sip_message *message_for(const struct query *query)
{
    const struct query_hop *hop = query->hop;
    struct request *request = query->request;
    struct text uri = sip_request_uri(request->message, &request->arena);
    struct sip_message *message = query_message(query, uri, hop->route, hop->trusted);
    if (message && hop->trusted)
        request_add_assertion(request, message);
    return message;
}

bool query_try_next(struct branch *branch)
{
    struct query *query = branch->query;
    struct conversation *conversation = query->conversation;
    struct query_hop *hop = query->hop;
    if (!hop || !query->request || hop->next == hop->count)
        return false;
    struct sip_message *message = message_for(query);
    if (!message)
        return false;
    if (hop->next > 0)
        locator_mark_failed(conversation->locator, &branch->flow, conversation->now.monotonic_ms);
    branch->flow = hop->targets[hop->next++];
    branch->flow.name = hop->name;
    query->branches++;
    sip_agent_request(conversation->agent, message, &branch->flow, (uint64_t)(uintptr_t)branch,
                      conversation->now.monotonic_ms);
    return true;
}

/* RFC 5630 §5.3: a sips address is asked by TLS or not at all. */
void query_located(struct branch *branch, const struct locator_result *result)
{
    struct query *query = branch->query;
    struct query_hop *hop = query->hop;
    for (size_t i = 0; i < result->count; i++)
        if (!text_starts_with_nocase(branch->contact, TEXT("sips:")) || flow_is_secure(&result->targets[i]))
            hop->targets[hop->count++] = result->targets[i];
    if (result->outcome == LOCATOR_NOWHERE && !domain_is_ours(query->conversation, uri_domain(hop->address)))
        query->best = 404;
    query->branches--; /* that of the search */
    if (!query_try_next(branch))
        query_settle(query);
}

/* `to`: the next hop; empty: where the Request-URI says. */
static void ask(struct request *request, struct text address, struct text to, bool trusted, uint64_t hops)
{
    struct conversation *conversation = request->conversation;
    struct query *query = query_new(request, hops);
    struct arena *arena = &query->arena;
    struct branch *branch = arena_new(arena, struct branch);
    query->hop = arena_new(arena, struct query_hop);
    query->hop->address = text_copy(arena, address);
    query->hop->trusted = trusted;
    if (to.length && outbound_is_loose(to))
        query->hop->route = text_format(arena, "<%.*s>", TEXT_ARG(to));
    branch->query = query;
    branch->contact = text_copy(arena, sip_request_uri(request->message, arena));
    to = to.length ? text_copy(arena, to) : branch->contact;
    query->hop->name = outbound_certificate_name(to, arena);
    query->branches++;
    locator_find(conversation->locator, to, (uint64_t)(uintptr_t)branch, conversation->now.monotonic_ms);
}

void query_ask_core(struct request *request, struct text address, struct text way, uint64_t hops)
{
    ask(request, address, way, true, hops);
}

void query_ask_domain(struct request *request, struct text address, uint64_t hops)
{
    struct conversation *conversation = request->conversation;
    const char *warning;
    int status = outbound_refusal(request, address, &warning);
    if (status)
        return request_answer_with(
            request, status, NULL, "Warning",
            text_format(&request->arena, "399 %s \"%s\"", conversation->settings.agent.host, warning));
    const struct conversation_peering *peering = &conversation->settings.peering;
    ask(request, address, domain_route(peering->routes, uri_domain(address)),
        domain_is_listed(peering->domains_asserted, uri_domain(address)), hops);
}
