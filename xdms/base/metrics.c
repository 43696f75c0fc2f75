/* A fixed table of series: registering takes a lock and happens at start, counting is one atomic addition. */
#include "metrics.h"

#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "arena.h"

#define MICROSECONDS_PER_SECOND 1000000

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM, METRIC_OVERFLOW };

/* Upper bounds from one cached lookup to a peer that has given up; what is slower is only in +Inf. */
static const struct {
    int64_t microseconds;
    const char *seconds; /* as exposed */
} buckets[] = {
    {100, "0.0001"}, {250, "0.00025"}, {500, "0.0005"}, {1000, "0.001"},  {2500, "0.0025"}, {5000, "0.005"},
    {10000, "0.01"}, {25000, "0.025"}, {50000, "0.05"}, {100000, "0.1"},  {250000, "0.25"}, {500000, "0.5"},
    {1000000, "1"},  {2500000, "2.5"}, {5000000, "5"},  {10000000, "10"},
};

#define BUCKET_COUNT (sizeof(buckets) / sizeof(buckets[0]))

struct metric {
    enum metric_kind kind;
    struct text name, labels, help;
    atomic_int_least64_t value;                           /* histogram: sum of microseconds */
    atomic_int_least64_t bucket_counts[BUCKET_COUNT + 1]; /* each observation in one; the last is +Inf alone */
};

static struct metric metrics[METRICS_MAX];
static atomic_size_t metric_count; /* entries below it do not change any more */
static pthread_mutex_t registration = PTHREAD_MUTEX_INITIALIZER;
static struct metric overflow = {
    .kind = METRIC_OVERFLOW,
    .name = TEXT_INIT("metrics_overflow_total"),
    .help = TEXT_INIT("Events of metrics for which the table had no room."),
};

/* Metrics live as long as the process: their text is never freed. */
static struct text keep(struct text text)
{
    return (struct text){text_keep(text), text.length};
}

/* With `registration` held. */
static struct metric *find_or_add(enum metric_kind kind, struct text name, struct text labels, struct text help)
{
    size_t count = atomic_load(&metric_count);
    for (size_t i = 0; i < count; i++) {
        if (!text_equal(metrics[i].name, name))
            continue;
        assert(metrics[i].kind == kind);
        if (text_equal(metrics[i].labels, labels))
            return &metrics[i];
    }
    if (count == METRICS_MAX || labels.length > METRICS_LABELS_MAX)
        return &overflow;
    struct metric *metric = &metrics[count];
    metric->kind = kind;
    metric->name = keep(name);
    metric->labels = keep(labels);
    metric->help = keep(help);
    atomic_store(&metric_count, count + 1);
    return metric;
}

static struct metric *registered(enum metric_kind kind, const char *name, const char *labels, const char *help)
{
    pthread_mutex_lock(&registration);
    struct metric *metric = find_or_add(kind, text_of(name), text_of(labels), text_of(help));
    pthread_mutex_unlock(&registration);
    return metric;
}

struct metric *metric_counter(const char *name, const char *labels, const char *help)
{
    return registered(METRIC_COUNTER, name, labels, help);
}

struct metric *metric_gauge(const char *name, const char *labels, const char *help)
{
    return registered(METRIC_GAUGE, name, labels, help);
}

struct metric *metric_histogram(const char *name, const char *labels, const char *help)
{
    return registered(METRIC_HISTOGRAM, name, labels, help);
}

static void add_to_value(struct metric *metric, int64_t amount)
{
    atomic_fetch_add_explicit(&metric->value, amount, memory_order_relaxed);
}

void metric_add(struct metric *metric, int64_t amount)
{
    assert(metric->kind != METRIC_HISTOGRAM && (amount >= 0 || metric->kind != METRIC_COUNTER));
    add_to_value(metric, metric->kind == METRIC_OVERFLOW ? 1 : amount);
}

void metric_set(struct metric *metric, int64_t value)
{
    assert(metric->kind == METRIC_GAUGE || metric->kind == METRIC_OVERFLOW);
    if (metric->kind == METRIC_OVERFLOW)
        add_to_value(metric, 1);
    else
        atomic_store_explicit(&metric->value, value, memory_order_relaxed);
}

void metric_observe(struct metric *metric, int64_t microseconds)
{
    assert(metric->kind == METRIC_HISTOGRAM || metric->kind == METRIC_OVERFLOW);
    if (metric->kind == METRIC_OVERFLOW) {
        add_to_value(metric, 1);
        return;
    }
    size_t bucket = 0;
    while (bucket < BUCKET_COUNT && microseconds > buckets[bucket].microseconds)
        bucket++;
    atomic_fetch_add_explicit(&metric->bucket_counts[bucket], 1, memory_order_relaxed);
    add_to_value(metric, microseconds > 0 ? microseconds : 0);
}

int64_t metric_value(const struct metric *metric)
{
    return atomic_load_explicit(&metric->value, memory_order_relaxed);
}

static const char *type_name(enum metric_kind kind)
{
    switch (kind) {
    case METRIC_GAUGE: return "gauge";
    case METRIC_HISTOGRAM: return "histogram";
    case METRIC_COUNTER:
    case METRIC_OVERFLOW: return "counter";
    }
    return "untyped";
}

static void write_head(struct text_builder *page, const struct metric *metric)
{
    builder_add_format(page, "# HELP %.*s %.*s\n# TYPE %.*s %s\n", TEXT_ARG(metric->name), TEXT_ARG(metric->help),
                       TEXT_ARG(metric->name), type_name(metric->kind));
}

/* name + suffix {labels}, with the space before the value */
static void write_series(struct text_builder *page, const struct metric *metric, const char *suffix)
{
    builder_add_format(page, "%.*s%s", TEXT_ARG(metric->name), suffix);
    if (metric->labels.length)
        builder_add_format(page, "{%.*s}", TEXT_ARG(metric->labels));
    builder_add_char(page, ' ');
}

static void write_bucket(struct text_builder *page, const struct metric *metric, const char *bound, int64_t cumulated)
{
    builder_add_format(page, "%.*s_bucket{%.*s%sle=\"%s\"} %" PRId64 "\n", TEXT_ARG(metric->name),
                       TEXT_ARG(metric->labels), metric->labels.length ? "," : "", bound, cumulated);
}

/* The count is the sum of the buckets as read here, so that one page never contradicts itself. */
static void write_histogram(struct text_builder *page, const struct metric *metric)
{
    int64_t cumulated = 0;
    for (size_t i = 0; i <= BUCKET_COUNT; i++) {
        cumulated += atomic_load_explicit(&metric->bucket_counts[i], memory_order_relaxed);
        write_bucket(page, metric, i < BUCKET_COUNT ? buckets[i].seconds : "+Inf", cumulated);
    }
    int64_t sum = metric_value(metric);
    write_series(page, metric, "_sum");
    builder_add_format(page, "%" PRId64 ".%06" PRId64 "\n", sum / MICROSECONDS_PER_SECOND,
                       sum % MICROSECONDS_PER_SECOND);
    write_series(page, metric, "_count");
    builder_add_format(page, "%" PRId64 "\n", cumulated);
}

static void write_metric(struct text_builder *page, const struct metric *metric)
{
    if (metric->kind == METRIC_HISTOGRAM) {
        write_histogram(page, metric);
        return;
    }
    write_series(page, metric, "");
    builder_add_format(page, "%" PRId64 "\n", metric_value(metric));
}

static bool is_first_of_its_name(size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (text_equal(metrics[i].name, metrics[index].name))
            return false;
    }
    return true;
}

/* The format wants all series of one name together, below one head. */
struct text metrics_write(struct arena *arena)
{
    struct text_builder page;
    builder_init(&page, arena);
    size_t registered_count = atomic_load(&metric_count);
    for (size_t i = 0; i < registered_count; i++) {
        if (!is_first_of_its_name(i))
            continue;
        write_head(&page, &metrics[i]);
        for (size_t k = i; k < registered_count; k++) {
            if (text_equal(metrics[k].name, metrics[i].name))
                write_metric(&page, &metrics[k]);
        }
    }
    write_head(&page, &overflow);
    write_metric(&page, &overflow);
    return builder_text(&page);
}
