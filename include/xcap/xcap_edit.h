/* Reads and changes nodes of a stored document by byte offsets (RFC 4825 §7, §8). Bytes outside the edit never change:
 * nothing is parsed into a tree and nothing is serialised. The documents given here are well-formed and DTD-free. */
#ifndef XCAP_XCAP_EDIT_H
#define XCAP_XCAP_EDIT_H

#include "xcap_selector.h"

/* NOT_FOUND when the selector matches nothing or is ambiguous. `node_out` is a slice of `document` for an element, the
 * value with its quotes for an attribute, and a new empty element with all bindings in scope for namespace::*. */
enum status xcap_get(struct text document, const struct xcap_selector *selector, struct arena *arena,
                     struct text *node_out);

/* Is the parent of the target there? REFUSED: 409 no-parent with its ancestor. Checked before the body is looked at. */
enum status xcap_check_parent(struct text document, const struct xcap_selector *selector, struct arena *arena,
                              struct refusal *refusal);

/* Replaces or inserts (RFC 4825 §8.2.3). `body` is the request body. The result selects what was put, or REFUSED:
 * 409 no-parent, not-xml-frag, not-xml-att-value, not-utf-8, cannot-insert. Validity is the caller's next check. */
enum status xcap_put(struct text document, const struct xcap_selector *selector, struct text body, struct arena *arena,
                     struct text *document_out, bool *created_out, struct refusal *refusal);

/* NOT_FOUND as xcap_get; REFUSED: 409 cannot-delete. Deleting the root leaves no document: schema-validation-error. */
enum status xcap_delete(struct text document, const struct xcap_selector *selector, struct arena *arena,
                        struct text *document_out, struct refusal *refusal);

#endif
