/* pool_send: what takes a query, and what a second copy of one. */
#include "upstream/pool_state.h"

/* Nothing takes the query of A, and no connection that would is on its way. */
static enum pool_verdict wait_or_fail(struct pool *p, const struct ask *a, bool is_full,
				      uint64_t until_us, enum reason *why,
				      const char **text)
{
	const struct group *g = &p->groups[a->group];
	const struct upstream *u = is_full ? NULL : group_soonest(g, true);

	if (u && u->health.retry_us <= until_us) {
		pool_watch_down(p);
		return POOL_WAIT;
	}
	if (!is_full && group_is_changing(g))
		return POOL_WAIT;
	if (!u && !is_full)
		u = group_soonest(g, false);
	if (u) {
		*why = u->health.reason;
		*text = u->failure;
	} else {
		*why = REASON_OVERLOAD;
		*text = is_full
			    ? "overload: the upstreams answer fewer queries than they "
			      "are asked"
			    : "overload: every upstream connection is full";
	}
	return POOL_FAILED;
}

static bool send_on(struct conn *c, const struct ask *a, enum lateness why)
{
	struct sent *s = conn_send(c, a);

	if (!s)
		return false;
	s->is_hedge = why == LATE_ANSWER;
	if (a->is_copy)
		ids_note_copy(c->ids, s);
	reserve_used(upstream_of(c), c);
	return true;
}

/* Returns false if it cannot be sent after all. */
static bool send_to(struct pick to, const struct ask *a, enum lateness why)
{
	bool sent = to.upstream && (to.conn ? send_on(to.conn, a, why)
					    : pool_send_plain(to.upstream, a));

	if (sent)
		capacity_sent(&to.upstream->capacity,
			      loop_now(to.upstream->context.loop));
	return sent;
}

/* Those that run beside the first one. */
static unsigned send_race(struct pool *p, struct group *g, const struct ask *a)
{
	unsigned sent = 0;

	for (unsigned i = 1; i < p->options.race; i++)
		sent += send_to(group_runner_up(g, a, i), a, NOT_LATE);
	return sent;
}

static void earn(struct credit *c, unsigned percent, unsigned burst)
{
	if (c->left < 100 * burst)
		c->left += percent;
}

/* What follows from a query that has been sent to TO. Returns how many more copies were. */
static unsigned after_send(struct pool *p, struct pick to, const struct ask *a)
{
	struct group *g = &p->groups[a->group];
	unsigned more = 0;

	earn(&p->hedges, HEDGE_PERCENT, HEDGE_BURST);
	earn(&p->again, AGAIN_PERCENT, AGAIN_BURST);
	if (g->count == 1)
		return 0;
	if (g->policy == POLICY_RACE && !a->is_heavy)
		more = send_race(p, g, a);
	group_probe(g, to.upstream, a);
	return more;
}

enum pool_verdict pool_send(struct pool *p, const struct ask *a, uint64_t until_us,
			    unsigned *copies, enum reason *why, const char **text)
{
	struct group *g = &p->groups[a->group];
	struct refusal refused;
	struct pick to = group_choose(g, a, &refused);

	if (!to.upstream && refused.soon)
		return POOL_WAIT;
	if (!to.upstream && a->tried && !group_has_untried(g, a->tried))
		return POOL_FAILED; /* the error that it has got is the answer */
	if (!to.upstream)
		to = group_choose_last(g, a, &refused);
	if (!to.upstream && refused.soon)
		return POOL_WAIT;
	if (!to.upstream)
		return wait_or_fail(p, a, refused.full, until_us, why, text);
	if (to.conn && !conn_takes(to.conn, a->query))
		return POOL_WAIT; /* until the handshake has ended */
	if (!send_to(to, a, NOT_LATE)) {
		if (!to.conn && to.upstream->health.down) /* now it is known */
			return pool_send(p, a, until_us, copies, why, text);
		*why = REASON_OVERLOAD;
		*text = "overload: no memory, or no socket, for one more query";
		return POOL_FAILED;
	}
	*copies = 1 + after_send(p, to, a);
	return POOL_SENT;
}

/* A fresh connection of the same upstream; if there is none, the next late one has it. */
static struct pick fresh_connection(struct pool *p)
{
	struct conn *c = p->late_conn ? upstream_spare(p->late, p->late_conn) : NULL;

	if (!c && p->late_conn)
		(void)upstream_open(p->late);
	return (struct pick){.upstream = c ? p->late : NULL, .conn = c};
}

/* The upstream that was asked, once more: the connection is well, the answer was lost. */
static struct pick once_more(struct pool *p)
{
	struct conn *c = p->late_conn ? upstream_spare(p->late, p->late_conn) : NULL;

	if (!c && p->late_conn && conn_is_good(p->late_conn))
		c = p->late_conn;
	return (struct pick){.upstream = c ? p->late : NULL, .conn = c};
}

/* Not only the connection may be dead: another one of the same upstream has fallen silent, too. */
static bool is_doubted_twice(struct pool *p)
{
	return p->late->silences || upstream_suspects(p->late) > 1;
}

static struct pick choose_for_copy(struct pool *p, const struct ask *a)
{
	struct group *g = &p->groups[a->group];
	bool has_capacity = upstream_has_capacity(p->late, true);
	struct pick to = {0};

	if (p->lateness == LATE_CONNECTION && has_capacity && !is_doubted_twice(p))
		to = fresh_connection(p);
	if (!to.upstream)
		to = group_other(g, a, p->late);
	if (!to.upstream && p->lateness == LATE_CONNECTION && has_capacity)
		to = fresh_connection(p);
	if (!to.upstream && p->lateness == LATE_ANSWER && has_capacity &&
	    p->options.hedge == HEDGE_ON)
		to = fresh_connection(p);
	if (!to.upstream && p->lateness == LATE_LOST && has_capacity)
		to = once_more(p);
	return to;
}

bool pool_send_copy(struct pool *p, const struct ask *a)
{
	if (a->is_heavy)
		return false;
	return send_to(choose_for_copy(p, a), a, p->lateness);
}

bool pool_has_untried(const struct pool *p, unsigned group, uint32_t tried)
{
	return group_has_untried(&p->groups[group], tried);
}

uint64_t pool_question_hash(const struct pool *p, const uint8_t *key, size_t len)
{
	return hash_bytes(p->options.hash_key, key, len);
}

bool pool_is_usable(const struct pool *p, unsigned group)
{
	return group_is_usable(&p->groups[group]);
}
