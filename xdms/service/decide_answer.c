/* Answers one question in JSON: whose rules they are, what they say, and what stands behind it. */
#include "clock.h"
#include "service_decide.h"
#include "uri.h"

static json_t *texts(struct admin_call *call, const struct text *list, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(array, admin_string(call, list[i]));
    return array;
}

static void set_text(struct admin_call *call, json_t *object, const char *name, struct text value)
{
    if (value.length)
        json_object_set_new(object, name, admin_string(call, value));
}

/* --- permissions --- */

static json_t *items_json(struct admin_call *call, const struct policy *policy, size_t permission,
                          const uint64_t *items)
{
    const struct policy_item *known;
    size_t count = policy_items(policy, &known);
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++) {
        if (known[i].permission != permission || !(items[i / 64] >> i % 64 & 1))
            continue;
        json_t *item = json_object();
        set_text(call, item, "name", known[i].local);
        set_text(call, item, "value", known[i].value);
        json_array_append_new(array, item);
    }
    return array;
}

static json_t *rank_json(struct admin_call *call, const struct policy_permission *permission, int64_t rank)
{
    if (permission->combine == POLICY_OR)
        return json_boolean(rank != 0);
    for (size_t i = 0; i < permission->values_count; i++)
        if (permission->values[i].rank == rank)
            return admin_string(call, permission->values[i].name);
    return json_integer(rank);
}

json_t *decide_permissions(struct admin_call *call, const struct group_ruling *ruling)
{
    struct policy_decision decision;
    const struct policy_item *known;
    json_t *object = json_object();
    if (!ruling->policy)
        return object;
    size_t words = POLICY_ITEM_WORDS(policy_items(ruling->policy, &known));
    uint64_t *items = arena_array(call->request->arena, uint64_t, words + 1);
    policy_decide(ruling->policy, &ruling->request, &decision, items);
    for (size_t i = 0; i < ruling->vocabulary->permissions_count; i++) {
        const struct policy_permission *permission = &ruling->vocabulary->permissions[i];
        if (!decision.permissions[i].present)
            continue;
        json_t *value = permission->combine == POLICY_SET ? items_json(call, ruling->policy, i, items)
                                                          : rank_json(call, permission, decision.permissions[i].rank);
        json_object_set_new(object, text_cstring(call->request->arena, permission->name), value);
    }
    return object;
}

/* --- a user --- */

static const char *verdict_name(enum group_verdict verdict)
{
    switch (verdict) {
    case GROUP_DELIVER: return "allow";
    case GROUP_BLOCK: return "reject";
    case GROUP_ASK: return "ask";
    case GROUP_DEFER: return "defer";
    }
    return "reject";
}

/* Who is not there can get a message later, if it may be kept; for anything else there is no later. */
static const char *decision_name(const struct decide_question *question, const struct group_decision *decision)
{
    bool message = text_equal(question->asked.kind, TEXT("message"));
    if (decision->verdict == GROUP_BLOCK || !question->fields.unreachable)
        return verdict_name(decision->verdict);
    return message && decision->may_store ? "defer" : "reject";
}

static const char *reason_of(const struct decide_question *question, const struct group_decision *decision)
{
    if (decision->verdict != GROUP_BLOCK && question->fields.unreachable)
        return "unreachable";
    return decision->rule.length ? "rule" : "default";
}

static bool answer_user(struct admin_call *call, struct groups *groups, const struct decide_question *question,
                        struct text owner, json_t *answer, int64_t *until_ms)
{
    struct group_decision decision;
    struct group_ruling ruling;
    if (group_ruling_of_user(groups, owner, &question->sender, &ruling) != OK)
        return false;
    json_t *permissions = decide_permissions(call, &ruling);
    *until_ms = ruling.until_ms;
    if (group_decide(groups, owner, &question->sender, call->request->arena, &decision) != OK) {
        json_decref(permissions);
        return false;
    }
    json_object_set_new(answer, "type", json_string("user"));
    json_object_set_new(answer, "decision", json_string(decision_name(question, &decision)));
    json_object_set_new(answer, "reason", json_string(reason_of(question, &decision)));
    set_text(call, answer, "rule", decision.rule);
    json_object_set_new(answer, "store", json_boolean(decision.may_store));
    set_text(call, answer, "storeRule", decision.store_rule);
    json_object_set_new(answer, "permissions", permissions);
    return true;
}

/* --- a group --- */

/* A person may stand in a list by several addresses. False: he has been counted. */
static bool count_person(struct admin_call *call, struct text member, json_t *counted)
{
    struct arena *arena = call->request->arena;
    struct user user;
    if (user_find(call->service->documents, member, arena, &user) == OK)
        member = user.address;
    const char *name = text_cstring(arena, member);
    if (json_object_get(counted, name))
        return false;
    json_object_set_new(counted, name, json_true());
    return true;
}

static json_t *limits_json(struct admin_call *call, const struct group_limits *limits)
{
    json_t *object = json_object();
    if (limits->participants_max <= INT64_MAX)
        json_object_set_new(object, "maxParticipants", json_integer((json_int_t)limits->participants_max));
    if (limits->participants_min)
        json_object_set_new(object, "minParticipants", json_integer((json_int_t)limits->participants_min));
    set_text(call, object, "maxDuration", limits->duration_max);
    json_object_set_new(object, "inviteMembers", json_boolean(limits->invite_members));
    json_object_set_new(object, "members", json_integer((json_int_t)limits->members));
    return object;
}

/* Each member's own rules, asked as if the sender wrote to him alone. */
static json_t *member_json(struct admin_call *call, struct groups *groups, const struct decide_question *question,
                           struct text member, int64_t *until_ms)
{
    struct group_decision decision;
    struct group_ruling ruling;
    struct text owner = member;
    struct user user;
    if (user_find(call->service->documents, member, call->request->arena, &user) == OK)
        owner = user.address;
    json_t *object = json_pack("{s:o}", "uri", admin_string(call, member));
    if (group_ruling_of_user(groups, owner, &question->sender, &ruling) != OK ||
        group_decide(groups, owner, &question->sender, call->request->arena, &decision) != OK) {
        json_object_set_new(object, "decision", json_string("reject"));
        json_object_set_new(object, "reason", json_string("unreadable"));
        return object;
    }
    *until_ms = ruling.until_ms < *until_ms ? ruling.until_ms : *until_ms;
    json_object_set_new(object, "decision", json_string(verdict_name(decision.verdict)));
    json_object_set_new(object, "reason", json_string(decision.rule.length ? "rule" : "default"));
    set_text(call, object, "rule", decision.rule);
    json_object_set_new(object, "store", json_boolean(decision.may_store));
    return object;
}

static void add_members(struct admin_call *call, struct groups *groups, const struct group *group,
                        const struct decide_question *question, json_t *answer, int64_t *until_ms)
{
    const struct text *members, *missing;
    size_t count, missing_count;
    enum status status = group_fan_out(groups, group, &question->sender, call->request->arena, &members, &count,
                                       &missing, &missing_count);
    json_object_set_new(answer, "missing", texts(call, missing, missing_count));
    if (status != OK) {
        json_object_set_new(answer, "decision", json_string("reject"));
        json_object_set_new(answer, "reason", json_string("too-many-members"));
        json_object_del(answer, "rule");
        return;
    }
    json_t *array = json_array();
    json_t *counted = json_object();
    for (size_t i = 0; i < count; i++)
        if (count_person(call, members[i], counted))
            json_array_append_new(array, member_json(call, groups, question, members[i], until_ms));
    json_decref(counted);
    json_object_set_new(answer, "members", array);
}

static void answer_group(struct admin_call *call, struct groups *groups, const struct group *group,
                         const struct decide_question *question, json_t *answer, int64_t *until_ms)
{
    static const char *const words[] = {"not-member", "no-rule",         "anonymous",        "supported-services",
                                        "schedule",   "must-understand", "age-restrictions", NULL};
    struct group_ruling ruling;
    struct text rule;
    struct group_limits limits = group_limits(groups, group);
    group_ruling_of(groups, group, &question->sender, &ruling);
    *until_ms = ruling.until_ms;
    bool may = group_may_send(groups, group, &question->sender, &rule);
    const char *word = may && !ruling.policy ? "default" : "rule";
    for (size_t i = 0; !may && words[i]; i++)
        word = rule.bytes && text_equal(rule, text_of(words[i])) ? words[i] : word;
    json_object_set_new(answer, "type", json_string("group"));
    json_object_set_new(answer, "decision", json_string(may ? "allow" : "reject"));
    json_object_set_new(answer, "reason", json_string(word));
    if (strcmp(word, "rule") == 0)
        set_text(call, answer, "rule", rule);
    set_text(call, answer, "displayName", group_display_name(group));
    json_object_set_new(answer, "member", json_boolean(ruling.request.is_member));
    json_object_set_new(answer, "permissions", decide_permissions(call, &ruling));
    json_object_set_new(answer, "limits", limits_json(call, &limits));
    if (may && !question->fields.no_members)
        add_members(call, groups, group, question, answer, until_ms);
}

/* --- one question --- */

enum decide_target decide_find(const struct admin_call *call, struct groups *groups, struct text to,
                               const struct group **group_out, struct text *owner_out)
{
    struct user user;
    switch (group_find(groups, to, group_out)) {
    case OK: return DECIDE_GROUP;
    case NOT_FOUND: break;
    default: return DECIDE_BROKEN;
    }
    switch (user_find(call->service->documents, to, call->request->arena, &user)) {
    case OK: *owner_out = user.address; return DECIDE_USER;
    case NOT_FOUND: return DECIDE_NOBODY;
    default: return DECIDE_BROKEN;
    }
}

/* Nobody's rules can forbid what goes to another domain; in ours there is nobody to get it. */
static void answer_nobody(const struct admin_call *call, const struct decide_question *question, json_t *answer)
{
    struct text domain = uri_domain(question->to);
    bool foreign = domain.length && !text_equal(domain, call->service->settings.domain);
    json_object_set_new(answer, "type", json_string("unknown"));
    json_object_set_new(answer, "decision", json_string(foreign ? "allow" : "reject"));
    json_object_set_new(answer, "reason", json_string(foreign ? "foreign-domain" : "no-such-user"));
}

static bool is_without_messages(const struct admin_call *call, struct text address)
{
    struct user user;
    return user_find(call->service->documents, address, call->request->arena, &user) == OK && user.no_messages;
}

/* An account without messages neither sends nor gets any, whatever rules say. */
static void refuse_without_messages(const struct admin_call *call, const struct decide_question *question,
                                    enum decide_target target, struct text owner, json_t *answer)
{
    bool none = target == DECIDE_USER && is_without_messages(call, owner);
    for (size_t i = 0; i < question->sender.identities_count && !none; i++)
        none = is_without_messages(call, question->identities[i]);
    if (!none)
        return;
    json_object_set_new(answer, "decision", json_string("reject"));
    json_object_set_new(answer, "reason", json_string("no-messages"));
    json_object_del(answer, "rule");
    json_object_del(answer, "members");
}

json_t *decide_answer(struct admin_call *call, struct groups *groups, const struct decide_question *question,
                      int64_t *until_ms_out)
{
    const struct group *group;
    struct text owner = {0};
    bool readable = true;
    json_t *answer = json_object();
    *until_ms_out = INT64_MAX;
    json_object_set_new(answer, "from", texts(call, question->identities, question->sender.identities_count));
    json_object_set_new(answer, "to", admin_string(call, question->to));
    json_object_set_new(answer, "kind", admin_string(call, question->asked.kind));
    enum decide_target target = decide_find(call, groups, question->to, &group, &owner);
    switch (target) {
    case DECIDE_GROUP: answer_group(call, groups, group, question, answer, until_ms_out); break;
    case DECIDE_USER: readable = answer_user(call, groups, question, owner, answer, until_ms_out); break;
    case DECIDE_NOBODY: answer_nobody(call, question, answer); break;
    case DECIDE_BROKEN: readable = false; break;
    }
    refuse_without_messages(call, question, target, owner, answer);
    if (*until_ms_out != INT64_MAX)
        json_object_set_new(answer, "until",
                            admin_string(call, clock_write_rfc3339(call->request->arena, *until_ms_out)));
    if (readable)
        return answer;
    json_decref(answer);
    return NULL;
}
