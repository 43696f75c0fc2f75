/* Decides a request: which rules match, and what they grant together. It allocates nothing and reads no document; it
 * must not know what the answer is used for. */
#include "policy_parts.h"
#include "uri.h"

#define ANCHORS_REMEMBERED 64 /* answers about lists kept during one decision; documents refer to a handful */

enum answer { UNKNOWN = 0, NO, YES };

/* The requester in the numbers of this policy, and what is found out about it on the way. */
struct asker {
    const struct policy *policy;
    const struct policy_request *request;
    struct text addresses[POLICY_IDENTITIES_MAX];
    uint32_t identities[POLICY_IDENTITIES_MAX];
    uint32_t domains[POLICY_IDENTITIES_MAX];
    size_t count;
    uint32_t sphere, media, service;
    bool anonymous;
    enum answer named;
    uint8_t lists[ANCHORS_REMEMBERED];
};

static void resolve(const struct policy *policy, const struct policy_request *request, struct asker *asker);
static bool rule_matches(struct asker *asker, const struct policy_rule *rule);
static void grant(const struct policy_rule *rule, struct policy_decision *decision);

void policy_decide(const struct policy *policy, const struct policy_request *request,
                   struct policy_decision *decision_out)
{
    struct asker asker;
    resolve(policy, request, &asker);
    *decision_out = (struct policy_decision){0};
    enum policy_layer layer = LAYER_REST;
    bool layered = policy->vocabulary->layering == POLICY_LAYERS;
    for (size_t i = 0; i < policy->rules_count; i++) {
        const struct policy_rule *rule = &policy->rules[i];
        if ((layered && rule->layer < layer) || !rule_matches(&asker, rule))
            continue;
        if (layered && rule->layer > layer) {
            *decision_out = (struct policy_decision){0};
            layer = rule->layer;
        }
        grant(rule, decision_out);
    }
}

/* Who is unauthenticated is treated as one who asked for anonymity. */
static void resolve(const struct policy *policy, const struct policy_request *request, struct asker *asker)
{
    char folded[POLICY_SPHERE_LENGTH_MAX];
    *asker = (struct asker){.policy = policy, .request = request};
    for (size_t i = 0; i < request->identities_count && asker->count < POLICY_IDENTITIES_MAX; i++) {
        struct text address = request->identities[i];
        if (address.length == 0)
            continue;
        asker->addresses[asker->count] = address;
        asker->identities[asker->count] = policy_names_find(&policy->identities, address);
        asker->domains[asker->count++] = policy_names_find(&policy->domains, uri_domain(address));
    }
    asker->anonymous = request->anonymous || asker->count == 0;
    asker->sphere = policy_names_find(&policy->words, policy_sphere_fold(request->sphere, folded));
    asker->media = policy_names_find(&policy->words, request->media);
    asker->service = policy_names_find(&policy->words, request->service);
}

static void grant(const struct policy_rule *rule, struct policy_decision *decision)
{
    decision->rules_matched++;
    for (size_t i = 0; i < rule->grants_count; i++) {
        uint32_t permission = rule->grants[i].permission;
        int64_t rank = rule->grants[i].rank;
        if (decision->permissions[permission].present && decision->permissions[permission].rank >= rank)
            continue;
        decision->permissions[permission].present = true;
        decision->permissions[permission].rank = rank;
        decision->permissions[permission].rule = rule->id;
    }
}

static bool set_has_any(const struct policy_set *set, const uint32_t *ids, size_t count)
{
    for (size_t i = 0; set->count && i < count; i++) {
        if (policy_set_has(set, ids[i]))
            return true;
    }
    return false;
}

static bool many_matches(const struct asker *asker, const struct policy_many *many)
{
    bool inside = many->any_domain;
    for (size_t i = 0; i < asker->count && many->domain; i++)
        inside = inside || asker->domains[i] == many->domain;
    return inside && !set_has_any(&many->except_identities, asker->identities, asker->count) &&
           !set_has_any(&many->except_domains, asker->domains, asker->count);
}

static bool identity_matches(const struct asker *asker, const struct policy_identity *identity)
{
    if (asker->count == 0)
        return false;
    if (identity->anybody || set_has_any(&identity->ones, asker->identities, asker->count) ||
        set_has_any(&identity->domains, asker->domains, asker->count))
        return true;
    for (size_t i = 0; i < identity->manys_count; i++) {
        if (many_matches(asker, &identity->manys[i]))
            return true;
    }
    return false;
}

static bool ask_list(const struct asker *asker, uint32_t anchor)
{
    for (size_t i = 0; i < asker->count; i++) {
        if (asker->request->in_list(asker->request->in_list_context, asker->policy->anchors.texts[anchor - 1],
                                    asker->addresses[i]))
            return true;
    }
    return false;
}

static bool list_matches(struct asker *asker, const struct policy_set *anchors)
{
    for (size_t i = 0; asker->request->in_list && i < anchors->count; i++) {
        uint32_t anchor = anchors->ids[i];
        if (anchor >= ANCHORS_REMEMBERED) {
            if (ask_list(asker, anchor))
                return true;
            continue;
        }
        if (asker->lists[anchor] == UNKNOWN)
            asker->lists[anchor] = ask_list(asker, anchor) ? YES : NO;
        if (asker->lists[anchor] == YES)
            return true;
    }
    return false;
}

static bool condition_names_asker(struct asker *asker, const struct policy_condition *condition)
{
    switch (condition->kind) {
    case POLICY_IDENTITY: return identity_matches(asker, &condition->identity);
    case POLICY_EXTERNAL_LIST: return list_matches(asker, &condition->words);
    default: return false;
    }
}

/* Whether any rule names the requester, even a rule that does not match today for another reason. */
static bool is_named(struct asker *asker)
{
    for (size_t i = 0; asker->named == UNKNOWN && i < asker->policy->rules_count; i++) {
        const struct policy_rule *rule = &asker->policy->rules[i];
        for (size_t j = 0; asker->named == UNKNOWN && j < rule->conditions_count; j++) {
            if (condition_names_asker(asker, &rule->conditions[j]))
                asker->named = YES;
        }
    }
    if (asker->named == UNKNOWN)
        asker->named = NO;
    return asker->named == YES;
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

static bool condition_matches(struct asker *asker, const struct policy_condition *condition)
{
    const struct policy_request *request = asker->request;
    switch (condition->kind) {
    case POLICY_NEVER: return false;
    case POLICY_IDENTITY: return identity_matches(asker, &condition->identity);
    case POLICY_SPHERE: return policy_set_has(&condition->words, asker->sphere);
    case POLICY_VALIDITY: return validity_matches(&condition->validity, request->wall_ms);
    case POLICY_OTHER_IDENTITY: return asker->count > 0 && !is_named(asker);
    case POLICY_EXTERNAL_LIST: return list_matches(asker, &condition->words);
    case POLICY_ANONYMOUS_REQUEST: return asker->anonymous;
    case POLICY_MEDIA_LIST: return listing_matches(&condition->listing, request->media, asker->media);
    case POLICY_SERVICE_LIST: return listing_matches(&condition->listing, request->service, asker->service);
    case POLICY_LIST_MEMBER: return request->is_member;
    }
    return false;
}

static bool rule_matches(struct asker *asker, const struct policy_rule *rule)
{
    if (asker->anonymous && rule->asks_identity && !rule->asks_anonymous)
        return false;
    for (size_t i = 0; i < rule->conditions_count; i++) {
        if (!condition_matches(asker, &rule->conditions[i]))
            return false;
    }
    return true;
}
