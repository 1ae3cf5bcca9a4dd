/* pool_events: what connections tell, and what follows from it. */
#include "base/log.h"
#include "upstream/pool_state.h"

/* After upstream_failed() or upstream_silent(). */
static void went_down(struct upstream *u, bool was_up)
{
	struct pool *p = u->owner;

	p->down_count += was_up;
	pool_watch_down(p);
}

static void came_up(struct upstream *u)
{
	struct pool *p = u->owner;

	p->down_count--;
	p->changed = true;
}

/* Has another copy of S sent. */
static bool tell_late(struct conn *c, struct sent *s, enum lateness why)
{
	struct pool *p = pool_of(c);
	const struct pool_options *o = &p->options;

	p->lateness = why;
	p->late = c;
	s->is_told = o->events->late(o->arg, s->flight);
	p->lateness = NOT_LATE;
	return s->is_told;
}

/* All that is out on C, which may be dead, is sent on other connections, too. */
static void copy_all(struct conn *c)
{
	for (struct sent *s = ids_oldest(c->ids), *next; s; s = next) {
		next = ids_next(c->ids, s);
		if (s->flight && !s->is_told)
			(void)tell_late(c, s, LATE_CONNECTION);
	}
}

/* What is out on C is not counted on any more, but listened for. */
static void give_up(struct conn *c)
{
	struct upstream *u = upstream_of(c);
	const struct pool_options *o = &pool_of(c)->options;

	c->is_silent = true;
	if (c->state == CONN_READY)
		upstream_retire(u, c, 0);
	for (struct sent *s = ids_oldest(c->ids), *next; s; s = next) {
		next = ids_next(c->ids, s);
		if (s->flight)
			o->events->silent(o->arg, s->flight);
	}
}

/* Calls FN for each suspect connection of U other than C. */
static void each_suspect(struct upstream *u, const struct conn *c,
			 void (*fn)(struct conn *))
{
	struct conn *suspects[UPSTREAM_CONNS_MAX];
	unsigned n = 0;

	for (struct list *l = u->conns.next; l != &u->conns; l = l->next) {
		struct conn *other = list_entry(l, struct conn, node);

		if (other != c && other->is_suspect && !other->is_silent &&
		    n < UPSTREAM_CONNS_MAX)
			suspects[n++] = other;
	}
	u->has_suspect = n > 0;
	while (n-- > 0)
		if (suspects[n]->state != CONN_CLOSED)
			fn(suspects[n]);
}

/* Another connection of its upstream has answered meanwhile: this one is dead, or stuck. */
static void supersede(struct conn *c)
{
	if (ids_awaited_count(c->ids))
		give_up(c);
	else
		conn_look_soon(c);
}

static void look_at_idle(struct conn *c)
{
	conn_look_soon(c);
}

static void on_early(struct conn *c)
{
	pool_of(c)->changed = true;
}

static void on_ready(struct conn *c)
{
	struct upstream *u = upstream_of(c);

	if (upstream_connected(u, c))
		came_up(u);
	pool_of(c)->changed = true;
	if (u->has_suspect)
		each_suspect(u, c, copy_all);
	/* what it was opened to succeed may go */
	upstream_each(u, look_at_idle);
}

static void on_dirty(struct conn *c)
{
	struct pool *p = pool_of(c);

	p->dirty[p->dirty_count++] = c;
}

static bool on_answer(struct conn *c, const struct sent *s, const struct response *r,
		      uint64_t rtt_us)
{
	struct upstream *u = upstream_of(c);
	const struct pool_options *o = &pool_of(c)->options;
	bool awaited;

	if (upstream_answered(u, rtt_us))
		came_up(u);
	awaited = s->flight && o->events->answer(o->arg, s->flight, r);
	if (s->is_hedge)
		metric_inc(&u->context.metrics->hedges[awaited]);
	if (u->has_suspect && !c->is_silent)
		each_suspect(u, c, supersede);
	return awaited;
}

static void on_slow(struct conn *c)
{
	pool_of(c)->changed = true;
}

/* One in twenty is late by definition, and fewer may be copied: most that have to wait for it are
 * answered meanwhile, and the copies are left for those that have been lost. */
static bool on_late(struct conn *c, struct sent *s)
{
	struct pool *p = pool_of(c);

	if (s->is_told)
		return true;
	if (p->hedge_credit < 100)
		return false;
	if (tell_late(c, s, LATE_ANSWER))
		p->hedge_credit -= 100;
	return true;
}

static void make_careful(struct conn *c)
{
	c->is_careful |= !buf_len(&c->out); /* else a frame may be half written */
}

void pool_doubt(struct conn *c)
{
	struct upstream *u = upstream_of(c);

	log_line(LOG_DEBUG, "connection to %s is silent: another is tried beside it",
		 u->label);
	u->has_suspect = true;
	if (conn_looks_forgetful(c)) {
		health_be_careful(&u->health, pool_now(pool_of(c)));
		upstream_each(u, make_careful);
	}
	if (upstream_spare(u, c) || pool_of(c)->options.upstream_count > 1)
		copy_all(c);
	if (!upstream_spare(u, c))
		(void)upstream_open(u); /* on_ready() then sends the copies */
}

static void on_silent(struct conn *c)
{
	struct upstream *u = upstream_of(c);
	struct pool *p = pool_of(c);

	/* one that is being opened beside it, or was at rest, has its own time to tell */
	if (!upstream_has_other(u, c))
		went_down(u, upstream_silent(u));
	give_up(c);
	p->changed = true;
}

static uint64_t on_idle(struct conn *c)
{
	return upstream_idle(upstream_of(c), c);
}

static void on_passed(struct conn *c)
{
	upstream_limit_passed(upstream_of(c));
}

/* A connection that ends has nothing to be flushed any more. */
static void forget_dirty(struct pool *p, const struct conn *c)
{
	for (unsigned i = 0; c->is_dirty && i < p->dirty_count; i++)
		if (p->dirty[i] == c) {
			p->dirty[i] = p->dirty[--p->dirty_count];
			return;
		}
}

static void on_closed(struct conn *c, enum reason why, bool failed, const char *detail)
{
	struct upstream *u = upstream_of(c);
	struct pool *p = pool_of(c);

	log_line(LOG_DEBUG, "connection to %s closed: reason=%s: %s, %llu answers",
		 u->label, reason_word(why), detail, (unsigned long long)c->answers);
	forget_dirty(p, c);
	list_remove(&c->node);
	list_append(&p->closed, &c->node);
	/* while another connection does well it may only have as many as it takes */
	if (failed && upstream_spare(u, c))
		upstream_full(u);
	else if (failed && !upstream_tries_other_address(u, c, why, detail))
		went_down(u, upstream_failed(u, why, detail));
	upstream_ended(u, c, why);
	p->changed = true;
}

static void on_lost(struct conn *c, uint64_t flight, enum reason why)
{
	const struct pool_options *o = &pool_of(c)->options;

	if (flight && !c->is_silent)
		o->events->lost(o->arg, flight, why);
}

static bool on_plain_answer(void *arg, uint64_t flight, const struct response *r,
			    uint64_t rtt_us)
{
	struct upstream *u = arg;
	const struct pool_options *o = &((struct pool *)u->owner)->options;

	if (upstream_answered(u, rtt_us))
		came_up(u);
	return flight && o->events->answer(o->arg, flight, r);
}

static void on_plain_lost(void *arg, uint64_t flight, enum reason why, const char *detail)
{
	struct upstream *u = arg;
	struct pool *p = u->owner;

	if (why != REASON_QUERY_TIMEOUT)
		went_down(u, upstream_failed(u, why, detail));
	else if (pool_now(p) >= u->heard_us + p->options.timeout_us)
		went_down(u, upstream_silent(u));
	p->changed = true;
	if (flight)
		p->options.events->lost(p->options.arg, flight, why);
}

const struct plain_events pool_plain_events = {.answer = on_plain_answer,
					       .lost = on_plain_lost};

const struct conn_events pool_conn_events = {
    .early = on_early,
    .ready = on_ready,
    .dirty = on_dirty,
    .answer = on_answer,
    .slow = on_slow,
    .late = on_late,
    .doubt = pool_doubt,
    .silent = on_silent,
    .idle = on_idle,
    .passed = on_passed,
    .closed = on_closed,
    .lost = on_lost,
};
