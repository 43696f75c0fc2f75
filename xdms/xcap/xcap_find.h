/* Finds what a selector names in the bytes of a document. */
#ifndef XCAP_XCAP_FIND_H
#define XCAP_XCAP_FIND_H

#include "xcap_selector.h"
#include "xml_scope.h"

/* An element, or the document node around the root. */
struct xcap_place {
    bool is_document;
    struct xml_tag tag; /* of the element */
};

struct xcap_finder {
    struct text document;
    struct xml_scope scope; /* at the place reached */
    struct xcap_place place;
    size_t steps_done; /* that matched exactly one element */
};

void xcap_finder_init(struct xcap_finder *finder, struct text document, struct arena *arena);

/* Name and attribute of the step alone, not its position. */
bool xcap_step_matches(struct xcap_finder *finder, const struct xml_tag *tag, const struct xcap_step *step);

/* Follows the first `steps_count` steps. False when one of them does not match exactly one element. */
bool xcap_find_place(struct xcap_finder *finder, struct text document, const struct xcap_selector *selector,
                     size_t steps_count, struct arena *arena);

/* Elements below the place that the step matches: 0, 1 or 2 (for two and more); the first of them. */
unsigned xcap_find_children(struct xcap_finder *finder, const struct xcap_step *step, struct xml_tag *found_out);

/* Attribute of the element at the place; the scope includes the element. */
bool xcap_find_attribute(const struct xcap_finder *finder, struct text namespace, struct text local,
                         struct xml_attribute_span *found_out);

/* Walks the element children of a place. */
struct xcap_children {
    struct xml_scanner scanner;
    const struct xcap_place *parent;
    size_t depth;       /* below the parent: 1 while the last child given is still open */
    size_t last_end;    /* end of the child before the one given last; of the last one when all are through */
    size_t content_end; /* of the parent, known when all children are through */
    bool over;
};

void xcap_children_init(struct xcap_children *children, struct text document, const struct xcap_place *parent);
bool xcap_children_next(struct xcap_children *children, struct xml_tag *child_out);

/* Byte after the element that starts with `tag`. */
size_t xcap_element_end(struct text document, const struct xml_tag *tag);

bool xcap_name_matches(struct xcap_finder *finder, const struct xml_tag *tag, struct text namespace, struct text local);

#endif
