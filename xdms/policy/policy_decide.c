/* Decides a request: which rules match, and what they grant together. It allocates nothing and reads no document; it
 * must not know what the answer is used for. */
#include "policy_parts.h"

static size_t find_candidates(const struct policy_asker *asker, uint64_t candidates[POLICY_RULE_WORDS]);
static void grant(const struct policy_rule *rule, struct policy_decision *decision, uint64_t *items);

static void begin(const struct policy *policy, struct policy_decision *decision, uint64_t *items)
{
    *decision = (struct policy_decision){0};
    if (items)
        memset(items, 0, POLICY_ITEM_WORDS(policy->items_count) * sizeof(*items));
}

void policy_decide(const struct policy *policy, const struct policy_request *request,
                   struct policy_decision *decision_out, uint64_t *items)
{
    struct policy_asker asker;
    uint64_t candidates[POLICY_RULE_WORDS];
    policy_asker_init(&asker, policy, request);
    size_t words = find_candidates(&asker, candidates);
    begin(policy, decision_out, items);
    enum policy_layer layer = LAYER_REST;
    bool layered = policy->vocabulary->layering == POLICY_LAYERS;
    for (size_t word = 0; word < words; word++) {
        for (uint64_t left = candidates[word]; left; left &= left - 1) {
            const struct policy_rule *rule = &policy->rules[word * 64 + (unsigned)__builtin_ctzll(left)];
            if ((layered && rule->layer < layer) || !policy_rule_matches(&asker, rule))
                continue;
            if (layered && rule->layer > layer) {
                begin(policy, decision_out, items);
                layer = rule->layer;
            }
            grant(rule, decision_out, items);
        }
    }
}

static void mark(const struct policy_postings *postings, uint32_t number, uint64_t *candidates)
{
    if (number == 0)
        return;
    for (uint32_t at = postings->ends[number - 1]; at < postings->ends[number]; at++)
        candidates[postings->rules[at] / 64] |= UINT64_C(1) << postings->rules[at] % 64;
}

/* Bits of the rules that may match, so that they are looked at in their order and each once. */
static size_t find_candidates(const struct policy_asker *asker, uint64_t candidates[POLICY_RULE_WORDS])
{
    const struct policy *policy = asker->policy;
    const struct policy_index *index = &policy->index;
    size_t words = (policy->rules_count + 63) / 64;
    memcpy(candidates, index->always, words * sizeof(*candidates));
    for (size_t i = 0; i < asker->count; i++) {
        const struct policy_set *lists = policy_asker_lists(asker, i);
        mark(&index->by_identity, asker->identities[i], candidates);
        mark(&index->by_domain, asker->domains[i], candidates);
        for (uint32_t l = 0; l < lists->count; l++)
            mark(&index->by_anchor, lists->ids[l], candidates);
    }
    return words;
}

static void grant(const struct policy_rule *rule, struct policy_decision *decision, uint64_t *items)
{
    decision->rules_matched++;
    for (size_t i = 0; i < rule->grants_count; i++) {
        const struct policy_grant *given = &rule->grants[i];
        uint32_t permission = given->permission;
        for (uint32_t n = 0; items && n < given->items.count; n++) {
            uint32_t bit = given->items.ids[n] - 1;
            items[bit / 64] |= UINT64_C(1) << bit % 64;
        }
        if (decision->permissions[permission].present && decision->permissions[permission].rank >= given->rank)
            continue;
        decision->permissions[permission].present = true;
        decision->permissions[permission].rank = given->rank;
        decision->permissions[permission].rule = rule->id;
    }
}
