/* group: the members in order of preference, and what they have to offer. */
#include "upstream/group.h"

/* A slower member is asked so often, while there are queries: enough to notice that it has become
 * the faster one, and next to nothing. */
#define PROBE_US 30000000
/* One of which nothing is known is asked soon after the start; one that erred, as often. */
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
					  .erring = health_is_erring(&u->health),
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
	return (struct pick){.upstream = plain_has_room(u->plain) ? u : NULL};
}

static struct pick pick_conn(struct conn *c)
{
	return (struct pick){.upstream = c ? upstream_of(c) : NULL, .conn = c};
}

static bool has_bit(const struct upstream *u, uint32_t bits)
{
	return bits >> u->number & 1;
}

/* U, which is UP and comes next, is the only one that may see a name of its shard, unless it cannot be
 * reached. */
static bool keeps_names(const struct group *g, struct upstream *u)
{
	const struct conn *dialling;

	if (g->policy != POLICY_SHARD || health_is_erring(&u->health))
		return false;
	dialling = u->plain || upstream_find(u, conn_has_room)
		       ? NULL
		       : upstream_find(u, conn_is_dialling);
	return !dialling || !dialling->is_slow;
}

/* What U has for a query. Where it has no connection, one is opened. */
static struct pick offer(struct upstream *u, const struct ask *a, struct refusal *why,
			 struct conn **doubtful)
{
	struct conn *c;

	if (!upstream_has_capacity(u, a->is_heavy)) {
		if (!a->is_heavy)
			upstream_held(u);
		why->full = true;
		return (struct pick){0};
	}
	if (u->plain) {
		why->full |= !plain_has_room(u->plain);
		return pick_plain(u);
	}
	c = upstream_find(u, conn_is_good);
	if (c)
		return pick_conn(c);
	if (!*doubtful)
		*doubtful = upstream_find(u, conn_has_room);
	if (!why->soon) {
		c = upstream_open(u);
		why->soon = c && !c->is_slow;
	}
	return (struct pick){0};
}

/* Among the members that are UP, but for those of the bits PASSED. */
static struct pick choose_among(struct group *g, const struct ask *a, uint32_t passed,
				struct refusal *why)
{
	struct conn *doubtful = NULL;

	for (unsigned i = 0; i < g->count; i++) {
		struct upstream *u = member(g, i);
		struct pick p = {0};

		if (u->health.down)
			break; /* as are those behind it */
		if (!has_bit(u, passed))
			p = offer(u, a, why, &doubtful);
		if (p.upstream)
			return p;
		if (keeps_names(g, u))
			break;
	}
	return pick_conn(doubtful);
}

struct pick group_choose(struct group *g, const struct ask *a, struct refusal *why)
{
	uint32_t passed = a->tried | (g->policy == POLICY_SHARD ? 0 : a->silent);
	struct pick p;

	*why = (struct refusal){0};
	put_in_order(g, a->domain);
	p = choose_among(g, a, passed, why);
	if (!p.upstream && !why->soon && passed != a->tried)
		p = choose_among(g, a, a->tried, why);
	return p;
}

/* What U has, which is DOWN, or has nothing but a dial that takes long. */
static struct pick last_offer(struct upstream *u, struct refusal *why)
{
	struct conn *c = upstream_find(u, conn_has_room);

	health_wanted(&u->health, loop_now(u->context.loop));
	if (u->plain && health_may_dial(&u->health, loop_now(u->context.loop)))
		return pick_plain(u);
	if (!c)
		why->soon |= upstream_open(u) != NULL;
	return pick_conn(c);
}

struct pick group_choose_last(struct group *g, const struct ask *a, struct refusal *why)
{
	struct pick p = {0};

	for (unsigned i = 0; i < g->count && !p.upstream; i++) {
		struct upstream *u = member(g, i);

		if (!has_bit(u, a->tried) && upstream_has_capacity(u, a->is_heavy))
			p = last_offer(u, why);
		if (!u->health.down && keeps_names(g, u))
			break;
	}
	return p;
}

struct pick group_runner_up(struct group *g, const struct ask *a, unsigned n)
{
	struct upstream *u = n < g->count ? member(g, n) : NULL;
	struct conn *c;

	if (!u || u->health.down || has_bit(u, a->tried) ||
	    !upstream_has_capacity(u, true))
		return (struct pick){0};
	if (u->plain)
		return pick_plain(u);
	c = upstream_find(u, conn_is_good);
	if (!c)
		(void)upstream_open(u);
	return pick_conn(c);
}

struct pick group_other(struct group *g, const struct ask *a, const struct upstream *u)
{
	struct pick p = {0};

	if (g->policy == POLICY_SHARD && !u->health.down)
		return p;
	if (g->policy == POLICY_SHARD)
		put_in_order(g, a->domain); /* another name may have come since */
	for (unsigned i = 0; i < g->count && !p.upstream; i++) {
		if (member(g, i) == u)
			continue;
		p = group_runner_up(g, a, i);
		if (!member(g, i)->health.down && keeps_names(g, member(g, i)))
			break;
	}
	return p;
}

bool group_has_untried(const struct group *g, uint32_t tried)
{
	for (unsigned i = 0; i < g->count; i++) {
		const struct upstream *u = g->members[i];

		if (g->policy == POLICY_SHARD && has_bit(u, tried) && !u->health.down &&
		    !health_is_erring(&u->health))
			return false;
	}
	for (unsigned i = 0; i < g->count; i++)
		if (!g->members[i]->health.down && !has_bit(g->members[i], tried))
			return true;
	return false;
}

static void probe(struct upstream *u, const struct ask *a)
{
	struct conn *c = upstream_find(u, conn_has_room);

	if (u->plain && !plain_inflight(u->plain))
		(void)plain_send(u->plain, a);
	else if (!u->plain && !c)
		(void)upstream_open(u);
	else if (c && !ids_awaited_count(c->ids))
		(void)conn_send(c, a);
}

/* A member that nothing has been heard of for so long. */
static bool is_forgotten(const struct group *g, const struct upstream *u)
{
	bool soon = !u->health.rtt_us || health_is_erring(&u->health);

	return now(g) >= u->heard_us + (soon ? FIRST_PROBE_US : PROBE_US);
}

static bool wants_probe(const struct group *g, const struct upstream *u)
{
	return u->health.down ||
	       ((g->policy == POLICY_FASTEST || health_is_erring(&u->health)) &&
		is_forgotten(g, u));
}

void group_probe(struct group *g, const struct upstream *asked, const struct ask *a)
{
	struct ask copy = *a, neutral = upstream_neutral_ask(asked);

	copy.flight = 0;
	for (unsigned i = 0; i < g->count; i++) {
		struct upstream *u = g->members[i];

		if (u != asked && wants_probe(g, u))
			probe(u, g->policy == POLICY_SHARD ? &neutral : &copy);
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
