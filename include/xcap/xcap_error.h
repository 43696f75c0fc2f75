/* The body of a 409: application/xcap-error+xml (RFC 4825 §11). */
#ifndef XCAP_XCAP_ERROR_H
#define XCAP_XCAP_ERROR_H

#include "arena.h"
#include "status.h"

/* For a refusal of kind REFUSAL_CONFLICT: the whole document, valid against RFC 4825 §11.2. */
struct text xcap_error_write(const struct refusal *refusal, struct arena *arena);

/* Reads what a constraint sheet emitted (an xcap-error document) into a refusal. FAILED when it is no such document. */
enum status xcap_error_read(struct text document, struct arena *arena, struct refusal *refusal);

#endif
