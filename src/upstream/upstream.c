/* upstream: the connections of one upstream, and what is said of it. */
#include "upstream/upstream.h"

#include <stdio.h>

#include "base/log.h"

static uint64_t now(const struct upstream *u)
{
	return loop_now(u->context.loop);
}

void upstream_init(struct upstream *u)
{
	list_init(&u->conns);
	metric_set(&u->context.metrics->up, 1);
}

/* ---- connections ---- */

static unsigned count(const struct upstream *u, enum conn_state from, enum conn_state to)
{
	unsigned n = 0;

	for (struct list *l = u->conns.next; l != &u->conns; l = l->next) {
		const struct conn *c = list_entry(l, struct conn, node);

		n += c->state >= from && c->state <= to;
	}
	return n;
}

struct conn *upstream_find(struct upstream *u, bool (*fits)(const struct conn *c))
{
	for (struct list *l = u->conns.next; l != &u->conns; l = l->next) {
		struct conn *c = list_entry(l, struct conn, node);

		if (fits(c))
			return c;
	}
	return NULL;
}

static bool is_dialling(const struct conn *c)
{
	return c->state < CONN_READY;
}

static bool is_draining(const struct conn *c)
{
	return c->state == CONN_DRAINING;
}

struct conn *upstream_open(struct upstream *u)
{
	struct conn *c = upstream_find(u, is_dialling);

	if (c)
		return c;
	if (!health_may_dial(&u->health, now(u)) ||
	    count(u, CONN_CONNECTING, CONN_READY) >= UPSTREAM_ACTIVE_MAX)
		return NULL;
	c = conn_new(&u->context);
	if (!c)
		return NULL;
	c->limit = habits_limit(&u->habits, now(u));
	list_append(&u->conns, &c->node);
	conn_dial(c);
	return c->state == CONN_CLOSED ? NULL : c;
}

void upstream_retire(struct upstream *u, struct conn *c)
{
	while (count(u, CONN_DRAINING, CONN_DRAINING) >= UPSTREAM_DRAINING_MAX)
		conn_drop(upstream_find(u, is_draining), REASON_READ_TIMEOUT,
			  "silent for too long");
	conn_retire(c);
}

/* A connection other than C that takes queries, or soon will. */
static bool has_spare(const struct upstream *u, const struct conn *c)
{
	for (struct list *l = u->conns.next; l != &u->conns; l = l->next) {
		const struct conn *other = list_entry(l, struct conn, node);

		if (other != c && (is_dialling(other) || conn_has_room(other)))
			return true;
	}
	return false;
}

void upstream_used(struct upstream *u, struct conn *c)
{
	if (!habits_want_spare(&u->habits, now(u)))
		return;
	/* those that drain already are not dropped for this: C then waits for its turn */
	if (c->limit && c->queries >= c->limit &&
	    count(u, CONN_DRAINING, CONN_DRAINING) < UPSTREAM_DRAINING_MAX)
		conn_retire(c);
	if (!has_spare(u, c))
		(void)upstream_open(u);
}

/* ---- health ---- */

static void say_down(struct upstream *u, const char *detail)
{
	enum reason why = u->health.reason;
	const char *remedy = reason_remedy(why);

	metric_set(&u->context.metrics->up, 0);
	snprintf(u->failure, sizeof u->failure, "%s: %s: %s%s%s", reason_word(why),
		 u->label, detail, *remedy ? ": " : "", remedy);
	if (atomic_exchange(u->logged, (int)why) == (int)why)
		return;
	log_line(LOG_WARNING, "upstream %s is down: stage=%s reason=%s: %s%s%s", u->label,
		 reason_stage(why), reason_word(why), detail, *remedy ? ": " : "",
		 remedy);
}

static void say_up(struct upstream *u)
{
	metric_set(&u->context.metrics->up, 1);
	if (atomic_exchange(u->logged, REASON_NONE) != REASON_NONE)
		log_line(LOG_NOTICE, "upstream %s is up again", u->label);
}

bool upstream_connected(struct upstream *u, const struct conn *c)
{
	bool is_back = health_connected(&u->health);

	log_line(LOG_INFO, "connected to %s: %s %s%s, connect %llu us, handshake %llu us",
		 u->label, tls_conn_version(c->tls), tls_conn_suite(c->tls),
		 tls_conn_resumed(c->tls) ? ", resumed" : "",
		 (unsigned long long)(c->connected_us - c->dialled_us),
		 (unsigned long long)(now(u) - c->connected_us));
	if (is_back)
		say_up(u);
	return is_back;
}

bool upstream_answered(struct upstream *u, uint64_t rtt_us)
{
	bool is_back = health_answered(&u->health, rtt_us);

	if (is_back)
		say_up(u);
	return is_back;
}

bool upstream_failed(struct upstream *u, enum reason why, const char *detail)
{
	bool was_up = health_failed(&u->health, why, now(u), u->context.random);

	say_down(u, detail);
	return was_up;
}

bool upstream_silent(struct upstream *u)
{
	bool was_up = health_silent(&u->health, now(u), u->context.random);

	say_down(u, "no answer on an open connection");
	return was_up;
}
