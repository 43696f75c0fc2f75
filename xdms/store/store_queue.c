/* The committer: collects submissions from all threads and has them committed in batches by one thread of its own, so
 * that many commits share one flush to the disk. Knows no engine. */
#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "store_engine.h"

#define BATCH_COMMITS_MAX 4096 /* past some hundred the flush is no longer the cost; bounds the time of the first */
#define BATCH_BYTES_MAX   (32u << 20) /* keeps the pages that one transaction dirties in memory far below its limit */

struct submission {
    struct submission *next;
    struct commit *commits;
    size_t count;
    commit_done_fn *done;
    void *context;
};

struct store_queue {
    queue_commit_fn *commit;
    void *state;
    pthread_t thread;

    pthread_mutex_t lock; /* for what follows */
    pthread_cond_t filled;
    struct submission *first;
    struct submission **end;
    size_t waiting; /* commits in the list */
    bool closing;
};

static void *committer_run(void *context);

struct store_queue *queue_new(queue_commit_fn *commit, void *state)
{
    struct store_queue *queue = memory_new(sizeof(*queue));
    queue->commit = commit;
    queue->state = state;
    queue->end = &queue->first;
    pthread_mutex_init(&queue->lock, NULL);
    pthread_cond_init(&queue->filled, NULL);
    if (pthread_create(&queue->thread, NULL, committer_run, queue) == 0)
        return queue;
    pthread_cond_destroy(&queue->filled);
    pthread_mutex_destroy(&queue->lock);
    free(queue);
    return NULL;
}

void queue_free(struct store_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->closing = true;
    pthread_cond_signal(&queue->filled);
    pthread_mutex_unlock(&queue->lock);
    pthread_join(queue->thread, NULL);
    assert(!queue->first);
    pthread_cond_destroy(&queue->filled);
    pthread_mutex_destroy(&queue->lock);
    free(queue);
}

void queue_submit(struct store_queue *queue, struct commit *commits, size_t count, commit_done_fn *done, void *context)
{
    struct submission *submission = memory_new(sizeof(*submission));
    *submission = (struct submission){.commits = commits, .count = count, .done = done, .context = context};

    pthread_mutex_lock(&queue->lock);
    assert(!queue->closing);
    bool room = count <= STORE_QUEUE_MAX - queue->waiting;
    if (room) {
        *queue->end = submission;
        queue->end = &submission->next;
        queue->waiting += count;
        pthread_cond_signal(&queue->filled);
    }
    pthread_mutex_unlock(&queue->lock);

    if (!room) {
        free(submission);
        commits_refuse(commits, count, FULL);
        done(context);
    }
}

static size_t submission_bytes(const struct submission *submission)
{
    size_t bytes = 0;
    for (size_t i = 0; i < submission->count; i++)
        bytes += submission->commits[i].bytes.length;
    return bytes;
}

/* At least one submission, and as many more as fit; NULL when the queue is empty and closing. */
static struct submission *take_batch(struct store_queue *queue, size_t *count_out)
{
    pthread_mutex_lock(&queue->lock);
    while (!queue->first && !queue->closing)
        pthread_cond_wait(&queue->filled, &queue->lock);
    struct submission *batch = queue->first;
    struct submission **place = &queue->first;
    size_t count = 0;
    size_t bytes = 0;
    while (*place) {
        bytes += submission_bytes(*place);
        if (place != &queue->first && (count + (*place)->count > BATCH_COMMITS_MAX || bytes > BATCH_BYTES_MAX))
            break;
        count += (*place)->count;
        place = &(*place)->next;
    }
    queue->first = *place;
    if (!queue->first)
        queue->end = &queue->first;
    queue->waiting -= count;
    if (batch)
        *place = NULL;
    pthread_mutex_unlock(&queue->lock);
    *count_out = count;
    return batch;
}

static void commit_batch(struct store_queue *queue, struct submission *batch, size_t count)
{
    struct commit **commits = memory_new(sizeof(struct commit *) * (count + 1));
    size_t filled = 0;
    for (struct submission *submission = batch; submission; submission = submission->next)
        for (size_t i = 0; i < submission->count; i++)
            commits[filled++] = &submission->commits[i];
    queue->commit(queue->state, commits, count);
    free(commits);
}

static void *committer_run(void *context)
{
    struct store_queue *queue = context;
    for (;;) {
        size_t count;
        struct submission *batch = take_batch(queue, &count);
        if (!batch)
            return NULL;
        commit_batch(queue, batch, count);
        while (batch) {
            struct submission *next = batch->next;
            batch->done(batch->context); /* the commits may be gone after this */
            free(batch);
            batch = next;
        }
    }
}
