/* Reads what the settings say about other domains. */
#include "glue_peering.h"

static bool read_transports(struct text list, struct glue_means means, struct locator_settings *locator,
                            struct text *bad_out)
{
    struct text name;
    locator->transports_count = 0;
    for (bool more = true; more;) {
        more = text_cut(list, ',', &name, &list);
        enum flow_kind kind;
        *bad_out = text_trim(name);
        if (!flow_kind_parse(*bad_out, &kind) || kind > FLOW_TLS || locator->transports_count == FLOW_KINDS)
            return false;
        if (kind != FLOW_TLS || means.tls)
            locator->transports[locator->transports_count++] = kind;
    }
    return locator->transports_count > 0;
}

static bool are_domains(const char *setting, const char *value, struct arena *arena, struct text *error_out)
{
    struct text bad;
    if (conversation_domains_valid(text_of(value), &bad))
        return true;
    *error_out = text_format(arena, "%s: not a domain, *.domain or *: %.*s", setting, TEXT_ARG(bad));
    return false;
}

static bool are_all_domains(const struct glue_settings *settings, struct arena *arena, struct text *error_out)
{
    return are_domains("peering.domains-out", settings->domains_out, arena, error_out) &&
           are_domains("peering.domains-in", settings->domains_in, arena, error_out) &&
           are_domains("peering.domains-asserted", settings->domains_asserted, arena, error_out) &&
           are_domains("sip.registrars-watched", settings->registrars_watched, arena, error_out);
}

bool glue_peering(const struct glue_settings *settings, struct glue_means means, struct arena *arena,
                  struct conversation_peering *peering_out, struct text *error_out)
{
    struct text bad;
    *peering_out = (struct conversation_peering){
        .domains_out = text_of(settings->domains_out),
        .domains_in = text_of(settings->domains_in),
        .domains_asserted = text_of(settings->domains_asserted),
        .peers = text_of(settings->peers),
        .by_certificate = settings->by_certificate,
        .routes = text_of(settings->routes),
        .in_flight_max = (size_t)settings->in_flight_max,
        .messages_per_domain = (unsigned)settings->messages_per_domain,
        .locator = LOCATOR_SETTINGS_STANDARD,
    };
    peering_out->locator.ipv6 = means.ipv6;
    peering_out->locator.ttl_ms_max = settings->dns_ttl_s_max * 1000;
    peering_out->locator.entries_max = (size_t)settings->dns_entries_max;
    if (!read_transports(text_of(settings->transports), means, &peering_out->locator, &bad))
        *error_out =
            text_format(arena, "peering.transports: none of tls, tcp, udp that can be used: %.*s", TEXT_ARG(bad));
    else if (!conversation_routes_valid(peering_out->routes, &bad))
        *error_out = text_format(arena, "peering.routes: not DOMAIN=URI: %.*s", TEXT_ARG(bad));
    else if (!conversation_core_routes_valid(text_of(settings->core_routes), &bad))
        *error_out = text_format(arena, "sip.core-routes: not DOMAIN=URI;lr: %.*s", TEXT_ARG(bad));
    else if (!conversation_peers_valid(peering_out->peers, &bad))
        *error_out = text_format(arena, "peering.peers: not DOMAIN=ADDRESS: %.*s", TEXT_ARG(bad));
    else
        return are_all_domains(settings, arena, error_out);
    return false;
}
