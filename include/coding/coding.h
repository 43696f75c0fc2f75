/* Content codings of SIP bodies (RFC 3261 §20.12): what a body is before gzip or deflate. It must not know what the
 * body holds. */
#ifndef CODING_CODING_H
#define CODING_CODING_H

#include "arena.h"
#include "status.h"
#include "text.h"

#define CODING_NESTED_MAX 2 /* one coding over another; nobody is known to use more than one */

/* Does a Content-Encoding say that the body is as it is? */
bool coding_is_identity(struct text encoding);

/* The body as it was before the codings that the value of Content-Encoding names, the last one taken off first. In the
 * arena, or the body itself. REFUSED: a coding that is not known, too many, or bytes that are not of it. FULL: more
 * than `bytes_max`. */
enum status coding_take_off(struct text encoding, struct text body, size_t bytes_max, struct arena *arena,
                            struct text *body_out);

#endif
