/* A small read-only tree in an arena, for code that reads documents (policies, groups, manifests). Nothing edits or
 * serialises it: documents keep their bytes. */
#ifndef XML_XML_TREE_H
#define XML_XML_TREE_H

#include "arena.h"
#include "status.h"
#include "text.h"
#include "xml_scope.h"

struct xml_attribute {
    struct text namespace; /* empty for an unprefixed attribute */
    struct text local;
    struct text value; /* as a parser reports it */
    const struct xml_attribute *next;
};

struct xml_element {
    struct text namespace;
    struct text local;
    const struct xml_attribute *attributes;                /* without namespace declarations */
    const struct xml_element *parent, *first_child, *next; /* elements only, in document order */
    struct text text;                                      /* character data directly inside, joined; not trimmed */
    size_t begin, end;                                     /* offsets in the document, start tag to end tag */
};

#define XML_TREE_DEPTH_MAX      256 /* libxml2's own limit: nothing deeper was ever stored */
#define XML_TREE_ATTRIBUTES_MAX 256 /* on one element: they are compared pair by pair */

/* REFUSED when the bytes are not namespace-well-formed or too deep. The tree refers to `document` and to the arena. */
enum status xml_tree_read(struct text document, struct arena *arena, const struct xml_element **root_out);

/* The same for bytes that stand where `scope` is in force: its prefixes may be used. `scope` is as before afterwards,
 * but for a refusal. */
enum status xml_tree_read_in(struct text fragment, struct xml_scope *scope, struct arena *arena,
                             const struct xml_element **root_out);

/* All character data inside an element of the tree that was read from `document`, that of its children included, in
 * document order: its string value. */
struct text xml_element_text(struct text document, const struct xml_element *element, struct arena *arena);

/* First child, next sibling of the same name; NULL when there is none. */
const struct xml_element *xml_child(const struct xml_element *parent, struct text namespace, struct text local);
const struct xml_element *xml_next_same(const struct xml_element *element);
/* The next element inside `top`, or, with NULL, of the whole tree, in document order, `top` itself being the first;
 * NULL behind the last. */
const struct xml_element *xml_next(const struct xml_element *element, const struct xml_element *top);
bool xml_is(const struct xml_element *element, struct text namespace, struct text local);

/* Attribute without namespace, and with one. False when absent. */
bool xml_attribute(const struct xml_element *element, struct text local, struct text *value_out);
bool xml_attribute_ns(const struct xml_element *element, struct text namespace, struct text local,
                      struct text *value_out);

#endif
