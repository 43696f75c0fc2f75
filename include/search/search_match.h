/* A query on one document: which of its elements the loop names, whether the condition holds for one, how it is
 * ordered, and what is returned for it. Documents are read as XQuery reads them without a schema: all values are texts.
 * Where XQuery fails because a path finds several nodes, or a text that is no number, this does not: see
 * docs/search.md. */
#ifndef SEARCH_SEARCH_MATCH_H
#define SEARCH_SEARCH_MATCH_H

#include "search_query.h"
#include "xml_tree.h"

#define SEARCH_MADE_MAX (1u << 20) /* bytes of one returned element: the largest group there is */

/* One element of a document that was read, and what may be spent on it. */
struct search_subject {
    struct text document;
    const struct xml_element *element;
    struct arena *arena; /* what is found lives there */
    uint64_t work;       /* nodes and comparisons left; at 0 all answers are wrong and of no use */
};

/* The elements that the path of the loop names, in document order. NULL-terminated. */
const struct xml_element **search_records(const struct search_path *path, const struct xml_element *root,
                                          struct arena *arena);

bool search_holds(const struct search_query *query, struct search_subject *subject);

/* Of one key; an empty value has bytes, too. False: there is none, which is less than all others or more (struct
 * search_key). */
bool search_key_value(const struct search_key *key, struct search_subject *subject, struct text *value_out);

/* <0, 0, >0: by the values of all keys; NULL bytes stand for none. */
int search_compare(const struct search_query *query, const struct text *a, const struct text *b);

/* Adds the returned element, as it stands in the content of one with the default namespace `outside`. False: it is too
 * long, and something of it was added. */
bool search_make(const struct search_query *query, struct search_subject *subject, struct text outside,
                 struct text_builder *out);

/* Adds the element itself, with the namespaces that it needs, as search_make does. False: it is too long. */
bool search_copy(struct search_subject *subject, struct text outside, struct text_builder *out);

/* All that a path finds; for whoever looks for more than a condition can say. */
size_t search_path_values(const struct search_path *path, struct search_subject *subject,
                          const struct text **values_out);

#endif
