/* prometheus_text: the Prometheus text format 0.0.4, row by row, into a string that grows. */
#ifndef DOTGATE_TELEMETRY_PROMETHEUS_TEXT_H
#define DOTGATE_TELEMETRY_PROMETHEUS_TEXT_H

#include <stdint.h>
#include <stdio.h>

#include "base/metric.h"

/* Labels of one row. */
#define PROMETHEUS_LABELS_MAX 3

/* One label; a NULL name ends a list of them. Values are escaped when written. */
struct prometheus_label {
	const char *name, *value;
};

/* # HELP and # TYPE of the metric NAME ("counter", "gauge", "histogram", "summary"). */
void prometheus_text_metric(FILE *out, const char *name, const char *type,
			    const char *help);

/* One row: NAME SUFFIX {LABELS} VALUE. SUFFIX may be "", LABELS NULL. */
void prometheus_text_row(FILE *out, const char *name, const char *suffix,
			 const struct prometheus_label *labels, uint64_t value);

/* All rows of one histogram: cumulative buckets in seconds up to +Inf, _sum and _count.
 * At most PROMETHEUS_LABELS_MAX - 1 labels: `le` is added. */
void prometheus_text_histogram(FILE *out, const char *name,
			       const struct prometheus_label *labels,
			       const struct histogram *h);

#endif
