/* Lends caches of compiled groups and rules to threads. The one that was given back last goes first, since it knows
 * what was asked last. Knows nothing of what is decided. */
#include <pthread.h>

#include "group_private.h"

struct group_pool {
    pthread_mutex_t lock; /* held while one is taken from the stack or put on it, never while somebody decides */
    const struct documents *documents;
    struct group_settings settings;
    struct groups *idle;
};

struct group_pool *group_pool_new(const struct documents *documents, const struct group_settings *settings)
{
    struct group_pool *pool = memory_new(sizeof(*pool));
    pthread_mutex_init(&pool->lock, NULL);
    pool->documents = documents;
    pool->settings = *settings;
    return pool;
}

void group_pool_free(struct group_pool *pool)
{
    while (pool->idle) {
        struct groups *next = pool->idle->next;
        groups_free(pool->idle);
        pool->idle = next;
    }
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

/* What was compiled points into the usages of its time, so a change of those empties the cache. */
struct groups *group_pool_take(struct group_pool *pool, uint64_t generation)
{
    pthread_mutex_lock(&pool->lock);
    struct groups *groups = pool->idle;
    if (groups)
        pool->idle = groups->next;
    pthread_mutex_unlock(&pool->lock);
    if (!groups) {
        groups = groups_new(pool->documents, &pool->settings);
        groups->generation = generation;
    } else if (groups->generation != generation) {
        groups_begin(groups);
        groups->generation = generation;
    }
    return groups;
}

void group_pool_give(struct group_pool *pool, struct groups *groups)
{
    pthread_mutex_lock(&pool->lock);
    groups->next = pool->idle;
    pool->idle = groups;
    pthread_mutex_unlock(&pool->lock);
}
