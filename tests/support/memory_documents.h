/* Documents over a store in memory: without document services, for tests of internal documents, unless MEMORY_USAGES
 * says which. */
#ifndef MEMORY_DOCUMENTS_H
#define MEMORY_DOCUMENTS_H

#include "document.h"

#ifndef MEMORY_USAGES
#define MEMORY_USAGES NULL
#endif

static struct arena arena;
static struct store *store;
static struct documents *documents;

static int begin(void **state)
{
    (void)state;
    arena_init(&arena, "test");
    store = store_open_memory();
    documents = documents_new(store, MEMORY_USAGES);
    return 0;
}

static int end(void **state)
{
    (void)state;
    documents_free(documents);
    store_close(store);
    arena_clear(&arena);
    return 0;
}

#endif
