/* Servers that search here for users of theirs. Each speaks for the users of one domain, in searches alone: to be
 * believed more, it would have to be a trusted peer (identity/trust.h). */
#include "log.h"
#include "service_search.h"
#include "uri.h"

#define ASSERTED   "X-XCAP-Asserted-Identity"
#define PEERS_MAX  32 /* domains; each request that asserts somebody is compared with all */
#define NO_LETTERS "0123456789.:/"

struct search_peer {
    struct text domain;
    struct trust trust;
};

struct search_peers {
    struct search_peer list[PEERS_MAX];
    size_t count;
};

static struct search_peer *peer_of(struct search_peers *peers, struct text domain)
{
    for (size_t i = 0; i < peers->count; i++)
        if (text_equal(peers->list[i].domain, domain))
            return &peers->list[i];
    if (peers->count == PEERS_MAX)
        return NULL;
    struct search_peer *peer = &peers->list[peers->count++];
    *peer = (struct search_peer){.domain = domain};
    return peer;
}

/* What could only be an address is no name, so that a slip of the pen is no name that nobody has. */
static bool add_source(struct search_peer *peer, struct text source)
{
    struct trust_ranges one;
    struct trust *trust = &peer->trust;
    struct text bad;
    if (source.length && trust_ranges_parse(source, &one, &bad)) {
        if (one.count != 1 || trust->peers.count == TRUST_RANGES_MAX)
            return false;
        trust->peers.ranges[trust->peers.count++] = one.ranges[0];
        return true;
    }
    size_t digits = 0;
    while (digits < source.length && strchr(NO_LETTERS, source.bytes[digits]))
        digits++;
    if (digits == source.length || trust->names_count == TRUST_NAMES_MAX)
        return false;
    trust->names[trust->names_count++] = source;
    return true;
}

static bool read_peer(struct search_peers *peers, struct text written, struct text own, struct arena *arena)
{
    struct text domain, source;
    if (!text_cut(written, '=', &domain, &source))
        return false;
    domain = uri_host_ascii(arena, text_trim(domain));
    if (domain.length == 0 || text_equal_nocase(domain, own))
        return false;
    struct search_peer *peer = peer_of(peers, domain);
    return peer && add_source(peer, text_copy(arena, text_trim(source)));
}

struct search_peers *search_peers_new(struct text list, struct text own, struct arena *arena, struct text *error_out)
{
    struct text rest = text_trim(list), one;
    *error_out = (struct text){0};
    if (rest.length == 0)
        return NULL;
    struct search_peers *peers = arena_new(arena, struct search_peers);
    peers->count = 0;
    while (rest.length && error_out->length == 0) {
        text_cut(rest, ',', &one, &rest);
        rest = text_trim(rest);
        one = text_trim(one);
        if (!read_peer(peers, one, own, arena))
            *error_out = text_format(arena,
                                     "search.peers: '%.*s' is not another DOMAIN=ADDRESS or DOMAIN=NAME, or one "
                                     "too many",
                                     TEXT_ARG(one));
    }
    return peers;
}

static bool speaks_for(const struct search_peer *peer, const struct http_request *request)
{
    return trust_believes(&peer->trust, request->peer, request->client_names, request->client_names_count);
}

/* `any_out`: it speaks for some domain. */
static bool may_assert(const struct search_peers *peers, const struct http_request *request, struct text domain,
                       bool *any_out)
{
    bool found = false;
    *any_out = false;
    for (size_t i = 0; i < peers->count; i++)
        if (speaks_for(&peers->list[i], request)) {
            *any_out = true;
            found = found || (domain.length && text_equal(peers->list[i].domain, domain));
        }
    return found;
}

/* Without roles of whatever account or setting: what everybody may find is found. */
static enum status become(const struct service *service, const struct http_request *request, struct text address,
                          struct requester *requester_out, struct refusal *refusal)
{
    struct user user;
    enum status status = user_find(service->documents, address, request->arena, &user);
    if (status == OK)
        return refuse(refusal, REFUSAL_FORBIDDEN, "This is a user of this server; nobody else speaks for him.");
    if (status != NOT_FOUND)
        return FAILED;
    status = requester_of_assertion(service->documents, &address, 1, request->arena, requester_out);
    requester_out->roles &= USAGE_ROLE_BIT(USAGE_ANYONE) | USAGE_ROLE_BIT(USAGE_USER);
    return status;
}

enum status search_peer_identify(const struct service *service, const struct http_request *request,
                                 struct requester *requester_out, struct refusal *refusal)
{
    const struct trust *trust = service->settings.trust;
    struct text identities[ASSERTED_MAX], value;
    size_t count;
    bool any;
    if (!service->peers || !http_header(request, ASSERTED, &value) ||
        trust_believes(trust, request->peer, request->client_names, request->client_names_count))
        return NOT_FOUND;
    bool good =
        asserted_parse(http_header_joined(request, ASSERTED), request->arena, identities, &count) == OK && count == 1;
    bool may = may_assert(service->peers, request, good ? uri_domain(identities[0]) : TEXT(""), &any);
    if (!any) /* from anybody else the header is no more than noise */
        return NOT_FOUND;
    if (!good)
        return refuse(refusal, REFUSAL_SYNTAX, "The asserted identity is malformed, or there are several.");
    if (!may) {
        log_warning("%.*s searches for %.*s without a line of search.peers for that domain",
                    TEXT_ARG(http_peer_text(request->peer, request->arena)), TEXT_ARG(identities[0]));
        return refuse(refusal, REFUSAL_FORBIDDEN, "You do not speak for the users of that domain here.");
    }
    return become(service, request, identities[0], requester_out, refusal);
}
