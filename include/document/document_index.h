/* The indexes of usages that can be searched (usage_search.h): whether they are complete, how they are built anew and
 * checked. Changes of documents keep them (document_change_run); only documents that were written under another
 * manifest lack entries. */
#ifndef DOCUMENT_DOCUMENT_INDEX_H
#define DOCUMENT_DOCUMENT_INDEX_H

#include "document.h"
#include "usage_search.h"

/* Do all documents of the tree have the entries that its manifest wants? */
enum status document_index_ready(const struct documents *documents, const struct usage *usage, enum xcap_tree tree,
                                 bool *ready_out);

/* At start, and when manifests were replaced: usages without documents are ready from now on. `missing_out`: how many
 * others are not, until they are rebuilt. */
enum status document_index_open(const struct documents *documents, size_t *missing_out);

struct document_index_work {
    size_t documents, changed; /* looked at; that had other entries */
};

/* Brings all entries of a usage to what its manifest wants, page by page, while documents are read and changed; then it
 * is ready. `stop` (may be NULL), when it becomes true, ends it after a page: CONFLICT. FULL, FAILED. */
enum status document_index_rebuild(const struct documents *documents, const struct usage *usage,
                                   const volatile bool *stop, struct document_index_work *work_out);

/* One line for each document of a ready usage whose entries are not what they should be. OK, CONFLICT: there are some,
 * FAILED. */
enum status document_index_check(const struct documents *documents, store_problem_fn *problem, void *context);

#endif
