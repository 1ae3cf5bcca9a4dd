/* prometheus: the counters of all workers, summed, as Prometheus text. */
#ifndef DOTGATE_TELEMETRY_PROMETHEUS_H
#define DOTGATE_TELEMETRY_PROMETHEUS_H

#include <stddef.h>

#include "telemetry/sources.h"

/* The page as a string to be freed by the caller; NULL when memory is short. LEN gets its
 * length. */
char *prometheus_make(const struct sources *s, size_t *len);

#endif
