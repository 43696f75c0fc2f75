/* The door: one thread that accepts connections up to a limit, shows those out whose deadline has passed, lets the
 * last bytes of refused ones run dry, and does the odd job. Knows descriptors and times, nothing of HTTP. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "clock.h"
#include "http_private.h"

#define ACCEPTS_MAX     64     /* in one turn, so that deadlines are looked at under a flood of connections */
#define LINGERERS_MAX   64     /* the refused who are still sending; more are closed at once */
#define LINGER_MS       2000   /* long enough for an answer to cross the world, short enough to be no burden */
#define LINGER_READ_MAX 262144 /* bytes of one lingerer in one turn: the others want theirs too */

struct lingerer {
    int fd;
    int64_t end_ms;
};

struct http_door {
    struct http_door_settings settings;
    pthread_t thread;
    int bell; /* eventfd: wakes the thread */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* under the lock */
    struct http_visitor *visitors;
    unsigned visitors_count; /* admitted and not yet left, also those on their way to http_door_enter */
    struct http_job *jobs, **jobs_end;
    int refused[LINGERERS_MAX]; /* descriptors about to linger */
    size_t refused_count;
    bool shut, closed;
    /* the thread's own */
    struct lingerer lingerers[LINGERERS_MAX];
    size_t lingerers_count;
    int64_t next_look_ms;
    bool accept_paused; /* no descriptors left: try again after a tick */
};

static void *door_run(void *argument);
static void wait_for_events(struct http_door *door);
static void accept_some(struct http_door *door);
static bool admit_one(struct http_door *door);
static void show_out_late(struct http_door *door, int64_t now_ms);
static void notice_end(struct http_visitor *visitor);
static void take_refused(struct http_door *door, int64_t now_ms);
static void drain_lingerers(struct http_door *door, int64_t now_ms);
static bool drained(int fd);
static void run_jobs(struct http_door *door);
static void ring(struct http_door *door);

bool http_door_open(const struct http_door_settings *settings, struct http_door **door_out)
{
    struct http_door *door = memory_new(sizeof(*door));
    door->settings = *settings;
    door->jobs_end = &door->jobs;
    door->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&door->lock, NULL);
    pthread_cond_init(&door->changed, NULL);
    *door_out = door;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the program's loop's affair */
    int error = door->bell < 0 ? errno : pthread_create(&door->thread, NULL, door_run, door);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!error)
        return true;
    if (door->bell >= 0)
        close(door->bell);
    close(settings->listener);
    free(door);
    *door_out = NULL;
    return false;
}

void http_door_enter(struct http_door *door, struct http_visitor *visitor)
{
    pthread_mutex_lock(&door->lock);
    visitor->previous = NULL;
    visitor->next = door->visitors;
    if (visitor->next)
        visitor->next->previous = visitor;
    door->visitors = visitor;
    if (!visitor->next)
        ring(door); /* the thread may be asleep for want of deadlines */
    pthread_mutex_unlock(&door->lock);
}

void http_door_leave(struct http_door *door, struct http_visitor *visitor)
{
    pthread_mutex_lock(&door->lock);
    if (visitor->next)
        visitor->next->previous = visitor->previous;
    if (visitor->previous)
        visitor->previous->next = visitor->next;
    else
        door->visitors = visitor->next;
    if (door->visitors_count-- == door->settings.visitors_max)
        ring(door);
    pthread_mutex_unlock(&door->lock);
}

void http_door_linger(struct http_door *door, int fd)
{
    pthread_mutex_lock(&door->lock);
    bool room = door->refused_count < LINGERERS_MAX && !door->closed;
    if (room) {
        door->refused[door->refused_count++] = fd;
        ring(door);
    }
    pthread_mutex_unlock(&door->lock);
    if (!room)
        close(fd);
}

void http_door_post(struct http_door *door, struct http_job *job)
{
    pthread_mutex_lock(&door->lock);
    job->next = NULL;
    *door->jobs_end = job;
    door->jobs_end = &job->next;
    ring(door);
    pthread_mutex_unlock(&door->lock);
}

void http_door_shut(struct http_door *door)
{
    pthread_mutex_lock(&door->lock);
    door->shut = true;
    ring(door);
    while (door->settings.listener >= 0)
        pthread_cond_wait(&door->changed, &door->lock);
    pthread_mutex_unlock(&door->lock);
}

void http_door_close(struct http_door *door)
{
    pthread_mutex_lock(&door->lock);
    door->shut = true;
    door->closed = true;
    ring(door);
    pthread_mutex_unlock(&door->lock);
    pthread_join(door->thread, NULL);
    for (size_t i = 0; i < door->lingerers_count; i++)
        close(door->lingerers[i].fd);
    close(door->bell);
    pthread_cond_destroy(&door->changed);
    pthread_mutex_destroy(&door->lock);
    free(door);
}

static void ring(struct http_door *door)
{
    uint64_t one = 1;
    ssize_t written = write(door->bell, &one, sizeof(one));
    (void)written; /* fails only when it rings already */
}

static void *door_run(void *argument)
{
    struct http_door *door = argument;
    for (;;) {
        wait_for_events(door);
        run_jobs(door);
        pthread_mutex_lock(&door->lock);
        if (door->shut && door->settings.listener >= 0) {
            close(door->settings.listener);
            door->settings.listener = -1;
            pthread_cond_broadcast(&door->changed);
        }
        bool closed = door->closed;
        int64_t now_ms = clock_monotonic_ms();
        take_refused(door, now_ms);
        if (now_ms >= door->next_look_ms) {
            show_out_late(door, now_ms);
            door->next_look_ms = now_ms + door->settings.tick_ms;
            door->accept_paused = false;
        }
        pthread_mutex_unlock(&door->lock);
        drain_lingerers(door, now_ms);
        if (closed)
            return NULL;
        if (door->settings.listener >= 0)
            accept_some(door);
    }
}

static void wait_for_events(struct http_door *door)
{
    struct pollfd polled[2 + LINGERERS_MAX] = {{.fd = door->bell, .events = POLLIN}};
    pthread_mutex_lock(&door->lock);
    bool full = door->visitors_count >= door->settings.visitors_max;
    polled[1].fd = full || door->accept_paused ? -1 : door->settings.listener;
    polled[1].events = POLLIN;
    size_t count = 2;
    for (size_t i = 0; i < door->lingerers_count; i++)
        polled[count++] = (struct pollfd){.fd = door->lingerers[i].fd, .events = POLLIN};
    bool timed = door->visitors || door->lingerers_count || door->accept_paused;
    pthread_mutex_unlock(&door->lock);
    poll(polled, count, timed ? (int)door->settings.tick_ms : -1);
    uint64_t rings;
    ssize_t got = read(door->bell, &rings, sizeof(rings));
    (void)got; /* nothing there is fine */
}

static void accept_some(struct http_door *door)
{
    for (int i = 0; i < ACCEPTS_MAX; i++)
        if (!admit_one(door))
            return;
}

static bool admit_one(struct http_door *door)
{
    pthread_mutex_lock(&door->lock);
    bool room = door->visitors_count < door->settings.visitors_max;
    pthread_mutex_unlock(&door->lock);
    if (!room) /* further ones wait in the kernel's queue */
        return false;
    struct sockaddr_storage peer = {0};
    socklen_t peer_size = sizeof(peer);
    int fd = accept4(door->settings.listener, (struct sockaddr *)&peer, &peer_size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        door->accept_paused = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
        return errno == ECONNABORTED || errno == EINTR;
    }
    pthread_mutex_lock(&door->lock);
    door->visitors_count++;
    pthread_mutex_unlock(&door->lock);
    if (!door->settings.admit(door->settings.context, fd, (struct sockaddr *)&peer, peer_size)) {
        pthread_mutex_lock(&door->lock);
        door->visitors_count--;
        pthread_mutex_unlock(&door->lock);
    }
    return true;
}

/* The owner closes the descriptor after http_door_leave, which waits for the lock: it is open here. */
static void show_out_late(struct http_door *door, int64_t now_ms)
{
    for (struct http_visitor *visitor = door->visitors; visitor; visitor = visitor->next) {
        notice_end(visitor);
        if (atomic_load(&visitor->deadline_ms) > now_ms)
            continue;
        shutdown(visitor->fd, SHUT_RDWR);
        atomic_store(&visitor->deadline_ms, HTTP_NEVER);
    }
}

/* A peer's last request may come together with the end of what it sends. The library then reads the one, is not told of
 * the other, and keeps the connection for as long as it may idle. Shutting for reading what was shut already loses
 * nothing, and tells it again. */
static void notice_end(struct http_visitor *visitor)
{
    char byte;
    if (atomic_exchange(&visitor->answered, false) && recv(visitor->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0)
        shutdown(visitor->fd, SHUT_RD);
}

static void take_refused(struct http_door *door, int64_t now_ms)
{
    for (size_t i = 0; i < door->refused_count; i++) {
        if (door->lingerers_count < LINGERERS_MAX)
            door->lingerers[door->lingerers_count++] = (struct lingerer){door->refused[i], now_ms + LINGER_MS};
        else
            close(door->refused[i]);
    }
    door->refused_count = 0;
}

static void drain_lingerers(struct http_door *door, int64_t now_ms)
{
    size_t kept = 0;
    for (size_t i = 0; i < door->lingerers_count; i++) {
        struct lingerer lingerer = door->lingerers[i];
        if (drained(lingerer.fd) || now_ms >= lingerer.end_ms)
            close(lingerer.fd);
        else
            door->lingerers[kept++] = lingerer;
    }
    door->lingerers_count = kept;
}

static bool drained(int fd)
{
    char bytes[16384];
    for (size_t total = 0; total < LINGER_READ_MAX;) {
        ssize_t got = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
        if (got <= 0)
            return got == 0 || (errno != EAGAIN && errno != EINTR);
        total += (size_t)got;
    }
    return false;
}

static void run_jobs(struct http_door *door)
{
    pthread_mutex_lock(&door->lock);
    struct http_job *jobs = door->jobs;
    door->jobs = NULL;
    door->jobs_end = &door->jobs;
    pthread_mutex_unlock(&door->lock);
    while (jobs) {
        struct http_job *job = jobs;
        jobs = job->next;
        job->run(job);
    }
}
