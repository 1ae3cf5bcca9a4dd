/* pool: choosing, opening and retiring the connections to the upstreams. */
#include "upstream/pool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "upstream/upstream.h"

/* A DOWN upstream that may be dialled but could not be, its connections being full, is looked
 * at again after this. */
#define RETRY_MIN_US 20000

/* Times that changes at the end of a round may cause others at once; what then still
 * changes (nothing is known to) goes on in the next round, so that clients are served
 * between. */
#define SETTLE_MAX 8

struct pool {
	struct pool_options options;
	bool changed;
	struct timer retry;  /* when a back-off ends that somebody waits for */
	struct list closed;  /* connections to be freed at the end of the round */
	unsigned down_count; /* upstreams that are DOWN */
	unsigned dirty_count;
	struct conn *dirty[UPSTREAMS_MAX * UPSTREAM_CONNS_MAX];
	struct upstream upstreams[UPSTREAMS_MAX];
};

static struct pool *pool_of(const struct conn *c)
{
	return upstream_of(c)->owner;
}

static uint64_t now(const struct pool *p)
{
	return loop_now(p->options.loop);
}

/* ---- choosing ---- */

/* A connection of an UP upstream, the first in order that has one. Where a better
 * upstream has none, one is opened. *SOON: one that can be waited for is on its way. */
static struct conn *choose_up(struct pool *p, bool *soon)
{
	*soon = false;
	for (unsigned i = 0; i < p->options.upstream_count; i++) {
		struct upstream *u = &p->upstreams[i];
		struct conn *c;

		if (u->health.down)
			continue;
		c = upstream_find(u, conn_has_room);
		if (c)
			return c;
		if (*soon)
			continue;
		c = upstream_open(u);
		*soon = c && !c->is_slow;
	}
	return NULL;
}

/* The same among the DOWN ones, for want of better. */
static struct conn *choose_down(struct pool *p, bool *soon)
{
	for (unsigned i = 0; i < p->options.upstream_count; i++) {
		struct upstream *u = &p->upstreams[i];
		struct conn *c = upstream_find(u, conn_has_room);

		if (c)
			return c;
		*soon |= upstream_open(u) != NULL;
	}
	return NULL;
}

/* DOWN upstreams are tried beside the others: a connection is made, and when it is there
 * it gets a copy of a query whose answer nobody waits for. */
static void probe_down(struct pool *p, const struct query *q, uint64_t question)
{
	for (unsigned i = 0; i < p->options.upstream_count; i++) {
		struct upstream *u = &p->upstreams[i];
		struct conn *c;

		if (!u->health.down)
			continue;
		c = upstream_find(u, conn_has_room);
		if (!c)
			(void)upstream_open(u);
		else if (!ids_awaited_count(c->ids))
			(void)conn_send(c, q, 0, question);
	}
}

/* The DOWN upstream that may be tried again first; of those for which waiting can help,
 * if HOPEFUL. */
static struct upstream *soonest(struct pool *p, bool hopeful)
{
	struct upstream *best = NULL;

	for (unsigned i = 0; i < p->options.upstream_count; i++) {
		struct upstream *u = &p->upstreams[i];

		if (!u->health.down ||
		    (hopeful && reason_is_authentication(u->health.reason)))
			continue;
		if (!best || u->health.retry_us < best->health.retry_us)
			best = u;
	}
	return best;
}

static void retry_due(void *arg);

/* A DOWN upstream is dialled again when its back-off is over, whether or not anyone asks:
 * so its return is known, and who does not get queries while it is not ready gets ready.
 */
static void watch_down(struct pool *p)
{
	const struct upstream *u = soonest(p, false);
	uint64_t due = now(p) + RETRY_MIN_US;

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

/* No connection takes the query and none is on its way. */
static enum pool_verdict wait_or_fail(struct pool *p, uint64_t until_us, enum reason *why,
				      const char **text)
{
	struct upstream *u = soonest(p, true);

	if (u && u->health.retry_us <= until_us) {
		watch_down(p);
		return POOL_WAIT;
	}
	for (unsigned i = 0; !u && i < p->options.upstream_count; i++)
		if (p->upstreams[i].health.down)
			u = &p->upstreams[i];
	if (u) {
		*why = u->health.reason;
		*text = u->failure;
	} else {
		*why = REASON_OVERLOAD;
		*text = "overload: every upstream connection is full";
	}
	return POOL_FAILED;
}

enum pool_verdict pool_send(struct pool *p, const struct query *q, uint64_t flight,
			    uint64_t question, uint64_t until_us, enum reason *why,
			    const char **text)
{
	bool soon;
	struct conn *c = choose_up(p, &soon);

	if (!c && soon)
		return POOL_WAIT;
	if (!c)
		c = choose_down(p, &soon);
	if (!c && soon)
		return POOL_WAIT;
	if (!c)
		return wait_or_fail(p, until_us, why, text);
	if (conn_send(c, q, flight, question) < 0) {
		*why = REASON_OVERLOAD;
		*text = "overload: out of memory";
		return POOL_FAILED;
	}
	upstream_used(upstream_of(c), c);
	if (p->down_count && !upstream_of(c)->health.down)
		probe_down(p, q, question);
	return POOL_SENT;
}

uint64_t pool_question_hash(const struct pool *p, const uint8_t *key, size_t len)
{
	return hash_bytes(p->options.hash_key, key, len);
}

bool pool_is_usable(const struct pool *p)
{
	for (unsigned i = 0; i < p->options.upstream_count; i++)
		if (!p->upstreams[i].health.down)
			return true;
	return false;
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

static void on_ready(struct conn *c)
{
	struct upstream *u = upstream_of(c);

	if (upstream_connected(u, c))
		came_up(u);
	pool_of(c)->changed = true;
}

static void on_dirty(struct conn *c)
{
	struct pool *p = pool_of(c);

	p->dirty[p->dirty_count++] = c;
}

static bool on_answer(struct conn *c, uint64_t flight, const struct response *r,
		      uint64_t rtt_us)
{
	struct upstream *u = upstream_of(c);
	const struct pool_options *o = &pool_of(c)->options;

	if (upstream_answered(u, rtt_us))
		came_up(u);
	if (!c->limit && u->habits.limit)
		habits_answered(&u->habits, (unsigned)c->answers);
	return flight && o->events->answer(o->arg, flight, r);
}

static void on_slow(struct conn *c)
{
	pool_of(c)->changed = true;
}

static void on_silent(struct conn *c)
{
	struct upstream *u = upstream_of(c);
	struct pool *p = pool_of(c);
	const struct pool_options *o = &p->options;

	went_down(u, upstream_silent(u));
	if (c->state == CONN_READY)
		upstream_retire(u, c);
	for (struct sent *s = ids_oldest(c->ids), *next; s; s = next) {
		next = ids_next(c->ids, s);
		if (s->flight)
			o->events->silent(o->arg, s->flight);
	}
	p->changed = true;
}

static void on_closed(struct conn *c, enum reason why, bool failed, const char *detail)
{
	struct upstream *u = upstream_of(c);
	struct pool *p = pool_of(c);

	log_line(LOG_DEBUG, "connection to %s closed: reason=%s: %s, %llu answers",
		 u->label, reason_word(why), detail, (unsigned long long)c->answers);
	list_remove(&c->node);
	list_append(&p->closed, &c->node);
	if (why == REASON_CLOSED_BUSY)
		habits_hung_up(&u->habits, (unsigned)c->answers, now(p));
	if (failed)
		went_down(u, upstream_failed(u, why, detail));
	p->changed = true;
}

static void on_lost(struct conn *c, uint64_t flight, enum reason why)
{
	const struct pool_options *o = &pool_of(c)->options;

	if (flight && !c->is_silent)
		o->events->lost(o->arg, flight, why);
}

static const struct conn_events conn_events = {
    .ready = on_ready,
    .dirty = on_dirty,
    .answer = on_answer,
    .slow = on_slow,
    .silent = on_silent,
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
	for (unsigned i = 0; i < p->dirty_count; i++)
		conn_flush(p->dirty[i]);
	p->dirty_count = 0;
}

void pool_flush(struct pool *p)
{
	for (unsigned i = 0; i < SETTLE_MAX && (p->changed || p->dirty_count); i++)
		settle(p);
	if (p->changed)
		(void)timer_set(p->options.loop, &p->retry, now(p), retry_due, p);
	free_closed(p);
}

static void init_upstream(struct pool *p, unsigned i)
{
	const struct pool_options *o = &p->options;
	struct upstream *u = &p->upstreams[i];

	u->owner = p;
	u->label = o->upstreams[i].label;
	u->logged = o->upstreams[i].logged;
	u->context = (struct conn_context){
	    .loop = o->loop,
	    .random = o->random,
	    .hash_key = o->hash_key,
	    .events = &conn_events,
	    .owner = u,
	    .address = o->upstreams[i].address,
	    .peer = o->upstreams[i].peer,
	    .health = &u->health,
	    .metrics = &o->metrics->upstream[i],
	    .idle_us = o->idle_us,
	    .timeout_us = o->timeout_us,
	};
	upstream_init(u);
}

int pool_new(struct pool **out, const struct pool_options *o)
{
	struct pool *p = calloc(1, sizeof *p);

	if (!p)
		return -ENOMEM;
	p->options = *o;
	list_init(&p->closed);
	for (unsigned i = 0; i < o->upstream_count; i++)
		init_upstream(p, i);
	*out = p;
	return 0;
}

void pool_warm(struct pool *p)
{
	(void)upstream_open(&p->upstreams[0]);
}

void pool_free(struct pool *p)
{
	if (!p)
		return;
	timer_stop(p->options.loop, &p->retry);
	free_closed(p);
	for (unsigned i = 0; i < p->options.upstream_count; i++)
		while (!list_empty(&p->upstreams[i].conns))
			conn_free(
			    list_entry(p->upstreams[i].conns.next, struct conn, node));
	free(p);
}
