/* Walks the nodes that a path finds. */
#ifndef SEARCH_NODES_H
#define SEARCH_NODES_H

#include "search_match.h"

/* Of an element and, if the path ends in one, its attribute. False ends the walk. */
typedef bool search_node_fn(void *context, const struct xml_element *element, const struct xml_attribute *attribute);

/* In document order. False: the walk was ended, or the work is used up. */
bool search_nodes(const struct search_path *path, struct search_subject *subject, search_node_fn *visit, void *context);

/* Of so many bytes: what is left of a search is also the memory that it may take for one document. */
static inline uint64_t search_copy_work(size_t bytes)
{
    return bytes / 4 + 1;
}
bool search_spend(struct search_subject *subject, uint64_t work); /* false: there is not so much left */

/* What a path that ends in an element or text() finds there, as text; false: nothing. */
bool search_node_text(const struct search_path *path, struct search_subject *subject, const struct xml_element *element,
                      struct text *text_out);

#endif
