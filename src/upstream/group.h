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

/* What takes a query: a connection of an upstream; or, of one in the clear, none. */
struct pick {
	struct upstream *upstream; /* NULL: nothing does */
	struct conn *conn;
};

/* Why nothing takes a query. */
struct refusal {
	bool soon; /* a connection that can be waited for is on its way */
	bool full; /* an upstream that is UP has no capacity for it (capacity.h) */
};

/*
 * What takes the query of A: the first UP member, in order of preference, that can and has not
 * answered it with an error; those that left it unanswered come last. Where a better member has no connection, one is opened. With
 * POLICY_SHARD only the first member is asked while it is UP and can be reached.
 */
struct pick group_choose(struct group *g, const struct ask *a, struct refusal *why);

/* What takes it for want of better, after group_choose(): a member that is DOWN, or slow to reach. */
struct pick group_choose_last(struct group *g, const struct ask *a, struct refusal *why);

/* The Nth best UP member (from 0), if it can take a copy of the query of A now. If it has no
 * connection, one is opened for the next time. By the order of the last group_choose(). */
struct pick group_runner_up(struct group *g, const struct ask *a, unsigned n);

/* A member other than U that can take a copy of the query of A, the best first. With POLICY_SHARD
 * there is none while U is UP. */
struct pick group_other(struct group *g, const struct ask *a, const struct upstream *u);

/* True if a member is UP that has not answered with an error, by the bits of TRIED. With POLICY_SHARD
 * only if the members that have are DOWN, or answer nearly everything with errors. */
bool group_has_untried(const struct group *g, uint32_t tried);

/*
 * Asks members beside the one that is asked: those that are DOWN, to see whether they are back
 * (a connection is made, and when it is there it gets a copy of a query whose answer nobody waits
 * for); those that answered with errors; and, where the fastest is wanted, now and then a slower
 * one, to see whether it still is. With POLICY_SHARD the question is a neutral one.
 */
void group_probe(struct group *g, const struct upstream *asked, const struct ask *a);

/* True unless all are DOWN. */
bool group_is_usable(const struct group *g);

/* True if a member that is UP has connections which have had all the queries they are given: they
 * end soon, and others can be opened. */
bool group_is_changing(const struct group *g);

/* The member that is DOWN and may be tried again first; of those for which waiting can help, if
 * HOPEFUL. NULL: none is. */
struct upstream *group_soonest(const struct group *g, bool hopeful);

#endif
