/* One thread for requests that wait for the disk inside: the workers of the port go on serving others. Tasks are done
 * one after another, in the order in which they came. */
#include <pthread.h>
#include <stdlib.h>

#include "service_own.h"

struct clerk {
    pthread_t thread;
    pthread_mutex_t lock; /* for what follows */
    pthread_cond_t filled;
    struct clerk_task *first;
    struct clerk_task **end;
    bool closing;
};

static void *clerk_run(void *context);

struct clerk *clerk_new(void)
{
    struct clerk *clerk = memory_new(sizeof(*clerk));
    clerk->end = &clerk->first;
    pthread_mutex_init(&clerk->lock, NULL);
    pthread_cond_init(&clerk->filled, NULL);
    if (pthread_create(&clerk->thread, NULL, clerk_run, clerk) == 0)
        return clerk;
    pthread_cond_destroy(&clerk->filled);
    pthread_mutex_destroy(&clerk->lock);
    free(clerk);
    return NULL;
}

void clerk_free(struct clerk *clerk)
{
    if (!clerk)
        return;
    pthread_mutex_lock(&clerk->lock);
    clerk->closing = true;
    pthread_cond_signal(&clerk->filled);
    pthread_mutex_unlock(&clerk->lock);
    pthread_join(clerk->thread, NULL);
    pthread_cond_destroy(&clerk->filled);
    pthread_mutex_destroy(&clerk->lock);
    free(clerk);
}

void clerk_take(struct clerk *clerk, struct clerk_task *task)
{
    task->next = NULL;
    pthread_mutex_lock(&clerk->lock);
    *clerk->end = task;
    clerk->end = &task->next;
    pthread_cond_signal(&clerk->filled);
    pthread_mutex_unlock(&clerk->lock);
}

static struct clerk_task *next_task(struct clerk *clerk)
{
    pthread_mutex_lock(&clerk->lock);
    while (!clerk->first && !clerk->closing)
        pthread_cond_wait(&clerk->filled, &clerk->lock);
    struct clerk_task *task = clerk->first;
    if (task)
        clerk->first = task->next;
    if (!clerk->first)
        clerk->end = &clerk->first;
    pthread_mutex_unlock(&clerk->lock);
    return task;
}

static void *clerk_run(void *context)
{
    struct clerk *clerk = context;
    for (struct clerk_task *task; (task = next_task(clerk));)
        task->run(task); /* the task may be gone after this */
    return NULL;
}
