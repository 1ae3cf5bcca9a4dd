/* prometheus_upstreams: the metrics that each upstream has of its own. */
#ifndef DOTGATE_TELEMETRY_PROMETHEUS_UPSTREAMS_H
#define DOTGATE_TELEMETRY_PROMETHEUS_UPSTREAMS_H

#include <stdio.h>

#include "telemetry/sources.h"

/* Writes them for all upstreams. Of counters with a reason or a result, rows that have
 * never counted are left out, but for those that everybody looks for. */
void prometheus_upstreams_put(FILE *out, const struct sources *s,
			      const struct metrics *totals);

#endif
