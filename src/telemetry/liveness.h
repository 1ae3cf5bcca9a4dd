/* liveness: whether the workers live, and whether dotgate is of use to a client. */
#ifndef DOTGATE_TELEMETRY_LIVENESS_H
#define DOTGATE_TELEMETRY_LIVENESS_H

#include <stdbool.h>

#include "telemetry/sources.h"

/* A loop beats at least once a second; this long without is no load, but a hang. */
#define LIVENESS_STUCK_US 5000000

struct liveness;

/* Takes the first look at the heartbeats. NULL: out of memory. S must outlive it. */
struct liveness *liveness_new(const struct sources *s, uint64_t now_us);
void liveness_free(struct liveness *l);

/* Looks at the heartbeats at NOW_US. Returns the number of a worker whose heartbeat has
 * stood still for LIVENESS_STUCK_US as far as the looks can tell, or -1: all live. */
int liveness_stuck(struct liveness *l, uint64_t now_us);

/*
 * True if some upstream has ever answered, or none has been found failing: so an outage
 * of the upstreams, which all instances share, takes none of them out of service, but one
 * that never worked does not come into it. (What can be cached has been answered before.)
 */
bool liveness_useful(const struct liveness *l);

#endif
