/* pool: choosing, opening and retiring the connections to the upstreams. */
#include "upstream/pool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "upstream/group.h"

/* A DOWN upstream that may be dialled but could not be, its connections being full, is looked
 * at again after this. */
#define RETRY_MIN_US 20000

/* Times that changes at the end of a round may cause others at once; what then still
 * changes (nothing is known to) goes on in the next round, so that clients are served
 * between. */
#define SETTLE_MAX 8

/* Copies that are sent because an answer is late: at most so many of a hundred queries, and so
 * many at once after a quiet time. */
#define HEDGE_PERCENT 3
#define HEDGE_BURST 10

/* Upstreams of the default group to which connections are made at the start. */
#define WARM_MAX 4

/* Why late() was told. */
enum lateness { NOT_LATE, LATE_ANSWER, LATE_CONNECTION };

struct pool {
	struct pool_options options;
	bool changed;
	struct timer retry;	 /* when a back-off ends that somebody waits for */
	struct list closed;	 /* connections to be freed at the end of the round */
	unsigned down_count;	 /* upstreams that are DOWN */
	unsigned hedge_credit;	 /* hundredths of a copy */
	enum lateness lateness;	 /* within late() */
	const struct conn *late; /* which carries the query that it is told of */
	unsigned dirty_count;
	struct conn *dirty[UPSTREAMS_MAX * UPSTREAM_CONNS_MAX];
	struct upstream upstreams[UPSTREAMS_MAX];
	struct group *groups;
};

static struct pool *pool_of(const struct conn *c)
{
	return upstream_of(c)->owner;
}

static uint64_t now(const struct pool *p)
{
	return loop_now(p->options.loop);
}

/* ---- upstreams that are DOWN ---- */

static void retry_due(void *arg);

/* A DOWN upstream is dialled again when its back-off is over, whether or not anyone asks:
 * so its return is known, and who does not get queries while it is not ready gets ready.
 */
static void watch_down(struct pool *p)
{
	const struct upstream *u = NULL;
	uint64_t due = now(p) + RETRY_MIN_US;

	for (unsigned i = 0; i < p->options.upstream_count; i++) {
		const struct upstream *other = &p->upstreams[i];

		if (other->health.down &&
		    (!u || other->health.retry_us < u->health.retry_us))
			u = other;
	}
	if (u && u->health.retry_us > due)
		due = u->health.retry_us;
	if (u && (!timer_running(&p->retry) || p->retry.due > due))
		(void)timer_set(p->options.loop, &p->retry, due, retry_due, p);
}

static void retry_due(void *arg)
{
	struct pool *p = arg;

	p->changed = true;
	for (unsigned i = 0; i < p->options.upstream_count; i++) {
		struct upstream *u = &p->upstreams[i];

		if (u->health.down && !upstream_find(u, conn_has_room))
			(void)upstream_open(u);
	}
}

/* ---- sending ---- */

/* No connection takes the query and none is on its way. */
static enum pool_verdict wait_or_fail(struct pool *p, const struct group *g,
				      uint64_t until_us, enum reason *why,
				      const char **text)
{
	const struct upstream *u = group_soonest(g, true);

	if (u && u->health.retry_us <= until_us) {
		watch_down(p);
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

/* ---- what connections tell ---- */

/* After upstream_failed() or upstream_silent(). */
static void went_down(struct upstream *u, bool was_up)
{
	struct pool *p = u->owner;

	p->down_count += was_up;
	watch_down(p);
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

static void on_late(struct conn *c, struct sent *s)
{
	struct pool *p = pool_of(c);

	if (!s->is_told && p->hedge_credit >= 100 && tell_late(c, s, LATE_ANSWER))
		p->hedge_credit -= 100;
}

static void make_careful(struct conn *c)
{
	c->is_careful |= !buf_len(&c->out); /* else a frame may be half written */
}

static void on_doubt(struct conn *c)
{
	struct upstream *u = upstream_of(c);

	log_line(LOG_DEBUG, "connection to %s is silent: another is tried beside it",
		 u->label);
	u->has_suspect = true;
	if (conn_looks_forgetful(c)) {
		health_be_careful(&u->health, now(pool_of(c)));
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
	habits_limit_passed(&upstream_of(c)->habits);
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
	else if (failed)
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
	else if (now(p) >= u->heard_us + p->options.timeout_us)
		went_down(u, upstream_silent(u));
	p->changed = true;
	if (flight)
		p->options.events->lost(p->options.arg, flight, why);
}

static const struct plain_events plain_events = {.answer = on_plain_answer,
						 .lost = on_plain_lost};

static const struct conn_events conn_events = {
    .ready = on_ready,
    .dirty = on_dirty,
    .answer = on_answer,
    .slow = on_slow,
    .late = on_late,
    .doubt = on_doubt,
    .silent = on_silent,
    .idle = on_idle,
    .passed = on_passed,
    .closed = on_closed,
    .lost = on_lost,
};

/* ---- the pool as a whole ---- */

static void free_closed(struct pool *p)
{
	while (!list_empty(&p->closed))
		conn_free(list_entry(p->closed.next, struct conn, node));
}

/* Tells of changes, and writes. Either may end a connection, which is a change again. */
static void settle(struct pool *p)
{
	bool changed = p->changed;

	p->changed = false;
	if (changed)
		p->options.events->change(p->options.arg);
	while (p->dirty_count > 0)
		conn_flush(p->dirty[--p->dirty_count]);
}

void pool_flush(struct pool *p)
{
	for (unsigned i = 0; i < SETTLE_MAX && (p->changed || p->dirty_count); i++)
		settle(p);
	if (p->changed)
		(void)timer_set(p->options.loop, &p->retry, now(p), retry_due, p);
	free_closed(p);
}

/* ---- a network that changes ---- */

static void distrust(struct conn *c)
{
	struct upstream *u = upstream_of(c);

	if (c->state < CONN_READY) {
		conn_drop(c, REASON_CLOSED_BY_US, "the network has changed");
		return;
	}
	if (c->state != CONN_READY || c->is_suspect)
		return;
	c->is_suspect = true;
	u->has_suspect = true;
	if (ids_awaited_count(c->ids))
		on_doubt(c);
	else
		conn_look_soon(c);
}

static void look_at_path(struct conn *c)
{
	if (conn_path_changed(c))
		distrust(c);
}

bool pool_look_for_addresses(struct pool *p)
{
	bool lacks = false, news = false;

	for (unsigned i = 0; i < p->options.upstream_count; i++) {
		struct upstream *u = &p->upstreams[i];
		unsigned version = atomic_load(&u->context.addresses->version);

		lacks |= version == 0;
		if (version == u->addresses_version)
			continue;
		u->addresses_version = version;
		health_forget_backoff(&u->health, now(p));
		if (!u->health.down && list_empty(&u->conns))
			(void)upstream_open(u);
		news = true;
	}
	if (news && p->down_count)
		retry_due(p);
	return lacks;
}

void pool_network_changed(struct pool *p, bool slept)
{
	for (unsigned i = 0; i < p->options.upstream_count; i++) {
		struct upstream *u = &p->upstreams[i];

		health_forget_backoff(&u->health, now(p));
		upstream_each(u, slept ? distrust : look_at_path);
	}
	if (p->down_count)
		retry_due(p);
	p->changed = true;
}

/* ---- the pool as a whole, made and ended ---- */

/* Late answers of an upstream are of interest if something can be done about them. */
static bool can_hedge(const struct pool_options *o, unsigned upstream)
{
	if (o->hedge != HEDGE_AUTO)
		return o->hedge == HEDGE_ON;
	for (unsigned i = 0; i < o->group_count; i++)
		for (unsigned k = 0; o->groups[i].count > 1 && k < o->groups[i].count;
		     k++)
			if (o->groups[i].upstream[k] == upstream)
				return true;
	return false;
}

/* The same in each run, so that POLICY_SHARD sends a domain to the same place after a restart. */
static uint64_t identity(const char *label)
{
	static const struct hash_key fixed = {1, 2};

	return hash_bytes(&fixed, label, strlen(label));
}

static int make_plain(struct pool *p, unsigned i, struct plain **out)
{
	const struct pool_options *o = &p->options;
	const struct plain_options plain = {.loop = o->loop,
					    .random = o->random,
					    .hash_key = o->hash_key,
					    .addresses = o->upstreams[i].addresses,
					    .metrics = &o->metrics->upstream[i],
					    .timeout_us = o->timeout_us,
					    .events = &plain_events,
					    .arg = &p->upstreams[i]};

	*out = NULL;
	return o->upstreams[i].peer ? 0 : plain_new(out, &plain);
}

static int init_upstream(struct pool *p, unsigned i)
{
	const struct pool_options *o = &p->options;
	const struct pool_upstream *from = &o->upstreams[i];
	struct upstream_options u = {
	    .owner = p,
	    .label = from->label,
	    .notes = from->notes,
	    .weight = from->weight,
	    .identity = identity(from->label),
	    .idle_us = o->idle_us,
	    .keep_warm_us = o->keep_warm_us,
	    .context =
		{
		    .loop = o->loop,
		    .random = o->random,
		    .hash_key = o->hash_key,
		    .events = &conn_events,
		    .addresses = from->addresses,
		    .peer = from->peer,
		    .metrics = &o->metrics->upstream[i],
		    .hedges = can_hedge(o, i),
		    .fast_open = from->fast_open,
		    .timeout_us = o->timeout_us,
		},
	};
	int r = make_plain(p, i, &u.plain);

	upstream_init(&p->upstreams[i], &u);
	return r;
}

static void init_group(struct pool *p, unsigned i)
{
	const struct pool_group *from = &p->options.groups[i];
	struct group *g = &p->groups[i];

	g->policy = p->options.policy;
	g->count = from->count;
	for (unsigned k = 0; k < from->count; k++)
		g->members[k] = &p->upstreams[from->upstream[k]];
}

int pool_new(struct pool **out, const struct pool_options *o)
{
	struct pool *p = calloc(1, sizeof *p);
	int r = 0;

	if (p)
		p->groups = calloc(o->group_count, sizeof *p->groups);
	if (!p || !p->groups) {
		free(p);
		return -ENOMEM;
	}
	p->options = *o;
	p->hedge_credit = 100;
	list_init(&p->closed);
	for (unsigned i = 0; i < o->upstream_count; i++)
		r |= init_upstream(p, i);
	for (unsigned i = 0; i < o->group_count; i++)
		init_group(p, i);
	if (r != 0) {
		pool_free(p);
		return -ENOMEM;
	}
	*out = p;
	return 0;
}

void pool_warm(struct pool *p)
{
	struct group *g = &p->groups[0];

	for (unsigned i = 0; i < g->count && i < WARM_MAX; i++)
		if (atomic_load(&g->members[i]->context.addresses->version))
			(void)upstream_open(g->members[i]);
}

void pool_free(struct pool *p)
{
	if (!p)
		return;
	timer_stop(p->options.loop, &p->retry);
	free_closed(p);
	for (unsigned i = 0; i < p->options.upstream_count; i++)
		upstream_free(&p->upstreams[i]);
	free(p->groups);
	free(p);
}
