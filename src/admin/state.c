/* state: a few log lines from the counters. */
#include "admin/state.h"

#include <stdlib.h>

#include "base/log.h"
#include "telemetry/totals.h"

typedef unsigned long long ull;

static void upstream_log(const char *label, const struct upstream_metrics *u)
{
	log_line(
	    LOG_NOTICE,
	    "upstream %s: %s, %llu connections, %llu in flight, %llu answers in %llu "
	    "writes, opened %llu in full and %llu resumed",
	    label, u->up ? "up" : "down", (ull)u->connections, (ull)u->inflight,
	    (ull)u->requests[REASON_NONE], (ull)u->writes, (ull)u->opened[0],
	    (ull)u->opened[1]);
}

void state_log(const struct sources *s)
{
	struct metrics *m = malloc(sizeof *m);

	if (!m)
		return;
	totals_make(m, s);
	log_line(
	    LOG_NOTICE,
	    "state: %u workers, %llu queries in flight, %llu TCP clients, %llu queries "
	    "joined, %llu replays",
	    s->worker_count, (ull)m->flights, (ull)m->tcp_clients, (ull)m->joined,
	    (ull)m->replays);
	for (unsigned i = 0; i < s->upstream_count; i++)
		upstream_log(s->upstreams[i], &m->upstream[i]);
	free(m);
}
