/* Metrics: what is counted, and the page that Prometheus reads. The table lives as long as the process, so each test
 * has names of its own; the overflow test fills it and comes last. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "metrics.h"
#include "test_arena.h"

static size_t occurrences(const char *page, const char *line)
{
    size_t count = 0;
    while ((page = strstr(page, line))) {
        count++;
        page += strlen(line);
    }
    return count;
}

static const char *page(void)
{
    return text_cstring(&arena, metrics_write(&arena));
}

static void the_same_name_and_labels_give_the_same_metric(void **state)
{
    (void)state;
    struct metric *get = metric_counter("same_total", "method=\"GET\"", "Requests.");
    struct metric *put = metric_counter("same_total", "method=\"PUT\"", "Requests.");
    assert_ptr_equal(get, metric_counter("same_total", "method=\"GET\"", "Requests."));
    assert_ptr_not_equal(get, put);
    metric_add(get, 2);
    metric_add(get, 3);
    assert_int_equal(metric_value(get), 5);
    assert_int_equal(metric_value(put), 0);
}

static void a_gauge_goes_up_and_down(void **state)
{
    (void)state;
    struct metric *gauge = metric_gauge("connections", "", "Open connections.");
    metric_set(gauge, 10);
    metric_add(gauge, -11);
    assert_int_equal(metric_value(gauge), -1);
    assert_int_equal(occurrences(page(), "# TYPE connections gauge\nconnections -1\n"), 1);
}

static void series_of_one_name_stand_together_below_one_head(void **state)
{
    (void)state;
    metric_add(metric_counter("together_total", "code=\"200\"", "Answers."), 1);
    metric_counter("between_total", "", "Something else.");
    metric_add(metric_counter("together_total", "code=\"404\"", "Answers."), 2);
    assert_int_equal(occurrences(page(), "# HELP together_total Answers.\n# TYPE together_total counter\n"
                                         "together_total{code=\"200\"} 1\ntogether_total{code=\"404\"} 2\n"),
                     1);
    assert_int_equal(occurrences(page(), "# HELP together_total"), 1);
}

static void an_observation_counts_in_every_bucket_that_holds_it(void **state)
{
    (void)state;
    struct metric *histogram = metric_histogram("duration_seconds", "auid=\"pidf\"", "Duration.");
    metric_observe(histogram, 100); /* on the first bound: inside */
    metric_observe(histogram, 101);
    metric_observe(histogram, 1500000);
    metric_observe(histogram, 60000000); /* beyond the last bound */
    metric_observe(histogram, -5);       /* a clock that went back */
    const char *text = page();
    assert_int_equal(occurrences(text, "# TYPE duration_seconds histogram\n"
                                       "duration_seconds_bucket{auid=\"pidf\",le=\"0.0001\"} 2\n"
                                       "duration_seconds_bucket{auid=\"pidf\",le=\"0.00025\"} 3\n"),
                     1);
    assert_int_equal(occurrences(text, "duration_seconds_bucket{auid=\"pidf\",le=\"1\"} 3\n"
                                       "duration_seconds_bucket{auid=\"pidf\",le=\"2.5\"} 4\n"),
                     1);
    assert_int_equal(occurrences(text, "duration_seconds_bucket{auid=\"pidf\",le=\"10\"} 4\n"
                                       "duration_seconds_bucket{auid=\"pidf\",le=\"+Inf\"} 5\n"
                                       "duration_seconds_sum{auid=\"pidf\"} 61.500201\n"
                                       "duration_seconds_count{auid=\"pidf\"} 5\n"),
                     1);
}

static void a_histogram_without_labels_has_no_comma_before_le(void **state)
{
    (void)state;
    metric_observe(metric_histogram("plain_seconds", "", "Duration."), 7);
    const char *text = page();
    assert_int_equal(occurrences(text, "plain_seconds_bucket{le=\"0.0001\"} 1\n"), 1);
    assert_int_equal(occurrences(text, "plain_seconds_sum 0.000007\nplain_seconds_count 1\n"), 1);
}

enum { THREADS = 4, ROUNDS = 10000 };

static void *count_and_observe(void *context)
{
    (void)context;
    struct metric *counter = metric_counter("threads_total", "", "Counted by all.");
    struct metric *histogram = metric_histogram("threads_seconds", "", "Observed by all.");
    for (int i = 0; i < ROUNDS; i++) {
        metric_add(counter, 1);
        metric_observe(histogram, 1000000);
    }
    return NULL;
}

static void threads_lose_no_count(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_and_observe, NULL), 0);
    page();
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(occurrences(page(), "threads_total 40000\n"), 1);
    assert_int_equal(occurrences(page(), "threads_seconds_sum 40000.000000\nthreads_seconds_count 40000\n"), 1);
}

static void labels_that_are_too_long_overflow(void **state)
{
    (void)state;
    char labels[METRICS_LABELS_MAX + 2];
    memset(labels, 'x', sizeof(labels) - 1);
    labels[sizeof(labels) - 1] = '\0';
    struct metric *first = metric_counter("long_total", labels, "Too long.");
    labels[0] = 'y';
    assert_ptr_equal(first, metric_counter("long_total", labels, "Too long."));
    assert_int_equal(occurrences(page(), "long_total"), 0);
}

static void past_the_last_place_all_metrics_share_one_counter(void **state)
{
    (void)state;
    char labels[32];
    for (int i = 0; i < METRICS_MAX; i++) {
        snprintf(labels, sizeof(labels), "user=\"%d\"", i);
        metric_counter("flood_total", labels, "One series per user: a mistake.");
    }
    struct metric *counter = metric_counter("late_total", "", "No room.");
    struct metric *gauge = metric_gauge("late", "", "No room.");
    struct metric *histogram = metric_histogram("late_seconds", "", "No room.");
    assert_ptr_equal(counter, gauge);
    assert_ptr_equal(counter, histogram);
    metric_add(gauge, -100);
    metric_set(gauge, 100);
    metric_observe(histogram, 100);
    assert_int_equal(occurrences(page(), "# TYPE metrics_overflow_total counter\nmetrics_overflow_total 3\n"), 1);
    assert_int_equal(occurrences(page(), "late"), 0);
}

#define METRICS_TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        METRICS_TEST(the_same_name_and_labels_give_the_same_metric),
        METRICS_TEST(a_gauge_goes_up_and_down),
        METRICS_TEST(series_of_one_name_stand_together_below_one_head),
        METRICS_TEST(an_observation_counts_in_every_bucket_that_holds_it),
        METRICS_TEST(a_histogram_without_labels_has_no_comma_before_le),
        METRICS_TEST(threads_lose_no_count),
        METRICS_TEST(labels_that_are_too_long_overflow),
        METRICS_TEST(past_the_last_place_all_metrics_share_one_counter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
