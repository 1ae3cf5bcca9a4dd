/* habits: after how many queries an upstream hangs up, as far as can be learnt. */
#ifndef DOTGATE_UPSTREAM_HABITS_H
#define DOTGATE_UPSTREAM_HABITS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Some servers close a connection after so many queries, whatever is under way on it. What they
 * have not answered must be asked again, after a dial and a handshake. So after the first such
 * end a second connection is kept ready for a while; and when two in a row come after the same
 * number of answers, no connection is given more queries than that. Pure: time is an argument.
 */
struct habits {
	unsigned limit;	     /* queries that a connection takes; 0: not known */
	unsigned last;	     /* answers before the last such end */
	uint64_t spare_us;   /* a second connection is kept ready until then */
	uint64_t explore_us; /* then a connection may show that the limit is gone */
};

/* The upstream has closed a connection with queries out, after so many answers. */
void habits_hung_up(struct habits *h, unsigned answers, uint64_t now_us);

/* A connection that was given no limit has had so many answers: more than the limit? */
void habits_answered(struct habits *h, unsigned answers);

/* The queries that a new connection is to be given; 0: any number. */
unsigned habits_limit(struct habits *h, uint64_t now_us);

/* True when a second connection is to be kept ready. */
bool habits_want_spare(const struct habits *h, uint64_t now_us);

#endif
