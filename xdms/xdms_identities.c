/* Reads lists of users, peers and proxies from the settings of xdms. */
#include "xdms_identities.h"

#include "user.h"

static bool read_principals(struct xdms_identities *identities, const char *setting, const char *list,
                            enum usage_role role, struct node *node, struct text *error_out)
{
    struct requester_grant *grant = &identities->grants[role - USAGE_SERVER];
    struct text *addresses = identities->principals[role - USAGE_SERVER];
    struct text rest = text_of(list), one;
    *grant = (struct requester_grant){.role = role, .addresses = addresses};
    while (rest.length) {
        text_cut(rest, ',', &one, &rest);
        one = user_address(text_trim(one), text_of(node->settings->domain), &node->arena);
        if (one.length == 0 || grant->count == PRINCIPALS_MAX) {
            *error_out = text_format(&node->arena, "%s: not a list of at most %d users", setting, PRINCIPALS_MAX);
            return false;
        }
        addresses[grant->count++] = one;
    }
    return true;
}

static bool read_ranges(const char *setting, const char *list, struct trust_ranges *ranges_out, struct arena *arena,
                        struct text *error_out)
{
    struct text bad;
    if (trust_ranges_parse(text_of(list), ranges_out, &bad))
        return true;
    *error_out = text_format(arena, "%s: not an address or a range, or one too many: '%.*s'", setting, TEXT_ARG(bad));
    return false;
}

static bool read_forwarded(const char *name, enum trust_forwarded *forwarded_out, struct text *error_out)
{
    bool standard = text_equal_nocase(text_of(name), TEXT("Forwarded"));
    *forwarded_out = standard ? TRUST_FORWARDED : TRUST_X_FORWARDED_FOR;
    if (standard || text_equal_nocase(text_of(name), TEXT("X-Forwarded-For")))
        return true;
    *error_out = TEXT("http.forwarded-header: X-Forwarded-For or Forwarded");
    return false;
}

bool identities_read(struct xdms_identities *identities, const struct xdms_settings *settings, struct node *node,
                     struct text *error_out)
{
    const struct {
        const char *setting, *list;
        enum usage_role role;
    } lists[ROLES_GIVEN] = {{"identity.servers", settings->servers, USAGE_SERVER},
                            {"identity.operators", settings->operators, USAGE_OPERATOR},
                            {"identity.admins", settings->admins, USAGE_ADMIN},
                            {"identity.auditors", settings->auditors, USAGE_AUDITOR}};
    for (size_t i = 0; i < ROLES_GIVEN; i++)
        if (!read_principals(identities, lists[i].setting, lists[i].list, lists[i].role, node, error_out))
            return false;
    identities->trust = node->trust;
    return read_ranges("http.proxies", settings->proxies, &identities->trust.proxies, &node->arena, error_out) &&
           read_forwarded(settings->forwarded_header, &identities->trust.forwarded, error_out) &&
           read_ranges("policy.peers", settings->policy_peers, &identities->policy_peers, &node->arena, error_out);
}
