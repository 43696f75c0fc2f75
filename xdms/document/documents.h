/* What the files of the document module share. */
#ifndef DOCUMENT_DOCUMENTS_H
#define DOCUMENT_DOCUMENTS_H

#include <stdatomic.h>

#include "document.h"

struct documents {
    struct store *store;
    _Atomic(const struct usage_set *) usages;
    struct document_readers *readers; /* apart, since who reads has `const struct documents` */
    struct document_gates *gates;
    struct document_made *made;
    struct document_nodes *nodes;
    const struct document_records *records[USAGE_SOURCES];
};

/* read_node.c: documents kept for the sake of their nodes. */
struct document_nodes *document_nodes_new(void);
void document_nodes_free(struct document_nodes *nodes);

/* gate.c */
struct document_gates *document_gates_new(void);
void document_gates_free(struct document_gates *gates);
/* False: another change works on the document; `waiter` is called when it is this one's turn, perhaps before this
 * returns. Every change that entered leaves. */
bool gate_enter(struct document_gates *gates, const struct document_key *key, struct gate_waiter *waiter);
void gate_enter_wait(struct document_gates *gates, const struct document_key *key);
void gate_leave(struct document_gates *gates, const struct document_key *key);

/* in_force.c */
struct document_readers *document_readers_new(void);
void document_readers_free(struct document_readers *readers);

/* Which documents a computed one is made of: all (neither is given), a part, or the one that holds a claim. */
struct document_choice {
    const struct document_part *part;
    const struct document_key *holder;
};

/* computed.c: a computed document, made now; its version follows its bytes. NOT_FOUND, FULL, FAILED. */
enum status document_compute(const struct documents *documents, const struct document_place *place,
                             const struct document_choice *choice, struct arena *arena, struct stored *found_out,
                             struct text *next_out);

/* listing.c: what the sheet of a computed document reads (docs/new-usage.md). */
enum status document_listing(const struct documents *documents, const struct document_place *place,
                             const struct document_choice *choice, struct text_builder *listing, struct text *next_out);

/* made.c: documents made of contents, kept while they hold. The one that is found has bytes and a version; a document
 * is kept with the number of the newest change before its parts were read. */
struct document_made *document_made_new(void);
void document_made_free(struct document_made *made);
void document_made_forget(struct document_made *made); /* all: their usages go */
bool document_made_find(const struct documents *documents, const struct document_place *place, struct arena *arena,
                        struct stored *found_out);
void document_made_keep(const struct documents *documents, const struct document_place *place, uint64_t change,
                        const struct stored *found);

/* Is it one of the internal usages, which XCAP must not reach? */
bool documents_internal(const struct document_key *key);
void documents_mark_quiet(struct commit *commits, size_t count); /* those of usages whose changes nobody follows */

/* records.c: deletion of what a computed document is made of. */
/* True when there is something to commit; else the change has its status. */
bool document_records_prepare(struct document_change *change);
bool document_records_conclude(struct document_change *change); /* as change_conclude */
enum status document_records_list(const struct documents *documents, const struct document_place *place,
                                  const struct document_part *part, struct text_builder *listing,
                                  struct text *next_out);
bool document_change_fits(struct document_change *change, const struct stored *current); /* change.c: the conditions */

/* change_conflict.c: turns a taken claim into 409 uniqueness-failure with values that are free (RFC 4825 §11.1).
 * `taken` is one that is known to be taken, or empty: then OK when none of the change's claims is. */
enum status change_refuse_taken(const struct document_change *change, struct text taken, struct arena *arena,
                                struct refusal *refusal);

#endif
