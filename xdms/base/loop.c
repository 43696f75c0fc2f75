/* Level-triggered epoll: what a call leaves unread is reported again, so a batch may be cut short at any event. Signals
 * and posted calls are descriptors like the others. */
#include "loop.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "arena.h"
#include "clock.h"

#define BATCH_MAX   64 /* events taken at once; the deadline is asked in between */
#define SIGNALS_MAX 65 /* Linux counts signals from 1 to 64 */

struct watch {
    loop_fd_fn *call; /* NULL: not watched */
    void *context;
    unsigned events;
    bool in_epoll;
    uint32_t generation; /* of the last loop_watch that was not a change */
};

struct call {
    loop_fn *call;
    void *context;
};

struct call_queue {
    struct call *calls;
    size_t count, capacity;
};

struct loop {
    int epoll_fd, wake_fd, signal_fd; /* signal_fd: -1 until the first loop_signal */
    struct watch *watches;            /* by descriptor */
    size_t watch_capacity;
    uint32_t generation;
    struct call signal_calls[SIGNALS_MAX];
    sigset_t signals;
    loop_deadline_fn *deadline_call;
    void *deadline_context;
    atomic_bool stopped;
    pthread_mutex_t post_lock; /* guards `posted` and `asleep` */
    struct call_queue posted;
    bool asleep;               /* …and nobody has woken it; awake, it looks at what was posted before it sleeps */
    struct call_queue running; /* the loop's thread only */
};

/* The kernel refuses these calls when it is out of memory or descriptors, at start or never. */
static _Noreturn void loop_fail(const char *what)
{
    fprintf(stderr, "event loop: %s: %s\n", what, strerror(errno));
    abort();
}

static void wake(struct loop *loop)
{
    uint64_t one = 1;
    ssize_t written;
    do
        written = write(loop->wake_fd, &one, sizeof(one));
    while (written < 0 && errno == EINTR);
    /* EAGAIN: the counter is full, so the loop is about to wake anyway. */
    assert(written == (ssize_t)sizeof(one) || errno == EAGAIN);
}

static void clear_wake(void *context, int fd, unsigned events)
{
    (void)context;
    (void)events;
    uint64_t count;
    ssize_t got = read(fd, &count, sizeof(count));
    (void)got;
}

/* False: something has been posted. */
static bool fall_asleep(struct loop *loop)
{
    pthread_mutex_lock(&loop->post_lock);
    loop->asleep = loop->posted.count == 0;
    bool asleep = loop->asleep;
    pthread_mutex_unlock(&loop->post_lock);
    return asleep;
}

static void run_posted(struct loop *loop)
{
    pthread_mutex_lock(&loop->post_lock);
    loop->asleep = false;
    struct call_queue taken = loop->posted;
    loop->posted = loop->running;
    pthread_mutex_unlock(&loop->post_lock);
    for (size_t i = 0; i < taken.count; i++)
        taken.calls[i].call(taken.calls[i].context);
    taken.count = 0;
    loop->running = taken;
}

struct loop *loop_new(void)
{
    struct loop *loop = memory_new(sizeof(*loop));
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll_fd < 0)
        loop_fail("epoll_create1");
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->wake_fd < 0)
        loop_fail("eventfd");
    loop->signal_fd = -1;
    sigemptyset(&loop->signals);
    pthread_mutex_init(&loop->post_lock, NULL);
    loop_watch(loop, loop->wake_fd, LOOP_READ, clear_wake, NULL);
    return loop;
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    close(loop->epoll_fd);
    close(loop->wake_fd);
    if (loop->signal_fd >= 0)
        close(loop->signal_fd);
    pthread_mutex_destroy(&loop->post_lock);
    free(loop->posted.calls);
    free(loop->running.calls);
    free(loop->watches);
    free(loop);
}

static struct watch *watch_of(struct loop *loop, int fd)
{
    assert(fd >= 0);
    size_t needed = (size_t)fd + 1;
    if (needed > loop->watch_capacity) {
        size_t capacity = loop->watch_capacity ? loop->watch_capacity : BATCH_MAX;
        while (capacity < needed)
            capacity *= 2;
        loop->watches = memory_resize(loop->watches, capacity * sizeof(struct watch));
        memset(loop->watches + loop->watch_capacity, 0, (capacity - loop->watch_capacity) * sizeof(struct watch));
        loop->watch_capacity = capacity;
    }
    return &loop->watches[fd];
}

/* epoll reports hang-ups even to who wants no events, which would spin: such a descriptor is taken out. */
static void tell_epoll(struct loop *loop, int fd, struct watch *watch)
{
    struct epoll_event event = {.data.u64 = (uint64_t)watch->generation << 32 | (uint32_t)fd};
    event.events = (watch->events & LOOP_READ ? EPOLLIN : 0) | (watch->events & LOOP_WRITE ? EPOLLOUT : 0);
    if (watch->events == 0) {
        if (watch->in_epoll)
            epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
        watch->in_epoll = false;
        return;
    }
    /* Closing a descriptor takes it out of epoll behind our back; the number may have come back since. */
    if (watch->in_epoll && epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, fd, &event) == 0)
        return;
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
        loop_fail("epoll_ctl");
    watch->in_epoll = true;
}

void loop_watch(struct loop *loop, int fd, unsigned events, loop_fd_fn *call, void *context)
{
    assert(call && (events & ~(unsigned)(LOOP_READ | LOOP_WRITE)) == 0);
    struct watch *watch = watch_of(loop, fd);
    if (!watch->call)
        watch->generation = ++loop->generation;
    watch->call = call;
    watch->context = context;
    watch->events = events;
    tell_epoll(loop, fd, watch);
}

void loop_unwatch(struct loop *loop, int fd)
{
    struct watch *watch = watch_of(loop, fd);
    watch->events = 0;
    tell_epoll(loop, fd, watch);
    *watch = (struct watch){0};
}

static void take_signals(void *context, int fd, unsigned events)
{
    (void)events;
    struct loop *loop = context;
    struct signalfd_siginfo arrived;
    while (read(fd, &arrived, sizeof(arrived)) == (ssize_t)sizeof(arrived)) {
        assert(arrived.ssi_signo < SIGNALS_MAX);
        struct call call = loop->signal_calls[arrived.ssi_signo];
        if (call.call)
            call.call(call.context);
    }
}

void loop_signal(struct loop *loop, int signal_number, loop_fn *call, void *context)
{
    assert(signal_number > 0 && signal_number < SIGNALS_MAX && call);
    loop->signal_calls[signal_number] = (struct call){call, context};
    sigaddset(&loop->signals, signal_number);
    if (pthread_sigmask(SIG_BLOCK, &loop->signals, NULL) != 0)
        loop_fail("pthread_sigmask");
    int fd = signalfd(loop->signal_fd, &loop->signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        loop_fail("signalfd");
    if (loop->signal_fd < 0)
        loop_watch(loop, fd, LOOP_READ, take_signals, loop);
    loop->signal_fd = fd;
}

void loop_set_deadline(struct loop *loop, loop_deadline_fn *call, void *context)
{
    loop->deadline_call = call;
    loop->deadline_context = context;
}

void loop_post(struct loop *loop, loop_fn *call, void *context)
{
    assert(call);
    pthread_mutex_lock(&loop->post_lock);
    struct call_queue *queue = &loop->posted;
    if (queue->count == queue->capacity) {
        queue->capacity = queue->capacity ? queue->capacity * 2 : BATCH_MAX;
        queue->calls = memory_resize(queue->calls, queue->capacity * sizeof(struct call));
    }
    queue->calls[queue->count++] = (struct call){call, context};
    /* Inside the lock: the loop may be freed as soon as the call has run. */
    if (loop->asleep)
        wake(loop);
    loop->asleep = false;
    pthread_mutex_unlock(&loop->post_lock);
}

/* Runs what is due; how long the loop may sleep then. */
static int sleep_ms(struct loop *loop)
{
    if (!loop->deadline_call)
        return -1;
    int64_t now_ms = clock_monotonic_ms();
    int64_t next_ms = loop->deadline_call(loop->deadline_context, now_ms);
    if (next_ms == INT64_MAX)
        return -1;
    if (next_ms <= now_ms)
        return 0;
    return next_ms - now_ms < INT_MAX ? (int)(next_ms - now_ms) : INT_MAX;
}

/* An earlier event of the batch may have ended the watch, changed it or given the number to another descriptor. */
static void deliver(struct loop *loop, const struct epoll_event *event)
{
    int fd = (int)(event->data.u64 & UINT32_MAX);
    struct watch watch = *watch_of(loop, fd);
    if (!watch.call || watch.generation != event->data.u64 >> 32)
        return;
    unsigned events = 0;
    if (event->events & (EPOLLIN | EPOLLERR | EPOLLHUP))
        events |= LOOP_READ;
    if (event->events & (EPOLLOUT | EPOLLERR | EPOLLHUP))
        events |= LOOP_WRITE;
    events &= watch.events;
    if (events)
        watch.call(watch.context, fd, events);
}

void loop_run(struct loop *loop)
{
    struct epoll_event batch[BATCH_MAX];
    while (!atomic_load(&loop->stopped)) {
        int timeout_ms = sleep_ms(loop);
        if (atomic_load(&loop->stopped))
            break;
        if (timeout_ms != 0 && !fall_asleep(loop))
            timeout_ms = 0;
        int count = epoll_wait(loop->epoll_fd, batch, BATCH_MAX, timeout_ms);
        if (count < 0 && errno != EINTR)
            loop_fail("epoll_wait");
        for (int i = 0; i < count && !atomic_load(&loop->stopped); i++)
            deliver(loop, &batch[i]);
        if (!atomic_load(&loop->stopped))
            run_posted(loop);
    }
    /* Cleared here and not at the start, so that a stop that comes early counts. */
    atomic_store(&loop->stopped, false);
}

void loop_stop(struct loop *loop)
{
    atomic_store(&loop->stopped, true);
    wake(loop);
}
