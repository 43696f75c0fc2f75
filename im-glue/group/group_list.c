/* Sets of addresses and the external lists that fill them: resource-lists documents behind anchors, followed to a
 * bounded depth, each once (OMA group documents and access rules; RFC 4826 §3). */
#include "group_private.h"
#include "uri.h"
#include "xml_tree.h"

void address_set_init(struct address_set *set, struct arena *arena)
{
    *set = (struct address_set){.arena = arena};
}

static size_t slot_of(const struct address_set *set, struct text address)
{
    size_t slot = text_hash(address, text_hash_seed()) & (set->slots_count - 1);
    while (set->slots[slot] && !text_equal(set->addresses[set->slots[slot] - 1], address))
        slot = (slot + 1) & (set->slots_count - 1);
    return slot;
}

bool address_set_has(const struct address_set *set, struct text canonical)
{
    return set->count && set->slots[slot_of(set, canonical)] != 0;
}

/* Twice as many slots as addresses, so that a search is short. */
static void grow(struct address_set *set)
{
    size_t capacity = set->capacity ? set->capacity * 2 : 16;
    struct text *addresses = arena_array(set->arena, struct text, capacity);
    if (set->count)
        memcpy(addresses, set->addresses, set->count * sizeof(*addresses));
    set->addresses = addresses;
    set->capacity = capacity;
    set->slots_count = capacity * 2;
    set->slots = arena_array(set->arena, uint32_t, set->slots_count);
    for (size_t i = 0; i < set->count; i++)
        set->slots[slot_of(set, set->addresses[i])] = (uint32_t)i + 1;
}

void address_set_add(struct address_set *set, struct text canonical)
{
    if (canonical.length == 0 || address_set_has(set, canonical))
        return;
    if (set->count == GROUP_MEMBERS_MAX) {
        set->too_many = true;
        return;
    }
    if (set->count == set->capacity)
        grow(set);
    set->slots[slot_of(set, canonical)] = (uint32_t)set->count + 1;
    set->addresses[set->count++] = canonical;
}

void entry_init(struct entry *entry, struct text name)
{
    arena_init(&entry->arena, "group entry");
    entry->name = text_copy(&entry->arena, name);
    entry->missing = arena_array(&entry->arena, struct text, MISSING_MAX);
}

void entry_depends(struct entry *entry, const struct document_key *key, uint64_t version)
{
    struct dependency *dependency = arena_new(&entry->arena, struct dependency);
    dependency->key = (struct document_key){
        text_copy(&entry->arena, key->usage),
        text_copy(&entry->arena, key->owner),
        text_copy(&entry->arena, key->name),
    };
    dependency->version = version;
    dependency->next = entry->dependencies;
    entry->dependencies = dependency;
}

struct document_place place_of(const struct groups *groups, const struct document_key *key)
{
    static const struct usage_document stored = {.kind = USAGE_STORED}; /* the key came from the store */
    return (struct document_place){
        .usage = usage_find(documents_usages(groups->documents), key->usage),
        .row = &stored,
        .tree = key->owner.length ? XCAP_USERS : XCAP_GLOBAL,
        .key = *key,
    };
}

bool entry_holds(const struct groups *groups, const struct entry *entry)
{
    if (entry->missing_count) /* what could not be followed has no version, but may be there now */
        return false;
    for (const struct dependency *dependency = entry->dependencies; dependency; dependency = dependency->next) {
        struct document_place place = place_of(groups, &dependency->key);
        struct stored stored = {0};
        enum status status = document_read_version(groups->documents, &place, &stored);
        if ((status == OK ? stored.version : 0) != dependency->version)
            return false;
    }
    return true;
}

/* --- following anchors --- */

/* One resolution: where it is in the chain of lists, so that a loop or a long chain ends. */
struct walk {
    const struct groups *groups;
    struct entry *entry;
    struct address_set *set;
    struct text chain[GROUP_DEPTH_MAX];
    unsigned depth;
};

static void follow(struct walk *walk, struct text anchor);

static void note_missing(struct entry *entry, struct text anchor)
{
    if (entry->missing_count < MISSING_MAX)
        entry->missing[entry->missing_count++] = text_copy(&entry->arena, anchor);
}

static void take_element(struct walk *walk, const struct xml_element *element)
{
    struct text value;
    /* By local name: the namespace of a list is that of its document, and group documents have entries of both. */
    if (text_equal(element->local, TEXT("entry")) && xml_attribute(element, TEXT("uri"), &value))
        address_set_add(walk->set, uri_canonical(&walk->entry->arena, value));
    else if (text_equal(element->local, TEXT("external")) && xml_attribute(element, TEXT("anchor"), &value))
        follow(walk, value);
    else if (text_equal(element->local, TEXT("entry-ref")) && xml_attribute(element, TEXT("ref"), &value))
        follow(walk, value);
}

/* The element and all below it, in document order, without recursion over its depth. */
static void take_tree(struct walk *walk, const struct xml_element *top)
{
    const struct xml_element *element = top;
    while (element) {
        take_element(walk, element);
        if (element->first_child) {
            element = element->first_child;
            continue;
        }
        while (element != top && !element->next)
            element = element->parent;
        element = element == top ? NULL : element->next;
    }
}

/* The element whose bytes are `node`: two with equal bytes mean the same members. */
static const struct xml_element *element_of(const struct xml_element *root, struct text document, struct text node)
{
    const struct xml_element *element = root;
    while (element) {
        if (text_equal(text_slice(document, element->begin, element->end), node))
            return element;
        if (element->first_child) {
            element = element->first_child;
            continue;
        }
        while (element && !element->next)
            element = element->parent;
        element = element ? element->next : NULL;
    }
    return NULL;
}

static bool in_chain(const struct walk *walk, struct text anchor)
{
    for (unsigned i = 0; i < walk->depth; i++)
        if (text_equal(walk->chain[i], anchor))
            return true;
    return false;
}

/* The namespaces of a node stand outside it, so the whole document is read and the node found in it. */
static bool follow_document(struct walk *walk, struct text anchor)
{
    struct arena *arena = &walk->entry->arena;
    const struct group_settings *settings = &walk->groups->settings;
    struct text document_uri = text_slice(anchor, 0, text_find(anchor, TEXT("/~~/"))), bytes = {0}, node = {0};
    struct document_key key = {0};
    const struct xml_element *root;
    enum status status = document_follow(walk->groups->documents, document_uri, settings->roots, settings->roots_count,
                                         arena, &key, &bytes);
    struct stored head = {0};
    if (key.usage.length) {
        struct document_place place = place_of(walk->groups, &key);
        enum status head_status = document_read_version(walk->groups->documents, &place, &head);
        entry_depends(walk->entry, &key, head_status == OK ? head.version : 0);
    }
    if (status != OK || xml_tree_read(bytes, arena, &root) != OK)
        return false;
    if (document_uri.length == anchor.length) {
        take_tree(walk, root);
        return true;
    }
    if (document_follow(walk->groups->documents, anchor, settings->roots, settings->roots_count, arena, &key, &node) !=
        OK)
        return false;
    const struct xml_element *element = element_of(root, bytes, node);
    if (element)
        take_tree(walk, element);
    return element != NULL;
}

static void follow(struct walk *walk, struct text anchor)
{
    if (walk->depth == GROUP_DEPTH_MAX || in_chain(walk, anchor))
        return note_missing(walk->entry, anchor);
    walk->chain[walk->depth++] = anchor;
    if (!follow_document(walk, anchor))
        note_missing(walk->entry, anchor);
    walk->depth--;
}

void list_resolve(const struct groups *groups, struct entry *entry, struct text anchor, struct address_set *set)
{
    struct walk walk = {.groups = groups, .entry = entry, .set = set};
    follow(&walk, anchor);
}

void entry_resolve_policy_lists(const struct groups *groups, struct entry *entry)
{
    const struct text *anchors;
    if (!entry->policy)
        return;
    size_t count = policy_anchors(entry->policy, &anchors);
    entry->lists = arena_array(&entry->arena, struct resolved_list, count ? count : 1);
    for (size_t i = 0; i < count; i++) {
        struct resolved_list *list = &entry->lists[entry->lists_count++];
        list->anchor = anchors[i];
        address_set_init(&list->members, &entry->arena);
        list_resolve(groups, entry, anchors[i], &list->members);
    }
}

bool entry_in_list(void *context, struct text anchor, struct text identity)
{
    const struct entry *entry = context;
    for (size_t i = 0; i < entry->lists_count; i++)
        if (text_equal(entry->lists[i].anchor, anchor))
            return address_set_has(&entry->lists[i].members, identity);
    return false;
}
