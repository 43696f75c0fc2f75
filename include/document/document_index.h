/* The indexes of usages that can be searched (usage_search.h): whether they are complete, how they are built anew and
 * checked, and what they lead to. The store keeps them with each change of a document (store_index.h). */
#ifndef DOCUMENT_DOCUMENT_INDEX_H
#define DOCUMENT_DOCUMENT_INDEX_H

#include "document.h"
#include "store_index.h"
#include "usage_search.h"

/* Do all documents of the tree have the entries that its manifest wants? */
enum status document_index_ready(const struct documents *documents, const struct usage *usage, enum xcap_tree tree,
                                 bool *ready_out);

/* At start, and when manifests were replaced: usages without documents are ready from now on. `missing_out`: how many
 * others are not, until they are rebuilt. */
enum status document_index_open(const struct documents *documents, size_t *missing_out);

/* Makes all entries of a usage as its manifest wants them, while documents are read and changed; then it is ready.
 * `stop` as in store_index_build: CONFLICT. FULL, FAILED. */
enum status document_index_rebuild(const struct documents *documents, const struct usage *usage,
                                   const volatile bool *stop, struct store_index_work *work_out);

/* store_index_find: NOT_FOUND as long as the index is not ready. */
enum status document_index_find(const struct documents *documents, const struct usage *usage, enum xcap_tree tree,
                                const struct store_look_up *look_up, size_t most, struct arena *arena,
                                struct document_key **keys_out, size_t *count_out);

/* One line for each document of a ready usage whose entries are not what they should be. OK, CONFLICT: there are some,
 * FAILED. */
enum status document_index_check(const struct documents *documents, store_problem_fn *problem, void *context);

/* What the store works entries out with; `documents` is the context. */
store_indexer_fn document_index_entries;

#endif
