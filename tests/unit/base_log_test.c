/* Log lines: their form, their level, and that an argument cannot forge one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"

static int pipe_fds[2];
static int standard_error;
static char captured[2 * LOG_LINE_MAX];

static int begin(void **state)
{
    (void)state;
    standard_error = dup(STDERR_FILENO);
    return pipe(pipe_fds) == 0 && dup2(pipe_fds[1], STDERR_FILENO) >= 0 ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    dup2(standard_error, STDERR_FILENO);
    close(standard_error);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    return 0;
}

/* One read gives what one or more writes put there; a mark of our own keeps it from waiting for ever. */
static const char *logged(void)
{
    assert_int_equal(write(pipe_fds[1], "#", 1), 1);
    ssize_t length = read(pipe_fds[0], captured, sizeof(captured) - 1);
    assert_true(length > 0 && captured[length - 1] == '#');
    captured[length - 1] = '\0';
    return captured;
}

/* What follows the time. */
static const char *logged_message(void)
{
    const char *line = logged();
    int64_t wall_ms;
    const char *space = strchr(line, ' ');
    assert_non_null(space);
    assert_true(clock_parse_rfc3339((struct text){line, (size_t)(space - line)}, &wall_ms));
    return space + 1;
}

static void a_line_has_time_level_program_and_message(void **state)
{
    (void)state;
    log_open("xdms", LOG_LEVEL_INFO);
    log_warning("disk is filling free_bytes=%d", 42);
    assert_string_equal(logged_message(), "WARNING xdms disk is filling free_bytes=42\n");
}

static void lines_below_the_level_are_not_written(void **state)
{
    (void)state;
    log_open("xdms", LOG_LEVEL_WARNING);
    log_info("unseen");
    log_debug("unseen");
    assert_string_equal(logged(), "");
    log_set_level(LOG_LEVEL_DEBUG);
    log_debug("seen");
    assert_string_equal(logged_message(), "DEBUG xdms seen\n");
}

static void a_peer_cannot_forge_a_line(void **state)
{
    (void)state;
    log_open("im-glue", LOG_LEVEL_INFO);
    log_info("from=%s", "a\r\n2026-01-01 ERROR \x1B[2J\x7F\xC2\x9B"
                        "2J");
    assert_string_equal(logged_message(), "INFO im-glue from=a??2026-01-01 ERROR ?[2J???2J\n");
}

static void letters_of_other_scripts_stay_and_broken_bytes_do_not(void **state)
{
    (void)state;
    log_open("xdms", LOG_LEVEL_INFO);
    log_info("name=%s", "J\xC3\xBCrgen");
    assert_string_equal(logged_message(), "INFO xdms name=J\xC3\xBCrgen\n");
    log_info("name=%s", "J\xC3\xBCrgen\xFF");
    assert_string_equal(logged_message(), "INFO xdms name=J??rgen?\n");
}

static void a_long_line_is_cut(void **state)
{
    (void)state;
    char long_text[2 * LOG_LINE_MAX];
    memset(long_text, 'x', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = '\0';
    log_open("xdms", LOG_LEVEL_INFO);
    log_info("%s", long_text);
    const char *line = logged();
    assert_in_range(strlen(line), LOG_LINE_MAX - 2, LOG_LINE_MAX);
    assert_string_equal(line + strlen(line) - 2, "x\n");
}

#define LOG_TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOG_TEST(a_line_has_time_level_program_and_message),
        LOG_TEST(lines_below_the_level_are_not_written),
        LOG_TEST(a_peer_cannot_forge_a_line),
        LOG_TEST(letters_of_other_scripts_stay_and_broken_bytes_do_not),
        LOG_TEST(a_long_line_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
