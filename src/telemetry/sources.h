/* sources: where the numbers are that the pages, the commands and the log show. */
#ifndef DOTGATE_TELEMETRY_SOURCES_H
#define DOTGATE_TELEMETRY_SOURCES_H

#include <stdbool.h>

#include "base/metric.h"
#include "telemetry/started.h"

/* The numbers of the cache, which this room does not know. */
struct cache_numbers {
	uint64_t entries, bytes, size, evictions;
};

/* Set once at the start. Who reads it only reads the counters; the pointers outlive all who do. */
struct sources {
	unsigned worker_count;
	struct metrics *const *workers; /* one for each worker */
	unsigned upstream_count;
	const char *const *upstreams; /* canonical spelling, the label of upstream i */
	const bool *unauthenticated;  /* auth=none, by upstream */
	/* A number that each worker's loop raises at least once a second, by worker. */
	uint64_t *const *heartbeats;
	/* NULL: there is no cache. */
	void (*cache_numbers)(void *arg, struct cache_numbers *out);
	void *cache_arg;
	struct moment started;
};

#endif
