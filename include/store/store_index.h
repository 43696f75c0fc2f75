/* Indexes: entries that lead to documents. Which a document has is worked out from its bytes by whoever knows what they
 * mean (the indexer); the store keeps them in the transaction of the document, gives each document in an index a
 * number, and joins lists of numbers. docs/decisions/indexes-of-numbers.md says why so. */
#ifndef STORE_STORE_INDEX_H
#define STORE_STORE_INDEX_H

#include "store.h"

#define STORE_FIELDS_MAX      250 /* a field's number is one byte of each key; 0 and those above mean something */
#define STORE_ENTRY_VALUE_MAX 128 /* bytes of an entry's value: whoever makes longer ones cuts them */

/* The documents of a usage that have an owner, or those that have none. */
struct store_index {
    struct text usage;
    bool owned;
};

/* Field 0 with an empty value: of a document that is found whatever is looked for. */
struct store_entry {
    unsigned char field;
    struct text value;
};

struct store_entries {
    uint64_t signature; /* of the rules by which entries are made; 0: there is no index for such documents */
    const struct store_entry *list; /* in order of (field, value), none twice */
    size_t count;
};

/* Works out the entries of a document, on any thread, also inside the transaction of a change. */
typedef void store_indexer_fn(void *context, const struct document_key *key, struct text bytes, struct arena *arena,
                              struct store_entries *entries_out);

/* From now on; NULL: nobody, if it was the one with this context. An index whose document is changed without an
 * indexer, or by one with other rules, is given up: it is not ready until it is built. */
void store_indexer_set(struct store *store, store_indexer_fn *indexer, void *context);

/* Are the entries of all documents there, as these rules make them? OK, FAILED. */
enum status store_index_ready(struct store *store, const struct store_index *index, uint64_t signature,
                              bool *ready_out);

/* Ready from now on if there are no documents. CONFLICT: there are some. FULL, FAILED. */
enum status store_index_begin(struct store *store, const struct store_index *index, uint64_t signature);

struct store_index_work {
    uint64_t documents, entries;
};

/* Makes all entries anew while documents are read and changed. An index that was ready answers until the new one does.
 * `stop` (may be NULL), when it becomes true, ends it: CONFLICT; also when the indexer has other rules, or another
 * begins to build the same. FULL, FAILED. */
enum status store_index_build(struct store *store, const struct store_index *index, uint64_t signature,
                              const volatile bool *stop, struct store_index_work *work_out);

/* What is looked for. */
struct store_look_up {
    enum { STORE_LOOK_UP_ENTRY, STORE_LOOK_UP_ANY, STORE_LOOK_UP_ALL } kind;
    unsigned char field; /* of entries… */
    struct text value;   /* …with this value… */
    bool whole;          /* …else all that begin with it */
    const struct store_look_up *a, *b;
};

/* All documents that the look-up leads to and perhaps some more (of ALL, what the longer list sorts out may be left
 * in), in order of (owner, name), as far as `most`. FULL: there may be more than these. NOT_FOUND: the index is not
 * ready. */
enum status store_index_find(struct store *store, const struct store_index *index, uint64_t signature,
                             const struct store_look_up *look_up, size_t most, struct arena *arena,
                             struct document_key **keys_out, size_t *count_out);

/* Compares a ready index with all its documents, in one state of the store. OK: right, or not ready; CONFLICT: there
 * was a problem; FAILED. */
enum status store_index_check(struct store *store, const struct store_index *index, uint64_t signature,
                              store_problem_fn *problem, void *context);

#endif
