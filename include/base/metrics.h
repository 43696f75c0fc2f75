/* Counters and histograms in the text exposition format of Prometheus. Registered once at start, counted without locks.
 */
#ifndef BASE_METRICS_H
#define BASE_METRICS_H

#include <stdint.h>

#include "text.h"

#define METRICS_MAX        256 /* all series of one program; more is a cardinality mistake */
#define METRICS_LABELS_MAX 128 /* bytes of one label set */

struct metric;

/* `name` as exposed ("xdms_http_requests_total"), `labels` inside the braces ("method=\"GET\"") or "". The same name
 * and labels give the same metric. Never NULL: past METRICS_MAX all share one overflow counter. */
struct metric *metric_counter(const char *name, const char *labels, const char *help);
struct metric *metric_gauge(const char *name, const char *labels, const char *help);
struct metric *metric_histogram(const char *name, const char *labels,
                                const char *help); /* microseconds in, seconds out */

void metric_add(struct metric *metric, int64_t amount);
void metric_set(struct metric *metric, int64_t value);
void metric_observe(struct metric *metric, int64_t microseconds);
int64_t metric_value(const struct metric *metric);

struct text metrics_write(struct arena *arena);

#endif
