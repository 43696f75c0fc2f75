/* Where the elements of one document are, so that a selector costs what it touches and not what the document weighs.
 * Made once for a version of a document, which stays as it is. An index answers the same as xcap_get does without. */
#ifndef XCAP_XCAP_INDEX_H
#define XCAP_XCAP_INDEX_H

#include "xcap_selector.h"

struct xcap_index;

/* NULL when the document is too large for it or damaged. */
struct xcap_index *xcap_index_new(struct text document);
void xcap_index_free(struct xcap_index *index);
size_t xcap_index_bytes(const struct xcap_index *index); /* memory that it takes */

/* xcap_get on the document that the index was made of. The node is a slice of it, or in the arena. */
enum status xcap_index_get(const struct xcap_index *index, struct text document, const struct xcap_selector *selector,
                           struct arena *arena, struct text *node_out);

#endif
