/* commands: what the running daemon does when it is asked over the control socket. */
#ifndef DOTGATE_ADMIN_COMMANDS_H
#define DOTGATE_ADMIN_COMMANDS_H

#include "admin/control.h"
#include "cache/cache.h"
#include "forwarding/forwarding.h"
#include "telemetry/liveness.h"
#include "telemetry/sources.h"

/* The argument of commands_run(). */
struct commands {
	struct cache *cache;	       /* NULL: off */
	const struct sources *sources; /* the workers' counters */
	struct forwarding *forwarding;
	const struct config *config;
	struct liveness *liveness; /* of the control socket's thread alone */
};

control_fn commands_run;

/* For struct sources; ARG is the cache. */
void commands_cache_numbers(void *arg, struct cache_numbers *out);

#endif
