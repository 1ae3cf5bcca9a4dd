/* pool_events: what connections tell, and what follows from it. */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "dns/message.h"
#include "upstream/pool_state.h"

/* A silent upstream is asked a neutral question no more often than this. */
#define PROBE_SILENCE_US 50000

/* After upstream_failed() or upstream_silent(). */
static void went_down(struct upstream *u, bool was_up)
{
	struct pool *p = u->owner;

	p->down_count += was_up;
	pool_watch_down(p);
}

/* What U was asked, or dialled for, has come to nothing, or to a connection that it may be asked on. */
static void keep_trying(const struct upstream *u)
{
	if (u->health.down)
		pool_watch_down(u->owner);
}

static void came_up(struct upstream *u)
{
	struct pool *p = u->owner;

	p->down_count--;
	p->changed = true;
}

/* Has another copy of FLIGHT sent, which U was sent on C (NULL: in the clear). */
static enum pool_copy tell_late(struct upstream *u, struct conn *c, uint64_t flight,
				enum lateness why)
{
	struct pool *p = u->owner;
	const struct pool_options *o = &p->options;
	enum pool_copy sent;

	p->lateness = why;
	p->late = u;
	p->late_conn = c;
	sent = o->events->late(o->arg, flight);
	p->lateness = NOT_LATE;
	return sent;
}

/* All that is out on C, which may be dead, is sent on other connections, too. */
static void copy_all(struct conn *c)
{
	for (struct sent *s = ids_oldest(c->ids), *next; s; s = next) {
		next = ids_next(c->ids, s);
		if (s->flight && !s->is_told && !s->is_silent)
			s->is_told = tell_late(upstream_of(c), c, s->flight,
					       LATE_CONNECTION) == COPY_SENT;
	}
}

/* What is out on C is not counted on any more, but listened for. */
static void give_up(struct conn *c)
{
	struct upstream *u = upstream_of(c);
	struct pool *p = pool_of(c);

	c->is_silent = true;
	if (c->state == CONN_READY)
		upstream_retire(u, c, 0);
	for (struct sent *s = ids_oldest(c->ids); s; s = ids_next(c->ids, s)) {
		if (s->flight && !s->is_silent)
			p->options.events->silent(p->options.arg, s->flight, u->number);
		s->is_silent = true;
	}
	p->changed = true;
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

/* Perhaps it is the name's fault that U does not answer: on C it is asked another question, now and
 * then. */
static void probe_silence(struct upstream *u, struct conn *c)
{
	const struct ask neutral = upstream_neutral_ask(u);
	uint64_t now = loop_now(u->context.loop);

	if (upstream_is_mute(u) || now < u->probed_us + PROBE_SILENCE_US)
		return;
	u->probed_us = now;
	(void)conn_send(c, &neutral);
}

static void on_ready(struct conn *c)
{
	struct upstream *u = upstream_of(c);
	struct pool *p = u->owner;

	if (upstream_connected(u, c))
		came_up(u);
	keep_trying(u);
	p->changed = true;
	if (u->silences)
		probe_silence(u, c);
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

/* U has refused a query for its OPT record: it does not know EDNS (RFC 6891 7). */
static bool is_opt_refusal(const struct response *r, bool with_opt)
{
	return with_opt && (r->rcode == RCODE_BADVERS ||
			    (!r->edns.present &&
			     (r->rcode == RCODE_FORMERR || r->rcode == RCODE_NOTIMP)));
}

/* What an answer tells of U. */
static void learn_from(struct upstream *u, const struct response *r, uint64_t rtt_us,
		       bool with_opt)
{
	uint64_t now = loop_now(u->context.loop);
	bool is_refusal = is_opt_refusal(r, with_opt);

	if (is_refusal)
		health_refused_opt(&u->health, now);
	else if (!with_opt && !rcode_is_error(r->rcode))
		health_took_no_opt(&u->health, now);
	if (upstream_answered(u, rtt_us, !is_refusal && rcode_is_error(r->rcode)))
		came_up(u);
}

static bool tell_answer(struct upstream *u, const struct pool_answer *a, bool with_opt)
{
	struct pool *p = u->owner;
	const struct pool_options *o = &p->options;

	if (a->is_copy && is_opt_refusal(a->response, with_opt)) {
		o->events->refused_opt(o->arg, a->flight, a->was_silent);
		p->changed = true;
		return true;
	}
	return a->flight && o->events->answer(o->arg, a);
}

static bool on_answer(struct conn *c, const struct sent *s, const struct response *r,
		      uint64_t rtt_us, bool is_awaited)
{
	struct upstream *u = upstream_of(c);
	const struct pool_answer a = {.flight = s->flight,
				      .upstream = u->number,
				      .group = s->group,
				      .bits = s->bits,
				      .is_copy = is_awaited && s->flight,
				      .was_silent = s->is_silent,
				      .response = r};
	bool awaited;

	learn_from(u, r, rtt_us, s->with_opt);
	awaited = tell_answer(u, &a, s->with_opt);
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

/* S has most likely been lost. False: it cannot be sent again just now. */
static bool send_lost_again(struct conn *c, struct sent *s)
{
	struct pool *p = pool_of(c);
	enum pool_copy copy;

	if (p->again.left < 100 || buf_len(&c->in))
		return false; /* or an answer is just coming */
	copy = tell_late(upstream_of(c), c, s->flight, LATE_LOST);
	if (copy == COPY_SENT) {
		s->is_told = true;
		p->again.left -= 100;
	}
	return copy != COPY_IMPOSSIBLE;
}

/* One in twenty is late by definition, and fewer may be copied: most that have to wait for it are
 * answered meanwhile, and the copies are left for those that have been lost. */
static bool on_late(struct conn *c, struct sent *s)
{
	struct pool *p = pool_of(c);

	if (s->is_told)
		return true;
	if (s->is_copy)
		return send_lost_again(c, s); /* the first was lost, and now this */
	if (p->options.hedge == HEDGE_OFF)
		return true;
	if (p->hedges.left < 100)
		return false;
	s->is_told = tell_late(upstream_of(c), c, s->flight,
			       c->context->hedges ? LATE_ANSWER : LATE_LOST) == COPY_SENT;
	if (s->is_told)
		p->hedges.left -= 100;
	return true;
}

/* Two copies: where one answer was lost, so may be the next, and the client has waited long. */
static bool on_overdue(struct conn *c, struct sent *s)
{
	if (s->is_told)
		return true;
	if (!send_lost_again(c, s))
		return false;
	if (s->is_told)
		(void)send_lost_again(c, s);
	return true;
}

void pool_doubt(struct conn *c)
{
	struct upstream *u = upstream_of(c);
	log_line(LOG_DEBUG, "connection to %s is silent: another is tried beside it",
		 u->label);
	u->has_suspect = true;
	if (conn_looks_forgetful(c))
		health_be_careful(&u->health, pool_now(pool_of(c)));
	probe_silence(u, c);
	if (upstream_spare(u, c) || pool_of(c)->options.upstream_count > 1)
		copy_all(c);
	if (!upstream_spare(u, c))
		(void)upstream_open(u); /* on_ready() then sends the copies */
}

/* U has left a question unanswered: it is asked another one, on a connection that is well. */
static void probe_beside(struct upstream *u, const struct conn *c)
{
	struct conn *spare = upstream_spare(u, c);

	if (spare)
		probe_silence(u, spare);
	else
		(void)upstream_open(u); /* on_ready() then does it */
}

static void on_silent(struct conn *c)
{
	struct upstream *u = upstream_of(c);
	bool has_other = upstream_has_other(u, c);

	/* one that is being opened beside it, or was at rest, has its own time to tell; but one
	 * after the other does not */
	u->silences++;
	if (upstream_is_mute(u) && (!has_other || u->silences > 1))
		went_down(u, upstream_silent(u));
	give_up(c);
	if (!u->health.down)
		probe_beside(u, c);
}

static void on_dismissed(struct conn *c)
{
	upstream_retire(upstream_of(c), c, 0);
}

static uint64_t on_idle(struct conn *c)
{
	keep_trying(upstream_of(c));
	return reserve_idle(upstream_of(c), c);
}

static void on_passed(struct conn *c)
{
	reserve_limit_passed(upstream_of(c));
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
		reserve_refused(u);
	else if (failed && !upstream_tries_other_address(u, c, why, detail))
		went_down(u, upstream_failed(u, why, detail));
	keep_trying(u);
	reserve_ended(u, c, why);
	p->changed = true;
}

static void on_lost(struct conn *c, const struct sent *s, enum reason why)
{
	struct pool *p = pool_of(c);

	p->changed = true;
	if (s->flight)
		p->options.events->lost(p->options.arg, s->flight, why, s->is_silent);
}

/* ---- in the clear ---- */

bool pool_send_plain(struct upstream *u, const struct ask *a)
{
	int r = plain_send(u->plain, a);

	if (r < 0 && !addresses_count(u->context.addresses))
		went_down(u, upstream_failed(u, REASON_NO_ADDRESS,
					     "its address is not known yet"));
	else if (r < 0 && r != -ENOSPC)
		went_down(u, upstream_failed(u, conn_dial_reason(r), strerror(-r)));
	return r == 0;
}

static bool on_plain_answer(void *arg, const struct plain_query *q,
			    const struct response *r, uint64_t rtt_us)
{
	struct upstream *u = arg;
	const struct pool_answer a = {.flight = q->flight,
				      .upstream = u->number,
				      .group = q->group,
				      .bits = q->bits,
				      .is_copy = q->flight != 0,
				      .was_silent = q->is_silent,
				      .response = r};

	learn_from(u, r, rtt_us, q->with_opt);
	return tell_answer(u, &a, q->with_opt);
}

static void on_plain_lost(void *arg, const struct plain_query *q, enum reason why,
			  const char *detail)
{
	struct upstream *u = arg;
	struct pool *p = u->owner;

	if (why != REASON_QUERY_TIMEOUT)
		went_down(u, upstream_failed(u, why, detail));
	keep_trying(u);
	p->changed = true;
	if (q->flight)
		p->options.events->lost(p->options.arg, q->flight, why, q->is_silent);
}

/* Something has come from U since Q was sent: it is the name, or the datagram was lost. */
static bool was_heard_since(const struct upstream *u, const struct plain_query *q)
{
	return u->heard_us > q->sent_us;
}

static void on_plain_doubt(void *arg, const struct plain_query *q)
{
	struct upstream *u = arg;
	struct pool *p = u->owner;
	const struct ask neutral = upstream_neutral_ask(u);
	bool heard = was_heard_since(u, q);

	if (!heard && !plain_is_mute(u->plain, u->heard_us))
		(void)plain_send(u->plain, &neutral);
	if (!q->flight || (heard && p->hedges.left < 100))
		return;
	if (tell_late(u, NULL, q->flight, heard ? LATE_LOST : LATE_CONNECTION) ==
		COPY_SENT &&
	    heard)
		p->hedges.left -= 100;
}

static bool on_plain_silent(void *arg, const struct plain_query *q)
{
	struct upstream *u = arg;
	struct pool *p = u->owner;

	if (was_heard_since(u, q))
		return false;
	if (plain_is_mute(u->plain, u->heard_us))
		went_down(u, upstream_silent(u));
	keep_trying(u);
	p->changed = true;
	if (q->flight)
		p->options.events->silent(p->options.arg, q->flight, u->number);
	return q->flight != 0;
}

const struct plain_events pool_plain_events = {.answer = on_plain_answer,
					       .lost = on_plain_lost,
					       .doubt = on_plain_doubt,
					       .silent = on_plain_silent};

const struct conn_events pool_conn_events = {
    .early = on_early,
    .ready = on_ready,
    .dirty = on_dirty,
    .answer = on_answer,
    .slow = on_slow,
    .late = on_late,
    .overdue = on_overdue,
    .doubt = pool_doubt,
    .silent = on_silent,
    .dismissed = on_dismissed,
    .idle = on_idle,
    .passed = on_passed,
    .closed = on_closed,
    .lost = on_lost,
};
