/* Group documents (OMA Shared Group XDMS): found by their URI, compiled, asked who may send and who receives. */
#include "group_private.h"
#include "uri.h"
#include "xml_tree.h"

#define LIST_SERVICE   TEXT("urn:oma:xml:poc:list-service")
#define COMMON_POLICY  TEXT("urn:ietf:params:xml:ns:common-policy")
#define XDM_EXTENSIONS TEXT("urn:oma:xml:xdm:extensions")

static enum status compile(struct groups *groups, const struct stored *stored, struct text address,
                           struct group **group_out);

enum status group_find(struct groups *groups, struct text address, const struct group **group_out)
{
    struct arena arena;
    struct stored stored = {0};
    groups_refresh(groups);
    struct entry *entry = cache_find(&groups->group_cache, address);
    if (entry && (entry->checked_at >= groups->changed_at || entry_holds(groups, entry))) {
        entry->checked_at = groups->changed_at;
        *group_out = (struct group *)entry;
        return OK;
    }
    if (entry)
        cache_remove(&groups->group_cache, entry);
    if (!groups->group_usage)
        return NOT_FOUND;
    arena_init(&arena, "group");
    struct group *group = NULL;
    enum status status = document_find(groups->documents, TEXT("group-uri"), address, &arena, &stored);
    if (status == OK)
        status = compile(groups, &stored, address, &group);
    arena_clear(&arena);
    if (status != OK)
        return status;
    group->entry.checked_at = groups->changed_at;
    cache_add(&groups->group_cache, &group->entry);
    *group_out = group;
    return OK;
}

static const struct xml_element *find_service(const struct xml_element *root, struct text address, struct arena *arena)
{
    const struct xml_element *service = xml_child(root, LIST_SERVICE, TEXT("list-service"));
    struct text uri;
    for (; service; service = xml_next_same(service))
        if (xml_attribute(service, TEXT("uri"), &uri) && text_equal(uri_canonical(arena, text_trim(uri)), address))
            return service;
    return NULL;
}

/* <supported-services>: absent lets everything through; present, a service must name messages or no media at all. */
static bool supports_pager_mode(const struct xml_element *service)
{
    const struct xml_element *supported = xml_child(service, XDM_EXTENSIONS, TEXT("supported-services"));
    if (!supported || !supported->first_child)
        return true;
    for (const struct xml_element *one = supported->first_child; one; one = one->next) {
        const struct xml_element *media = xml_child(one, XDM_EXTENSIONS, TEXT("group-media"));
        if (!media || xml_child(media, XDM_EXTENSIONS, TEXT("pager-mode-message")))
            return true;
    }
    return false;
}

static void take_members(const struct groups *groups, struct group *group, const struct xml_element *service)
{
    const struct xml_element *list = xml_child(service, LIST_SERVICE, TEXT("list"));
    struct text value;
    for (const struct xml_element *item = list ? list->first_child : NULL; item; item = item->next) {
        if (text_equal(item->local, TEXT("entry")) && xml_attribute(item, TEXT("uri"), &value))
            address_set_add(&group->members, uri_canonical(&group->entry.arena, text_trim(value)));
        else if (text_equal(item->local, TEXT("external")) && xml_attribute(item, TEXT("anchor"), &value))
            list_resolve(groups, &group->entry, value, &group->members);
    }
}

/* A ruleset with too many rules is not the same as none, which would let members send. */
static enum status fill(struct groups *groups, struct group *group, const struct stored *stored)
{
    struct arena *arena = &group->entry.arena;
    const struct xml_element *root, *service = NULL;
    entry_depends(&group->entry, &stored->key, stored->version);
    if (xml_tree_read(text_copy(arena, stored->bytes), arena, &root) == OK)
        service = find_service(root, group->entry.name, arena);
    if (!service)
        return FAILED;
    const struct xml_element *name = xml_child(service, LIST_SERVICE, TEXT("display-name"));
    const struct xml_element *ruleset = xml_child(service, COMMON_POLICY, TEXT("ruleset"));
    group->uri = group->entry.name;
    group->display_name = name ? text_trim(name->text) : (struct text){0};
    group->pager_mode = supports_pager_mode(service);
    address_set_init(&group->members, arena);
    take_members(groups, group, service);
    if (ruleset && policy_compile(ruleset, &groups->group_usage->vocabulary, arena, &group->entry.policy) != OK)
        return FAILED;
    entry_resolve_policy_lists(groups, &group->entry);
    return OK;
}

static enum status compile(struct groups *groups, const struct stored *stored, struct text address,
                           struct group **group_out)
{
    struct group *group = memory_new(sizeof(*group));
    entry_init(&group->entry, address);
    enum status status = fill(groups, group, stored);
    if (status != OK)
        entry_free(&group->entry);
    else
        *group_out = group;
    return status;
}

struct text group_uri(const struct group *group)
{
    return group->uri;
}

struct text group_display_name(const struct group *group)
{
    return group->display_name;
}

static bool is_member(const struct group *group, const struct group_sender *sender)
{
    for (size_t i = 0; i < sender->identities_count; i++)
        if (address_set_has(&group->members, sender->identities[i]))
            return true;
    return false;
}

/* Granted by some rule; `rule_out` is left alone when no rule speaks of it. */
static bool is_granted(const struct policy_decision *decision, size_t permission, struct text *rule_out)
{
    if (permission == POLICY_PERMISSIONS_MAX || !decision->permissions[permission].present)
        return false;
    *rule_out = decision->permissions[permission].rule;
    return decision->permissions[permission].rank > 0;
}

bool group_may_send(struct groups *groups, const struct group *group, const struct group_sender *sender,
                    struct text *rule_out)
{
    bool member = is_member(group, sender);
    struct policy_decision decision;
    struct text anonymity_rule;
    *rule_out = TEXT("supported-services");
    if (!group->pager_mode)
        return false;
    *rule_out = sender->anonymous ? TEXT("anonymous") : member ? TEXT("no-rule") : TEXT("not-member");
    if (!group->entry.policy)
        return member && !sender->anonymous && groups->settings.members_may_send;
    struct policy_request request = {
        .identities = sender->identities,
        .identities_count = sender->identities_count,
        .anonymous = sender->anonymous,
        .wall_ms = sender->wall_ms,
        .media = TEXT("pager-mode-message"),
        .is_member = member,
        .lists = group->entry.lists,
    };
    policy_decide(group->entry.policy, &request, &decision, NULL);
    if (sender->anonymous && !is_granted(&decision, groups->allow_anonymity, &anonymity_rule))
        return false;
    return is_granted(&decision, groups->join_handling, rule_out);
}

static bool is_sender(const struct group_sender *sender, struct text address)
{
    for (size_t i = 0; i < sender->identities_count; i++)
        if (text_equal(sender->identities[i], address))
            return true;
    return false;
}

enum status group_fan_out(struct groups *groups, const struct group *group, const struct group_sender *sender,
                          struct arena *arena, const struct text **members_out, size_t *count_out,
                          const struct text **missing_out, size_t *missing_count_out)
{
    (void)groups;
    if (group->members.too_many || group->members.count > GROUP_MEMBERS_MAX)
        return REFUSED;
    struct text *members = arena_array(arena, struct text, group->members.count + 1);
    struct text *missing = arena_array(arena, struct text, group->entry.missing_count + 1);
    size_t count = 0;
    for (size_t i = 0; i < group->members.count; i++)
        if (!is_sender(sender, group->members.addresses[i]) && !text_equal(group->members.addresses[i], group->uri))
            members[count++] = text_copy(arena, group->members.addresses[i]);
    for (size_t i = 0; i < group->entry.missing_count; i++)
        missing[i] = text_copy(arena, group->entry.missing[i]);
    *members_out = members;
    *count_out = count;
    *missing_out = missing;
    *missing_count_out = group->entry.missing_count;
    return OK;
}
