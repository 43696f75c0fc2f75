/* What a manifest says of rules: which permissions there are, how they combine, and what they answer to whom. Knows no
 * permission by its name. */
#include "usage_own.h"

static void read_values(const struct xml_element *row, struct arena *memory, struct policy_permission *permission)
{
    size_t count = usage_rows_count(row, "value");
    if (count == 0)
        return;
    struct policy_value *values = arena_array(memory, struct policy_value, count);
    for (const struct xml_element *value = row->first_child; value; value = value->next) {
        values[permission->values_count].name = usage_row_value(value, "name");
        values[permission->values_count++].rank = (int64_t)usage_row_number(value, "rank", 0);
    }
    permission->values = values;
}

static enum policy_combine combine_of(struct text name)
{
    if (text_equal(name, TEXT("set")))
        return POLICY_SET;
    return text_equal(name, TEXT("max")) ? POLICY_MAX : POLICY_OR;
}

static enum status read_permissions(const struct xml_element *policy, struct arena *memory, struct usage_loaded *loaded,
                                    struct text *error_out)
{
    struct policy_vocabulary *vocabulary = &loaded->usage.vocabulary;
    size_t count = usage_rows_count(policy, "permission");
    struct policy_permission *permissions = arena_array(memory, struct policy_permission, count + 1);
    if (count >= POLICY_PERMISSIONS_MAX) {
        *error_out = text_format(memory, "more than %d permissions", POLICY_PERMISSIONS_MAX - 1);
        return FAILED;
    }
    for (const struct xml_element *row = policy->first_child; row; row = row->next) {
        if (!usage_row_is(row, "permission"))
            continue;
        struct policy_permission *permission = &permissions[vocabulary->permissions_count++];
        struct text element = usage_row_value(row, "element");
        permission->name = usage_row_value(row, "name");
        permission->attribute = usage_row_value(row, "attribute");
        permission->combine = combine_of(usage_row_value(row, "combine"));
        read_values(row, memory, permission);
        if (!usage_name_resolve(loaded, element, false, &permission->namespace, &permission->local)) {
            *error_out = text_format(memory, "permission '%.*s': the prefix of '%.*s' is not declared",
                                     TEXT_ARG(permission->name), TEXT_ARG(element));
            return FAILED;
        }
    }
    vocabulary->permissions = permissions;
    return OK;
}

static enum policy_answer answer_of(struct text name)
{
    static const struct text names[] = {
        [POLICY_NO_ANSWER] = TEXT_INIT("none"), [POLICY_REJECT] = TEXT_INIT("reject"),
        [POLICY_ALLOW] = TEXT_INIT("allow"),    [POLICY_ASK] = TEXT_INIT("ask"),
        [POLICY_DEFER] = TEXT_INIT("defer"),
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (text_equal(names[i], name))
            return (enum policy_answer)i;
    }
    return POLICY_NO_ANSWER;
}

/* The rank that a value of this permission has in decisions. */
static bool rank_of(const struct policy_permission *permission, struct text value, int64_t *rank_out)
{
    uint64_t number;
    for (size_t i = 0; i < permission->values_count; i++) {
        if (text_equal(permission->values[i].name, value)) {
            *rank_out = permission->combine == POLICY_OR ? permission->values[i].rank != 0 : permission->values[i].rank;
            return true;
        }
    }
    if (permission->combine == POLICY_OR) {
        *rank_out = text_equal(value, TEXT("true"));
        return *rank_out || text_equal(value, TEXT("false"));
    }
    if (permission->combine == POLICY_SET || permission->values_count || !text_to_u64(value, &number))
        return false;
    *rank_out = (int64_t)number;
    return true;
}

static bool read_verdict(const struct xml_element *row, const struct policy_vocabulary *vocabulary,
                         struct arena *memory, struct policy_verdict *verdict)
{
    struct text value = usage_row_value(row, "value");
    verdict->permission = policy_permission_index(vocabulary, usage_row_value(row, "permission"));
    verdict->answer = answer_of(usage_row_value(row, "answer"));
    verdict->kinds_count = usage_row_words(usage_row_value(row, "kind"), memory, &verdict->kinds);
    verdict->any_rank = value.length == 0;
    return verdict->permission != POLICY_PERMISSIONS_MAX &&
           (verdict->any_rank || rank_of(&vocabulary->permissions[verdict->permission], value, &verdict->rank));
}

static enum status read_verdicts(const struct xml_element *policy, struct arena *memory,
                                 struct policy_vocabulary *vocabulary, struct text *error_out)
{
    struct policy_verdict *verdicts =
        arena_array(memory, struct policy_verdict, usage_rows_count(policy, "verdict") + 1);
    for (const struct xml_element *row = policy->first_child; row; row = row->next) {
        if (!usage_row_is(row, "verdict"))
            continue;
        if (!read_verdict(row, vocabulary, memory, &verdicts[vocabulary->verdicts_count++])) {
            *error_out = text_format(memory, "verdict of permission '%.*s': there is no such permission or value",
                                     TEXT_ARG(usage_row_value(row, "permission")));
            return FAILED;
        }
    }
    vocabulary->verdicts = verdicts;
    return OK;
}

enum status usage_policy_read(const struct xml_element *manifest, struct arena *memory, struct usage_loaded *loaded,
                              struct text *error_out)
{
    const struct xml_element *policy = xml_child(manifest, TEXT(""), TEXT("policy"));
    if (!policy)
        return OK;
    struct policy_vocabulary *vocabulary = &loaded->usage.vocabulary;
    vocabulary->layering =
        text_equal(usage_row_value(policy, "layering"), TEXT("layers")) ? POLICY_LAYERS : POLICY_UNION;
    if (read_permissions(policy, memory, loaded, error_out) != OK)
        return FAILED;
    return read_verdicts(policy, memory, vocabulary, error_out);
}
