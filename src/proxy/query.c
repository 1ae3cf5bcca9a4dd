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
#include "proxy/overload.h"
#include "proxy/special.h"

/* A query waits this long for an upstream that is down to come back, then hears why not.
 * A restart fits; a stub's own time-out (5 s) is still far. */
#define HOLD_US 2000000

/* Copies of a query sent in all. Each connection that dies under it costs one; an
 * upstream that always hangs up must not be asked for ever. */
#define COPIES_MAX 16
/* No further copy is sent for an answer that is late when so many have been: were one in twenty lost, one
 * query in a hundred thousand would lose all of them. */
#define LATE_COPIES_MAX 4
/* When something has changed, and so many in a row of those that wait for a group of upstreams have to
 * wait on, the others do as well: in a flood thousands wait. More than connections are dialled at a
 * time, which each of them may ask for. */
#define WAITS_MAX 16
/* Copies that are sent because another has got no answer yet. */
#define SILENCES_MAX 2

struct proxy {
	struct proxy_options options;
	struct front *front;
	struct pool *pool;
	struct flights *flights;
	struct recall *recall;
	struct list waiting; /* flights that no connection takes at the moment */
	struct list overdue; /* flights that have a stale answer, by age */
	struct timer deadline, stale;
	struct overload overload;
	char timeout_text[64];
};

static uint64_t now(const struct proxy *p)
{
	return loop_now(p->options.loop);
}

static uint32_t now_s(const struct proxy *p)
{
	return recall_seconds(now(p));
}

/* ---- replies ---- */

/* The counter of such a response, for client_send(). */
static uint64_t *count_response(struct proxy *p, unsigned rcode,
				enum metric_source source, uint64_t asked_us)
{
	struct metrics *m = p->options.metrics;
	unsigned slot = rcode < METRIC_RCODES - 1 ? rcode : METRIC_RCODES - 1;

	histogram_add(&m->request_duration[source], now(p) - asked_us);
	return &m->responses[slot][source];
}

static uint16_t keepalive_for(struct proxy *p, const struct client *c,
			      const struct query *q)
{
	return q->edns.keepalive ? client_keepalive(p->front, c) : 0;
}

/* What a client is told that gets no answer. */
struct failure {
	unsigned rcode;
	int ede;	  /* -1: none */
	const char *text; /* of the EDE; may be NULL */
	enum reason why;
	enum metric_source source;
};

static void count_overload(struct proxy *p)
{
	struct host heaviest;
	unsigned percent = flights_heaviest(p->flights, &heaviest);

	metric_inc(&p->options.metrics->overloads);
	overload_refused(&p->overload);
	if (percent)
		overload_blame(&p->overload, &heaviest, percent);
}

static void send_error(struct proxy *p, const struct client *c, const struct query *q,
		       const struct failure *e, uint64_t asked_us)
{
	uint8_t *out = client_room(p->front, c, REPLY_ERROR_MAX);
	size_t n;

	if (!out)
		return;
	if (e->why == REASON_OVERLOAD) {
		count_overload(p);
	}
	n = reply_error(out, q, e->rcode, e->ede, e->text, keepalive_for(p, c, q));
	client_send(p->front, c, n, count_response(p, e->rcode, e->source, asked_us));
}

static void send_response(struct proxy *p, const struct client *c, const struct query *q,
			  const struct response *r, enum metric_source source,
			  uint64_t asked_us)
{
	size_t most = r->len + REPLY_OPT_MAX;
	uint8_t *out = client_room(p->front, c, most < q->limit ? most : q->limit);
	size_t n;

	if (!out)
		return;
	n = reply_from_response(out, most < q->limit ? most : q->limit, q, r,
				keepalive_for(p, c, q));
	client_send(p->front, c, n, count_response(p, r->rcode, source, asked_us));
}

static void send_to_waiters(struct proxy *p, struct flight *f, const struct response *r,
			    enum metric_source source)
{
	for (const struct waiter *w = flights_first(p->flights, f); w;
	     w = flights_next(p->flights, w)) {
		struct query q = flights_query(f, w);

		send_response(p, &w->client, &q, r, source, w->asked_us);
	}
}

/* ---- the ends of a flight ---- */

static void show_flights(struct proxy *p)
{
	metric_set(&p->options.metrics->flights, flights_count(p->flights));
	metric_set(&p->options.metrics->waiting, flights_waiting(p->flights));
}

static void end_flight(struct proxy *p, struct flight *f)
{
	flights_end(p->flights, f);
	show_flights(p);
}

static void begin_asked(struct proxy *p, struct asked *a, const struct query *q)
{
	asked_make(a, q);
	a->question = pool_question_hash(p->pool, a->key, a->question_len);
}

/* Answers those that wait for F with what is no longer fresh, if it is still there; F goes
 * on. */
static bool serve_stale(struct proxy *p, struct flight *f, enum reason why)
{
	struct query q = flights_asked(f);
	struct response r;
	struct asked a;

	list_remove(&f->overdue);
	if (!f->has_stale)
		return false;
	begin_asked(p, &a, &q);
	f->has_stale = recall_stale(p->recall, &a, &q.question, now_s(p), why, &r);
	if (!f->has_stale)
		return false;
	send_to_waiters(p, f, &r, SOURCE_STALE);
	flights_release(p->flights, f);
	show_flights(p);
	f->served_stale = true;
	return true;
}

/* Remembers that F had no answer, so that it is not asked for again at once. That no upstream
 * can be used is not remembered: it says nothing about the question. Nor is what was asked without
 * RD, which an upstream may answer otherwise than what others ask. */
static void remember_failure(struct proxy *p, const struct flight *f, enum reason why,
			     const char *text)
{
	struct query q = flights_asked(f);
	struct asked a;

	if (!(f->flags & DNS_RD))
		return;
	begin_asked(p, &a, &q);
	if (f->has_stale)
		recall_tried(p->recall, &a, now_s(p));
	else if (why == REASON_QUERY_TIMEOUT && pool_is_usable(p->pool, f->group))
		recall_failure(p->recall, &a, now_s(p), why, text);
}

static void fail_waiters(struct proxy *p, struct flight *f, const struct failure *e)
{
	for (const struct waiter *w = flights_first(p->flights, f); w;
	     w = flights_next(p->flights, w)) {
		struct query q = flights_query(f, w);

		send_error(p, &w->client, &q, e, w->asked_us);
	}
}

/* F gets no good answer: its waiters hear a stale one, else the error that an upstream answered with,
 * else SERVFAIL and WHY. */
static void query_fail(struct proxy *p, struct flight *f, enum reason why,
		       const char *text)
{
	struct failure e = {RCODE_SERVFAIL, reason_ede(why), text, why, SOURCE_ERROR};

	if (f->error)
		e = (struct failure){f->error, f->error_ede, NULL, REASON_NONE,
				     SOURCE_UPSTREAM};
	(void)serve_stale(p, f, why);
	remember_failure(p, f, why, text);
	fail_waiters(p, f, &e);
	end_flight(p, f);
}

static void count_off(struct flight *f, bool was_silent)
{
	if (was_silent)
		f->silent--;
	else
		f->out--;
}

/* F is sent again at the end of this round: not now, since a connection may be ending just now. */
static void retry_soon(struct proxy *p, struct flight *f)
{
	list_remove(&f->waiting);
	list_append(&p->waiting, &f->waiting);
	pool_change_soon(p->pool);
}

/* The answer to a question that nobody waits for any more: it is kept for those that ask next. */
static void keep_late_answer(struct proxy *p, const struct pool_answer *from)
{
	const struct response *r = from->response;
	struct query q = {
	    .flags = (uint16_t)((from->bits & SENT_RD ? DNS_RD : 0) |
				(from->bits & SENT_CD ? DNS_CD : 0)),
	    .question = r->question,
	    .edns = {.present = from->bits & SENT_DO, .do_bit = from->bits & SENT_DO},
	};
	struct response kept;
	struct asked a;

	if (rcode_is_error(r->rcode))
		return;
	begin_asked(p, &a, &q);
	a.group = from->group;
	(void)recall_store(p->recall, &a, &q, r, now_s(p), &kept);
}

/* An upstream answered F with an error. Returns true if another may do better, and F goes on. */
static bool ask_another(struct proxy *p, struct flight *f, const struct pool_answer *from)
{
	const struct edns *e = &from->response->edns;

	f->tried |= 1u << from->upstream;
	f->error = from->response->rcode;
	f->error_ede = e->ede_count ? e->ede[0].code : -1;
	if (f->out)
		return true;
	if (f->copies >= COPIES_MAX || !pool_has_untried(p->pool, f->group, f->tried))
		return false;
	metric_inc(&p->options.metrics->replays);
	retry_soon(p, f);
	return true;
}

/* Ends F with the error R. */
static void end_with_error(struct proxy *p, struct flight *f, const struct response *r)
{
	struct query q = flights_asked(f);
	struct asked a;

	begin_asked(p, &a, &q);
	if (serve_stale(p, f, REASON_NONE)) {
		if (f->flags & DNS_RD)
			recall_tried(p->recall, &a, now_s(p));
	} else if (r->question.name_len) {
		struct response kept;

		r = recall_store(p->recall, &a, &q, r, now_s(p), &kept);
		send_to_waiters(p, f, r, SOURCE_UPSTREAM);
	} else {
		fail_waiters(p, f,
			     &(struct failure){r->rcode, f->error_ede, NULL, REASON_NONE,
					       SOURCE_UPSTREAM});
	}
	end_flight(p, f);
}

static void end_with_answer(struct proxy *p, struct flight *f, const struct response *r)
{
	struct query q = flights_asked(f);
	struct response kept;
	struct asked a;

	begin_asked(p, &a, &q);
	r = recall_store(p->recall, &a, &q, r, now_s(p), &kept);
	send_to_waiters(p, f, r, SOURCE_UPSTREAM);
	end_flight(p, f);
}

static bool query_answer(void *arg, const struct pool_answer *from)
{
	struct proxy *p = arg;
	struct flight *f = flights_get(p->flights, from->flight);

	if (!f) {
		keep_late_answer(p, from);
		return false;
	}
	if (from->is_copy)
		count_off(f, from->was_silent);
	if (!rcode_is_error(from->response->rcode))
		end_with_answer(p, f, from->response);
	else if (!ask_another(p, f, from))
		end_with_error(p, f, from->response);
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

static void watch_overdue(struct proxy *p);

/* The client timer of RFC 8767. */
static void serve_overdue(void *arg)
{
	struct proxy *p = arg;

	while (!list_empty(&p->overdue)) {
		struct flight *f = list_entry(p->overdue.next, struct flight, overdue);

		if (f->began_us + p->options.stale_after_us > now(p))
			break;
		(void)serve_stale(p, f, f->why);
	}
	watch_overdue(p);
}

static void watch_overdue(struct proxy *p)
{
	const struct flight *f;

	if (list_empty(&p->overdue) || timer_running(&p->stale))
		return;
	f = list_entry(p->overdue.next, struct flight, overdue);
	(void)timer_set(p->options.loop, &p->stale,
			f->began_us + p->options.stale_after_us, serve_overdue, p);
}

/* F has a stale answer, which clients get when F takes too long, or at once if it is known
 * that it will. */
static void have_stale(struct proxy *p, struct flight *f)
{
	if (f->served_stale || !pool_is_usable(p->pool, f->group)) {
		f->has_stale = true;
		(void)serve_stale(p, f, f->why);
	} else if (!f->has_stale) {
		f->has_stale = true;
		list_append(&p->overdue, &f->overdue);
		watch_overdue(p);
	}
}

/* ---- sending, and sending again ---- */

static struct ask ask_of(const struct flight *f, const struct query *q)
{
	return (struct ask){.query = q,
			    .flight = f->id,
			    .question = f->question,
			    .domain = f->domain,
			    .group = f->group,
			    .tried = f->tried,
			    .silent = f->silent_at,
			    .is_copy = f->out || f->silent,
			    .without_edns = f->without_edns,
			    .is_heavy = f->is_heavy};
}

/* What clients hear of a failure. The text of an upstream's has its address and path in it, which
 * are the operator's business; that of an overload has not. */
static const char *told(const struct proxy *p, enum reason why, const char *text)
{
	return p->options.ede_detail || why == REASON_OVERLOAD ? text : reason_word(why);
}

/* Returns true if F waits for an upstream to take it. */
static bool send_copy(struct proxy *p, struct flight *f, const struct query *q)
{
	struct ask ask = ask_of(f, q);
	enum reason why = f->why;
	const char *text = reason_word(why);
	unsigned copies;

	list_remove(&f->waiting);
	if (f->copies < COPIES_MAX) {
		switch (pool_send(p->pool, &ask, f->began_us + HOLD_US, &copies, &why,
				  &text)) {
		case POOL_SENT:
			f->out += copies;
			f->copies += copies;
			return false;
		case POOL_WAIT:
			list_append(&p->waiting, &f->waiting);
			if (f->has_stale && !pool_is_usable(p->pool, f->group))
				(void)serve_stale(p, f, why);
			return true;
		case POOL_FAILED:
			break;
		}
	}
	if (f->out)
		return false;
	if (!f->silent)
		query_fail(p, f, why, told(p, why, text));
	else if (f->copies < COPIES_MAX)
		list_append(&p->waiting, &f->waiting); /* what changes next may help */
	return false;
}

static bool send_again(struct proxy *p, struct flight *f)
{
	struct query q = flights_asked(f);

	return send_copy(p, f, &q);
}

static void query_lost(void *arg, uint64_t id, enum reason why, bool was_silent)
{
	struct proxy *p = arg;
	struct flight *f = flights_get(p->flights, id);

	if (!f)
		return;
	count_off(f, was_silent);
	f->why = why;
	if (f->out)
		return;
	metric_inc(&p->options.metrics->replays);
	retry_soon(p, f);
}

static void query_silent(void *arg, uint64_t id, unsigned upstream)
{
	struct proxy *p = arg;
	struct flight *f = flights_get(p->flights, id);

	if (!f)
		return;
	f->out--;
	f->silent++;
	f->silent_at |= 1u << upstream;
	f->why = REASON_READ_TIMEOUT;
	if (f->out || ++f->silences > SILENCES_MAX)
		return; /* another copy is out, or it waits until its deadline */
	metric_inc(&p->options.metrics->replays);
	retry_soon(p, f);
}

static void query_refused_opt(void *arg, uint64_t id, bool was_silent)
{
	struct proxy *p = arg;
	struct flight *f = flights_get(p->flights, id);

	if (!f)
		return;
	count_off(f, was_silent);
	f->without_edns = true;
	if (f->out)
		return;
	metric_inc(&p->options.metrics->replays);
	retry_soon(p, f);
}

static enum pool_copy query_late(void *arg, uint64_t id)
{
	struct proxy *p = arg;
	struct flight *f = flights_get(p->flights, id);
	struct ask ask;
	struct query q;

	if (!f || f->copies >= LATE_COPIES_MAX)
		return COPY_NEEDLESS;
	if (flights_are_scarce(p->flights))
		return COPY_IMPOSSIBLE;
	q = flights_asked(f);
	ask = ask_of(f, &q);
	if (!pool_send_copy(p->pool, &ask))
		return COPY_IMPOSSIBLE;
	f->out++;
	f->copies++;
	return COPY_SENT;
}

/* What the pool said of F would be said of any other of its group: it asks for no upstream in
 * particular, nor without one. */
static bool is_usual(const struct flight *f)
{
	return !f->tried && !f->domain;
}

/* F waits on, as others of its group had to just now. */
static void wait_on(struct proxy *p, struct flight *f)
{
	list_remove(&f->waiting);
	list_append(&p->waiting, &f->waiting);
	if (f->has_stale && !pool_is_usable(p->pool, f->group))
		(void)serve_stale(p, f, f->why);
}

static void query_change(void *arg)
{
	struct proxy *p = arg;
	unsigned waits[POOL_GROUPS_MAX] = {0};
	struct list waiting;

	list_move(&p->waiting, &waiting);
	while (!list_empty(&waiting)) {
		struct flight *f = list_entry(waiting.next, struct flight, waiting);
		unsigned *n = &waits[f->group];
		bool usual = is_usual(f);

		if (usual && *n >= WAITS_MAX)
			wait_on(p, f);
		else if (send_again(p, f) && usual)
			++*n;
	}
}

const struct pool_events query_events = {
    .answer = query_answer,
    .lost = query_lost,
    .silent = query_silent,
    .refused_opt = query_refused_opt,
    .late = query_late,
    .change = query_change,
};

/* ---- the beginning ---- */

static void overload(struct proxy *p, const struct client *c, const struct query *q)
{
	static const char text[] =
	    "overload: too many queries are waiting for the upstreams";
	const struct failure e = {RCODE_SERVFAIL, reason_ede(REASON_OVERLOAD), text,
				  REASON_OVERLOAD, SOURCE_ERROR};

	send_error(p, c, q, &e, now(p));
}

/* There is no place for C to wait: it gets a stale answer if there is one. */
static void refuse(struct proxy *p, const struct client *c, const struct query *q,
		   const struct asked *a, bool stale)
{
	struct response r;

	if (stale &&
	    recall_stale(p->recall, a, &q->question, now_s(p), REASON_OVERLOAD, &r))
		send_response(p, c, q, &r, SOURCE_STALE, now(p));
	else
		overload(p, c, q);
}

/* A new flight, which nobody waits for yet; NULL: there are too many. */
static struct flight *begin_flight(struct proxy *p, const struct query *q,
				   const struct asked *a, uint64_t key)
{
	struct flight *f = flights_begin(p->flights, q, key, a->question, now(p));

	if (!f)
		return NULL;
	f->group = a->group;
	f->domain = p->options.domains
			? domains_hash(p->options.domains, a->key, q->question.name_len)
			: 0;
	show_flights(p);
	if (!timer_running(&p->deadline))
		(void)timer_set(p->options.loop, &p->deadline,
				f->began_us + p->options.timeout_us, expire, p);
	return f;
}

/* The answer is fresh, but not for long: another is fetched before anybody has to wait. */
static void renew(struct proxy *p, const struct query *q, const struct asked *a)
{
	uint64_t key = flights_key(q, a->question);
	struct flight *f;

	if (flights_find(p->flights, q, key))
		return;
	f = begin_flight(p, q, a, key);
	if (!f)
		return;
	metric_inc(&p->options.metrics->prefetches);
	(void)send_copy(p, f, q);
}

/* A flight for HOST, for which another may have to give way; NULL: HOST holds its share. */
static struct flight *claim_flight(struct proxy *p, const struct host *host,
				   const struct query *q, const struct asked *a,
				   uint64_t key)
{
	struct flight *f, *other;

	if (flights_share_is_used(p->flights, host))
		return NULL;
	f = begin_flight(p, q, a, key);
	other = f ? NULL : flights_give_way(p->flights, host);
	if (!other)
		return f;
	query_fail(p, other, REASON_OVERLOAD,
		   "overload: this client asks more than others, and places are scarce");
	return begin_flight(p, q, a, key);
}

/* F has just begun, and C waits for it. */
static void send_first(struct proxy *p, struct flight *f, const struct host *host,
		       const struct query *q)
{
	f->is_heavy = flights_is_heavy(p->flights, host);
	(void)send_copy(p, f, q);
}

static void forward(struct proxy *p, const struct client *c, const struct query *q,
		    const struct asked *a, bool stale)
{
	uint64_t key = flights_key(q, a->question);
	struct flight *f = flights_find(p->flights, q, key);
	struct host host = client_host(p->front, c);
	bool joined = f != NULL;

	if (!f)
		f = claim_flight(p, &host, q, a, key);
	if (!f || flights_wait(p->flights, f, c, &host, q, now(p)) < 0) {
		if (f && !joined)
			end_flight(p, f);
		refuse(p, c, q, a, stale);
		return;
	}
	show_flights(p);
	if (joined)
		metric_inc(&p->options.metrics->joined);
	if (stale)
		have_stale(p, f);
	if (!joined)
		send_first(p, f, &host, q);
}

/* Which upstreams serve the name, if it is to be answered by any: true; else it was answered. */
static bool route(struct proxy *p, const struct client *c, const struct query *q,
		  struct asked *a)
{
	const struct route *to =
	    routes_find(p->options.routes, a->key, q->question.name_len);
	uint8_t room[SPECIAL_ROOM];
	struct response r;

	a->group = to ? to->group : 0;
	if (!p->options.special_names || to ||
	    !special_answer(&q->question, a->key, room, &r))
		return true;
	send_response(p, c, q, &r, SOURCE_LOCAL, now(p));
	return false;
}

/* The cache, then the upstreams. */
static void answer(struct proxy *p, const struct client *c, const struct query *q)
{
	struct metrics *m = p->options.metrics;
	enum recalled found;
	struct response r;
	struct asked a;

	begin_asked(p, &a, q);
	recall_expect(p->recall, &a);
	if (!route(p, c, q, &a))
		return;
	found = recall_find(p->recall, &a, &q->question, now_s(p), &r);
	switch (found) {
	case RECALL_FRESH:
	case RECALL_DUE:
		metric_inc(&m->cache_hits);
		send_response(p, c, q, &r, SOURCE_CACHE, now(p));
		if (found == RECALL_DUE)
			renew(p, q, &a);
		break;
	case RECALL_STALE_NOW:
		metric_inc(&m->cache_misses);
		send_response(p, c, q, &r, SOURCE_STALE, now(p));
		break;
	case RECALL_STALE:
	case RECALL_NOTHING:
		metric_inc(&m->cache_misses);
		forward(p, c, q, &a, found == RECALL_STALE);
		break;
	}
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

	metric_inc(
	    &m->requests[tcp ? METRIC_TCP : METRIC_UDP][qtype_slot(q.question.type)]);
	if (verdict == VERDICT_DROP) {
		metric_inc(&m->dropped[why]);
		client_drop(p->front, c);
		return;
	}
	if (verdict == VERDICT_REPLY)
		send_error(p, c, &q,
			   &(struct failure){rcode, -1, NULL, REASON_NONE, SOURCE_LOCAL},
			   now(p));
	else
		answer(p, c, &q);
}

/* ---- the proxy ---- */

int proxy_new(struct proxy **out, const struct proxy_options *o)
{
	struct proxy *p = calloc(1, sizeof *p);

	if (!p)
		return -ENOMEM;
	p->options = *o;
	list_init(&p->waiting);
	list_init(&p->overdue);
	overload_init(&p->overload, o->loop, o->log_clients);
	p->flights = flights_new(o->client_share);
	if (!p->flights || recall_new(&p->recall, &o->recall) < 0) {
		flights_free(p->flights);
		free(p);
		return -ENOMEM;
	}
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
	timer_stop(p->options.loop, &p->stale);
	overload_stop(&p->overload);
	recall_free(p->recall);
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
