/* query: begin, answer, fail: three ways on for a query, each read from top to bottom. */
#include "proxy/query.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "dns/qtype.h"
#include "dns/reply.h"
#include "net/timer.h"
#include "proxy/check.h"
#include "proxy/flight.h"

/* A query waits this long for an upstream that is down to come back, then hears why not.
 * A restart fits; a stub's own time-out (5 s) is still far. */
#define HOLD_US 2000000

/* Copies of a query sent in all. Each connection that dies under it costs one; an
 * upstream that always hangs up must not be asked for ever. */
#define COPIES_MAX 16
/* Copies that are sent because another has got no answer yet. */
#define SILENCES_MAX 2

struct proxy {
	struct proxy_options options;
	struct front *front;
	struct pool *pool;
	struct flights *flights;
	struct list waiting; /* flights that no connection takes at the moment */
	struct timer deadline;
	char timeout_text[64];
};

static uint64_t now(const struct proxy *p)
{
	return loop_now(p->options.loop);
}

/* ---- replies ---- */

static void count_response(struct proxy *p, unsigned rcode, enum metric_source source,
			   uint64_t asked_us)
{
	struct metrics *m = p->options.metrics;
	unsigned slot = rcode < METRIC_RCODES - 1 ? rcode : METRIC_RCODES - 1;

	metric_inc(&m->responses[slot][source]);
	histogram_add(&m->request_duration[source], now(p) - asked_us);
}

static uint16_t keepalive_for(struct proxy *p, const struct client *c,
			      const struct query *q)
{
	return q->edns.keepalive ? client_keepalive(p->front, c) : 0;
}

static void send_error(struct proxy *p, const struct client *c, const struct query *q,
		       unsigned rcode, enum reason why, const char *text,
		       uint64_t asked_us)
{
	uint8_t *out = client_room(p->front, c, REPLY_ERROR_MAX);
	int ede = why == REASON_NONE ? -1 : reason_ede(why);

	if (!out)
		return;
	client_send(p->front, c,
		    reply_error(out, q, rcode, ede, text, keepalive_for(p, c, q)));
	count_response(p, rcode, why == REASON_NONE ? SOURCE_LOCAL : SOURCE_ERROR,
		       asked_us);
}

static void send_response(struct proxy *p, const struct flight *f, const struct waiter *w,
			  const struct response *r)
{
	struct query q = flights_query(f, w);
	size_t most = r->len + REPLY_OPT_MAX;
	uint8_t *out = client_room(p->front, &w->client, most < q.limit ? most : q.limit);
	size_t n;

	if (!out)
		return;
	n = reply_from_response(out, most < q.limit ? most : q.limit, &q, r,
				keepalive_for(p, &w->client, &q));
	client_send(p->front, &w->client, n);
	count_response(p, r->rcode, SOURCE_UPSTREAM, w->asked_us);
}

/* ---- the ends of a flight ---- */

static void end_flight(struct proxy *p, struct flight *f)
{
	flights_end(p->flights, f);
	metric_set(&p->options.metrics->flights, flights_count(p->flights));
}

static void query_fail(struct proxy *p, struct flight *f, enum reason why,
		       const char *text)
{
	for (const struct waiter *w = flights_first(p->flights, f); w;
	     w = flights_next(p->flights, w)) {
		struct query q = flights_query(f, w);

		send_error(p, &w->client, &q, RCODE_SERVFAIL, why, text, w->asked_us);
	}
	end_flight(p, f);
}

static bool query_answer(void *arg, uint64_t id, const struct response *r)
{
	struct proxy *p = arg;
	struct flight *f = flights_get(p->flights, id);

	if (!f)
		return false;
	for (const struct waiter *w = flights_first(p->flights, f); w;
	     w = flights_next(p->flights, w))
		send_response(p, f, w, r);
	end_flight(p, f);
	return true;
}

static void expire(void *arg)
{
	struct proxy *p = arg;
	struct flight *f;

	while ((f = flights_oldest(p->flights)) &&
	       f->began_us + p->options.timeout_us <= now(p))
		query_fail(p, f, REASON_QUERY_TIMEOUT, p->timeout_text);
	if (f)
		(void)timer_set(p->options.loop, &p->deadline,
				f->began_us + p->options.timeout_us, expire, p);
}

/* ---- sending, and sending again ---- */

static void send_copy(struct proxy *p, struct flight *f, const struct query *q)
{
	enum reason why = f->why;
	const char *text = reason_word(why);

	list_remove(&f->waiting);
	if (f->copies < COPIES_MAX) {
		switch (pool_send(p->pool, q, f->id, f->question, f->began_us + HOLD_US,
				  &why, &text)) {
		case POOL_SENT:
			f->out++;
			f->copies++;
			return;
		case POOL_WAIT:
			list_append(&p->waiting, &f->waiting);
			return;
		case POOL_FAILED:
			break;
		}
	}
	if (!f->out && !f->silences)
		query_fail(p, f, why, text);
}

static void send_again(struct proxy *p, struct flight *f)
{
	struct query q = flights_query(f, flights_first(p->flights, f));

	send_copy(p, f, &q);
}

static void query_lost(void *arg, uint64_t id, enum reason why)
{
	struct proxy *p = arg;
	struct flight *f = flights_get(p->flights, id);

	if (!f)
		return;
	f->out--;
	f->why = why;
	if (f->out)
		return;
	metric_inc(&p->options.metrics->replays);
	send_again(p, f);
}

static void query_silent(void *arg, uint64_t id)
{
	struct proxy *p = arg;
	struct flight *f = flights_get(p->flights, id);

	if (!f)
		return;
	f->out--;
	f->why = REASON_READ_TIMEOUT;
	if (f->silences++ == SILENCES_MAX)
		return; /* until its deadline */
	metric_inc(&p->options.metrics->replays);
	send_again(p, f);
}

static void query_change(void *arg)
{
	struct proxy *p = arg;
	struct list waiting;

	list_move(&p->waiting, &waiting);
	while (!list_empty(&waiting))
		send_again(p, list_entry(waiting.next, struct flight, waiting));
}

const struct pool_events query_events = {
    .answer = query_answer,
    .lost = query_lost,
    .silent = query_silent,
    .change = query_change,
};

/* ---- the beginning ---- */

static void overload(struct proxy *p, const struct client *c, const struct query *q)
{
	metric_inc(&p->options.metrics->dropped[REASON_OVERLOAD]);
	send_error(p, c, q, RCODE_SERVFAIL, REASON_OVERLOAD,
		   "overload: too many queries are waiting for the upstreams", now(p));
}

static void forward(struct proxy *p, const struct client *c, const struct query *q)
{
	struct metrics *m = p->options.metrics;
	uint64_t question = pool_question_hash(p->pool, &q->question);
	uint64_t key = flights_key(q, question);
	struct flight *f = flights_find(p->flights, q, key);

	if (f) {
		if (flights_wait(p->flights, f, c, q, now(p)) < 0)
			overload(p, c, q);
		else
			metric_inc(&m->joined);
		return;
	}
	f = flights_begin(p->flights, q, key, question, now(p));
	if (!f) {
		overload(p, c, q);
		return;
	}
	if (flights_wait(p->flights, f, c, q, now(p)) < 0) {
		flights_end(p->flights, f);
		overload(p, c, q);
		return;
	}
	metric_set(&m->flights, flights_count(p->flights));
	if (!timer_running(&p->deadline))
		(void)timer_set(p->options.loop, &p->deadline,
				f->began_us + p->options.timeout_us, expire, p);
	send_copy(p, f, q);
}

void query_begin(void *arg, const struct client *c, const uint8_t *message, size_t len)
{
	struct proxy *p = arg;
	struct metrics *m = p->options.metrics;
	bool tcp = client_is_tcp(c);
	struct query q;
	unsigned rcode;
	enum reason why;
	enum verdict verdict = check_message(&q, message, len, tcp, &rcode, &why);

	if (verdict == VERDICT_DROP) {
		metric_inc(&m->dropped[why]);
		client_drop(p->front, c);
		return;
	}
	metric_inc(
	    &m->requests[tcp ? METRIC_TCP : METRIC_UDP][qtype_slot(q.question.type)]);
	if (verdict == VERDICT_REPLY)
		send_error(p, c, &q, rcode, REASON_NONE, NULL, now(p));
	else
		forward(p, c, &q);
}

/* ---- the proxy ---- */

int proxy_new(struct proxy **out, const struct proxy_options *o)
{
	struct proxy *p = calloc(1, sizeof *p);

	if (!p)
		return -ENOMEM;
	p->flights = flights_new();
	if (!p->flights) {
		free(p);
		return -ENOMEM;
	}
	p->options = *o;
	list_init(&p->waiting);
	snprintf(p->timeout_text, sizeof p->timeout_text,
		 "query_timeout: no answer in %llu ms",
		 (unsigned long long)(o->timeout_us / 1000));
	*out = p;
	return 0;
}

void proxy_connect(struct proxy *p, struct front *front, struct pool *pool)
{
	p->front = front;
	p->pool = pool;
}

void proxy_free(struct proxy *p)
{
	if (!p)
		return;
	timer_stop(p->options.loop, &p->deadline);
	flights_free(p->flights);
	free(p);
}

unsigned proxy_inflight(const struct proxy *p)
{
	return flights_count(p->flights);
}

void proxy_abort(struct proxy *p)
{
	struct flight *f;

	while ((f = flights_oldest(p->flights)))
		query_fail(p, f, REASON_SHUTDOWN, "shutdown: dotgate is ending");
}
