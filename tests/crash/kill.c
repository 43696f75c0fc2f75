/* Kills writers at random moments, hundreds of times, always on the same folder: what they acknowledged through a pipe
 * is there, what they did not is there as a whole or not at all, and the store goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "crash_store.h"

#ifdef __SANITIZE_ADDRESS__
#define ROUNDS 80 /* processes start slowly under it */
#else
#define ROUNDS 200 /* XDM_KILL_ROUNDS: more */
#endif
#define WRITERS     2     /* processes, each with a stream of its own */
#define IN_FLIGHT   16    /* batches of one writer that wait for the disk at once */
#define LIFE_US_MAX 20000 /* after all writers are at work */
#define READY       UINT64_MAX

static const struct stream streams[WRITERS] = {{"first", 11}, {"second", 12}};

static int begin(void **state)
{
    (void)state;
    return begin_in_folder("kill");
}

static struct store *opened(void)
{
    return open_store(64u << 10, 100); /* a map that grows under load, and in several processes */
}

/* --- the writer, in a process of its own -------------------------------------------------------------------------- */

struct batch {
    struct arena arena;
    struct commit commits[STREAM_BATCH_MAX];
    size_t count;
    uint64_t number;
    int output;
    atomic_bool busy;
};

static void acknowledge(void *context)
{
    struct batch *batch = context;
    for (size_t i = 0; i < batch->count; i++)
        if (batch->commits[i].status != OK)
            _exit(1);
    if (write(batch->output, &batch->number, sizeof(batch->number)) != sizeof(batch->number))
        _exit(2);
    atomic_store(&batch->busy, false);
}

/* Goes on from what the store holds, until it is killed. */
static _Noreturn void write_on(const struct stream *stream, int output)
{
    static struct batch batches[IN_FLIGHT];
    uint64_t number, ready = READY;
    struct store *store = opened();
    if (!store || !stream_serial(stream, store, &arena, &number) ||
        write(output, &ready, sizeof(ready)) != sizeof(ready))
        _exit(3);
    for (size_t i = 0; i < IN_FLIGHT; i++)
        arena_init(&batches[i].arena, "batch");
    for (;;) {
        struct batch *batch = &batches[++number % IN_FLIGHT];
        while (atomic_load(&batch->busy))
            sched_yield();
        arena_reset(&batch->arena);
        batch->count = stream_commits(stream, number, &batch->arena, batch->commits);
        batch->number = number;
        batch->output = output;
        atomic_store(&batch->busy, true);
        store_submit(store, batch->commits, batch->count, acknowledge, batch);
    }
}

struct writer {
    pid_t process;
    int input;
    uint64_t acknowledged; /* by this and all before */
    struct stream_state state;
};

static void start(struct writer *writer, const struct stream *stream)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    writer->process = fork();
    assert_true(writer->process >= 0);
    if (writer->process == 0) {
        close(ends[0]);
        write_on(stream, ends[1]);
    }
    close(ends[1]);
    writer->input = ends[0];
}

static bool take(struct writer *writer)
{
    uint64_t number;
    ssize_t length = read(writer->input, &number, sizeof(number));
    if (length == sizeof(number) && number != READY)
        writer->acknowledged = number;
    return length == sizeof(number);
}

static void finish(struct writer *writer, int expected_signal)
{
    int result;
    while (take(writer))
        continue;
    close(writer->input);
    assert_int_equal(waitpid(writer->process, &result, 0), writer->process);
    assert_true(WIFSIGNALED(result) && WTERMSIG(result) == expected_signal); /* else it failed by itself */
}

/* --- what is there afterwards --- */

static void check(struct writer *writer, const struct stream *stream, struct store *store)
{
    uint64_t batches;
    assert_true(stream_serial(stream, store, &arena, &batches));
    if (batches < writer->acknowledged || batches > writer->acknowledged + IN_FLIGHT)
        fail_msg("%s: %llu acknowledged, %llu there", stream->usage, (unsigned long long)writer->acknowledged,
                 (unsigned long long)batches);
    while (writer->state.batches < batches)
        stream_apply(stream, &writer->state);
    struct text difference = stream_compare(stream, &writer->state, store, &arena);
    if (difference.length)
        fail_msg("%s: %.*s", stream->usage, TEXT_ARG(difference));
    writer->acknowledged = batches;
}

static void sleep_us(uint64_t us)
{
    const struct timespec pause = {.tv_nsec = (long)us * 1000};
    nanosleep(&pause, NULL);
}

static void nothing_acknowledged_is_lost_however_often_writers_are_killed(void **state)
{
    (void)state;
    struct writer writers[WRITERS] = {0};
    const struct stream random = {"random", stream_rounds("XDM_KILL_SEED", 1)};
    unsigned rounds = stream_rounds("XDM_KILL_ROUNDS", ROUNDS);
    for (unsigned round = 0; round < rounds; round++) {
        for (size_t i = 0; i < WRITERS; i++)
            start(&writers[i], &streams[i]);
        for (size_t i = 0; i < WRITERS && round % 4 != 0; i++) /* each fourth time they die while they open the store */
            assert_true(take(&writers[i]));
        /* One after the other: the second meets locks that nobody gives back. */
        for (size_t i = 0; i < WRITERS; i++) {
            struct writer *writer = &writers[(round + i) % WRITERS];
            sleep_us(stream_number(&random, round, i) % LIFE_US_MAX);
            kill(writer->process, SIGKILL);
        }
        for (size_t i = 0; i < WRITERS; i++)
            finish(&writers[i], SIGKILL);

        struct store *store = opened();
        assert_non_null(store);
        assert_int_equal(store_check(store, print_problem, NULL), OK);
        for (size_t i = 0; i < WRITERS; i++)
            check(&writers[i], &streams[i], store);
        store_close(store);
        arena_reset(&arena);
    }
    printf("%llu and %llu batches survived %u kills\n", (unsigned long long)writers[0].acknowledged,
           (unsigned long long)writers[1].acknowledged, rounds * WRITERS);
    assert_true(writers[0].acknowledged + writers[1].acknowledged >= rounds); /* they were at work when they died */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_acknowledged_is_lost_however_often_writers_are_killed, begin, end),
    };
    return cmocka_run_group_tests_name("kill", tests, NULL, NULL);
}
