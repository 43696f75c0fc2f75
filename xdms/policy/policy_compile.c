/* Compiles a ruleset: its rules, their conditions and what they grant. It must not know what the permissions mean. */
#include <assert.h>
#include <stdlib.h>

#include "policy_parts.h"

static void compile_rule(struct policy *policy, const struct xml_element *element, struct arena *arena,
                         struct policy_rule *rule);
static void collect_borders(struct policy *policy, struct arena *arena);

size_t policy_permission_index(const struct policy_vocabulary *vocabulary, struct text name)
{
    for (size_t i = 0; i < vocabulary->permissions_count; i++) {
        if (text_equal(vocabulary->permissions[i].name, name))
            return i;
    }
    return POLICY_PERMISSIONS_MAX;
}

enum status policy_compile(const struct xml_element *ruleset, const struct policy_vocabulary *vocabulary,
                           struct arena *arena, const struct policy **policy_out)
{
    assert(vocabulary->permissions_count <= POLICY_PERMISSIONS_MAX);
    const struct xml_element *first = xml_child(ruleset, POLICY_NAMESPACE_COMMON, TEXT("rule"));
    size_t count = 0;
    for (const struct xml_element *rule = first; rule; rule = xml_next_same(rule))
        count++;
    if (count > POLICY_RULES_MAX)
        return REFUSED;
    struct policy *policy = arena_new(arena, struct policy);
    policy->vocabulary = vocabulary;
    policy->rules = arena_array(arena, struct policy_rule, count + 1);
    for (const struct xml_element *rule = first; rule; rule = xml_next_same(rule))
        compile_rule(policy, rule, arena, &policy->rules[policy->rules_count++]);
    collect_borders(policy, arena);
    policy_index_build(policy, arena);
    *policy_out = policy;
    return OK;
}

size_t policy_anchors(const struct policy *policy, const struct text **anchors_out)
{
    *anchors_out = policy->anchors.texts;
    return policy->anchors.count;
}

size_t policy_items(const struct policy *policy, const struct policy_item **items_out)
{
    *items_out = policy->items;
    return policy->items_count;
}

static int compare_times(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return a < b ? -1 : a > b;
}

static const struct policy_validity *validity_at(const struct policy *policy, size_t rule, size_t condition)
{
    const struct policy_condition *found = &policy->rules[rule].conditions[condition];
    static const struct policy_validity none = {0};
    return found->kind == POLICY_VALIDITY ? &found->validity : &none;
}

static void collect_borders(struct policy *policy, struct arena *arena)
{
    size_t count = 0;
    for (size_t r = 0; r < policy->rules_count; r++)
        for (size_t c = 0; c < policy->rules[r].conditions_count; c++)
            count += 2 * validity_at(policy, r, c)->count;
    if (count == 0)
        return;
    policy->borders = arena_array(arena, int64_t, count);
    for (size_t r = 0; r < policy->rules_count; r++)
        for (size_t c = 0; c < policy->rules[r].conditions_count; c++) {
            const struct policy_validity *validity = validity_at(policy, r, c);
            for (size_t p = 0; p < validity->count; p++) {
                policy->borders[policy->borders_count++] = validity->periods[p].from_ms;
                policy->borders[policy->borders_count++] = validity->periods[p].until_ms;
            }
        }
    qsort(policy->borders, policy->borders_count, sizeof(*policy->borders), compare_times);
}

int64_t policy_next_border(const struct policy *policy, int64_t wall_ms)
{
    size_t low = 0, high = policy->borders_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (policy->borders[middle] <= wall_ms)
            low = middle + 1;
        else
            high = middle;
    }
    return low < policy->borders_count ? policy->borders[low] : INT64_MAX;
}

/* OMA precedence goes by the strongest condition that a rule has. */
static void note_condition(struct policy_rule *rule, enum policy_condition_kind kind)
{
    enum policy_layer layer = LAYER_REST;
    switch (kind) {
    case POLICY_IDENTITY: layer = LAYER_IDENTITY; break;
    case POLICY_EXTERNAL_LIST: layer = LAYER_EXTERNAL_LIST; break;
    case POLICY_OTHER_IDENTITY: layer = LAYER_OTHER_IDENTITY; break;
    case POLICY_ANONYMOUS_REQUEST: layer = LAYER_ANONYMOUS; break;
    default: break;
    }
    rule->asks_anonymous = rule->asks_anonymous || layer == LAYER_ANONYMOUS;
    rule->asks_identity = rule->asks_identity || (layer != LAYER_REST && layer != LAYER_ANONYMOUS);
    rule->layer = layer > rule->layer ? layer : rule->layer;
}

/* A rule has one cp:conditions by its schema; if there are more, all of them bind. */
static size_t count_conditions(const struct xml_element *rule)
{
    size_t count = 0;
    const struct xml_element *conditions = xml_child(rule, POLICY_NAMESPACE_COMMON, TEXT("conditions"));
    for (; conditions; conditions = xml_next_same(conditions)) {
        for (const struct xml_element *child = conditions->first_child; child; child = child->next)
            count++;
    }
    return count;
}

static void compile_rule(struct policy *policy, const struct xml_element *element, struct arena *arena,
                         struct policy_rule *rule)
{
    xml_attribute(element, TEXT("id"), &rule->id);
    rule->id = text_trim(rule->id);
    size_t count = count_conditions(element);
    struct policy_condition *conditions = count ? arena_array(arena, struct policy_condition, count) : NULL;
    const struct xml_element *parent = xml_child(element, POLICY_NAMESPACE_COMMON, TEXT("conditions"));
    for (; parent; parent = xml_next_same(parent)) {
        for (const struct xml_element *child = parent->first_child; child; child = child->next) {
            assert(conditions);
            struct policy_condition *condition = &conditions[rule->conditions_count++];
            policy_compile_condition(policy, child, arena, condition);
            note_condition(rule, condition->kind);
        }
    }
    rule->conditions = conditions;
    policy_compile_grants(policy, element, arena, rule);
}
