/* The loop: order, stale events, signals, deadlines and calls from other threads. No test measures time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loop.h"

static struct loop *loop;
static int near[2], far[2]; /* two socket pairs: near[i] is watched, far[i] is the peer */
static int calls;
static unsigned last_events;

static int begin(void **state)
{
    (void)state;
    loop = loop_new();
    calls = 0;
    last_events = 0;
    for (int i = 0; i < 2; i++) {
        int pair[2];
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0)
            return -1;
        near[i] = pair[0];
        far[i] = pair[1];
    }
    return 0;
}

static int end(void **state)
{
    (void)state;
    loop_free(loop);
    for (int i = 0; i < 2; i++) {
        close(near[i]);
        close(far[i]);
    }
    return 0;
}

static void stop(void *context)
{
    (void)context;
    loop_stop(loop);
}

static void count_and_stop(void *context, int fd, unsigned events)
{
    (void)context;
    (void)fd;
    calls++;
    last_events = events;
    loop_stop(loop);
}

static void send_byte(int fd)
{
    assert_int_equal(write(fd, "x", 1), 1);
}

/* One round in which everything that is ready is delivered: the posted stop is ready too, so it ends by itself. */
static void run_until_idle(void)
{
    for (int i = 0; i < 3; i++) {
        loop_post(loop, stop, NULL);
        loop_run(loop);
    }
}

static void bytes_wake_the_reader(void **state)
{
    (void)state;
    loop_watch(loop, near[0], LOOP_READ, count_and_stop, NULL);
    send_byte(far[0]);
    loop_run(loop);
    assert_int_equal(calls, 1);
    assert_int_equal(last_events, LOOP_READ);
}

static void watching_again_changes_the_events(void **state)
{
    (void)state;
    loop_watch(loop, near[0], LOOP_READ, count_and_stop, NULL);
    loop_watch(loop, near[0], LOOP_READ | LOOP_WRITE, count_and_stop, NULL);
    loop_run(loop);
    assert_int_equal(last_events, LOOP_WRITE);
    send_byte(far[0]);
    loop_run(loop);
    assert_int_equal(last_events, LOOP_READ | LOOP_WRITE);
    loop_watch(loop, near[0], LOOP_READ, count_and_stop, NULL);
    loop_run(loop);
    assert_int_equal(last_events, LOOP_READ);
}

static void a_peer_that_hangs_up_is_told_to_reader_and_writer(void **state)
{
    (void)state;
    shutdown(far[0], SHUT_RDWR);
    loop_watch(loop, near[0], LOOP_READ, count_and_stop, NULL);
    loop_run(loop);
    assert_int_equal(last_events, LOOP_READ);
    loop_watch(loop, near[0], LOOP_WRITE, count_and_stop, NULL);
    loop_run(loop);
    assert_int_equal(last_events, LOOP_WRITE);
}

static void without_events_nothing_is_delivered_until_they_come_back(void **state)
{
    (void)state;
    loop_watch(loop, near[0], LOOP_READ, count_and_stop, NULL);
    loop_watch(loop, near[0], 0, count_and_stop, NULL);
    send_byte(far[0]);
    shutdown(far[0], SHUT_RDWR);
    run_until_idle();
    assert_int_equal(calls, 0);
    loop_watch(loop, near[0], LOOP_READ, count_and_stop, NULL);
    loop_run(loop);
    assert_int_equal(calls, 1);
}

static void what_is_unwatched_is_not_called(void **state)
{
    (void)state;
    loop_watch(loop, near[0], LOOP_READ, count_and_stop, NULL);
    send_byte(far[0]);
    loop_unwatch(loop, near[0]);
    loop_unwatch(loop, near[1]); /* was never watched */
    run_until_idle();
    assert_int_equal(calls, 0);
}

/* Whichever of the two is called first ends the other's watch. */
static void unwatch_the_other(void *context, int fd, unsigned events)
{
    (void)context;
    (void)events;
    calls++;
    loop_unwatch(loop, fd == near[0] ? near[1] : near[0]);
    char byte;
    assert_int_equal(read(fd, &byte, 1), 1);
}

static void an_event_of_an_ended_watch_is_not_delivered(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        loop_watch(loop, near[i], LOOP_READ, unwatch_the_other, NULL);
        send_byte(far[i]);
    }
    run_until_idle();
    assert_int_equal(calls, 1);
}

/* Ends the other's watch and gives its number to a descriptor on which nothing has happened. */
static void replace_the_other(void *context, int fd, unsigned events)
{
    (void)events;
    int other = fd == near[0] ? 1 : 0;
    calls++;
    loop_unwatch(loop, near[other]);
    assert_int_equal(dup2(*(int *)context, near[other]), near[other]);
    loop_watch(loop, near[other], LOOP_READ, count_and_stop, NULL);
    char byte;
    assert_int_equal(read(fd, &byte, 1), 1);
}

static void an_event_is_not_delivered_to_the_next_owner_of_the_number(void **state)
{
    (void)state;
    int quiet[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, quiet), 0);
    for (int i = 0; i < 2; i++) {
        loop_watch(loop, near[i], LOOP_READ, replace_the_other, &quiet[0]);
        send_byte(far[i]);
    }
    run_until_idle();
    assert_int_equal(calls, 1);
    close(quiet[0]);
    close(quiet[1]);
}

static void a_number_that_was_closed_and_came_back_is_watched(void **state)
{
    (void)state;
    loop_watch(loop, near[0], LOOP_READ, count_and_stop, NULL);
    assert_int_equal(dup2(near[1], near[0]), near[0]); /* closes it behind the loop's back */
    loop_watch(loop, near[0], LOOP_READ, count_and_stop, NULL);
    send_byte(far[1]);
    loop_run(loop);
    assert_int_equal(calls, 1);
}

static char letters[] = "abcd";
static char posted_order[8];
static size_t posted_count;

static void note(void *context)
{
    assert_true(posted_count < sizeof(posted_order) - 1);
    posted_order[posted_count++] = *(const char *)context;
}

static void note_and_post(void *context)
{
    note(context);
    loop_post(loop, note, &letters[3]);
    loop_post(loop, stop, NULL);
}

static void posted_calls_run_in_order_and_later_ones_after_them(void **state)
{
    (void)state;
    loop_post(loop, note, &letters[0]);
    loop_post(loop, note_and_post, &letters[1]);
    loop_post(loop, note, &letters[2]);
    loop_run(loop);
    assert_string_equal(posted_order, "abcd");
}

static int64_t post_stop_once(void *context, int64_t now_ms)
{
    (void)now_ms;
    if (calls++ == 0)
        loop_post(loop, stop, context);
    return INT64_MAX;
}

/* Nothing else would end its sleep. */
static void what_is_posted_before_it_sleeps_is_run(void **state)
{
    (void)state;
    loop_set_deadline(loop, post_stop_once, NULL);
    loop_run(loop);
    assert_in_range(calls, 1, 2);
}

enum { POSTS = 1000, THREADS = 3 };
static int posts_run; /* the loop's thread only */

static void count_post(void *context)
{
    (void)context;
    if (++posts_run == POSTS * THREADS)
        loop_stop(loop);
}

static void *post_many(void *context)
{
    (void)context;
    for (int i = 0; i < POSTS; i++)
        loop_post(loop, count_post, NULL);
    return NULL;
}

static void no_call_of_another_thread_is_lost(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    posts_run = 0;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, post_many, NULL), 0);
    loop_run(loop);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(posts_run, POSTS * THREADS);
}

static void count_signal(void *context)
{
    ++*(int *)context;
    if (calls++ == 1)
        loop_stop(loop);
}

static void signals_arrive_in_the_loop(void **state)
{
    (void)state;
    int hangups = 0, users = 0;
    loop_signal(loop, SIGHUP, count_signal, &hangups);
    loop_signal(loop, SIGUSR1, count_signal, &users);
    kill(getpid(), SIGHUP);
    kill(getpid(), SIGUSR1);
    assert_int_equal(hangups + users, 0);
    loop_run(loop);
    assert_int_equal(hangups, 1);
    assert_int_equal(users, 1);
}

static void a_stop_that_comes_before_the_run_counts(void **state)
{
    (void)state;
    loop_stop(loop);
    loop_run(loop);
    loop_post(loop, stop, NULL);
    loop_run(loop);
}

static int64_t due_at_once(void *context, int64_t now_ms)
{
    (void)context;
    if (++calls == 3)
        loop_stop(loop);
    return now_ms;
}

static void what_is_due_is_asked_again_without_sleep(void **state)
{
    (void)state;
    loop_set_deadline(loop, due_at_once, NULL);
    loop_run(loop);
    assert_int_equal(calls, 3);
}

static int64_t due_soon(void *context, int64_t now_ms)
{
    int64_t *due_ms = context;
    if (*due_ms == 0)
        *due_ms = now_ms + 1;
    if (now_ms >= *due_ms)
        loop_stop(loop);
    return *due_ms;
}

static void the_loop_wakes_at_its_deadline(void **state)
{
    (void)state;
    int64_t due_ms = 0;
    loop_set_deadline(loop, due_soon, &due_ms);
    loop_run(loop);
    assert_true(due_ms > 0);
}

static int64_t never(void *context, int64_t now_ms)
{
    (void)now_ms;
    ++*(int *)context;
    return INT64_MAX;
}

static void the_deadline_is_asked_before_each_sleep(void **state)
{
    (void)state;
    int asked = 0;
    loop_set_deadline(loop, never, &asked);
    loop_watch(loop, near[0], LOOP_READ, count_and_stop, NULL);
    send_byte(far[0]);
    loop_run(loop);
    assert_int_equal(asked, 1);
    loop_run(loop);
    assert_int_equal(asked, 2);
}

#define LOOP_TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOOP_TEST(bytes_wake_the_reader),
        LOOP_TEST(watching_again_changes_the_events),
        LOOP_TEST(a_peer_that_hangs_up_is_told_to_reader_and_writer),
        LOOP_TEST(without_events_nothing_is_delivered_until_they_come_back),
        LOOP_TEST(what_is_unwatched_is_not_called),
        LOOP_TEST(an_event_of_an_ended_watch_is_not_delivered),
        LOOP_TEST(an_event_is_not_delivered_to_the_next_owner_of_the_number),
        LOOP_TEST(a_number_that_was_closed_and_came_back_is_watched),
        LOOP_TEST(what_is_posted_before_it_sleeps_is_run),
        LOOP_TEST(posted_calls_run_in_order_and_later_ones_after_them),
        LOOP_TEST(no_call_of_another_thread_is_lost),
        LOOP_TEST(signals_arrive_in_the_loop),
        LOOP_TEST(a_stop_that_comes_before_the_run_counts),
        LOOP_TEST(what_is_due_is_asked_again_without_sleep),
        LOOP_TEST(the_loop_wakes_at_its_deadline),
        LOOP_TEST(the_deadline_is_asked_before_each_sleep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
