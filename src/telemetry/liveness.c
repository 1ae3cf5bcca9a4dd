/* liveness: the workers' heartbeats, and whether an upstream was ever of use. */
#include "telemetry/liveness.h"

#include <stdlib.h>

struct beat {
	uint64_t value, changed_us;
};

struct liveness {
	const struct sources *sources;
	struct beat beats[]; /* by worker */
};

struct liveness *liveness_new(const struct sources *s, uint64_t now_us)
{
	struct liveness *l = malloc(sizeof *l + s->worker_count * sizeof l->beats[0]);

	if (!l)
		return NULL;
	l->sources = s;
	for (unsigned w = 0; w < s->worker_count; w++)
		l->beats[w] = (struct beat){metric_get(s->heartbeats[w]), now_us};
	return l;
}

void liveness_free(struct liveness *l)
{
	free(l);
}

int liveness_stuck(struct liveness *l, uint64_t now_us)
{
	int stuck = -1;

	for (unsigned w = 0; w < l->sources->worker_count; w++) {
		struct beat *b = &l->beats[w];
		uint64_t value = metric_get(l->sources->heartbeats[w]);

		if (value != b->value)
			*b = (struct beat){value, now_us};
		else if (now_us - b->changed_us >= LIVENESS_STUCK_US && stuck < 0)
			stuck = (int)w;
	}
	return stuck;
}

/* What the workers know of upstream U. */
static bool upstream_useful(const struct sources *s, unsigned u)
{
	bool is_down = false;

	for (unsigned w = 0; w < s->worker_count; w++) {
		const struct upstream_metrics *m = &s->workers[w]->upstream[u];

		if (metric_get(&m->requests[REASON_NONE]))
			return true;
		is_down |= !metric_get(&m->up);
	}
	return !is_down;
}

bool liveness_useful(const struct liveness *l)
{
	for (unsigned u = 0; u < l->sources->upstream_count; u++) {
		if (upstream_useful(l->sources, u))
			return true;
	}
	return false;
}
