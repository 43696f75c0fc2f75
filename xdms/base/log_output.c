/* Writes finished lines to standard error: at once with one write each, so that lines of several programs do not mix,
 * or gathered (log_gather), since a call into the kernel for each answered request costs more than much of its answer.
 */
#include "log_output.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "log.h"

#define GATHER_BYTES   (256u << 10) /* 100,000 lines a second for LOG_DELAY_MS, twice; then callers write themselves */
#define CRASH_TRIES    200          /* a crash waits so often for a thread that is writing, 1 ms each */
#define NS_PER_MS      1000000L
#define STDERR_WAIT_MS 1000

static const int crash_signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
#define CRASH_SIGNALS (sizeof(crash_signals) / sizeof(crash_signals[0]))

static struct {
    atomic_bool asked, gathering;
    pthread_mutex_t output; /* held while bytes go out: keeps the order; taken before `lock` */
    pthread_mutex_t lock;   /* for what follows */
    pthread_cond_t filled;  /* from empty to not */
    char buffers[2][GATHER_BYTES];
    unsigned filling; /* the buffer that takes lines; the other one is on its way out or free */
    size_t used;      /* bytes in it */
    bool closing;
    pthread_t writer;
    struct sigaction before_crash[CRASH_SIGNALS];
} gathered = {
    .output = PTHREAD_MUTEX_INITIALIZER,
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .filled = PTHREAD_COND_INITIALIZER,
};

/* When standard error is gone there is nobody to tell. */
static void write_all(const char *bytes, size_t length)
{
    while (length) {
        ssize_t written = write(STDERR_FILENO, bytes, length);
        if (written >= 0) {
            bytes += written;
            length -= (size_t)written;
        } else if (errno == EAGAIN) {
            struct pollfd wanted = {.fd = STDERR_FILENO, .events = POLLOUT};
            poll(&wanted, 1, STDERR_WAIT_MS);
        } else if (errno != EINTR) {
            return;
        }
    }
}

/* Everything that came before this call is out when it returns. */
static void flush(void)
{
    pthread_mutex_lock(&gathered.output);
    pthread_mutex_lock(&gathered.lock);
    const char *bytes = gathered.buffers[gathered.filling];
    size_t length = gathered.used;
    gathered.filling = !gathered.filling;
    gathered.used = 0;
    pthread_mutex_unlock(&gathered.lock);
    write_all(bytes, length);
    pthread_mutex_unlock(&gathered.output);
}

/* False when there is no room. */
static bool gather(struct text line)
{
    pthread_mutex_lock(&gathered.lock);
    bool room = line.length <= GATHER_BYTES - gathered.used;
    if (room) {
        if (gathered.used == 0)
            pthread_cond_signal(&gathered.filled);
        memcpy(gathered.buffers[gathered.filling] + gathered.used, line.bytes, line.length);
        gathered.used += line.length;
    }
    pthread_mutex_unlock(&gathered.lock);
    return room;
}

void log_output(struct text line, bool urgent)
{
    if (!atomic_load_explicit(&gathered.gathering, memory_order_acquire)) {
        write_all(line.bytes, line.length);
        return;
    }
    while (!gather(line))
        flush();
    if (urgent)
        flush();
}

static void *write_gathered(void *context)
{
    const struct timespec delay = {.tv_nsec = LOG_DELAY_MS * NS_PER_MS};
    (void)context;
    pthread_mutex_lock(&gathered.lock);
    while (!gathered.closing) {
        if (gathered.used == 0) {
            pthread_cond_wait(&gathered.filled, &gathered.lock);
            continue;
        }
        pthread_mutex_unlock(&gathered.lock);
        nanosleep(&delay, NULL);
        flush();
        pthread_mutex_lock(&gathered.lock);
    }
    pthread_mutex_unlock(&gathered.lock);
    return NULL;
}

static void stop_gathering(void)
{
    pthread_mutex_lock(&gathered.lock);
    gathered.closing = true;
    pthread_cond_signal(&gathered.filled);
    pthread_mutex_unlock(&gathered.lock);
    pthread_join(gathered.writer, NULL);
    flush();
    atomic_store_explicit(&gathered.gathering, false, memory_order_release);
    flush(); /* what came in between */
}

/* The crashed thread may itself hold a lock: then this gives up, and the lines gathered last are lost with it. */
static void on_crash(int number)
{
    const struct timespec pause = {.tv_nsec = NS_PER_MS};
    for (size_t i = 0; i < CRASH_SIGNALS; i++)
        if (crash_signals[i] == number)
            sigaction(number, &gathered.before_crash[i], NULL); /* what crashed crashes again, as it would have */
    int error = errno;
    for (int i = 0; i < CRASH_TRIES; i++) {
        if (pthread_mutex_trylock(&gathered.output) == 0) {
            write_all(gathered.buffers[gathered.filling], gathered.used);
            gathered.used = 0;
            pthread_mutex_unlock(&gathered.output);
            break;
        }
        nanosleep(&pause, NULL);
    }
    errno = error;
}

void log_gather(void)
{
    sigset_t all, before;
    if (atomic_exchange(&gathered.asked, true))
        return;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the program's affair */
    int error = pthread_create(&gathered.writer, NULL, write_gathered, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error) /* every line at once, as before */
        return;
    struct sigaction action = {.sa_handler = on_crash, .sa_flags = SA_NODEFER};
    for (size_t i = 0; i < CRASH_SIGNALS; i++)
        sigaction(crash_signals[i], &action, &gathered.before_crash[i]);
    atexit(stop_gathering);
    atomic_store_explicit(&gathered.gathering, true, memory_order_release);
}
