/* Identities that a trusted peer asserts (X-3GPP-Asserted-Identity, X-XCAP-Asserted-Identity, P-Asserted-Identity), as
 * they are written: bare, in quotes, in angle brackets, with a display name, one or a comma list. */
#ifndef IDENTITY_ASSERTED_H
#define IDENTITY_ASSERTED_H

#include "arena.h"
#include "status.h"
#include "text.h"

#define ASSERTED_MAX 16 /* identities of one subscriber; a longer list is refused */

/* Canonical addresses, each once, in the order they stand. REFUSED: empty, anything in it is no address of the schemes
 * of uri.h, or too many: half a list is not believed. "alice@example.com" is taken for its sip: address. */
enum status asserted_parse(struct text value, struct arena *arena, struct text identities_out[ASSERTED_MAX],
                           size_t *count_out);

#endif
