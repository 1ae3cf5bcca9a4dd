/* group: the members in order of preference, and what they have to offer. */
#include "upstream/group.h"

/* A slower member is asked so often, while there are queries: enough to notice that it has become
 * the faster one, and next to nothing. */
#define PROBE_US 30000000
/* One of which nothing is known is asked soon after the start. */
#define FIRST_PROBE_US 1000000

static uint64_t now(const struct group *g)
{
	return loop_now(g->members[0]->context.loop);
}

static void put_in_order(struct group *g, uint64_t domain)
{
	struct candidate c[UPSTREAMS_MAX];

	if (g->count == 1)
		return; /* order[] is all 0 */
	for (unsigned i = 0; i < g->count; i++) {
		const struct upstream *u = g->members[i];

		c[i] = (struct candidate){.down = u->health.down,
					  .latency_us = u->health.rtt_us,
					  .failures = u->health.failures,
					  .weight = u->weight,
					  .identity = u->identity};
	}
	policy_order(g->policy, &g->memory, c, g->count, domain, now(g),
		     g->members[0]->context.random, g->order);
}

static struct upstream *member(const struct group *g, unsigned place)
{
	return g->members[g->order[place]];
}

static struct pick pick_plain(struct upstream *u)
{
	return (struct pick){.upstream = u};
}

static struct pick pick_conn(struct conn *c)
{
	return (struct pick){.upstream = c ? upstream_of(c) : NULL, .conn = c};
}

struct pick group_choose(struct group *g, uint64_t domain, bool *soon)
{
	struct conn *doubtful = NULL;

	*soon = false;
	put_in_order(g, domain);
	for (unsigned i = 0; i < g->count; i++) {
		struct upstream *u = member(g, i);
		struct conn *c;

		if (u->health.down)
			break; /* as are those behind it */
		if (u->plain)
			return pick_plain(u);
		c = upstream_find(u, conn_is_good);
		if (c)
			return pick_conn(c);
		if (!doubtful)
			doubtful = upstream_find(u, conn_has_room);
		if (*soon)
			continue;
		c = upstream_open(u);
		*soon = c && !c->is_slow;
	}
	return pick_conn(doubtful);
}

struct pick group_choose_down(struct group *g, bool *soon)
{
	for (unsigned i = 0; i < g->count; i++) {
		struct upstream *u = member(g, i);
		struct conn *c = upstream_find(u, conn_has_room);

		health_wanted(&u->health, now(g));
		if (u->plain && health_may_dial(&u->health, now(g)))
			return pick_plain(u);
		if (c)
			return pick_conn(c);
		*soon |= upstream_open(u) != NULL;
	}
	return (struct pick){0};
}

struct pick group_runner_up(struct group *g, unsigned n)
{
	struct upstream *u = n < g->count ? member(g, n) : NULL;
	struct conn *c;

	if (!u || u->health.down)
		return (struct pick){0};
	if (u->plain)
		return pick_plain(u);
	c = upstream_find(u, conn_is_good);
	if (!c)
		(void)upstream_open(u);
	return pick_conn(c);
}

struct pick group_other(struct group *g, const struct upstream *u)
{
	struct pick p = {0};

	for (unsigned i = 0; i < g->count && !p.upstream; i++)
		if (member(g, i) != u)
			p = group_runner_up(g, i);
	return p;
}

static void probe(struct upstream *u, const struct query *q, uint64_t question)
{
	struct conn *c = upstream_find(u, conn_has_room);

	if (u->plain && !plain_inflight(u->plain))
		(void)plain_send(u->plain, q, 0, question);
	else if (!c)
		(void)upstream_open(u);
	else if (!ids_awaited_count(c->ids))
		(void)conn_send(c, q, 0, question);
}

/* A member that nothing has been heard of for long. */
static bool is_forgotten(const struct group *g, const struct upstream *u)
{
	return now(g) >= u->heard_us + (u->health.rtt_us ? PROBE_US : FIRST_PROBE_US);
}

void group_probe(struct group *g, const struct upstream *asked, const struct query *q,
		 uint64_t question)
{
	for (unsigned i = 0; i < g->count; i++) {
		struct upstream *u = g->members[i];

		if (u == asked)
			continue;
		if (u->health.down)
			probe(u, q, question);
		else if (g->policy == POLICY_FASTEST && is_forgotten(g, u))
			probe(u, q, question);
	}
}

bool group_is_usable(const struct group *g)
{
	for (unsigned i = 0; i < g->count; i++)
		if (!g->members[i]->health.down)
			return true;
	return false;
}

bool group_is_changing(const struct group *g)
{
	for (unsigned i = 0; i < g->count; i++)
		if (!g->members[i]->health.down &&
		    upstream_find(g->members[i], conn_is_used_up))
			return true;
	return false;
}

struct upstream *group_soonest(const struct group *g, bool hopeful)
{
	struct upstream *best = NULL;

	for (unsigned i = 0; i < g->count; i++) {
		struct upstream *u = g->members[i];

		if (!u->health.down ||
		    (hopeful && reason_is_authentication(u->health.reason)))
			continue;
		if (!best || u->health.retry_us < best->health.retry_us)
			best = u;
	}
	return best;
}
