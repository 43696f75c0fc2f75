/* What the files of this module share: pages of what is to be erased. */
#ifndef ERASURE_OWN_H
#define ERASURE_OWN_H

#include "erasure.h"

#define ERASURE_PAGE 200 /* records of one transaction: some ten milliseconds, which others wait for at most */

struct erasure_page {
    struct commit *commits; /* with room for one more */
    size_t count;
    size_t items;   /* records that go: some need several commits */
    size_t waiting; /* the first of the commits: of messages that waited until now */
};

/* In the arena. */
enum status erasure_page_of(const struct documents *documents, const struct erasure *erasure, enum erasure_kind kind,
                            struct arena *arena, struct erasure_page *page_out);

#endif
