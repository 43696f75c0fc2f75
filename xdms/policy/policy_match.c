/* Does a condition hold for a requester? Compares numbers; allocates nothing and reads no document. It must not know
 * what rules grant. */
#include "policy_parts.h"
#include "uri.h"

static uint32_t find_folded(const struct policy_names *words, struct text word)
{
    char folded[POLICY_SPHERE_LENGTH_MAX];
    return policy_names_find(words, policy_sphere_fold(word, folded));
}

/* Who is unauthenticated is treated as one who asked for anonymity. */
void policy_asker_init(struct policy_asker *asker, const struct policy *policy, const struct policy_request *request)
{
    const struct policy_names *words = &policy->words;
    struct text kind, variant;
    *asker = (struct policy_asker){.policy = policy, .request = request};
    for (size_t i = 0; i < request->identities_count && asker->count < POLICY_IDENTITIES_MAX; i++) {
        struct text address = request->identities[i];
        if (address.length == 0)
            continue;
        asker->identities[asker->count] = policy_names_find(&policy->identities, address);
        asker->domains[asker->count] = policy_names_find(&policy->domains, uri_domain(address));
        if (request->lists)
            asker->listed[asker->count] = policy_names_find(&request->lists->identities, address);
        asker->count++;
    }
    asker->anonymous = request->anonymous || asker->count == 0;
    text_cut(request->media, '/', &kind, &variant);
    asker->media = policy_names_find(words, request->media);
    asker->media_kind = policy_names_find(words, kind);
    asker->service = policy_names_find(words, request->service);
    asker->profile = policy_names_find(words, request->profile);
    asker->quality = policy_names_find(words, request->quality);
    asker->sphere = find_folded(words, request->sphere);
    asker->country = find_folded(words, request->country);
    asker->region = find_folded(words, request->region);
}

const struct policy_set *policy_asker_lists(const struct policy_asker *asker, size_t identity)
{
    static const struct policy_set none = {0};
    uint32_t number = asker->listed[identity];
    return number ? &asker->request->lists->anchors[number - 1] : &none;
}

static bool set_has_any(const struct policy_set *set, const uint32_t *ids, size_t count)
{
    for (size_t i = 0; set->count && i < count; i++) {
        if (policy_set_has(set, ids[i]))
            return true;
    }
    return false;
}

static bool many_matches(const struct policy_many *many, const uint32_t *identities, const uint32_t *domains,
                         size_t count)
{
    bool inside = many->any_domain;
    for (size_t i = 0; i < count && many->domain; i++)
        inside = inside || domains[i] == many->domain;
    return inside && !set_has_any(&many->except_identities, identities, count) &&
           !set_has_any(&many->except_domains, domains, count);
}

static bool identity_matches(const struct policy_identity *identity, const uint32_t *identities,
                             const uint32_t *domains, size_t count)
{
    if (count == 0)
        return false;
    if (identity->anybody || set_has_any(&identity->ones, identities, count) ||
        set_has_any(&identity->domains, domains, count))
        return true;
    for (size_t i = 0; i < identity->manys_count; i++) {
        if (many_matches(&identity->manys[i], identities, domains, count))
            return true;
    }
    return false;
}

static bool list_matches(const struct policy_asker *asker, const struct policy_set *anchors)
{
    for (size_t i = 0; i < asker->count; i++) {
        const struct policy_set *held = policy_asker_lists(asker, i);
        const struct policy_set *few = held->count < anchors->count ? held : anchors;
        const struct policy_set *other = few == held ? anchors : held;
        if (set_has_any(other, few->ids, few->count))
            return true;
    }
    return false;
}

/* Each of those invited counts for itself: an exception for one does not keep out the others. */
static bool invited_match(const struct policy_asker *asker, const struct policy_identity *identity)
{
    const struct policy_request *request = asker->request;
    for (size_t i = 0; i < request->invited_count; i++) {
        uint32_t number = policy_names_find(&asker->policy->identities, request->invited[i]);
        uint32_t domain = policy_names_find(&asker->policy->domains, uri_domain(request->invited[i]));
        if (request->invited[i].length && identity_matches(identity, &number, &domain, 1))
            return true;
    }
    return false;
}

static bool find_named(const struct policy_asker *asker)
{
    const struct policy_index *index = &asker->policy->index;
    if (index->anybody_named)
        return asker->count > 0;
    for (size_t i = 0; i < asker->count; i++) {
        if (index->identity_named[asker->identities[i]] || index->domain_named[asker->domains[i]] ||
            policy_asker_lists(asker, i)->count)
            return true;
    }
    for (size_t i = 0; asker->count && i < index->manys_count; i++) {
        if (many_matches(index->manys[i], asker->identities, asker->domains, asker->count))
            return true;
    }
    return false;
}

/* Whether any rule names the requester, even a rule that does not match today for another reason. */
static bool is_named(struct policy_asker *asker)
{
    if (asker->named == POLICY_UNKNOWN)
        asker->named = find_named(asker) ? POLICY_YES : POLICY_NO;
    return asker->named == POLICY_YES;
}

static bool validity_matches(const struct policy_validity *validity, int64_t wall_ms)
{
    for (size_t i = 0; i < validity->count; i++) {
        if (validity->periods[i].from_ms <= wall_ms && wall_ms < validity->periods[i].until_ms)
            return true;
    }
    return false;
}

static bool listing_matches(const struct policy_listing *listing, struct text wanted, uint32_t id)
{
    if (wanted.length == 0)
        return listing->all_but_excepted || listing->named.count;
    return policy_set_has(&listing->named, id) ||
           (listing->all_but_excepted && !policy_set_has(&listing->excepted, id));
}

/* "audio/full-duplex" is audio too. */
static bool media_match(const struct policy_listing *listing, const struct policy_asker *asker)
{
    struct text wanted = asker->request->media;
    if (wanted.length && listing->all_but_excepted && policy_set_has(&listing->excepted, asker->media_kind))
        return policy_set_has(&listing->named, asker->media) || policy_set_has(&listing->named, asker->media_kind);
    return listing_matches(listing, wanted, asker->media) || policy_set_has(&listing->named, asker->media_kind);
}

static bool profile_matches(const struct policy_listing *listing, const struct policy_asker *asker)
{
    return asker->request->profile.length && listing_matches(listing, asker->request->profile, asker->profile);
}

static bool region_matches(const struct policy_regions *regions, const struct policy_asker *asker)
{
    for (size_t i = 0; i < regions->count; i++) {
        const struct policy_region *place = &regions->places[i];
        if (place->country && place->country == asker->country && (!place->region || place->region == asker->region))
            return true;
    }
    return false;
}

bool policy_condition_matches(struct policy_asker *asker, const struct policy_condition *condition)
{
    const struct policy_request *request = asker->request;
    switch (condition->kind) {
    case POLICY_NEVER: return false;
    case POLICY_IDENTITY:
        return identity_matches(&condition->identity, asker->identities, asker->domains, asker->count);
    case POLICY_SPHERE: return policy_set_has(&condition->words, asker->sphere);
    case POLICY_VALIDITY: return validity_matches(&condition->validity, request->wall_ms);
    case POLICY_OTHER_IDENTITY: return asker->count > 0 && !is_named(asker);
    case POLICY_EXTERNAL_LIST: return list_matches(asker, &condition->words);
    case POLICY_ANONYMOUS_REQUEST: return asker->anonymous;
    case POLICY_MEDIA_LIST: return media_match(&condition->listing, asker);
    case POLICY_SERVICE_LIST: return listing_matches(&condition->listing, request->service, asker->service);
    case POLICY_LIST_MEMBER: return request->is_member;
    case POLICY_PROFILE_LIST: return profile_matches(&condition->listing, asker);
    case POLICY_INVITED: return invited_match(asker, &condition->identity);
    case POLICY_QUALITY_LIST: return policy_set_has(&condition->words, asker->quality);
    case POLICY_REGION_LIST: return region_matches(&condition->regions, asker);
    case POLICY_DEFERRED: return request->deferred;
    case POLICY_EXPIRED: return request->expired;
    }
    return false;
}

bool policy_rule_is_closed(const struct policy_asker *asker, const struct policy_rule *rule)
{
    return asker->anonymous && rule->asks_identity && !rule->asks_anonymous;
}

bool policy_rule_matches(struct policy_asker *asker, const struct policy_rule *rule)
{
    if (policy_rule_is_closed(asker, rule))
        return false;
    for (size_t i = 0; i < rule->conditions_count; i++) {
        if (!policy_condition_matches(asker, &rule->conditions[i]))
            return false;
    }
    return true;
}
