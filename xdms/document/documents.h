/* What the files of the document module share. */
#ifndef DOCUMENT_DOCUMENTS_H
#define DOCUMENT_DOCUMENTS_H

#include "document.h"

struct documents {
    struct store *store;
    const struct usage_set *usages;
};

/* Is it one of the internal usages, which XCAP must not reach? */
bool documents_internal(const struct document_key *key);

/* change_conflict.c: turns a taken claim into 409 uniqueness-failure with values that are free (RFC 4825 §11.1).
 * `taken` is one that is known to be taken, or empty: then OK when none of the change's claims is. */
enum status change_refuse_taken(const struct document_change *change, struct text taken, struct arena *arena,
                                struct refusal *refusal);

#endif
