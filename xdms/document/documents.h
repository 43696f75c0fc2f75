/* What the files of the document module share. */
#ifndef DOCUMENT_DOCUMENTS_H
#define DOCUMENT_DOCUMENTS_H

#include <stdatomic.h>

#include "document.h"

struct documents {
    struct store *store;
    _Atomic(const struct usage_set *) usages;
    struct document_readers *readers; /* apart, since who reads has `const struct documents` */
};

/* in_force.c */
struct document_readers *document_readers_new(void);
void document_readers_free(struct document_readers *readers);

/* computed.c: the bytes of a computed document, made now. NOT_FOUND, FULL, FAILED. */
enum status document_compute(const struct documents *documents, const struct document_place *place, struct arena *arena,
                             struct text *bytes_out);

/* Is it one of the internal usages, which XCAP must not reach? */
bool documents_internal(const struct document_key *key);

/* change_conflict.c: turns a taken claim into 409 uniqueness-failure with values that are free (RFC 4825 §11.1).
 * `taken` is one that is known to be taken, or empty: then OK when none of the change's claims is. */
enum status change_refuse_taken(const struct document_change *change, struct text taken, struct arena *arena,
                                struct refusal *refusal);

#endif
