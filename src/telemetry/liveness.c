/* liveness: the workers' heartbeats, and whether an upstream was ever of use. */
#include "telemetry/liveness.h"

#include <stdlib.h>

struct beat {
	uint64_t value, changed_us;
};

struct vitals {
	const struct sources *options;
	struct beat beats[]; /* by worker */
};

struct vitals *vitals_new(const struct sources *o, uint64_t now_us)
{
	struct vitals *v = malloc(sizeof *v + o->worker_count * sizeof v->beats[0]);

	if (!v)
		return NULL;
	v->options = o;
	for (unsigned w = 0; w < o->worker_count; w++)
		v->beats[w] = (struct beat){metric_get(o->heartbeats[w]), now_us};
	return v;
}

void vitals_free(struct vitals *v)
{
	free(v);
}

int vitals_stuck(struct vitals *v, uint64_t now_us)
{
	int stuck = -1;

	for (unsigned w = 0; w < v->options->worker_count; w++) {
		struct beat *b = &v->beats[w];
		uint64_t value = metric_get(v->options->heartbeats[w]);

		if (value != b->value)
			*b = (struct beat){value, now_us};
		else if (now_us - b->changed_us >= VITALS_STUCK_US && stuck < 0)
			stuck = (int)w;
	}
	return stuck;
}

/* What the workers know of upstream U. */
static bool upstream_useful(const struct sources *o, unsigned u)
{
	bool is_down = false;

	for (unsigned w = 0; w < o->worker_count; w++) {
		const struct upstream_metrics *m = &o->workers[w]->upstream[u];

		if (metric_get(&m->requests[REASON_NONE]))
			return true;
		is_down |= !metric_get(&m->up);
	}
	return !is_down;
}

bool vitals_useful(const struct vitals *v)
{
	for (unsigned u = 0; u < v->options->upstream_count; u++) {
		if (upstream_useful(v->options, u))
			return true;
	}
	return false;
}
