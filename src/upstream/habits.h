/* habits: when an upstream closes its connections, as far as can be learnt. */
#ifndef DOTGATE_UPSTREAM_HABITS_H
#define DOTGATE_UPSTREAM_HABITS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Pure: time is an argument.
 *
 * Some servers close a connection after so many queries, whatever is under way on it. What they
 * have not answered must be asked again, after a dial and a handshake. So after one such end it is
 * supposed that there is a limit (after two, if it is of very few queries): connections are given no more queries than that, and for a while
 * a second one is kept ready. A connection that has had its queries is watched a moment longer: if
 * the upstream closes it, the limit is proven; if not, there is none. An end that was one of several
 * at the same time, or after which the upstream could not be reached, was a restart: it tells nothing.
 *
 * All servers close a connection that has been idle for long. What two such ends agree on is taken
 * as the upstream's idle time.
 */
struct habits {
	unsigned limit;	   /* queries that a connection takes; 0: not known */
	bool proven;	   /* the upstream has closed where the limit says */
	unsigned few;	   /* answers of the last connection that ended after very few */
	unsigned before;   /* the proven limit before that which is supposed; 0: none */
	uint64_t hung_us;  /* when it last hung up; 0: never */
	uint64_t test_us;  /* proven: from then on it is to be proven again */
	uint64_t spare_us; /* a second connection is kept ready until then */
	uint64_t idle_us;  /* it closes what has been idle for so long; 0: not known */
	uint64_t last_idle_us; /* after so long it did last */
	uint64_t longer_us;    /* idle connections are given more time from then on */
};

/* The upstream has closed a connection, made at OPENED_US, after so many answers, with queries out or
 * without a pause before. */
void habits_hung_up(struct habits *h, unsigned answers, uint64_t opened_us,
		    uint64_t now_us);

/* It could not be reached: if it has hung up just before, that was its own end, and no limit. */
void habits_went_down(struct habits *h, uint64_t now_us);

/* It has closed one that was given no more queries than the limit, and had answered them. */
void habits_limit_met(struct habits *h, uint64_t now_us);

/* It has not: there is no limit. */
void habits_limit_passed(struct habits *h);

/* True when a connection that has had its queries is to be watched. */
bool habits_doubt_limit(const struct habits *h, uint64_t now_us);

/* True when a second connection is to be kept ready. */
bool habits_want_spare(const struct habits *h, uint64_t now_us);

/* It has closed a connection that had been idle for so long. */
void habits_closed_idle(struct habits *h, uint64_t idle_us, uint64_t now_us);

/* The time for which a connection may be idle before the upstream closes it; 0: not known. From
 * time to time it is set a little longer, to see whether it still holds. */
uint64_t habits_idle(struct habits *h, uint64_t now_us);

#endif
