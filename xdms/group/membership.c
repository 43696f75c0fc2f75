/* Walks from a member to groups, and from these to those that they are inside of. Members are found by the index of the
 * group documents; external lists have none, so the groups that have such are asked one by one. */
#include "membership.h"

#include "document_index.h"
#include "group_private.h"
#include "uri.h"
#include "xml_tree.h"

#define LIST_SERVICE TEXT("urn:oma:xml:poc:list-service")
#define THROUGH_LIST TEXT("external list")
#define LARGE_MAX    100 /* documents without entries, which are rare, that are read for each address */

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

static enum status each_entry(struct search *search, struct text kind, struct text value, bool whole, size_t most,
                              entry_fn *visit, const struct address *address);
static entry_fn add_groups_of, add_if_member;

static const struct usage_field *field_named(const struct usage_searchable *searchable, struct text name)
{
    for (size_t i = 0; searchable && i < searchable->fields_count; i++)
        if (text_equal(searchable->fields[i].name, name))
            return &searchable->fields[i];
    return NULL;
}

/* Kinds of index entries. Both trees have the same names, so one look-up finds what is in either. */
struct kinds {
    struct text members, externals;
    struct text all; /* of documents that have too many values for an entry each */
};

static enum status find_kinds(const struct groups *groups, struct kinds *kinds_out)
{
    const struct usage *usage = groups->group_usage;
    const struct usage_searchable *searchable = usage ? usage_searchable(usage, XCAP_USERS) : NULL;
    const struct usage_field *member = field_named(searchable, TEXT("member"));
    const struct usage_field *external = field_named(searchable, TEXT("external"));
    bool ready[2] = {false, false};
    if (!member || !external || !member->kinds[USAGE_INDEX_ADDRESS].length ||
        !external->kinds[USAGE_INDEX_VALUE].length)
        return CONFLICT;
    for (int tree = 0; tree < 2; tree++) {
        enum status status = document_index_ready(groups->documents, usage, (enum xcap_tree)tree, &ready[tree]);
        if (status != OK)
            return FAILED;
    }
    *kinds_out =
        (struct kinds){member->kinds[USAGE_INDEX_ADDRESS], external->kinds[USAGE_INDEX_VALUE], searchable->kind_all};
    return ready[0] && ready[1] ? OK : CONFLICT;
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
    struct kinds kinds;
    enum status status = find_kinds(groups, &kinds);
    if (status != OK)
        return status;
    search.found = arena_array(arena, struct group_membership, MEMBERSHIPS_MAX);
    search.addresses = arena_array(arena, struct address, MEMBERSHIPS_MAX + addresses_count);
    for (size_t i = 0; i < addresses_count; i++)
        add_address(&search, addresses[i], TEXT(""), 0);
    /* the walk of external lists opens groups inside them, too: what it finds goes on upwards like all else */
    const struct address somebody = {.through = THROUGH_LIST};
    size_t own = search.addresses_count;
    status = each_entry(&search, kinds.externals, TEXT(""), false, EXTERNALS_MAX, add_if_member, &somebody);
    if (status == OK)
        status = each_entry(&search, kinds.all, TEXT(""), true, LARGE_MAX, add_if_member, &somebody);
    for (size_t i = 0; status == OK && i < search.addresses_count; i++) {
        struct address address = search.addresses[i];
        if (i >= own && address.depth >= GROUP_DEPTH_MAX)
            continue;
        struct text value = usage_index_spell(USAGE_INDEX_ADDRESS, address.canonical, arena);
        status = each_entry(&search, kinds.members, value, true, SIZE_MAX, add_groups_of, &address);
        if (status == OK)
            status = each_entry(&search, kinds.all, TEXT(""), true, LARGE_MAX, add_groups_of, &address);
    }
    *memberships_out = search.found;
    *count_out = search.count;
    *complete_out = search.complete;
    return status;
}

static enum status each_entry(struct search *search, struct text kind, struct text value, bool whole, size_t most,
                              entry_fn *visit, const struct address *address)
{
    struct key_page page = {0};
    struct text *values = NULL;
    enum status status = OK;
    struct arena arena;
    size_t seen = 0;
    bool more = true;
    arena_init(&arena, "entries");
    while (status == OK && more) {
        struct text after = values && page.count ? values[page.count - 1] : (struct text){0};
        struct document_key *last = page.count ? &page.keys[page.count - 1] : NULL;
        status = document_entries(search->groups->documents, kind, value, last ? &after : NULL, last, STORE_PAGE_MAX,
                                  &arena, &page, &values);
        more = status == OK && page.more && page.count;
        for (size_t i = 0; status == OK && i < page.count; i++) {
            if (whole && !text_equal(values[i], value))
                more = false;
            else if (++seen > most)
                more = search->complete = false;
            else
                status = visit(search, &page.keys[i], address);
        }
    }
    arena_clear(&arena);
    return status;
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
