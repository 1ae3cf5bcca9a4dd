/* pool_send: who takes a query, and who a second copy of one. */
#include "upstream/pool_state.h"

/* No connection takes the query and none is on its way. */
static enum pool_verdict wait_or_fail(struct pool *p, const struct group *g,
				      uint64_t until_us, enum reason *why,
				      const char **text)
{
	const struct upstream *u = group_soonest(g, true);

	if (u && u->health.retry_us <= until_us) {
		pool_watch_down(p);
		return POOL_WAIT;
	}
	if (group_is_changing(g))
		return POOL_WAIT;
	if (!u)
		u = group_soonest(g, false);
	if (u) {
		*why = u->health.reason;
		*text = u->failure;
	} else {
		*why = REASON_OVERLOAD;
		*text = "overload: every upstream connection is full";
	}
	return POOL_FAILED;
}

/* Returns false if it cannot be sent after all. */
static bool send_to(struct pick to, const struct pool_ask *a, bool is_hedge)
{
	int id;

	if (!to.upstream)
		return false;
	if (!to.conn)
		return plain_send(to.upstream->plain, a->query, a->flight, a->question) ==
		       0;
	id = conn_send(to.conn, a->query, a->flight, a->question);
	if (id < 0)
		return false;
	if (is_hedge)
		ids_find(to.conn->ids, (uint16_t)id)->is_hedge = true;
	upstream_used(to.upstream, to.conn);
	return true;
}

/* Those that run beside the first one. */
static unsigned send_race(struct pool *p, struct group *g, const struct pool_ask *a)
{
	unsigned sent = 0;

	for (unsigned i = 1; i < p->options.race; i++)
		sent += send_to(group_runner_up(g, i), a, false);
	return sent;
}

static void earn_hedge(struct pool *p)
{
	if (p->hedge_credit < 100 * HEDGE_BURST)
		p->hedge_credit += HEDGE_PERCENT;
}

enum pool_verdict pool_send(struct pool *p, const struct pool_ask *a, uint64_t until_us,
			    unsigned *copies, enum reason *why, const char **text)
{
	struct group *g = &p->groups[a->group];
	bool soon;
	struct pick to = group_choose(g, a->domain, &soon);

	if (!to.upstream && soon)
		return POOL_WAIT;
	if (!to.upstream)
		to = group_choose_down(g, &soon);
	if (!to.upstream && soon)
		return POOL_WAIT;
	if (!to.upstream)
		return wait_or_fail(p, g, until_us, why, text);
	if (to.conn && !conn_takes(to.conn, a->query))
		return POOL_WAIT; /* until the handshake has ended */
	if (!send_to(to, a, false)) {
		*why = REASON_OVERLOAD;
		*text = "overload: no memory, or no socket, for one more query";
		return POOL_FAILED;
	}
	*copies = 1;
	earn_hedge(p);
	if (g->count == 1)
		return POOL_SENT;
	if (g->policy == POLICY_RACE)
		*copies += send_race(p, g, a);
	group_probe(g, to.upstream, a->query, a->question);
	return POOL_SENT;
}

/* A fresh connection of the same upstream; if there is none, the next late one has it. */
static struct pick fresh_connection(struct upstream *u, const struct conn *late)
{
	struct conn *c = upstream_spare(u, late);

	if (!c)
		(void)upstream_open(u);
	return (struct pick){.upstream = c ? u : NULL, .conn = c};
}

bool pool_send_copy(struct pool *p, const struct pool_ask *a)
{
	struct group *g = &p->groups[a->group];
	struct upstream *u = upstream_of(p->late);
	bool is_hedge = p->lateness == LATE_ANSWER;
	struct pick to = {0};

	if (!is_hedge)
		to = fresh_connection(u, p->late);
	if (!to.upstream)
		to = group_other(g, u);
	if (!to.upstream && is_hedge && p->options.hedge == HEDGE_ON)
		to = fresh_connection(u, p->late);
	return send_to(to, a, is_hedge);
}

uint64_t pool_question_hash(const struct pool *p, const uint8_t *key, size_t len)
{
	return hash_bytes(p->options.hash_key, key, len);
}

bool pool_is_usable(const struct pool *p, unsigned group)
{
	return group_is_usable(&p->groups[group]);
}
