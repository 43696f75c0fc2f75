/* Dates out and in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "arena.h"
#include "clock.h"

#define NEW_YEAR_2026_MS 1767225600000 /* 2026-01-01T00:00:00Z, a Thursday */

static void assert_rfc3339(int64_t wall_ms, const char *expected)
{
    struct arena arena;
    arena_init(&arena, "test");
    assert_string_equal(text_cstring(&arena, clock_write_rfc3339(&arena, wall_ms)), expected);
    arena_clear(&arena);
}

static void assert_http_date(int64_t wall_ms, const char *expected)
{
    struct arena arena;
    arena_init(&arena, "test");
    assert_string_equal(text_cstring(&arena, clock_write_http_date(&arena, wall_ms)), expected);
    arena_clear(&arena);
}

static void assert_parsed(const char *date, int64_t expected_ms)
{
    int64_t wall_ms;
    assert_true(clock_parse_rfc3339(text_of(date), &wall_ms));
    assert_true(wall_ms == expected_ms);
}

static void times_are_written_in_both_formats(void **state)
{
    (void)state;
    assert_rfc3339(0, "1970-01-01T00:00:00.000Z");
    assert_rfc3339(NEW_YEAR_2026_MS + 123, "2026-01-01T00:00:00.123Z");
    assert_rfc3339(-1, "1969-12-31T23:59:59.999Z");
    assert_http_date(784111777000, "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_http_date(NEW_YEAR_2026_MS, "Thu, 01 Jan 2026 00:00:00 GMT");
}

static void times_outside_four_digit_years_become_the_nearest_inside(void **state)
{
    (void)state;
    assert_rfc3339(INT64_MAX, "9999-12-31T23:59:59.999Z");
    assert_rfc3339(INT64_MIN, "0000-01-01T00:00:00.000Z");
    assert_rfc3339(253402300799999, "9999-12-31T23:59:59.999Z");
    assert_rfc3339(253402300800000, "9999-12-31T23:59:59.999Z");
}

static void dates_are_read_with_any_offset(void **state)
{
    (void)state;
    assert_parsed("1970-01-01T00:00:00Z", 0);
    assert_parsed("2026-01-01T00:00:00", NEW_YEAR_2026_MS);
    assert_parsed("2026-01-01t00:00:00z", NEW_YEAR_2026_MS);
    assert_parsed("2026-01-01T05:30:00+05:30", NEW_YEAR_2026_MS);
    assert_parsed("2025-12-31T20:00:00-04:00", NEW_YEAR_2026_MS);
    assert_parsed("2026-01-01T00:00:00-00:00", NEW_YEAR_2026_MS);
    assert_parsed("1969-12-31T23:59:59.999Z", -1);
}

static void fractions_finer_than_milliseconds_are_cut(void **state)
{
    (void)state;
    assert_parsed("2026-01-01T00:00:00.1Z", NEW_YEAR_2026_MS + 100);
    assert_parsed("2026-01-01T00:00:00.0019999999999999999999999Z", NEW_YEAR_2026_MS + 1);
}

static void ends_of_days_and_leap_seconds_carry_over(void **state)
{
    (void)state;
    assert_parsed("2025-12-31T24:00:00Z", NEW_YEAR_2026_MS);
    assert_parsed("2025-12-31T23:59:60Z", NEW_YEAR_2026_MS);
    assert_parsed("2024-02-29T00:00:00Z", 1709164800000);
    assert_parsed("2000-02-29T00:00:00Z", 951782400000);
}

static void what_is_no_date_is_refused(void **state)
{
    (void)state;
    static const char *const broken[] = {
        "",
        "2026",
        "2026-01-01",
        "2026-01-01T00:00",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-01-00T00:00:00Z",
        "2026-01-32T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2026-01-01T25:00:00Z",
        "2026-01-01T24:00:01Z",
        "2026-01-01T00:60:00Z",
        "2026-01-01T00:00:61Z",
        "2026-01-01T00:00:00.Z",
        "2026-01-01T00:00:00+1:00",
        "2026-01-01T00:00:00+24:00",
        "2026-01-01T00:00:00+00:60",
        "2026-01-01T00:00:00 Z",
        "2026-01-01T00:00:00ZZ",
        "2026-01-01 00:00:00Z",
        "2026-1-01T00:00:00Z",
        "-2026-01-01T00:00:00Z",
        "12026-01-01T00:00:00Z",
    };
    int64_t wall_ms;
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
        assert_false(clock_parse_rfc3339(text_of(broken[i]), &wall_ms));
}

static void every_cut_of_a_date_is_refused_or_whole(void **state)
{
    (void)state;
    struct text date = TEXT("2026-01-01T00:00:00.123+01:00");
    int64_t wall_ms;
    for (size_t length = 0; length < date.length; length++) {
        bool whole_without_offset = length == 19 || (length > 20 && length <= 23);
        assert_int_equal(clock_parse_rfc3339(text_slice(date, 0, length), &wall_ms), whole_without_offset);
    }
}

static void http_dates_are_read_as_they_are_written(void **state)
{
    (void)state;
    static const char *const broken[] = {"",
                                         "Mon, 05 Jan 2026 10:00:00",
                                         "Mon, 5 Jan 2026 10:00:00 GMT",
                                         "Mon, 05 jan 2026 10:00:00 GMT",
                                         "Mon, 31 Feb 2026 10:00:00 GMT",
                                         "Mon, 05 Jan 2026 10:60:00 GMT",
                                         "Mon, 05 Jan 2026 10:00:00 CET",
                                         "Monday, 05-Jan-26 10:00:00 GMT",
                                         "Mon Jan  5 10:00:00 2026",
                                         "1767607200",
                                         "Mon, 05 Jan 2026 10:00:00 GMT x"};
    struct arena dates;
    int64_t read_ms;
    arena_init(&dates, "dates");
    for (int64_t wall_ms = 0; wall_ms < 2 * NEW_YEAR_2026_MS; wall_ms += 86399000LL * 37) {
        assert_true(clock_parse_http_date(clock_write_http_date(&dates, wall_ms), &read_ms));
        assert_true(read_ms == wall_ms);
    }
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
        if (clock_parse_http_date(text_of(broken[i]), &read_ms))
            fail_msg("%s", broken[i]);
    arena_clear(&dates);
}

static void the_monotonic_clock_does_not_go_back(void **state)
{
    (void)state;
    int64_t earlier_ms = clock_monotonic_ms();
    assert_true(clock_monotonic_ms() >= earlier_ms);
    assert_true(clock_wall_ms() > NEW_YEAR_2026_MS / 2);
}

static void the_time_of_a_thread_is_what_it_does(void **state)
{
    int64_t begin_us = clock_thread_us();
    (void)state;
    while (clock_thread_us() < begin_us + 1000) /* ends only if it goes on */
        continue;
    assert_true(clock_thread_us() >= begin_us + 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_time_of_a_thread_is_what_it_does),
        cmocka_unit_test(times_are_written_in_both_formats),
        cmocka_unit_test(times_outside_four_digit_years_become_the_nearest_inside),
        cmocka_unit_test(dates_are_read_with_any_offset),
        cmocka_unit_test(fractions_finer_than_milliseconds_are_cut),
        cmocka_unit_test(ends_of_days_and_leap_seconds_carry_over),
        cmocka_unit_test(what_is_no_date_is_refused),
        cmocka_unit_test(every_cut_of_a_date_is_refused_or_whole),
        cmocka_unit_test(http_dates_are_read_as_they_are_written),
        cmocka_unit_test(the_monotonic_clock_does_not_go_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
