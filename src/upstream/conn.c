/* conn: the life of a connection: dial, handshake, idle and silent times, the end. */
#include "upstream/conn.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "net/socket.h"
#include "upstream/exchange.h"

/* From dial to READY at most; less than a query's deadline, so that there is time to
 * tell. */
#define DIAL_MAX_US 4000000
/* A dial that takes longer is slow enough to try another upstream beside it. */
#define DIAL_PATIENCE_US 300000
/* What is late or overdue, and could not be sent again, is told of again so soon. */
#define LATE_AGAIN_US 20000

static void on_timer(void *arg);
static void on_ready(void *arg, unsigned ready);

/* All state changes go through here: only the arrows of conn.h exist. */
static void set_state(struct conn *c, enum conn_state to)
{
	static const bool legal[CONN_CLOSED + 1][CONN_CLOSED + 1] = {
	    [CONN_CONNECTING] = {[CONN_HANDSHAKING] = true, [CONN_CLOSED] = true},
	    [CONN_HANDSHAKING] = {[CONN_READY] = true, [CONN_CLOSED] = true},
	    [CONN_READY] = {[CONN_DRAINING] = true, [CONN_CLOSED] = true},
	    [CONN_DRAINING] = {[CONN_CLOSED] = true},
	};
	struct upstream_metrics *m = c->context->metrics;

	if (!legal[c->state][to])
		abort();
	if (c->state < CONN_READY)
		metric_dec(&m->connecting);
	if (c->state == CONN_READY || (c->state == CONN_DRAINING && to == CONN_CLOSED))
		metric_dec(&m->connections);
	c->state = to;
	if (to < CONN_READY)
		metric_inc(&m->connecting);
	if (to == CONN_READY || to == CONN_DRAINING)
		metric_inc(&m->connections);
}

const char *conn_state_word(enum conn_state s)
{
	static const char *const words[] = {"connecting", "handshaking", "ready",
					    "draining", "closed"};

	return words[s];
}

static uint64_t now(const struct conn *c)
{
	return loop_now(c->context->loop);
}

static void timer_at(struct conn *c, uint64_t due)
{
	/* never more timers than connections: the heap has room after the first */
	(void)timer_set(c->context->loop, &c->timer, due, on_timer, c);
}

/* ---- from the dial to READY ---- */

struct conn *conn_new(const struct conn_context *k)
{
	struct conn *c = calloc(1, sizeof *c);

	if (!c)
		return NULL;
	c->context = k;
	c->state = CONN_CONNECTING;
	c->fd = -1;
	c->dialled_us = loop_now(k->loop);
	c->is_careful = health_is_careful(k->health, c->dialled_us);
	list_init(&c->node);
	c->ids = ids_new();
	/* the timer is set here so that moving it later cannot fail */
	if (!c->ids || timer_set(k->loop, &c->timer, c->dialled_us + DIAL_PATIENCE_US,
				 on_timer, c) < 0) {
		ids_free(c->ids);
		free(c);
		return NULL;
	}
	metric_inc(&k->metrics->connecting);
	return c;
}

enum reason conn_dial_reason(int error)
{
	switch (-error) {
	case ECONNREFUSED:
		return REASON_DIAL_REFUSED;
	case ETIMEDOUT:
		return REASON_DIAL_TIMEOUT;
	case ENETUNREACH:
	case EHOSTUNREACH:
	case ENETDOWN:
	case EADDRNOTAVAIL:
	case EACCES:
	case EPERM:
		return REASON_DIAL_UNREACHABLE;
	default:
		return REASON_DIAL_ERROR;
	}
}

static void on_dialled(void *arg, int fd, const struct address *address);

void conn_dial(struct conn *c)
{
	int error;

	c->dial.loop = c->context->loop;
	c->dial.fast_open = c->context->fast_open;
	c->dial.done = on_dialled;
	c->dial.arg = c;
	error = dial_start(&c->dial, c->context->addresses);
	if (error == -EADDRNOTAVAIL && !c->dial.all[0].any.sa_family)
		conn_drop(c, REASON_NO_ADDRESS, "its address is not known yet");
	else if (error < 0)
		conn_drop(c, conn_dial_reason(error), strerror(-error));
}

void conn_shake_hands(struct conn *c)
{
	struct upstream_metrics *m = c->context->metrics;
	char detail[TLS_DETAIL_MAX];
	bool resumed;

	switch (tls_handshake(c->tls)) {
	case TLS_OK:
		break;
	case TLS_WANT_READ:
		loop_change(c->context->loop, c->watch, LOOP_READ);
		return;
	case TLS_WANT_WRITE:
		loop_change(c->context->loop, c->watch, LOOP_WRITE);
		return;
	case TLS_EOF:
	case TLS_ERROR:
		conn_drop(c, tls_conn_failure(c->tls, detail), detail);
		return;
	}
	loop_change(c->context->loop, c->watch, LOOP_READ);
	set_state(c, CONN_READY);
	addresses_prefer(c->context->addresses, &c->address);
	resumed = tls_conn_resumed(c->tls);
	c->heard_us = c->idle_since_us = now(c);
	metric_inc(&m->opened[resumed]);
	metric_set(&m->cert_not_after, (uint64_t)tls_conn_cert_not_after(c->tls));
	histogram_add(&m->handshake_duration[resumed], now(c) - c->connected_us);
	timer_at(c, now(c)); /* it is idle, or will have a query by then */
	if (c->early_len)
		conn_settle_early(c);
	c->context->events->ready(c);
}

/* A handshake takes a round trip, as the way to it did. */
static uint64_t when_stuck(const struct conn *c)
{
	uint64_t stuck = 2 * c->connected_us - c->dialled_us + DIAL_PATIENCE_US;
	uint64_t end = c->dialled_us + DIAL_MAX_US;

	return stuck < end ? stuck : end;
}

static void on_dialled(void *arg, int fd, const struct address *address)
{
	struct conn *c = arg;

	if (fd < 0) {
		conn_drop(c, conn_dial_reason(fd), strerror(-fd));
		return;
	}
	c->fd = fd;
	c->address = *address;
	if (loop_watch_fd(c->context->loop, fd, LOOP_WRITE, LOOP_UPSTREAM, on_ready, c,
			  &c->watch) < 0) {
		conn_drop(c, REASON_DIAL_ERROR, "too many descriptors");
		return;
	}
	if (tls_conn_new(&c->tls, c->context->peer, c->fd) < 0) {
		conn_drop(c, REASON_DIAL_ERROR, "out of memory");
		return;
	}
	set_state(c, CONN_HANDSHAKING);
	c->connected_us = now(c);
	histogram_add(&c->context->metrics->connect_duration,
		      c->connected_us - c->dialled_us);
	if (c->is_slow)
		timer_at(c, when_stuck(c));
	if (c->context->early_data && !c->is_careful)
		c->early_room = tls_early_room(c->tls);
	if (!c->early_room) {
		conn_shake_hands(c);
		return;
	}
	c->context->events->early(c);
	conn_make_dirty(c); /* the handshake begins at the end of the round */
}

static void on_ready(void *arg, unsigned ready)
{
	struct conn *c = arg;

	switch (c->state) {
	case CONN_HANDSHAKING:
		if (c->early_room)
			conn_flush(c);
		else
			conn_shake_hands(c);
		return;
	case CONN_READY:
	case CONN_DRAINING:
		conn_exchange(c, ready);
		return;
	case CONN_CONNECTING: /* the dial has watches of its own */
	case CONN_CLOSED:
		return;
	}
}

/* ---- time ---- */

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* A query that takes longer is late. */
static uint64_t late_after(const struct conn *c)
{
	const struct health *h = c->context->health;

	return c->context->hedges ? health_late(h) : health_lost(h);
}

/* When the query at mark M is DELAY old; never where none is, or nobody counts on it. */
static uint64_t due(const struct conn *c, enum ids_mark m, uint64_t delay)
{
	const struct sent *s = c->is_silent ? NULL : ids_marked(c->ids, m);

	return s && delay != HEALTH_NEVER ? s->sent_us + delay : HEALTH_NEVER;
}

static uint64_t next_late(const struct conn *c)
{
	return later(due(c, MARK_LATE, late_after(c)), c->late_again_us);
}

static uint64_t next_overdue(const struct conn *c)
{
	return later(due(c, MARK_OVERDUE, health_overdue(c->context->health)),
		     c->overdue_again_us);
}

/* Since when C has said nothing though it should have. */
static uint64_t silence_began(const struct conn *c)
{
	const struct sent *s = ids_marked(c->ids, MARK_FRESH);

	return s ? later(c->heard_us, s->sent_us) : HEALTH_NEVER;
}

/* When a READY or DRAINING connection with queries out has to be looked at again. */
static uint64_t next_look(const struct conn *c)
{
	const struct health *h = c->context->health;
	uint64_t end = ids_oldest(c->ids)->sent_us + c->context->timeout_us, silence;

	if (c->state == CONN_DRAINING && c->is_silent)
		return end;
	silence =
	    silence_began(c) + (c->is_suspect ? health_patience(h) : health_suspicion(h));
	return sooner(sooner(silence, end), sooner(next_late(c), next_overdue(c)));
}

void conn_watch_time(struct conn *c)
{
	uint64_t look;

	if (c->state < CONN_READY)
		return; /* the handshake has a time of its own */
	look = next_look(c);
	if (!timer_running(&c->timer) || look < c->timer.due)
		timer_at(c, look);
}

/* The copy that S was will not be answered in time, or at all. */
static void count_lost_hedge(struct conn *c, const struct sent *s)
{
	if (s->is_hedge)
		metric_inc(&c->context->metrics->hedges[false]);
}

/* Queries whose deadline has passed have been answered by others or failed. */
static void give_up_old(struct conn *c)
{
	struct sent *s;

	while ((s = ids_oldest(c->ids)) &&
	       s->sent_us + c->context->timeout_us <= now(c)) {
		metric_inc(&c->context->metrics->requests[REASON_QUERY_TIMEOUT]);
		count_lost_hedge(c, s);
		ids_abandon(c->ids, s);
		metric_dec(&c->context->metrics->inflight);
		c->idle_since_us = now(c);
	}
}

static void look_at_idle(struct conn *c)
{
	uint64_t until = c->context->events->idle(c);

	if (until > now(c))
		timer_at(c, until);
	else
		conn_drop(c, REASON_CLOSED_BY_US, "idle");
}

/* Tells of what has become late since it was last asked. */
static void look_for_late(struct conn *c)
{
	struct sent *s;

	while (next_late(c) <= now(c)) {
		s = ids_marked(c->ids, MARK_LATE);
		if (s->flight && !c->context->events->late(c, s)) {
			c->late_again_us = now(c) + LATE_AGAIN_US;
			return;
		}
		ids_pass(c->ids, MARK_LATE);
	}
}

static void look_for_overdue(struct conn *c)
{
	struct sent *s;

	while (next_overdue(c) <= now(c)) {
		s = ids_marked(c->ids, MARK_OVERDUE);
		if (s->flight && !c->context->events->overdue(c, s)) {
			c->overdue_again_us = now(c) + LATE_AGAIN_US;
			return;
		}
		ids_pass(c->ids, MARK_OVERDUE);
	}
}

static void look_at_silence(struct conn *c)
{
	const struct health *h = c->context->health;
	uint64_t began = silence_began(c);

	if (began + health_patience(h) <= now(c)) {
		c->heard_us = now(c); /* said once; the next silence begins here */
		c->is_suspect = false;
		c->is_silent = true;
		if (!c->answers)
			(void)addresses_distrust(c->context->addresses, &c->address);
		c->context->events->silent(c);
	} else if (!c->is_suspect && began + health_suspicion(h) <= now(c)) {
		c->is_suspect = true;
		c->context->events->doubt(c);
	}
}

/* A READY or DRAINING connection. */
static void look(struct conn *c)
{
	give_up_old(c);
	if (c->state == CONN_DRAINING && !ids_awaited_count(c->ids)) {
		conn_end_drain(c);
		return;
	}
	if (!ids_awaited_count(c->ids)) {
		look_at_idle(c);
		return;
	}
	if (!(c->state == CONN_DRAINING && c->is_silent))
		look_at_silence(c);
	look_for_late(c); /* none, if it is silent */
	look_for_overdue(c);
	if (c->state != CONN_CLOSED && ids_awaited_count(c->ids))
		conn_watch_time(c);
}

bool conn_path_changed(const struct conn *c)
{
	return c->state != CONN_CLOSED && c->fd >= 0 &&
	       socket_path_changed(c->fd, &c->address);
}

void conn_look_soon(struct conn *c)
{
	if (c->state == CONN_READY && !ids_awaited_count(c->ids))
		timer_at(c, now(c));
}

bool conn_looks_forgetful(const struct conn *c)
{
	const struct sent *oldest = ids_oldest(c->ids);

	if (!oldest || c->heard_us < oldest->sent_us)
		return false;
	for (const struct sent *s = oldest; s; s = ids_next(c->ids, s))
		if (s->sent_us != oldest->sent_us)
			return false;
	return true;
}

/* What went as early data is not waited for any longer: another upstream may do better. */
static void give_up_early(struct conn *c)
{
	struct sent *s;

	while ((s = ids_oldest(c->ids))) {
		count_lost_hedge(c, s);
		ids_abandon(c->ids, s);
		metric_dec(&c->context->metrics->inflight);
		metric_inc(&c->context->metrics->requests[REASON_TLS_TIMEOUT]);
		c->context->events->lost(c, s, REASON_TLS_TIMEOUT);
	}
}

static void end_dial(struct conn *c)
{
	if (c->state == CONN_CONNECTING)
		conn_drop(c, REASON_DIAL_TIMEOUT, "no answer to the connection attempt");
	else
		conn_drop(c, REASON_TLS_TIMEOUT, "the handshake did not end");
}

static void look_at_dial(struct conn *c)
{
	uint64_t due = c->dialled_us + DIAL_MAX_US;

	if (now(c) >= due) {
		end_dial(c);
		return;
	}
	if (c->state == CONN_HANDSHAKING && now(c) < when_stuck(c))
		due = when_stuck(c);
	else if (c->state == CONN_HANDSHAKING)
		c->is_stuck = addresses_distrust(c->context->addresses, &c->address);
	timer_at(c, due);
	c->is_slow = true;
	give_up_early(c);
	c->context->events->slow(c);
}

static void on_timer(void *arg)
{
	struct conn *c = arg;

	switch (c->state) {
	case CONN_CONNECTING:
	case CONN_HANDSHAKING:
		look_at_dial(c);
		return;
	case CONN_READY:
	case CONN_DRAINING:
		look(c);
		return;
	case CONN_CLOSED:
		return;
	}
}

/* ---- the end ---- */

void conn_retire(struct conn *c, uint64_t linger_us)
{
	if (c->state != CONN_READY) {
		conn_drop(c, REASON_CLOSED_BY_US, "retired");
		return;
	}
	set_state(c, CONN_DRAINING);
	c->linger_us = linger_us;
	/* look() closes it in a round of its own, when nothing is out any more */
	timer_at(c, ids_awaited_count(c->ids) ? next_look(c) : now(c));
}

void conn_end_drain(struct conn *c)
{
	uint64_t until = c->idle_since_us + c->linger_us;

	if (ids_awaited_count(c->ids))
		return;
	if (until > now(c)) {
		timer_at(c, until);
		return;
	}
	if (c->linger_us)
		c->context->events->passed(c);
	conn_drop(c, REASON_CLOSED_BY_US, "retired");
}

static void release(struct conn *c)
{
	struct loop *l = c->context->loop;

	timer_stop(l, &c->timer);
	timer_stop(l, &c->more);
	dial_stop(&c->dial);
	loop_forget(l, c->watch);
	c->watch = 0;
	tls_conn_free(c->tls);
	c->tls = NULL;
	if (c->fd >= 0)
		socket_close(c->fd);
	c->fd = -1;
	buf_free(&c->in);
	buf_free(&c->out);
}

/* What ends a connection without speaking against the upstream: our own wish, a clean
 * close with nothing in flight, or any close after it has answered. */
static bool speaks_against(const struct conn *c, enum reason why)
{
	if (why == REASON_CLOSED_BY_US || why == REASON_CLOSED_IDLE)
		return false;
	if (why == REASON_CLOSED_BUSY || why == REASON_RESET)
		return c->answers == 0;
	return true;
}

void conn_drop(struct conn *c, enum reason why, const char *detail)
{
	const struct conn_events *events = c->context->events;
	bool failed = speaks_against(c, why);
	struct sent *s;

	if (failed && c->connected_us && !c->answers)
		(void)addresses_distrust(c->context->addresses, &c->address);
	if (c->tls && (c->state == CONN_READY || c->state == CONN_DRAINING))
		tls_close(c->tls);
	set_state(c, CONN_CLOSED);
	metric_inc(&c->context->metrics->closed[why]);
	release(c);
	events->closed(c, why, failed, detail);
	while ((s = ids_oldest(c->ids))) {
		struct sent lost = *s;

		count_lost_hedge(c, s);
		ids_release(c->ids, s);
		metric_dec(&c->context->metrics->inflight);
		metric_inc(&c->context->metrics->requests[why]);
		events->lost(c, &lost, why);
	}
}

void conn_free(struct conn *c)
{
	if (!c)
		return;
	if (c->state != CONN_CLOSED) {
		if (c->tls && c->state >= CONN_READY)
			tls_close(c->tls);
		set_state(c, CONN_CLOSED);
		release(c);
	}
	list_remove(&c->node);
	ids_free(c->ids);
	free(c);
}
