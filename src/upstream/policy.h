/* policy: which of several upstreams is preferred for a query. */
#ifndef DOTGATE_UPSTREAM_POLICY_H
#define DOTGATE_UPSTREAM_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/metric.h"
#include "base/policy.h"
#include "base/random.h"

/* Pure: time and randomness are arguments. */

/* What is known of one upstream. */
struct candidate {
	bool down;
	bool erring;	     /* more than half of its last answers were errors */
	uint64_t latency_us; /* smoothed; 0: not known */
	unsigned failures;   /* since its last answer */
	unsigned weight;     /* from 1 */
	uint64_t identity;   /* for SHARD: the same in each run */
};

/* What a policy remembers. Zero-filled at first. */
struct policy_memory {
	unsigned turn;
	uint64_t chosen_until_us;
	uint8_t chosen[2];
};

/*
 * Writes the numbers of the N candidates (1 to UPSTREAMS_MAX) in order of preference. DOMAIN is,
 * for SHARD, a hash of the query's registrable domain. Those that answer with
 * errors come behind all others, and those that are DOWN last.
 */
void policy_order(enum policy p, struct policy_memory *m, const struct candidate *c,
		  unsigned n, uint64_t domain, uint64_t now_us, struct random *r,
		  uint8_t order[UPSTREAMS_MAX]);

#endif
