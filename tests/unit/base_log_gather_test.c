/* Gathered log lines: all come out, in order, however the process ends, and errors at once. Each test looks at a child
 * of its own, since gathering is for the rest of a process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log.h"

#define LINES       20000 /* several times what is gathered at once */
#define THREADS     4
#define SECONDS_MAX 60 /* of a child that hangs */

static char captured[4u << 20];

/* Runs `child` with standard error in a pipe to its end, which is forced when `last` has come; what it wrote is in
 * `captured`. */
static int output_until(const char *last, void (*child)(void))
{
    int ends[2], result;
    size_t used = 0;
    captured[0] = '\0';
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        const struct rlimit no_core = {0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        alarm(SECONDS_MAX);
        signal(SIGSEGV, SIG_DFL); /* the test library has handlers of its own */
        signal(SIGABRT, SIG_DFL);
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        log_open("test", LOG_LEVEL_INFO);
        log_gather();
        child();
        exit(0);
    }
    close(ends[1]);
    for (ssize_t got; (got = read(ends[0], captured + used, sizeof(captured) - 1 - used)) > 0;) {
        used += (size_t)got;
        captured[used] = '\0';
        if (last && strstr(captured, last))
            kill(pid, SIGKILL);
    }
    close(ends[0]);
    assert_int_equal(waitpid(pid, &result, 0), pid);
    return result;
}

static int output_of(void (*child)(void))
{
    return output_until(NULL, child);
}

/* Line by line: a sanitizer looks through the whole of a string before each search. */
static void assert_lines(const char *before, int count)
{
    char wanted[64];
    int found = 0;
    for (char *line = captured, *end; found < count && (end = strchr(line, '\n')); line = end + 1) {
        *end = '\0';
        snprintf(wanted, sizeof(wanted), "INFO test %sline=%d.", before, found);
        const char *at = strstr(line, wanted);
        found += at && !at[strlen(wanted)];
        *end = '\n';
    }
    if (found < count)
        fail_msg("'%sline=%d.' is missing or out of order", before, found);
}

static void log_many(void)
{
    for (int i = 0; i < LINES; i++)
        log_info("line=%d.", i);
}

static void lines_keep_their_order_and_exit_loses_none(void **state)
{
    (void)state;
    assert_int_equal(output_of(log_many), 0);
    assert_lines("", LINES);
}

static void log_and_abort(void)
{
    log_many();
    abort();
}

static void an_abort_loses_none(void **state)
{
    (void)state;
    int result = output_of(log_and_abort);
    assert_true(WIFSIGNALED(result) && WTERMSIG(result) == SIGABRT);
    assert_lines("", LINES);
}

static void log_and_crash(void)
{
    log_info("last words");
    raise(SIGSEGV);
    raise(SIGSEGV); /* the first came back with what was there before in force: the sanitizer, or the end */
}

static void a_crash_loses_none(void **state)
{
    (void)state;
    assert_int_not_equal(output_of(log_and_crash), 0);
    assert_non_null(strstr(captured, "INFO test last words\n"));
}

static void log_error_and_die(void)
{
    log_info("before");
    log_error("trouble");
    kill(getpid(), SIGKILL);
}

static void an_error_comes_out_at_once_with_what_came_before(void **state)
{
    (void)state;
    output_of(log_error_and_die);
    const char *before = strstr(captured, "INFO test before\n");
    assert_non_null(before);
    assert_non_null(strstr(before, "ERROR test trouble\n"));
}

static void *log_thread(void *number)
{
    for (int i = 0; i < LINES / THREADS; i++)
        log_info("thread=%d line=%d.", *(int *)number, i);
    return NULL;
}

static void log_from_threads(void)
{
    pthread_t threads[THREADS];
    int numbers[THREADS];
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        pthread_create(&threads[i], NULL, log_thread, &numbers[i]);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static void lines_of_many_threads_are_whole_and_in_order(void **state)
{
    (void)state;
    assert_int_equal(output_of(log_from_threads), 0);
    for (int i = 0; i < THREADS; i++) {
        char before[32];
        snprintf(before, sizeof(before), "thread=%d ", i);
        assert_lines(before, LINES / THREADS);
    }
}

static void log_soon(void)
{
    log_info("soon");
    pause();
}

static void a_lone_line_comes_out_without_another(void **state)
{
    (void)state;
    output_until("INFO test soon\n", log_soon); /* else this waits for ever */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_keep_their_order_and_exit_loses_none),
        cmocka_unit_test(an_abort_loses_none),
        cmocka_unit_test(a_crash_loses_none),
        cmocka_unit_test(an_error_comes_out_at_once_with_what_came_before),
        cmocka_unit_test(lines_of_many_threads_are_whole_and_in_order),
        cmocka_unit_test(a_lone_line_comes_out_without_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
