/* totals: sums over the workers. */
#include "telemetry/totals.h"

#include <stddef.h>

/* The sum below takes struct metrics as what it is: nothing but counters. */
_Static_assert(sizeof(struct metrics) % sizeof(uint64_t) == 0, "all fields are uint64_t");

#define COUNTERS (sizeof(struct metrics) / sizeof(uint64_t))

static uint64_t earliest(uint64_t a, uint64_t b)
{
	if (!a || !b)
		return a ? a : b;
	return a < b ? a : b;
}

static uint64_t greatest(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static void pick_gauges(struct upstream_metrics *out, unsigned upstream,
			const struct sources *s)
{
	out->up = 0;
	out->cert_not_after = 0;
	out->backup_pin = 0;
	out->rtt_p50 = out->rtt_p95 = out->learnt_idle = out->learnt_limit = 0;
	for (unsigned w = 0; w < s->worker_count; w++) {
		const struct upstream_metrics *u = &s->workers[w]->upstream[upstream];

		out->up |= metric_get(&u->up);
		out->backup_pin |= metric_get(&u->backup_pin);
		out->cert_not_after =
		    earliest(out->cert_not_after, metric_get(&u->cert_not_after));
		/* the busiest worker would know best; the slowest figure is the careful one */
		out->rtt_p50 = greatest(out->rtt_p50, metric_get(&u->rtt_p50));
		out->rtt_p95 = greatest(out->rtt_p95, metric_get(&u->rtt_p95));
		out->learnt_idle =
		    earliest(out->learnt_idle, metric_get(&u->learnt_idle));
		out->learnt_limit =
		    earliest(out->learnt_limit, metric_get(&u->learnt_limit));
	}
}

void totals_make(struct metrics *out, const struct sources *s)
{
	uint64_t *sum = (uint64_t *)(void *)out;

	for (size_t i = 0; i < COUNTERS; i++)
		sum[i] = 0;
	for (unsigned w = 0; w < s->worker_count; w++) {
		const uint64_t *from = (const uint64_t *)(const void *)s->workers[w];

		for (size_t i = 0; i < COUNTERS; i++)
			sum[i] += metric_get(&from[i]);
	}
	for (unsigned u = 0; u < s->upstream_count; u++)
		pick_gauges(&out->upstream[u], u, s);
}
