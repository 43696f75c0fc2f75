/* Walks from a member to groups, and from these to those that they are inside of. Members are found by the index of the
 * group documents; external lists have none, so the groups that have such are asked one by one. */
#include "membership.h"

#include "document_index.h"
#include "group_private.h"
#include "uri.h"
#include "xml_tree.h"

#define LIST_SERVICE TEXT("urn:oma:xml:poc:list-service")
#define THROUGH_LIST TEXT("external list")
#define FOUND_MAX    5000 /* documents that are read for one address; past MEMBERSHIPS_MAX groups it is in vain */

/* Whose groups are looked for next: somebody, or a group that was found. */
struct address {
    struct text canonical, through;
    unsigned depth;
};

struct search {
    struct groups *groups;
    struct arena *arena;
    struct group_membership *found;
    size_t count;
    struct address *addresses;
    size_t addresses_count;
    bool complete;
};

typedef enum status entry_fn(struct search *search, const struct document_key *key, const struct address *address);

static enum status each_found(struct search *search, enum xcap_tree tree, const struct store_look_up *look_up,
                              size_t most, entry_fn *visit, const struct address *address);
static entry_fn add_groups_of, add_if_member;

static const struct usage_field *field_named(const struct usage_searchable *searchable, struct text name)
{
    for (size_t i = 0; searchable && i < searchable->fields_count; i++)
        if (text_equal(searchable->fields[i].name, name))
            return &searchable->fields[i];
    return NULL;
}

/* Look-ups of one tree: who has somebody as a member, and who has an external list. Either leads, too, to groups with
 * too many members for an entry each. */
struct look_ups {
    struct store_look_up members, externals;
};

static enum status find_look_ups(const struct groups *groups, struct look_ups *look_ups_out)
{
    for (int tree = 0; tree < 2; tree++) {
        const struct usage *usage = groups->group_usage;
        const struct usage_searchable *searchable = usage ? usage_searchable(usage, (enum xcap_tree)tree) : NULL;
        const struct usage_field *member = field_named(searchable, TEXT("member"));
        const struct usage_field *external = field_named(searchable, TEXT("external"));
        bool ready = false;
        if (!member || !external || !member->indexes[USAGE_INDEX_ADDRESS] || !external->indexes[USAGE_INDEX_VALUE])
            return CONFLICT;
        if (document_index_ready(groups->documents, usage, (enum xcap_tree)tree, &ready) != OK)
            return FAILED;
        if (!ready)
            return CONFLICT;
        look_ups_out[tree].members =
            (struct store_look_up){.field = member->indexes[USAGE_INDEX_ADDRESS], .whole = true};
        look_ups_out[tree].externals =
            (struct store_look_up){.field = external->indexes[USAGE_INDEX_VALUE], .value = TEXT("")};
    }
    return OK;
}

static void add_address(struct search *search, struct text canonical, struct text through, unsigned depth)
{
    search->addresses[search->addresses_count++] = (struct address){canonical, through, depth};
}

enum status group_memberships(struct groups *groups, const struct text *addresses, size_t addresses_count,
                              struct arena *arena, const struct group_membership **memberships_out, size_t *count_out,
                              bool *complete_out)
{
    struct search search = {.groups = groups, .arena = arena, .complete = true};
    struct look_ups look_ups[2];
    enum status status = find_look_ups(groups, look_ups);
    if (status != OK)
        return status;
    search.found = arena_array(arena, struct group_membership, MEMBERSHIPS_MAX);
    search.addresses = arena_array(arena, struct address, MEMBERSHIPS_MAX + addresses_count);
    for (size_t i = 0; i < addresses_count; i++)
        add_address(&search, addresses[i], TEXT(""), 0);
    /* the walk of external lists opens groups inside them, too: what it finds goes on upwards like all else */
    const struct address somebody = {.through = THROUGH_LIST};
    size_t own = search.addresses_count;
    for (int tree = 0; status == OK && tree < 2; tree++)
        status = each_found(&search, (enum xcap_tree)tree, &look_ups[tree].externals, EXTERNALS_MAX, add_if_member,
                            &somebody);
    for (size_t i = 0; status == OK && i < search.addresses_count; i++) {
        struct address address = search.addresses[i];
        if (i >= own && address.depth >= GROUP_DEPTH_MAX)
            continue;
        for (int tree = 0; status == OK && tree < 2; tree++) {
            look_ups[tree].members.value = usage_index_spell(USAGE_INDEX_ADDRESS, address.canonical, arena);
            status =
                each_found(&search, (enum xcap_tree)tree, &look_ups[tree].members, FOUND_MAX, add_groups_of, &address);
        }
    }
    *memberships_out = search.found;
    *count_out = search.count;
    *complete_out = search.complete;
    return status;
}

static enum status each_found(struct search *search, enum xcap_tree tree, const struct store_look_up *look_up,
                              size_t most, entry_fn *visit, const struct address *address)
{
    const struct groups *groups = search->groups;
    struct document_key *keys;
    struct arena arena;
    size_t count;
    arena_init(&arena, "entries");
    enum status status =
        document_index_find(groups->documents, groups->group_usage, tree, look_up, most, &arena, &keys, &count);
    if (status == FULL) {
        search->complete = false;
        status = OK;
    }
    for (size_t i = 0; status == OK && i < count; i++)
        status = visit(search, &keys[i], address);
    arena_clear(&arena);
    return status == NOT_FOUND ? CONFLICT : status; /* given up meanwhile */
}

static bool is_known(const struct search *search, struct text uri)
{
    for (size_t i = 0; i < search->count; i++)
        if (text_equal(search->found[i].uri, uri))
            return true;
    return false;
}

static void add_group(struct search *search, const struct document_key *key, struct text uri,
                      const struct address *address)
{
    struct text canonical = uri_canonical(search->arena, text_trim(uri));
    if (is_known(search, uri))
        return;
    if (search->count == MEMBERSHIPS_MAX) {
        search->complete = false;
        return;
    }
    search->found[search->count++] = (struct group_membership){
        .uri = text_copy(search->arena, uri),
        .owner = text_copy(search->arena, key->owner),
        .name = text_copy(search->arena, key->name),
        .through = text_copy(search->arena, address->through),
    };
    add_address(search, canonical, search->found[search->count - 1].uri, address->depth + 1);
}

static bool lists(const struct xml_element *service, struct text canonical, struct arena *arena)
{
    const struct xml_element *list = xml_child(service, LIST_SERVICE, TEXT("list"));
    const struct xml_element *entry = xml_child(list, LIST_SERVICE, TEXT("entry"));
    struct text uri;
    for (; entry; entry = xml_next_same(entry))
        if (xml_attribute(entry, TEXT("uri"), &uri) && text_equal(member_address(arena, uri), canonical))
            return true;
    return false;
}

typedef bool service_fn(struct search *search, const struct xml_element *service, const struct address *address,
                        struct text uri, struct arena *arena);

/* The groups of a document for which `is_in` says so. NOT_FOUND is OK: it went meanwhile. */
static enum status look_at(struct search *search, const struct document_key *key, const struct address *address,
                           service_fn *is_in)
{
    const struct usage *usage = search->groups->group_usage;
    enum xcap_tree tree = key->owner.length ? XCAP_USERS : XCAP_GLOBAL;
    const struct usage_document *row = usage_document(usage, tree, key->name);
    const struct document_place place = {.usage = usage, .row = row, .tree = tree, .key = *key};
    const struct xml_element *root;
    struct stored found;
    struct text uri;
    struct arena arena;
    if (!row || !text_equal(key->usage, usage->auid))
        return OK;
    arena_init(&arena, "group");
    enum status status = document_read(search->groups->documents, &place, &arena, &found);
    if (status == OK && xml_tree_read(found.bytes, &arena, &root) == OK)
        for (const struct xml_element *service = xml_child(root, LIST_SERVICE, TEXT("list-service")); service;
             service = xml_next_same(service))
            if (xml_attribute(service, TEXT("uri"), &uri) && is_in(search, service, address, uri, &arena))
                add_group(search, key, uri, address);
    arena_clear(&arena);
    return status == NOT_FOUND ? OK : status;
}

static bool is_listed(struct search *search, const struct xml_element *service, const struct address *address,
                      struct text uri, struct arena *arena)
{
    (void)search;
    (void)uri;
    return lists(service, address->canonical, arena);
}

static enum status add_groups_of(struct search *search, const struct document_key *key, const struct address *address)
{
    return look_at(search, key, address, is_listed);
}

/* Those whom the search is for stand first among the addresses; all of depth 0 are they. */
static bool is_member(struct search *search, const struct xml_element *service, const struct address *address,
                      struct text uri, struct arena *arena)
{
    struct text canonical = uri_canonical(arena, text_trim(uri));
    const struct group *group;
    struct text identities[MEMBERSHIPS_MAX];
    struct group_sender sender = {.identities = identities};
    (void)address;
    for (size_t i = 0; i < search->addresses_count && search->addresses[i].depth == 0; i++) {
        if (lists(service, search->addresses[i].canonical, arena))
            return false; /* found by the index, as what he is */
        identities[sender.identities_count++] = search->addresses[i].canonical;
    }
    return group_find(search->groups, canonical, &group) == OK && group_is_member(group, &sender);
}

static enum status add_if_member(struct search *search, const struct document_key *key, const struct address *address)
{
    return look_at(search, key, address, is_member);
}
