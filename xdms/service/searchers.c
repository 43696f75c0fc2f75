/* Threads that run searches, a slice of each in turn: a long one makes short ones wait for a slice, not for its end. */
#include <pthread.h>
#include <stdlib.h>

#include "clock.h"
#include "service_search.h"

struct searchers {
    pthread_t threads[SEARCHER_THREADS];
    size_t threads_count;
    pthread_mutex_t lock; /* for what follows */
    pthread_cond_t filled;
    struct search_task *first;
    struct search_task **end;
    size_t waiting;
    bool closing;
    int64_t us_max; /* of one search, with what it waits */
};

static void *searchers_run(void *context);

struct searchers *searchers_new(int64_t us_max)
{
    struct searchers *searchers = memory_new(sizeof(*searchers));
    searchers->end = &searchers->first;
    searchers->us_max = us_max;
    pthread_mutex_init(&searchers->lock, NULL);
    pthread_cond_init(&searchers->filled, NULL);
    while (searchers->threads_count < SEARCHER_THREADS &&
           pthread_create(&searchers->threads[searchers->threads_count], NULL, searchers_run, searchers) == 0)
        searchers->threads_count++;
    return searchers;
}

void searchers_free(struct searchers *searchers)
{
    pthread_mutex_lock(&searchers->lock);
    searchers->closing = true;
    pthread_cond_broadcast(&searchers->filled);
    pthread_mutex_unlock(&searchers->lock);
    for (size_t i = 0; i < searchers->threads_count; i++)
        pthread_join(searchers->threads[i], NULL);
    pthread_cond_destroy(&searchers->filled);
    pthread_mutex_destroy(&searchers->lock);
    free(searchers);
}

static void add(struct searchers *searchers, struct search_task *task)
{
    task->next = NULL;
    *searchers->end = task;
    searchers->end = &task->next;
    searchers->waiting++;
    pthread_cond_signal(&searchers->filled);
}

static bool take(struct searchers *searchers, struct search_task *task)
{
    pthread_mutex_lock(&searchers->lock);
    bool fits = searchers->waiting < SEARCHES_WAITING_MAX && searchers->threads_count > 0;
    if (fits)
        add(searchers, task);
    pthread_mutex_unlock(&searchers->lock);
    return fits;
}

static struct search_task *next_task(struct searchers *searchers)
{
    while (!searchers->first && !searchers->closing)
        pthread_cond_wait(&searchers->filled, &searchers->lock);
    struct search_task *task = searchers->first;
    if (!task)
        return NULL;
    searchers->first = task->next;
    if (!searchers->first)
        searchers->end = &searchers->first;
    searchers->waiting--;
    return task;
}

static void *searchers_run(void *context)
{
    struct searchers *searchers = context;
    pthread_mutex_lock(&searchers->lock);
    for (struct search_task *task; (task = next_task(searchers));) {
        pthread_mutex_unlock(&searchers->lock);
        if (clock_monotonic_us() - task->began_us > searchers->us_max)
            search_expire(task->search);
        bool goes_on = search_run(task->search, SEARCH_SLICE) == SEARCH_GOES_ON;
        if (!goes_on) {
            task->ended = true;
            http_resume(task->request); /* the task may be gone after this */
        }
        pthread_mutex_lock(&searchers->lock);
        if (goes_on)
            add(searchers, task);
    }
    pthread_mutex_unlock(&searchers->lock);
    return NULL;
}

enum status search_task_run(struct searchers *searchers, struct search_task *task, enum http_progress *progress_out,
                            struct refusal *refusal)
{
    *progress_out = HTTP_DONE;
    if (task->ended)
        return OK;
    int64_t began_us = clock_monotonic_us();
    if (search_run(task->search, SEARCH_SLICE) == SEARCH_ENDED) {
        task->ended = true;
        return OK;
    }
    task->handed = true;
    task->began_us = began_us;
    if (!take(searchers, task))
        return refuse(refusal, REFUSAL_TOO_MANY, "Too many searches wait; try again in a moment.");
    *progress_out = HTTP_WAITING;
    return OK;
}

struct search_limits service_search_limits(const struct service *service)
{
    struct search_limits limits = SEARCH_LIMITS_STANDARD;
    if (service->settings.search_documents_max)
        limits.documents_max = service->settings.search_documents_max;
    if (service->settings.search_results_max)
        limits.results_max = service->settings.search_results_max;
    limits.work_max = 1000 * (uint64_t)limits.documents_max; /* a large document has some thousand nodes */
    return limits;
}
