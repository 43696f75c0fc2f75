/* Which usages are in force, and when those that were may go: each request counts in the generation that it entered.
 * A replaced set is used by its own generation and by nobody later, since the next replacement waits for it. */
#include <pthread.h>
#include <stdlib.h>

#include "documents.h"

#define GENERATIONS 2 /* the present one, and the one before while it is still in use */

struct document_readers {
    _Atomic uint64_t generation;
    _Atomic size_t inside[GENERATIONS];
    pthread_mutex_t lock; /* of those who replace */
    bool retiring;        /* a set was replaced and documents_retired has not told yet that it may go */
};

struct document_readers *document_readers_new(void)
{
    struct document_readers *readers = memory_new(sizeof(*readers));
    pthread_mutex_init(&readers->lock, NULL);
    atomic_init(&readers->generation, 1);
    return readers;
}

void document_readers_free(struct document_readers *readers)
{
    pthread_mutex_destroy(&readers->lock);
    free(readers);
}

/* Counted first and looked at again then: who counted in a generation that had passed by has touched nothing of it. */
uint64_t documents_enter(const struct documents *documents)
{
    struct document_readers *readers = documents->readers;
    for (;;) {
        uint64_t generation = atomic_load(&readers->generation);
        atomic_fetch_add(&readers->inside[generation % GENERATIONS], 1);
        if (generation == atomic_load(&readers->generation))
            return generation;
        documents_leave(documents, generation);
    }
}

void documents_leave(const struct documents *documents, uint64_t generation)
{
    atomic_fetch_sub(&documents->readers->inside[generation % GENERATIONS], 1);
}

bool documents_replace(struct documents *documents, const struct usage_set *usages)
{
    struct document_readers *readers = documents->readers;
    pthread_mutex_lock(&readers->lock);
    bool free = !readers->retiring;
    if (free) {
        atomic_store(&documents->usages, usages);
        atomic_fetch_add(&readers->generation, 1);
        readers->retiring = true;
    }
    pthread_mutex_unlock(&readers->lock);
    if (free)
        document_made_forget(documents->made);
    return free;
}

bool documents_retired(struct documents *documents)
{
    struct document_readers *readers = documents->readers;
    pthread_mutex_lock(&readers->lock);
    uint64_t before = atomic_load(&readers->generation) - 1;
    bool retired = readers->retiring && atomic_load(&readers->inside[before % GENERATIONS]) == 0;
    if (retired)
        readers->retiring = false;
    pthread_mutex_unlock(&readers->lock);
    if (retired) /* what the last of its readers kept */
        document_made_forget(documents->made);
    return retired;
}
