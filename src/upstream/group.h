/* group: upstreams that serve the same names; which connection of theirs takes a query. */
#ifndef DOTGATE_UPSTREAM_GROUP_H
#define DOTGATE_UPSTREAM_GROUP_H

#include "upstream/policy.h"
#include "upstream/upstream.h"

struct group {
	enum policy policy;
	struct policy_memory memory;
	unsigned count; /* from 1 */
	struct upstream *members[UPSTREAMS_MAX];
	uint8_t
	    order[UPSTREAMS_MAX]; /* of the members, by preference, of the last query */
};

/* Who takes a query: a connection of an upstream; or, of one in the clear, none. */
struct pick {
	struct upstream *upstream; /* NULL: nobody */
	struct conn *conn;
};

/*
 * Who takes a query of DOMAIN (a hash, for POLICY_SHARD): the first UP member, in order of
 * preference, that can. Where a better member has no connection, one is opened. *SOON: nobody can,
 * but a connection that can be waited for is on its way.
 */
struct pick group_choose(struct group *g, uint64_t domain, bool *soon);

/* The same among the members that are DOWN, for want of better. */
struct pick group_choose_down(struct group *g, bool *soon);

/* The Nth best UP member (from 0), if it can take a query now. If it has no connection, one is opened
 * for the next time. By the order of the last group_choose(). */
struct pick group_runner_up(struct group *g, unsigned n);

/* A member other than U, the best first; as above. */
struct pick group_other(struct group *g, const struct upstream *u);

/*
 * Asks members beside the one that is asked: those that are DOWN, to see whether they are back
 * (a connection is made, and when it is there it gets a copy of a query whose answer nobody waits
 * for); and, where the fastest is wanted, now and then a slower one, to see whether it still is.
 */
void group_probe(struct group *g, const struct upstream *asked, const struct query *q,
		 uint64_t question);

/* True unless all are DOWN. */
bool group_is_usable(const struct group *g);

/* True if a member that is UP has connections which have had all the queries they are given: they
 * end soon, and others can be opened. */
bool group_is_changing(const struct group *g);

/* The member that is DOWN and may be tried again first; of those for which waiting can help, if
 * HOPEFUL. NULL: none is. */
struct upstream *group_soonest(const struct group *g, bool hopeful);

#endif
