/* totals: the counters of all workers as one. */
#ifndef DOTGATE_TELEMETRY_TOTALS_H
#define DOTGATE_TELEMETRY_TOTALS_H

#include "telemetry/sources.h"

/*
 * Adds up all workers' counters into OUT. Where a sum makes no sense: an upstream is `up`
 * if any worker says so, and its certificate ends when the first one that a worker has
 * seen does.
 */
void totals_make(struct metrics *out, const struct sources *s);

#endif
