/* Where a new node goes (RFC 4825 §8.2.3) and what bytes come with it. */
#ifndef XCAP_XCAP_INSERT_H
#define XCAP_XCAP_INSERT_H

#include "xcap_find.h"
#include "xml_tree.h"

/* Replace bytes [begin, end) of the document by `before`, `node`, `after`. */
struct splice {
    size_t begin, end;
    struct text before, node, after;
    bool created;
};

/* The finder stands at the parent and no child matches `step`. False when there is no place for it. */
bool xcap_insert_element(struct xcap_finder *finder, const struct xcap_step *step, const struct xml_element *element,
                         struct text fragment, struct splice *splice_out);

/* The finder stands at the element, which lacks the attribute. `value` is quoted. False when no prefix in scope means
 * the attribute's namespace, or it is a declaration. */
bool xcap_insert_attribute(struct xcap_finder *finder, const struct xcap_selector *selector, struct text value,
                           struct arena *arena, struct splice *splice_out);

/* A body as a quoted AttValue. What has no quotes gets some: other servers and their clients send values so. */
bool xcap_attribute_value(struct text body, struct arena *arena, struct text *value_out);

#endif
