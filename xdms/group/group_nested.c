/* Groups inside groups: who is in them when the outer group is made, and who among them is reached when it is used. */
#include "group_private.h"
#include "uri.h"
#include "xml_tree.h"

#define SERVICES_MAX                                                                                                   \
    64 /* addresses looked at in one changed document; further ones count when groups are read anew                    \
        */

/* --- when a group is made --- */

struct nesting {
    const struct groups *groups;
    struct group *group;
    unsigned depth;
};

static void take_nested(struct nesting *nesting, const struct address_set *members, bool outermost);

/* The members of a group inside; broken documents leave it empty. */
static void open_nested(struct nesting *nesting, const struct stored *stored, struct text address, struct arena *arena)
{
    struct group *group = nesting->group;
    const struct xml_element *root, *service = NULL;
    struct address_set members;
    entry_depends(&group->entry, &stored->key, stored->version);
    if (xml_tree_read(stored->bytes, arena, &root) == OK)
        service = group_service_of(root, address, arena);
    if (!service)
        return;
    address_set_init(&members, arena);
    group_take_members(nesting->groups, &group->entry, stored->key.owner, service, &members);
    for (size_t i = 0; i < members.count; i++)
        address_set_add(&group->nested_members, members.addresses[i]);
    nesting->depth++;
    take_nested(nesting, &members, false);
    nesting->depth--;
}

static bool is_known(const struct group *group, struct text address)
{
    return text_equal(address, group->entry.name);
}

/* Looks each member up: whether an address is a group does not show in it. */
static void take_nested(struct nesting *nesting, const struct address_set *members, bool outermost)
{
    struct group *group = nesting->group;
    struct nested **end = &group->nested;
    for (size_t i = 0; i < members->count; i++) {
        struct text address = members->addresses[i];
        struct stored stored = {0};
        struct arena arena;
        arena_init(&arena, "nested group");
        if (!is_known(group, address) &&
            document_find(nesting->groups->documents, TEXT("group-uri"), address, &arena, &stored) == OK) {
            if (outermost) {
                *end = arena_new(&group->entry.arena, struct nested);
                (*end)->address = address;
                end = &(*end)->next;
            }
            if (nesting->depth < GROUP_DEPTH_MAX && group->nested_left > 0) {
                group->nested_left--;
                open_nested(nesting, &stored, address, &arena);
            }
        }
        arena_clear(&arena);
    }
}

void group_resolve_nested(const struct groups *groups, struct group *group)
{
    struct nesting nesting = {.groups = groups, .group = group};
    group->nested_left = GROUP_NESTED_MAX;
    address_set_init(&group->nested_members, &group->entry.arena);
    take_nested(&nesting, &group->members, true);
}

static bool is_nested(const struct group *group, struct text address)
{
    for (const struct nested *nested = group->nested; nested; nested = nested->next)
        if (text_equal(nested->address, address))
            return true;
    return false;
}

/* Groups that have this address among their members took it for a person's until now. */
static void note_group(struct groups *groups, struct text address)
{
    struct entry *entry, *next;
    HASH_ITER(hh, groups->group_cache.entries, entry, next)
    {
        const struct group *group = (const struct group *)entry;
        bool person = address_set_has(&group->members, address) && !is_nested(group, address);
        if (person || (address_set_has(&group->nested_members, address) && !text_equal(address, entry->name)))
            entry->stale = true;
    }
}

bool group_note_change(struct groups *groups, const struct document_key *key)
{
    bool all = true;
    struct arena arena;
    struct document_place place;
    struct stored stored;
    const struct xml_element *root;
    arena_init(&arena, "changed group");
    if (groups->group_cache.entries && place_of(groups, key, &place) &&
        document_read(groups->documents, &place, &arena, &stored) == OK &&
        xml_tree_read(stored.bytes, &arena, &root) == OK) {
        const struct xml_element *service = xml_child(root, LIST_SERVICE, TEXT("list-service"));
        for (int left = SERVICES_MAX; service && left > 0; service = xml_next_same(service), left--) {
            struct text uri;
            if (xml_attribute(service, TEXT("uri"), &uri))
                note_group(groups, uri_canonical(&arena, text_trim(uri)));
        }
        all = !service;
    }
    arena_clear(&arena);
    return all;
}

/* --- when it is used --- */

struct fan_out {
    struct groups *groups;
    const struct group_sender *sender;
    struct arena *arena;
    struct address_set members, seen; /* `seen`: groups that were opened */
    struct text *missing;
    size_t missing_count;
    bool too_many;
};

static bool is_sender(const struct group_sender *sender, struct text address)
{
    for (size_t i = 0; i < sender->identities_count; i++)
        if (text_equal(sender->identities[i], address))
            return true;
    return false;
}

static void note_unreached(struct fan_out *fan_out, struct text address)
{
    if (fan_out->missing_count < MISSING_MAX)
        fan_out->missing[fan_out->missing_count++] = text_copy(fan_out->arena, address);
}

/* A group as it is now: its own members copied, since the next group that is looked up may take its place. */
struct opened {
    struct text *members;
    bool *nested;
    size_t count;
};

static struct opened copy_group(struct fan_out *fan_out, const struct group *group)
{
    struct opened opened = {
        .members = arena_array(fan_out->arena, struct text, group->members.count + 1),
        .nested = arena_array(fan_out->arena, bool, group->members.count + 1),
    };
    const struct nested *nested = group->nested;
    for (size_t i = 0; i < group->members.count; i++) {
        struct text address = group->members.addresses[i];
        bool here = nested && text_equal(nested->address, address);
        if (here)
            nested = nested->next;
        if (is_sender(fan_out->sender, address))
            continue;
        opened.nested[opened.count] = here;
        opened.members[opened.count++] = text_copy(fan_out->arena, address);
    }
    for (size_t i = 0; i < group->entry.missing_count; i++)
        note_unreached(fan_out, group->entry.missing[i]);
    fan_out->too_many = fan_out->too_many || group->members.too_many || group->members.count > GROUP_MEMBERS_MAX;
    address_set_add(&fan_out->seen, text_copy(fan_out->arena, group->uri));
    return opened;
}

static void hand_to(struct fan_out *fan_out, const struct opened *opened, unsigned depth)
{
    for (size_t i = 0; i < opened->count && !fan_out->too_many; i++) {
        struct text address = opened->members[i], rule;
        const struct group *inner = NULL;
        if (address_set_has(&fan_out->seen, address))
            continue;
        enum status status = opened->nested[i] ? group_find(fan_out->groups, address, &inner) : NOT_FOUND;
        if (status == NOT_FOUND) {
            address_set_add(&fan_out->members, address);
            fan_out->too_many = fan_out->members.count > GROUP_MEMBERS_MAX;
        } else if (status != OK || depth == GROUP_DEPTH_MAX || fan_out->seen.count > GROUP_NESTED_MAX ||
                   !group_may_send(fan_out->groups, inner, fan_out->sender, &rule)) {
            note_unreached(fan_out, address);
        } else {
            struct opened next = copy_group(fan_out, inner);
            hand_to(fan_out, &next, depth + 1);
        }
    }
}

enum status group_fan_out(struct groups *groups, const struct group *group, const struct group_sender *sender,
                          struct arena *arena, const struct text **members_out, size_t *count_out,
                          const struct text **missing_out, size_t *missing_count_out)
{
    struct fan_out fan_out = {.groups = groups, .sender = sender, .arena = arena};
    address_set_init(&fan_out.members, arena);
    address_set_init(&fan_out.seen, arena);
    fan_out.missing = arena_array(arena, struct text, MISSING_MAX);
    struct opened opened = copy_group(&fan_out, group);
    hand_to(&fan_out, &opened, 0);
    *members_out = fan_out.members.addresses;
    *count_out = fan_out.members.count;
    *missing_out = fan_out.missing;
    *missing_count_out = fan_out.missing_count;
    return fan_out.too_many ? REFUSED : OK;
}
