/* Group documents (OMA Shared Group XDMS): found by their URI, compiled, asked who may send and who receives. */
#include "group_private.h"
#include "uri.h"
#include "xml_tree.h"

static enum status compile(struct groups *groups, const struct stored *stored, struct text address,
                           struct group **group_out);

enum status group_find(struct groups *groups, struct text address, const struct group **group_out)
{
    struct arena arena;
    struct stored stored = {0};
    groups_refresh(groups);
    struct entry *entry = cache_find(&groups->group_cache, address);
    if (entry && !entry->stale && (entry->checked_at >= groups->changed_at || entry_holds(groups, entry))) {
        entry->checked_at = groups->changed_at;
        *group_out = (struct group *)entry;
        return OK;
    }
    if (entry)
        cache_remove(&groups->group_cache, entry);
    if (!groups->group_usage || absent_has(groups, address))
        return NOT_FOUND;
    arena_init(&arena, "group");
    struct group *group = NULL;
    enum status status = document_find(groups->documents, TEXT("group-uri"), address, &arena, &stored);
    if (status == OK)
        status = compile(groups, &stored, address, &group);
    arena_clear(&arena);
    if (status == NOT_FOUND)
        absent_note(groups, address);
    if (status != OK)
        return status;
    group->entry.checked_at = groups->changed_at;
    cache_add(&groups->group_cache, &group->entry);
    *group_out = group;
    return OK;
}

const struct xml_element *group_service_of(const struct xml_element *root, struct text address, struct arena *arena)
{
    const struct xml_element *service = xml_child(root, LIST_SERVICE, TEXT("list-service"));
    struct text uri;
    for (; service; service = xml_next_same(service))
        if (xml_attribute(service, TEXT("uri"), &uri) && text_equal(uri_canonical(arena, text_trim(uri)), address))
            return service;
    return NULL;
}

void group_take_members(const struct groups *groups, struct entry *entry, struct text owner,
                        const struct xml_element *service, struct address_set *members)
{
    const struct xml_element *list = xml_child(service, LIST_SERVICE, TEXT("list"));
    struct text value;
    for (const struct xml_element *item = list ? list->first_child : NULL; item; item = item->next) {
        if (text_equal(item->local, TEXT("entry")) && xml_attribute(item, TEXT("uri"), &value))
            address_set_add(members, member_address(&entry->arena, value));
        else if (text_equal(item->local, TEXT("external")) && xml_attribute(item, TEXT("anchor"), &value))
            list_resolve(groups, entry, owner, value, members);
    }
}

/* A ruleset with too many rules is not the same as none, which would let members send. */
static enum status fill(struct groups *groups, struct group *group, const struct stored *stored)
{
    struct arena *arena = &group->entry.arena;
    const struct xml_element *root, *service = NULL;
    entry_depends(&group->entry, &stored->key, stored->version);
    if (xml_tree_read(text_copy(arena, stored->bytes), arena, &root) == OK)
        service = group_service_of(root, group->entry.name, arena);
    if (!service)
        return FAILED;
    const struct xml_element *name = xml_child(service, LIST_SERVICE, TEXT("display-name"));
    const struct xml_element *ruleset = xml_child(service, COMMON_POLICY, TEXT("ruleset"));
    group->uri = group->entry.name;
    group->display_name = name ? text_trim(name->text) : (struct text){0};
    group_read_limits(group, service);
    group_read_ages(group, service);
    address_set_init(&group->members, arena);
    group_take_members(groups, &group->entry, stored->key.owner, service, &group->members);
    group->people = arena_new(arena, struct people);
    group_resolve_nested(groups, group);
    if (ruleset && policy_compile(ruleset, &groups->group_usage->vocabulary, arena, &group->entry.policy) != OK)
        return FAILED;
    entry_resolve_policy_lists(groups, &group->entry, stored->key.owner);
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

/* An address whose user cannot be looked up counts by itself. */
static size_t count_people(const struct groups *groups, const struct address_set *members)
{
    struct arena arena;
    struct address_set people;
    arena_init(&arena, "people");
    address_set_init(&people, &arena);
    for (size_t i = 0; i < members->count; i++) {
        struct text owner = members->addresses[i];
        document_owner(groups->documents, owner, &arena, &owner);
        address_set_add(&people, owner);
    }
    size_t count = people.count;
    arena_clear(&arena);
    return count;
}

struct group_limits group_limits(const struct groups *groups, const struct group *group)
{
    struct people *people = group->people;
    struct group_limits limits = group->limits;
    if (!people->counted || people->users_changed_at != groups->users_changed_at)
        *people = (struct people){true, count_people(groups, &group->members), groups->users_changed_at};
    limits.members = people->count;
    return limits;
}

bool group_is_member(const struct group *group, const struct group_sender *sender)
{
    for (size_t i = 0; i < sender->identities_count; i++)
        if (address_set_has(&group->members, sender->identities[i]) ||
            address_set_has(&group->nested_members, sender->identities[i]))
            return true;
    return false;
}

void group_ruling_of(struct groups *groups, const struct group *group, const struct group_sender *sender,
                     struct group_ruling *ruling_out)
{
    int64_t border = INT64_MAX, schedule = group_next_schedule(group, sender->wall_ms);
    int64_t birthday = group_next_birthday(group, sender->wall_ms);
    if (group->entry.policy)
        border = policy_next_border(group->entry.policy, sender->wall_ms);
    *ruling_out = (struct group_ruling){
        .policy = group->entry.policy,
        .vocabulary = &groups->group_usage->vocabulary,
        .sources = group->entry.sources,
        .until_ms = border < schedule ? border : schedule,
    };
    if (birthday < ruling_out->until_ms)
        ruling_out->until_ms = birthday;
    question_request(sender, &ruling_out->request);
    ruling_out->request.is_member = group_is_member(group, sender);
    ruling_out->request.lists = group->entry.lists;
}

/* What no rule can allow. */
static bool is_open(const struct groups *groups, const struct group *group, const struct group_sender *sender,
                    const struct policy_request *request, struct text *rule_out)
{
    *rule_out = TEXT("must-understand");
    if (group->not_understood)
        return false;
    *rule_out = TEXT("supported-services");
    if (!group_supports(group, request->media, request->service))
        return false;
    *rule_out = TEXT("schedule");
    if (!group_is_scheduled(group, question_kind(sender), sender->wall_ms))
        return false;
    *rule_out = TEXT("age-restrictions");
    return group_lets_age(groups, group, sender);
}

static bool answers_allow(const struct group_ruling *ruling, const struct policy_decision *decision, struct text kind,
                          struct text *rule_out)
{
    size_t permission;
    enum policy_answer answer = policy_answer(ruling->vocabulary, decision, kind, &permission);
    if (answer != POLICY_NO_ANSWER)
        *rule_out = decision->permissions[permission].rule;
    return answer == POLICY_ALLOW;
}

bool group_may_send(struct groups *groups, const struct group *group, const struct group_sender *sender,
                    struct text *rule_out)
{
    struct group_ruling ruling;
    struct policy_decision decision;
    struct text anonymity_rule;
    group_ruling_of(groups, group, sender, &ruling);
    bool member = ruling.request.is_member;
    if (!is_open(groups, group, sender, &ruling.request, rule_out))
        return false;
    *rule_out = sender->anonymous ? TEXT("anonymous") : member ? TEXT("no-rule") : TEXT("not-member");
    if (!ruling.policy)
        return member && !sender->anonymous && groups->settings.members_may_send;
    policy_decide(ruling.policy, &ruling.request, &decision, NULL);
    if (sender->anonymous && !answers_allow(&ruling, &decision, TEXT("anonymity"), &anonymity_rule))
        return false;
    return answers_allow(&ruling, &decision, question_kind(sender), rule_out);
}
