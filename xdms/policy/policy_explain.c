/* Tells people what a decision was made of: every rule, which conditions held, and why. Slower than a decision, and by
 * the same functions, so that it cannot say anything else. */
#include "policy_parts.h"

struct explanation {
    struct policy_asker asker;
    struct arena *arena;
};

static struct text attribute(const struct xml_element *element, struct text local)
{
    struct text value = {0};
    xml_attribute(element, local, &value);
    return text_trim(value);
}

static struct text why_identity(const struct explanation *explanation, const struct policy_condition *condition,
                                bool held)
{
    const struct policy_asker *asker = &explanation->asker;
    const struct policy_identity *identity = &condition->identity;
    if (asker->count == 0)
        return TEXT("who asks is not known");
    for (size_t i = 0; i < asker->count; i++) {
        struct text name = asker->request->identities[i];
        if (policy_set_has(&identity->ones, asker->identities[i]))
            return text_format(explanation->arena, "it names %.*s", TEXT_ARG(name));
        if (policy_set_has(&identity->domains, asker->domains[i]))
            return text_format(explanation->arena, "it names the domain of %.*s", TEXT_ARG(name));
    }
    if (identity->anybody)
        return TEXT("it names everybody who is known");
    return held ? TEXT("it names many, and no exception is for this requester")
                : TEXT("it names others, or makes an exception");
}

static struct text why_validity(const struct explanation *explanation, const struct policy_condition *condition,
                                bool held)
{
    const struct policy_validity *validity = &condition->validity;
    if (validity->count == 0)
        return TEXT("no period in it can be read");
    return text_format(explanation->arena, "%s of %zu periods", held ? "inside one" : "outside", validity->count);
}

static struct text why_list(const struct explanation *explanation, const struct policy_condition *condition, bool held)
{
    (void)held;
    const struct policy_asker *asker = &explanation->asker;
    const struct policy_set *anchors = &condition->words;
    for (size_t i = 0; i < asker->count; i++) {
        const struct policy_set *lists = policy_asker_lists(asker, i);
        for (uint32_t a = 0; a < lists->count; a++)
            if (policy_set_has(anchors, lists->ids[a]))
                return text_format(explanation->arena, "%.*s is in %.*s", TEXT_ARG(asker->request->identities[i]),
                                   TEXT_ARG(asker->policy->anchors.texts[lists->ids[a] - 1]));
    }
    return TEXT("the requester is in none of its lists");
}

static struct text why_sphere(const struct explanation *explanation, const struct policy_condition *condition,
                              bool held)
{
    (void)held;
    struct text sphere = explanation->asker.request->sphere;
    if (sphere.length == 0)
        return TEXT("the sphere of the owner is not known");
    return text_format(explanation->arena, "asked for '%.*s', has '%.*s'",
                       TEXT_ARG(attribute(condition->source, TEXT("value"))), TEXT_ARG(sphere));
}

static struct text why_asked(const struct explanation *explanation, struct text value, const char *what)
{
    if (value.length == 0)
        return text_format(explanation->arena, "the request does not say which %s", what);
    return text_format(explanation->arena, "the request is for %s '%.*s'", what, TEXT_ARG(value));
}

static struct text why_flag(bool held, const char *yes, const char *no)
{
    return text_of(held ? yes : no);
}

static struct text why(const struct explanation *explanation, const struct policy_condition *condition, bool held)
{
    const struct policy_request *request = explanation->asker.request;
    switch (condition->kind) {
    case POLICY_NEVER: return TEXT("a condition that is not known here never holds");
    case POLICY_IDENTITY: return why_identity(explanation, condition, held);
    case POLICY_SPHERE: return why_sphere(explanation, condition, held);
    case POLICY_VALIDITY: return why_validity(explanation, condition, held);
    case POLICY_OTHER_IDENTITY:
        return why_flag(held, "no rule names the requester", "a rule names the requester, or nobody is known");
    case POLICY_EXTERNAL_LIST: return why_list(explanation, condition, held);
    case POLICY_ANONYMOUS_REQUEST: return why_flag(held, "the request is anonymous", "the request is not anonymous");
    case POLICY_MEDIA_LIST: return why_asked(explanation, request->media, "medium");
    case POLICY_SERVICE_LIST: return why_asked(explanation, request->service, "service");
    case POLICY_LIST_MEMBER: return why_flag(held, "the requester is a member", "the requester is no member");
    case POLICY_PROFILE_LIST: return why_asked(explanation, request->profile, "profile");
    case POLICY_INVITED: return why_flag(held, "one of those invited is named", "none of those invited is named");
    case POLICY_QUALITY_LIST: return why_asked(explanation, request->quality, "quality");
    case POLICY_REGION_LIST: return why_asked(explanation, request->country, "country");
    case POLICY_DEFERRED: return why_flag(held, "the message was deferred", "the message was not deferred");
    case POLICY_EXPIRED: return why_flag(held, "the message has expired", "the message has not expired");
    }
    return TEXT("");
}

static enum policy_layer explain_rule(struct explanation *explanation, const struct policy_rule *rule,
                                      struct policy_rule_report *report)
{
    struct policy_condition_report *conditions =
        arena_array(explanation->arena, struct policy_condition_report, rule->conditions_count + 1);
    bool all = true;
    for (size_t i = 0; i < rule->conditions_count; i++) {
        const struct policy_condition *condition = &rule->conditions[i];
        bool held = policy_condition_matches(&explanation->asker, condition);
        conditions[i] =
            (struct policy_condition_report){condition->source->local, held, why(explanation, condition, held)};
        all = all && held;
    }
    *report = (struct policy_rule_report){.id = rule->id,
                                          .fate = all ? POLICY_RULE_APPLIED : POLICY_RULE_FAILED,
                                          .conditions = conditions,
                                          .conditions_count = rule->conditions_count};
    if (policy_rule_is_closed(&explanation->asker, rule)) {
        report->fate = POLICY_RULE_FAILED;
        report->why = TEXT("it is for requesters who show who they are");
    } else if (rule->conditions_count == 0) {
        report->why = TEXT("it has no conditions");
    }
    return report->fate == POLICY_RULE_APPLIED ? rule->layer : LAYER_REST;
}

size_t policy_explain(const struct policy *policy, const struct policy_request *request, struct arena *arena,
                      const struct policy_rule_report **reports_out)
{
    struct explanation explanation = {.arena = arena};
    struct policy_rule_report *reports = arena_array(arena, struct policy_rule_report, policy->rules_count + 1);
    enum policy_layer strongest = LAYER_REST;
    policy_asker_init(&explanation.asker, policy, request);
    for (size_t i = 0; i < policy->rules_count; i++) {
        enum policy_layer layer = explain_rule(&explanation, &policy->rules[i], &reports[i]);
        strongest = layer > strongest ? layer : strongest;
    }
    bool layered = policy->vocabulary->layering == POLICY_LAYERS;
    for (size_t i = 0; layered && i < policy->rules_count; i++) {
        if (reports[i].fate == POLICY_RULE_APPLIED && policy->rules[i].layer < strongest) {
            reports[i].fate = POLICY_RULE_OUTRANKED;
            reports[i].why = TEXT("a rule that names the requester more closely decides");
        }
    }
    *reports_out = reports;
    return policy->rules_count;
}
