/* External lists: resource-lists documents behind anchors, followed to a bounded depth and amount (OMA group documents
 * and access rules; RFC 4826 §3). */
#include "group_private.h"
#include "uri.h"
#include "xml_tree.h"

#define RLS_SERVICES   TEXT("urn:ietf:params:xml:ns:rls-services")
#define ONCE_LISTS_MAX 32         /* for one message, whose list is not kept: what is followed is followed each time */
#define ONCE_BYTES_MAX (1u << 20) /* read for it */

void entry_depends(struct entry *entry, const struct document_key *key, uint64_t version)
{
    struct group_source *source = arena_new(&entry->arena, struct group_source);
    source->key = (struct document_key){
        text_copy(&entry->arena, key->usage),
        text_copy(&entry->arena, key->owner),
        text_copy(&entry->arena, key->name),
    };
    source->version = version;
    source->next = entry->sources;
    entry->sources = source;
}

struct text member_address(struct arena *arena, struct text uri)
{
    return uri_canonical(arena, uri_from_iri(arena, text_trim(uri)));
}

/* One resolution: where it is in the chain of lists, so that a loop or a long chain ends. */
struct walk {
    const struct groups *groups;
    struct entry *entry;
    struct address_set *set;
    struct text reader; /* whose rights count; empty: any list may be followed */
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
        address_set_add(walk->set, member_address(&walk->entry->arena, value));
    else if (text_equal(element->local, TEXT("external")) && xml_attribute(element, TEXT("anchor"), &value))
        follow(walk, value);
    else if (text_equal(element->local, TEXT("entry-ref")) && xml_attribute(element, TEXT("ref"), &value))
        follow(walk, value);
}

static void take_tree(struct walk *walk, const struct xml_element *top)
{
    for (const struct xml_element *element = top; element; element = xml_next(element, top))
        take_element(walk, element);
}

/* Elements do not begin at the same place, and what holds an element begins before it. */
static const struct xml_element *element_at(const struct xml_element *root, size_t begin)
{
    const struct xml_element *element = root;
    while (element && element->begin != begin) {
        if (element->begin < begin && begin < element->end) {
            element = element->first_child;
            continue;
        }
        element = element->next;
    }
    return element;
}

static bool in_chain(const struct walk *walk, struct text anchor)
{
    for (unsigned i = 0; i < walk->depth; i++)
        if (text_equal(walk->chain[i], anchor))
            return true;
    return false;
}

/* The namespaces of a node stand outside it, so the whole document is read and the node found in it. */
static bool follow_document(struct walk *walk, struct text anchor, struct arena *arena)
{
    const struct group_settings *settings = &walk->groups->settings;
    struct entry *entry = walk->entry;
    const struct xml_element *root;
    struct stored found;
    struct text node;
    enum status status = document_follow(walk->groups->documents, anchor, settings->roots, settings->roots_count,
                                         walk->reader, arena, &found, &node);
    if (found.key.usage.length)
        entry_depends(entry, &found.key, found.version);
    if (found.bytes.length > entry->list_bytes_left)
        return false;
    entry->list_bytes_left -= found.bytes.length;
    if (status != OK || xml_tree_read(found.bytes, arena, &root) != OK)
        return false;
    const struct xml_element *element =
        node.length == found.bytes.length ? root : element_at(root, (size_t)(node.bytes - found.bytes.bytes));
    if (element)
        take_tree(walk, element);
    return element != NULL;
}

static void follow(struct walk *walk, struct text anchor)
{
    struct arena arena; /* of one document: an entry is kept for long, what it was made of is not */
    anchor = text_trim(anchor);
    if (walk->depth == GROUP_DEPTH_MAX || in_chain(walk, anchor) || walk->entry->lists_left == 0)
        return note_missing(walk->entry, anchor);
    arena_init(&arena, "list");
    walk->entry->lists_left--;
    walk->chain[walk->depth++] = anchor;
    if (!follow_document(walk, anchor, &arena))
        note_missing(walk->entry, anchor);
    walk->depth--;
    arena_clear(&arena);
}

void list_resolve(const struct groups *groups, struct entry *entry, struct text owner, struct text anchor,
                  struct address_set *set)
{
    struct walk walk = {.groups = groups, .entry = entry, .set = set};
    if (!groups->settings.lists_of_others)
        walk.reader = owner;
    follow(&walk, anchor);
}

/* For one message: what is found is not kept. */
struct once {
    struct entry *entry;
    struct address_set found;
    struct walk walk;
};

static void once_begin(struct once *once, struct groups *groups, struct text name, struct text reader)
{
    once->entry = memory_new(sizeof(*once->entry));
    entry_init(once->entry, name);
    once->entry->lists_left = ONCE_LISTS_MAX;
    once->entry->list_bytes_left = ONCE_BYTES_MAX;
    address_set_init(&once->found, &once->entry->arena);
    once->walk = (struct walk){.groups = groups, .entry = once->entry, .set = &once->found, .reader = reader};
}

static const struct text *copies(const struct text *texts, size_t count, struct arena *arena)
{
    struct text *copied = arena_array(arena, struct text, count + 1);
    for (size_t i = 0; i < count; i++)
        copied[i] = text_copy(arena, texts[i]);
    return copied;
}

/* OK, or REFUSED: too many. */
static enum status once_end(struct once *once, struct arena *arena, struct group_list *list_out)
{
    const struct entry *entry = once->entry;
    *list_out = (struct group_list){
        .members = copies(once->found.addresses, once->found.count, arena),
        .count = once->found.count,
        .missing = copies(entry->missing, entry->missing_count, arena),
        .missing_count = entry->missing_count,
    };
    enum status status = once->found.too_many ? REFUSED : OK;
    entry_free(once->entry);
    return status;
}

enum status group_list_members(struct groups *groups, const struct text *anchors, size_t anchors_count,
                               struct text reader, struct arena *arena, struct group_list *list_out)
{
    struct once once;
    once_begin(&once, groups, reader, reader);
    for (size_t i = 0; i < anchors_count; i++)
        follow(&once.walk, anchors[i]);
    return once_end(&once, arena, list_out);
}

static const struct xml_element *list_service_of(const struct xml_element *root, struct text address,
                                                 struct arena *arena)
{
    const struct xml_element *service = xml_child(root, RLS_SERVICES, TEXT("service"));
    struct text uri;
    for (; service; service = xml_next_same(service))
        if (xml_attribute(service, TEXT("uri"), &uri) &&
            text_equal(uri_canonical_whole(arena, text_trim(uri)), address))
            return service;
    return NULL;
}

enum status group_service_members(struct groups *groups, struct text address, struct arena *arena,
                                  struct text *owner_out, struct group_list *list_out)
{
    struct stored stored = {0};
    const struct xml_element *root, *service, *list;
    struct once once;
    enum status status = document_find(groups->documents, TEXT("service-uri"), address, arena, &stored);
    if (status != OK)
        return status;
    if (xml_tree_read(stored.bytes, arena, &root) != OK || !(service = list_service_of(root, address, arena)))
        return FAILED;
    *owner_out = stored.key.owner;
    once_begin(&once, groups, address, stored.key.owner);
    if ((list = xml_child(service, RLS_SERVICES, TEXT("list"))))
        take_tree(&once.walk, list);
    else if ((list = xml_child(service, RLS_SERVICES, TEXT("resource-list"))))
        follow(&once.walk, text_trim(list->text));
    return once_end(&once, arena, list_out);
}

void entry_resolve_policy_lists(const struct groups *groups, struct entry *entry, struct text owner)
{
    const struct text *anchors;
    if (!entry->policy)
        return;
    size_t count = policy_anchors(entry->policy, &anchors);
    entry->lists = policy_lists_new(&entry->arena);
    for (size_t i = 0; i < count; i++) {
        struct arena arena; /* the addresses are the entry's, the set that keeps them apart is not */
        struct address_set members;
        arena_init(&arena, "resolved list");
        address_set_init(&members, &arena);
        list_resolve(groups, entry, owner, anchors[i], &members);
        for (size_t m = 0; m < members.count; m++)
            policy_lists_add(entry->lists, i, members.addresses[m]);
        arena_clear(&arena);
    }
}
