/* Reads what a rule grants: values of the permissions that the vocabulary names. What it does not name, or a value that
 * cannot be read, grants nothing (RFC 4745 §10). It must not know who gets it. */
#include "policy_parts.h"

#define INTEGER_DIGITS_MAX 64 /* leading zeros included; longer is no number that anybody means */

static bool read_value(const struct policy_permission *permission, const struct xml_element *element,
                       int64_t *rank_out);
static bool find_attribute(const struct xml_element *element, struct text local, struct text *value_out);

struct grants {
    bool present[POLICY_PERMISSIONS_MAX];
    int64_t ranks[POLICY_PERMISSIONS_MAX];
    struct policy_set items[POLICY_PERMISSIONS_MAX];
    size_t count;
};

/* Number of an item; the same item of two rules has one. No XML holds a control character that could blur the key. */
static uint32_t add_item(struct policy *policy, struct arena *arena, const struct policy_item *item)
{
    struct text key = text_format(arena, "%zu\1%.*s\1%.*s\1%.*s", item->permission, TEXT_ARG(item->namespace),
                                  TEXT_ARG(item->local), TEXT_ARG(item->value));
    uint32_t number = policy_names_add(&policy->item_names, arena, key);
    if (number <= policy->items_count)
        return number;
    if (policy->items_count == policy->items_capacity) {
        size_t capacity = policy->items_capacity ? policy->items_capacity * 2 : 8;
        struct policy_item *items = arena_array(arena, struct policy_item, capacity);
        if (policy->items_count)
            memcpy(items, policy->items, policy->items_count * sizeof(*items));
        policy->items = items;
        policy->items_capacity = capacity;
    }
    policy->items[policy->items_count++] = *item;
    return number;
}

static void read_set(struct policy *policy, size_t permission, const struct xml_element *element, struct arena *arena,
                     struct policy_set *set)
{
    struct policy_item item = {.permission = permission};
    struct text rest = element->first_child ? TEXT("") : text_trim(element->text);
    for (const struct xml_element *child = element->first_child; child; child = child->next) {
        item.namespace = child->namespace;
        item.local = child->local;
        item.value = text_trim(child->text);
        policy_set_add(set, arena, add_item(policy, arena, &item));
    }
    for (size_t begin = 0, at = 0; at <= rest.length; at++) {
        if (at < rest.length && !strchr(" \t\r\n", rest.bytes[at]))
            continue;
        item.value = text_slice(rest, begin, at);
        if (item.value.length)
            policy_set_add(set, arena, add_item(policy, arena, &item));
        begin = at + 1;
    }
}

static bool read_rank(struct policy *policy, size_t index, const struct xml_element *element, struct arena *arena,
                      struct grants *grants, int64_t *rank_out)
{
    const struct policy_permission *permission = &policy->vocabulary->permissions[index];
    if (permission->combine != POLICY_SET)
        return read_value(permission, element, rank_out);
    read_set(policy, index, element, arena, &grants->items[index]);
    *rank_out = grants->items[index].count > 0;
    return true;
}

static void read_action(struct policy *policy, const struct xml_element *element, struct arena *arena,
                        struct grants *grants)
{
    int64_t rank;
    for (size_t i = 0; i < policy->vocabulary->permissions_count; i++) {
        const struct policy_permission *permission = &policy->vocabulary->permissions[i];
        if (!xml_is(element, permission->namespace, permission->local) ||
            !read_rank(policy, i, element, arena, grants, &rank))
            continue;
        grants->ranks[i] = !grants->present[i] || rank > grants->ranks[i] ? rank : grants->ranks[i];
        grants->count += !grants->present[i];
        grants->present[i] = true;
    }
}

void policy_compile_grants(struct policy *policy, const struct xml_element *rule, struct arena *arena,
                           struct policy_rule *rule_out)
{
    struct grants grants = {0};
    for (const struct xml_element *parent = rule->first_child; parent; parent = parent->next) {
        if (!xml_is(parent, POLICY_NAMESPACE_COMMON, TEXT("actions")) &&
            !xml_is(parent, POLICY_NAMESPACE_COMMON, TEXT("transformations")))
            continue;
        for (const struct xml_element *action = parent->first_child; action; action = action->next)
            read_action(policy, action, arena, &grants);
    }
    if (grants.count == 0)
        return;
    struct policy_grant *kept = arena_array(arena, struct policy_grant, grants.count);
    for (uint32_t i = 0; i < POLICY_PERMISSIONS_MAX; i++) {
        if (grants.present[i])
            kept[rule_out->grants_count++] = (struct policy_grant){i, grants.ranks[i], grants.items[i]};
    }
    rule_out->grants = kept;
}

/* The attribute wherever it is qualified: published schemas and real documents differ about its prefix. */
static bool find_attribute(const struct xml_element *element, struct text local, struct text *value_out)
{
    for (const struct xml_attribute *attribute = element->attributes; attribute; attribute = attribute->next) {
        if (text_equal(attribute->local, local)) {
            *value_out = text_trim(attribute->value);
            return true;
        }
    }
    return false;
}

static bool find_named_value(const struct policy_permission *permission, struct text name, int64_t *rank_out)
{
    for (size_t i = 0; i < permission->values_count; i++) {
        if (text_equal(permission->values[i].name, name)) {
            *rank_out = permission->values[i].rank;
            return true;
        }
    }
    return false;
}

static bool read_boolean(struct text text, int64_t *rank_out)
{
    *rank_out = text_equal(text, TEXT("true")) || text_equal(text, TEXT("1"));
    return *rank_out || text_equal(text, TEXT("false")) || text_equal(text, TEXT("0"));
}

static bool read_integer(struct text text, int64_t *rank_out)
{
    uint64_t magnitude;
    bool negative = text_starts_with(text, TEXT("-"));
    if (negative || text_starts_with(text, TEXT("+")))
        text = text_slice(text, 1, text.length);
    if (text.length > INTEGER_DIGITS_MAX || !text_to_u64(text, &magnitude) || magnitude > INT64_MAX)
        return false;
    *rank_out = negative ? -(int64_t)magnitude : (int64_t)magnitude;
    return true;
}

static bool read_value(const struct policy_permission *permission, const struct xml_element *element, int64_t *rank_out)
{
    struct text value;
    bool in_attribute = permission->attribute.length > 0 && find_attribute(element, permission->attribute, &value);
    if (!in_attribute)
        value = text_trim(element->text);
    if (permission->combine == POLICY_MAX)
        return permission->values_count ? find_named_value(permission, value, rank_out) : read_integer(value, rank_out);
    if (!in_attribute && value.length == 0 && !element->first_child) {
        *rank_out = 1; /* written as a flag: its presence is the statement */
        return true;
    }
    /* Permissions that once were enumerations keep the old words beside true and false. */
    if (!find_named_value(permission, value, rank_out))
        return read_boolean(value, rank_out);
    *rank_out = *rank_out != 0;
    return true;
}
