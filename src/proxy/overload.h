/* overload: that queries are refused is logged, once a burst, with how many and because of whom. */
#ifndef DOTGATE_PROXY_OVERLOAD_H
#define DOTGATE_PROXY_OVERLOAD_H

#include "base/host.h"
#include "net/loop.h"
#include "net/timer.h"

/* A burst is told this long after it began, with what was refused till then; while it lasts, again
 * at longer intervals. */
#define OVERLOAD_FIRST_US 1000000
#define OVERLOAD_AGAIN_US 60000000

/* One worker's. Embedded in its owner. */
struct overload {
	struct loop *loop;
	bool log_clients;   /* the operator allows addresses in the log */
	struct timer timer; /* runs during a burst */
	uint64_t since_us;  /* the refusals that are not told yet */
	uint64_t refused;
	struct host heaviest;
	bool has_heaviest; /* it is known */
	unsigned percent;
};

void overload_init(struct overload *o, struct loop *l, bool log_clients);

/* Ends it; what is not told yet is not told. */
void overload_stop(struct overload *o);

/* A query was refused. */
void overload_refused(struct overload *o);

/* Of what is under way, the client HEAVIEST has PERCENT, the most of all. May be called before or
 * after overload_refused(), any number of times: the last before a line counts for it. */
void overload_blame(struct overload *o, const struct host *heaviest, unsigned percent);

#endif
