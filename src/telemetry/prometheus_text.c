/* prometheus_text: the Prometheus text format. */
#include "telemetry/prometheus_text.h"

#include <assert.h>
#include <inttypes.h>
#include <stdbool.h>

/* Upper bound of histogram bucket 0; each next one is twice as wide (base/metric.h). */
#define BUCKET_FIRST_US 64

#define US_PER_SECOND 1000000

/* "0.000064" to "8.388608", and the end. */
#define SECONDS_TEXT_MAX 32

static void put_seconds(char out[SECONDS_TEXT_MAX], uint64_t us)
{
	snprintf(out, SECONDS_TEXT_MAX, "%" PRIu64 ".%06" PRIu64, us / US_PER_SECOND,
		 us % US_PER_SECOND);
}

void prometheus_text_metric(FILE *out, const char *name, const char *type,
			    const char *help)
{
	fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void put_escaped(FILE *out, const char *value)
{
	for (; *value; value++) {
		if (*value == '\n') {
			fputs("\\n", out);
			continue;
		}
		if (*value == '\\' || *value == '"')
			fputc('\\', out);
		fputc(*value, out);
	}
}

static void put_labels(FILE *out, const struct prometheus_label *labels)
{
	if (!labels || !labels->name)
		return;
	for (const struct prometheus_label *l = labels; l->name; l++) {
		fprintf(out, "%c%s=\"", l == labels ? '{' : ',', l->name);
		put_escaped(out, l->value);
		fputc('"', out);
	}
	fputc('}', out);
}

static void put_row(FILE *out, const char *name, const char *suffix,
		    const struct prometheus_label *labels, const char *value)
{
	fprintf(out, "%s%s", name, suffix);
	put_labels(out, labels);
	fprintf(out, " %s\n", value);
}

void prometheus_text_row(FILE *out, const char *name, const char *suffix,
			 const struct prometheus_label *labels, uint64_t value)
{
	char number[SECONDS_TEXT_MAX];

	snprintf(number, sizeof number, "%" PRIu64, value);
	put_row(out, name, suffix, labels, number);
}

void prometheus_text_histogram(FILE *out, const char *name,
			       const struct prometheus_label *labels,
			       const struct histogram *h)
{
	struct prometheus_label all[PROMETHEUS_LABELS_MAX + 1] = {{NULL, NULL}};
	char bound[SECONDS_TEXT_MAX];
	uint64_t count = 0;
	unsigned n = 0;

	for (; labels && labels[n].name; n++)
		all[n] = labels[n];
	assert(n < PROMETHEUS_LABELS_MAX);
	all[n] = (struct prometheus_label){"le", bound};
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		if (i + 1 < HISTOGRAM_BUCKETS)
			put_seconds(bound, (uint64_t)BUCKET_FIRST_US << i);
		else
			snprintf(bound, sizeof bound, "+Inf");
		count += h->bucket[i];
		prometheus_text_row(out, name, "_bucket", all, count);
	}
	put_seconds(bound, h->sum_us);
	put_row(out, name, "_sum", labels, bound);
	prometheus_text_row(out, name, "_count", labels, count);
}
