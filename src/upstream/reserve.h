/* reserve: the connections of an upstream that are kept ready ahead of the demand. */
#ifndef DOTGATE_UPSTREAM_RESERVE_H
#define DOTGATE_UPSTREAM_RESERVE_H

#include "upstream/upstream.h"

/*
 * One connection is kept ready while clients are active (keep-warm); two where much depends on one, or
 * the upstream hangs up; and where each connection takes few queries, as many as will be needed while
 * another is made. What the upstream's own ends of connections tell of its idle time and limit is
 * learnt here (habits.h).
 */

/* A query was given to C. Retires C if it is to get no more, and sees to it that another is ready
 * if the upstream is known to hang up. */
void reserve_used(struct upstream *u, struct conn *c);

/* When C, on which nothing is out, is to be looked at again; the past: it is to be closed. Before
 * the upstream closes it, its successor is opened. */
uint64_t reserve_idle(struct upstream *u, struct conn *c);

/* A second connection was refused: for a while one has to do. */
void reserve_refused(struct upstream *u);

/* C has ended, and why: what is learnt from it. If there was use for it, another is opened. */
void reserve_ended(struct upstream *u, const struct conn *c, enum reason why);

/* A connection that has had its queries was not closed for it. */
void reserve_limit_passed(struct upstream *u);

#endif
