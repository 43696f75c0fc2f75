/* One pass with the tag scanner finds where each element begins and ends, who its children are, and which child has
 * which attribute value. What is looked up is only where to look: whether an element matches is decided on its bytes
 * by the same functions as without an index. */
#include "xcap_index.h"

#include <stdlib.h>

#include "xcap_edit.h"
#include "xcap_find.h"

#define DOCUMENT_MAX (UINT32_MAX / 4) /* offsets have 32 bits */
#define DEPTH_MAX    256              /* no document that was stored is deeper */
#define ROWS_MIN     256
#define LOAD_SHARE   2 /* at most every second slot of the hash table is taken */

struct node {
    uint32_t begin, end;        /* offsets of the element */
    uint32_t first_child, next; /* numbers of nodes; 0: none. Node 0 is the document */
    bool odd; /* some child has an attribute that is not written as it is compared: look at them all */
};

/* A child with an attribute without prefix, found by (parent, name, value). */
struct entry {
    uint64_t hash;
    uint32_t parent, node;
};

struct xcap_index {
    struct node *nodes;
    size_t nodes_count, nodes_room;
    struct entry *entries; /* hash table with open addressing; node 0: free */
    size_t slots;
};

/* What the pass knows of the open elements. */
struct building {
    struct xcap_index *index;
    struct entry *found; /* in document order */
    size_t found_count, found_room;
    struct {
        uint32_t node, last_child;
    } open[DEPTH_MAX];
    size_t depth; /* of `open` in use, the document included */
};

static bool build(struct building *building, struct text document);
static bool add_node(struct building *building, struct text document, const struct xml_tag *tag);
static void add_attributes(struct building *building, struct text document, const struct xml_tag *tag, uint32_t node);
static void make_table(struct xcap_index *index, const struct entry *found, size_t count);

struct xcap_index *xcap_index_new(struct text document)
{
    if (document.length > DOCUMENT_MAX)
        return NULL;
    struct xcap_index *index = memory_new(sizeof(*index));
    struct building building = {.index = index, .depth = 1};
    bool built = build(&building, document);
    if (built)
        make_table(index, building.found, building.found_count);
    free(building.found);
    if (built)
        return index;
    xcap_index_free(index);
    return NULL;
}

void xcap_index_free(struct xcap_index *index)
{
    if (!index)
        return;
    free(index->nodes);
    free(index->entries);
    free(index);
}

size_t xcap_index_bytes(const struct xcap_index *index)
{
    return sizeof(*index) + index->nodes_room * sizeof(struct node) + index->slots * sizeof(struct entry);
}

/* --- making --- */

static void *grown(void *rows, size_t count, size_t *room, size_t size)
{
    if (count < *room)
        return rows;
    *room = *room ? 2 * *room : ROWS_MIN;
    return memory_resize(rows, *room * size);
}

static bool build(struct building *building, struct text document)
{
    struct xcap_index *index = building->index;
    struct xml_scanner scanner;
    struct xml_tag tag;
    index->nodes = grown(NULL, 0, &index->nodes_room, sizeof(struct node));
    index->nodes[index->nodes_count++] = (struct node){.end = (uint32_t)document.length};
    xml_scan_init(&scanner, document);
    while (xml_scan_next(&scanner, &tag)) {
        if (tag.kind != XML_END) {
            if (!add_node(building, document, &tag))
                return false;
        } else {
            if (building->depth < 2)
                return false;
            index->nodes[building->open[--building->depth].node].end = (uint32_t)tag.end;
        }
    }
    return !scanner.damaged && building->depth == 1;
}

static bool add_node(struct building *building, struct text document, const struct xml_tag *tag)
{
    struct xcap_index *index = building->index;
    uint32_t number = (uint32_t)index->nodes_count;
    uint32_t parent = building->open[building->depth - 1].node;
    uint32_t *last = &building->open[building->depth - 1].last_child;
    index->nodes = grown(index->nodes, index->nodes_count, &index->nodes_room, sizeof(struct node));
    index->nodes[index->nodes_count++] = (struct node){.begin = (uint32_t)tag->begin, .end = (uint32_t)tag->end};
    *(*last ? &index->nodes[*last].next : &index->nodes[parent].first_child) = number;
    *last = number;
    add_attributes(building, document, tag, number);
    if (tag->kind == XML_EMPTY)
        return true;
    if (building->depth == DEPTH_MAX)
        return false;
    building->open[building->depth].node = number;
    building->open[building->depth++].last_child = 0;
    return true;
}

static uint64_t hash_of(uint32_t parent, struct text name, struct text value)
{
    return text_hash(value, text_hash(name, text_hash_seed() + parent));
}

/* As it is compared: without references, and without white space that is normalised. */
static bool is_plain(struct text raw)
{
    for (size_t i = 0; i < raw.length; i++)
        if (raw.bytes[i] == '&' || (unsigned char)raw.bytes[i] < ' ')
            return false;
    return true;
}

static void add_attributes(struct building *building, struct text document, const struct xml_tag *tag, uint32_t node)
{
    uint32_t parent = building->open[building->depth - 1].node;
    struct xml_attribute_span attribute;
    size_t cursor = 0;
    while (xml_attribute_next(document, tag, &cursor, &attribute)) {
        if (attribute.prefix.length || xml_is_declaration(&attribute))
            continue;
        if (!is_plain(attribute.raw)) {
            building->index->nodes[parent].odd = true;
            continue;
        }
        building->found =
            grown(building->found, building->found_count, &building->found_room, sizeof(*building->found));
        building->found[building->found_count++] =
            (struct entry){hash_of(parent, attribute.local, attribute.raw), parent, node};
    }
    if (cursor != tag->attributes.length)
        building->index->nodes[parent].odd = true;
}

static void make_table(struct xcap_index *index, const struct entry *found, size_t count)
{
    for (index->slots = ROWS_MIN / 4; index->slots < LOAD_SHARE * count;)
        index->slots *= 2;
    index->entries = memory_new(index->slots * sizeof(*index->entries));
    for (size_t i = 0; i < count; i++) {
        size_t at = found[i].hash & (index->slots - 1);
        while (index->entries[at].node)
            at = (at + 1) & (index->slots - 1);
        index->entries[at] = found[i];
    }
}

/* --- looking --- */

/* Counts the element as found if the step matches it. */
static void try_node(const struct xcap_index *index, struct xcap_finder *finder, const struct xcap_step *step,
                     uint32_t number, unsigned *count, struct xml_tag *tag_out, uint32_t *node_out)
{
    struct xml_scanner scanner;
    struct xml_tag tag;
    xml_scan_init(&scanner, finder->document);
    scanner.at = index->nodes[number].begin;
    if (!xml_scan_next(&scanner, &tag) || !xcap_step_matches(finder, &tag, step))
        return;
    if ((*count)++ == 0) {
        *tag_out = tag;
        *node_out = number;
    }
}

/* Children of `parent` that the step matches: 0, 1, or more. */
static unsigned find_children(const struct xcap_index *index, struct xcap_finder *finder, const struct xcap_step *step,
                              uint32_t parent, struct xml_tag *tag_out, uint32_t *node_out)
{
    unsigned count = 0;
    bool by_value = step->has_attribute && step->attribute_namespace.length == 0 && !index->nodes[parent].odd;
    if (!by_value) {
        for (uint32_t child = index->nodes[parent].first_child; child && count < 2; child = index->nodes[child].next)
            try_node(index, finder, step, child, &count, tag_out, node_out);
        return count;
    }
    uint64_t hash = hash_of(parent, step->attribute_local, step->attribute_value);
    for (size_t at = hash & (index->slots - 1); index->entries[at].node && count < 2;
         at = (at + 1) & (index->slots - 1)) {
        const struct entry *entry = &index->entries[at];
        if (entry->hash == hash && entry->parent == parent)
            try_node(index, finder, step, entry->node, &count, tag_out, node_out);
    }
    return count;
}

/* A position counts siblings, which are looked at in their order. */
static bool is_simple(const struct xcap_selector *selector)
{
    for (size_t i = 0; i < selector->steps_count; i++)
        if (selector->steps[i].position)
            return false;
    return selector->terminal == XCAP_ELEMENT;
}

enum status xcap_index_get(const struct xcap_index *index, struct text document, const struct xcap_selector *selector,
                           struct arena *arena, struct text *node_out)
{
    if (!is_simple(selector))
        return xcap_get(document, selector, arena, node_out);
    struct xcap_finder finder;
    uint32_t node = 0;
    xcap_finder_init(&finder, document, arena);
    for (size_t i = 0; i < selector->steps_count; i++) {
        struct xml_tag tag;
        uint32_t parent = node;
        if (find_children(index, &finder, &selector->steps[i], parent, &tag, &node) != 1 ||
            !xml_scope_open(&finder.scope, document, &tag))
            return NOT_FOUND;
        finder.place = (struct xcap_place){.tag = tag};
    }
    *node_out = text_slice(document, index->nodes[node].begin, index->nodes[node].end);
    return OK;
}
