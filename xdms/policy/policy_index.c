/* Which rules may concern whom. Built once with the policy; it must not know how conditions are decided. */
#include <assert.h>

#include "policy_parts.h"

/* The condition by which a rule is found: one that names everybody whom it can match. NULL: there is none. */
static const struct policy_condition *key_of(const struct policy_rule *rule)
{
    const struct policy_condition *key = NULL;
    for (size_t i = 0; i < rule->conditions_count; i++) {
        const struct policy_condition *condition = &rule->conditions[i];
        if (condition->kind == POLICY_IDENTITY && !condition->identity.anybody && condition->identity.manys_count == 0)
            return condition;
        if (condition->kind == POLICY_EXTERNAL_LIST)
            key = condition;
    }
    return key;
}

static const struct policy_set *numbers_in(const struct policy_rule *rule, size_t which)
{
    static const struct policy_set none = {0};
    const struct policy_condition *key = key_of(rule);
    if (!key)
        return &none;
    if (key->kind == POLICY_EXTERNAL_LIST)
        return which == 2 ? &key->words : &none;
    return which == 0 ? &key->identity.ones : which == 1 ? &key->identity.domains : &none;
}

/* Counted, then summed, then filled: each rule stands behind the number of each of its names, in the order of rules. */
static void build_postings(const struct policy *policy, size_t which, size_t names_count, struct arena *arena,
                           struct policy_postings *postings)
{
    uint32_t *ends = arena_array(arena, uint32_t, names_count + 2);
    size_t total = 0;
    for (size_t r = 0; r < policy->rules_count; r++) {
        const struct policy_set *set = numbers_in(&policy->rules[r], which);
        for (uint32_t i = 0; i < set->count; i++)
            ends[set->ids[i] + 1]++;
        total += set->count;
    }
    for (size_t i = 1; i < names_count + 2; i++)
        ends[i] += ends[i - 1];
    postings->rules = arena_array(arena, uint32_t, total + 1);
    /* ends[i] is where number i begins now, and has moved to where it ends when all are filled in */
    for (size_t r = 0; r < policy->rules_count; r++) {
        const struct policy_set *set = numbers_in(&policy->rules[r], which);
        for (uint32_t i = 0; i < set->count; i++)
            postings->rules[ends[set->ids[i]]++] = (uint32_t)r;
    }
    postings->ends = ends;
}

static void note_named(struct policy_index *index, const struct policy_identity *identity)
{
    index->anybody_named = index->anybody_named || identity->anybody;
    for (uint32_t i = 0; i < identity->ones.count; i++)
        index->identity_named[identity->ones.ids[i]] = true;
    for (uint32_t i = 0; i < identity->domains.count; i++)
        index->domain_named[identity->domains.ids[i]] = true;
    for (size_t i = 0; i < identity->manys_count; i++)
        index->manys[index->manys_count++] = &identity->manys[i];
}

static const struct policy_identity *identity_at(const struct policy_rule *rule, size_t at)
{
    return rule->conditions[at].kind == POLICY_IDENTITY ? &rule->conditions[at].identity : NULL;
}

static void build_named(struct policy *policy, struct arena *arena)
{
    struct policy_index *index = &policy->index;
    size_t manys = 0;
    for (size_t r = 0; r < policy->rules_count; r++)
        for (size_t i = 0; i < policy->rules[r].conditions_count; i++)
            if (identity_at(&policy->rules[r], i))
                manys += identity_at(&policy->rules[r], i)->manys_count;
    index->identity_named = arena_array(arena, bool, policy->identities.count + 1);
    index->domain_named = arena_array(arena, bool, policy->domains.count + 1);
    index->manys = arena_array(arena, const struct policy_many *, manys + 1);
    for (size_t r = 0; r < policy->rules_count; r++)
        for (size_t i = 0; i < policy->rules[r].conditions_count; i++)
            if (identity_at(&policy->rules[r], i))
                note_named(index, identity_at(&policy->rules[r], i));
}

void policy_index_build(struct policy *policy, struct arena *arena)
{
    struct policy_index *index = &policy->index;
    assert(policy->rules_count <= POLICY_RULES_MAX);
    build_postings(policy, 0, policy->identities.count, arena, &index->by_identity);
    build_postings(policy, 1, policy->domains.count, arena, &index->by_domain);
    build_postings(policy, 2, policy->anchors.count, arena, &index->by_anchor);
    build_named(policy, arena);
    for (size_t r = 0; r < policy->rules_count; r++)
        if (!key_of(&policy->rules[r]))
            index->always[r / 64] |= UINT64_C(1) << r % 64;
}
