/* exchange: queries out and answers in on a connection. */
#include "upstream/exchange.h"

#include <errno.h>

#include "base/hash.h"
#include "dns/message.h"
#include "dns/octets.h"
#include "dns/qtype.h"
#include "net/frame.h"

/* Octets of frames that wait to be written: IDS_MAX padded queries of the usual 128, and
 * room for one of any length. */
#define OUT_MAX                                                                          \
	(IDS_MAX * (FRAME_HEADER + QUERY_PAD_BLOCK) + FRAME_HEADER + QUERY_ENCODED_MAX)
/* Ids that are taken by queries which nobody waits for any more, since their answers may still come.
 * With more of them a connection is worn out, and another takes its place. */
#define WORN_MAX (IDS_MAX / 2)
/* Kept when nothing waits, so that a usual round allocates nothing. */
#define OUT_KEEP 16384
/* Early data: what fits beside the ClientHello into the ten segments that may go first (RFC 6928). */
#define EARLY_MAX 8192

/* One TLS record's worth is read at a time; an incomplete frame may wait before it. */
#define READ_CHUNK 16384
#define IN_MAX (FRAME_MAX + READ_CHUNK)
#define IN_KEEP (2 * READ_CHUNK)

/* Records read before others have their turn: an upstream that never pauses must not
 * starve the clients. */
#define READS_PER_ROUND 64

/* So many useless messages in a row are no accident: the stream is not to be trusted. */
#define BAD_ANSWERS_MAX 64

uint64_t conn_question_hash(const struct hash_key *key, const struct question *q)
{
	uint8_t bytes[QUESTION_KEY_MAX];

	return hash_bytes(key, bytes, question_key(q, bytes));
}

void conn_make_dirty(struct conn *c)
{
	if (c->is_dirty || c->wants_write)
		return;
	c->is_dirty = true;
	c->context->events->dirty(c);
}

/* ---- out ---- */

bool conn_is_used_up(const struct conn *c)
{
	return (c->limit && c->queries >= c->limit) ||
	       ids_taken_count(c->ids) - ids_awaited_count(c->ids) >= WORN_MAX;
}

/* Octets that may wait in `out`. */
static size_t out_max(const struct conn *c)
{
	if (c->state == CONN_READY)
		return OUT_MAX;
	if (c->state != CONN_HANDSHAKING || c->early_len)
		return 0;
	return c->early_room < EARLY_MAX ? c->early_room : EARLY_MAX;
}

bool conn_has_room(const struct conn *c)
{
	return buf_len(&c->out) + FRAME_HEADER + QUERY_ENCODED_MAX <= out_max(c) &&
	       !c->failed_write && !conn_is_used_up(c) &&
	       ids_taken_count(c->ids) < IDS_MAX;
}

bool conn_takes(const struct conn *c, const struct query *q)
{
	return conn_has_room(c) &&
	       (c->state == CONN_READY || !type_is_meta(q->question.type));
}

bool conn_is_good(const struct conn *c)
{
	return !c->is_suspect && conn_has_room(c);
}

/* What is in `out` starts with a whole frame, so this is the time to change it. */
static void settle_care(struct conn *c, uint64_t now)
{
	if (!buf_len(&c->out))
		c->is_careful = health_is_careful(c->context->health, now);
}

/* Queues the message that asks A's question under ID. */
static void queue(struct conn *c, uint8_t *frame, const struct ask *a, uint16_t id,
		  bool with_opt)
{
	size_t n = with_opt ? query_encode(frame + FRAME_HEADER, a->query, id, !c->asked)
			    : query_encode_bare(frame + FRAME_HEADER, a->query, id);

	frame_put_length(frame, n);
	buf_commit(&c->out, FRAME_HEADER + n);
	c->asked |= with_opt;
	c->queries++;
	c->unsent++;
}

struct sent *conn_send(struct conn *c, const struct ask *a)
{
	const struct conn_context *k = c->context;
	uint64_t now = loop_now(k->loop);
	struct sent *s;
	uint8_t *frame;
	int id;

	if (!conn_takes(c, a->query))
		return NULL;
	settle_care(c, now);
	frame = buf_reserve(&c->out, FRAME_HEADER + QUERY_ENCODED_MAX, OUT_MAX);
	if (!frame)
		return NULL;
	id = ids_take(c->ids, k->random, a->flight, a->question, now);
	if (id < 0)
		return NULL;
	s = ids_find(c->ids, (uint16_t)id);
	s->group = (uint8_t)a->group;
	s->bits = sent_bits(a->query);
	s->with_opt = !a->without_edns && !health_lacks_edns(k->health, now);
	queue(c, frame, a, (uint16_t)id, s->with_opt);
	metric_inc(&k->metrics->inflight);
	conn_make_dirty(c);
	if (ids_awaited_count(c->ids) == 1)
		conn_watch_time(c);
	return s;
}

static void wait_for(struct conn *c, bool write)
{
	if (c->wants_write == write)
		return;
	c->wants_write = write;
	loop_change(c->context->loop, c->watch,
		    write ? LOOP_READ | LOOP_WRITE : LOOP_READ);
}

/* The queued octets that go into one write: all, or one frame. */
static size_t write_len(struct conn *c)
{
	const uint8_t *frame = buf_head(&c->out);

	return c->is_careful ? FRAME_HEADER + ((size_t)frame[0] << 8 | frame[1])
			     : buf_len(&c->out);
}

static void count_write(struct conn *c)
{
	unsigned queries = c->is_careful ? 1 : c->unsent;

	metric_inc(&c->context->metrics->writes);
	metric_add(&c->context->metrics->written, queries);
	c->unsent -= queries;
}

/* Why TLS has failed on an authenticated connection: octets that are no TLS are now as
 * bad a frame as any, and say nothing of who the upstream is. */
static enum reason failure_of(const struct conn *c, char detail[TLS_DETAIL_MAX])
{
	enum reason why = tls_conn_failure(c->tls, detail);

	return why == REASON_TLS_PROTOCOL ? REASON_BAD_FRAME : why;
}

/* Begins the handshake, with what is queued in front of it. */
static void flush_early(struct conn *c)
{
	enum tls_status status = TLS_OK;
	char detail[TLS_DETAIL_MAX];

	c->early_len = buf_len(&c->out);
	if (c->early_len)
		status = tls_write_early(c->tls, buf_head(&c->out), c->early_len);
	if (status == TLS_WANT_WRITE || status == TLS_WANT_READ)
		return; /* once more when the socket is ready */
	if (status == TLS_OK) {
		c->early_room = 0;
		conn_shake_hands(c);
	} else {
		conn_drop(c, tls_conn_failure(c->tls, detail), detail);
	}
}

void conn_settle_early(struct conn *c)
{
	uint64_t now = loop_now(c->context->loop);
	bool accepted = tls_early_accepted(c->tls);

	metric_add(&c->context->metrics->early[accepted], c->unsent);
	if (accepted || !ids_awaited_count(c->ids)) {
		metric_inc(&c->context->metrics->writes);
		metric_add(&c->context->metrics->written, c->unsent);
		c->unsent = 0;
		buf_consume(&c->out, c->early_len);
		return;
	}
	for (struct sent *s = ids_oldest(c->ids); s; s = ids_next(c->ids, s))
		s->sent_us = now;
	conn_make_dirty(c);
}

void conn_flush(struct conn *c)
{
	char detail[TLS_DETAIL_MAX];
	enum reason why;

	c->is_dirty = false;
	if (c->state == CONN_HANDSHAKING && c->early_room) {
		flush_early(c);
		return;
	}
	if (c->state != CONN_READY && c->state != CONN_DRAINING)
		return;
	while (buf_len(&c->out) && !c->failed_write) {
		size_t n;

		switch (tls_write(c->tls, buf_head(&c->out), write_len(c), &n)) {
		case TLS_OK:
			count_write(c);
			buf_consume(&c->out, n);
			continue;
		case TLS_WANT_WRITE:
			wait_for(c, true);
			return;
		case TLS_WANT_READ:
			return;
		case TLS_EOF:
		case TLS_ERROR:
			break;
		}
		/* The peer may have answered before it closed: read that first. */
		why = failure_of(c, detail);
		c->failed_write = true;
		conn_exchange(c, LOOP_READ);
		if (c->state != CONN_CLOSED)
			conn_drop(c, why, detail);
		return;
	}
	buf_trim(&c->out, OUT_KEEP);
	wait_for(c, false);
}

/* ---- in ---- */

static void count_bad(struct conn *c, enum reason why)
{
	metric_inc(&c->context->metrics->dropped[why]);
	c->bad_answers++;
}

/* RFC 7828 3.2.2, 3.3.1 */
static void obey_keepalive(struct conn *c, const struct edns *e)
{
	/* units of 100 ms; close a little earlier than the upstream would */
	uint64_t us = (uint64_t)e->keepalive_value * 100000;

	if (!e->keepalive || e->keepalive_value == UINT16_MAX)
		return;
	if (!us) {
		if (c->state == CONN_READY)
			c->context->events->dismissed(c);
		return;
	}
	c->idle_us = us - us / 8;
}

/* What was sent before a query that has been answered was passed over by the upstream: how long
 * that takes says nothing of the connection. */
static void pass_over(struct conn *c, uint64_t sent_us)
{
	struct sent *s;

	if (sent_us > c->answered_us)
		c->answered_us = sent_us;
	while ((s = ids_marked(c->ids, MARK_FRESH)) && s->sent_us < c->answered_us)
		ids_pass(c->ids, MARK_FRESH);
}

static void on_response(struct conn *c, struct sent *s, const struct response *r)
{
	const struct conn_context *k = c->context;
	uint64_t now = loop_now(k->loop);
	uint64_t rtt = now - s->sent_us;
	struct sent answered = *s;
	bool is_awaited = ids_awaited(s);

	if (is_awaited)
		metric_dec(&k->metrics->inflight);
	ids_release(c->ids, s);
	pass_over(c, answered.sent_us);
	c->bad_answers = 0;
	c->answers++;
	c->idle_since_us = now;
	obey_keepalive(c, &r->edns);
	if (k->events->answer(c, &answered, r, rtt, is_awaited)) {
		metric_inc(&k->metrics->requests[REASON_NONE]);
		histogram_add(&k->metrics->request_duration, rtt);
	} else {
		metric_inc(&k->metrics->dropped[REASON_LATE]);
	}
}

static void on_message(struct conn *c, const uint8_t *message, size_t len)
{
	struct response r;
	struct sent *s;

	s = ids_find(c->ids, load16(message));
	if (!s) {
		count_bad(c, REASON_UNMATCHED);
		return;
	}
	if (response_read_error(&r, message, len) == 0) {
		on_response(c, s, &r);
		return;
	}
	if (response_read(&r, message, len) < 0) {
		count_bad(c, REASON_BAD_ANSWER);
		return;
	}
	if (conn_question_hash(c->context->hash_key, &r.question) != s->question) {
		count_bad(c, REASON_UNMATCHED);
		return;
	}
	on_response(c, s, &r);
}

/* Takes the whole frames that have been received. False: the connection was dropped. */
static bool take_frames(struct conn *c)
{
	const uint8_t *message;
	size_t pos = 0, len;

	while (frame_next(buf_head(&c->in), buf_len(&c->in), &pos, &message, &len)) {
		if (len < DNS_HEADER_LEN) {
			conn_drop(c, REASON_BAD_FRAME,
				  "a frame too short for a DNS message");
			return false;
		}
		on_message(c, message, len);
		if (c->state == CONN_CLOSED)
			return false;
		if (c->bad_answers >= BAD_ANSWERS_MAX) {
			conn_drop(c, REASON_BAD_ANSWER,
				  "too many useless messages in a row");
			return false;
		}
	}
	buf_consume(&c->in, pos);
	return true;
}

static void on_end(struct conn *c, enum tls_status status)
{
	char detail[TLS_DETAIL_MAX];
	enum reason why;

	if (status == TLS_ERROR) {
		why = failure_of(c, detail);
		conn_drop(c, why, detail);
	} else if (ids_awaited_count(c->ids)) {
		conn_drop(c, REASON_CLOSED_BUSY, "the upstream closed the connection");
	} else {
		conn_drop(c, REASON_CLOSED_IDLE,
			  "the upstream closed the idle connection");
	}
}

static void read_more(void *arg)
{
	conn_exchange(arg, LOOP_READ);
}

/* Reads until TLS has nothing left: what the library holds does not show as readiness of
 * the socket; what is in the socket does. */
static void read_all(struct conn *c)
{
	for (unsigned i = 0; i < READS_PER_ROUND; i++) {
		uint8_t *room = buf_reserve(&c->in, READ_CHUNK, IN_MAX);
		enum tls_status status;
		size_t n;

		if (!room) {
			conn_drop(c, REASON_DIAL_ERROR, "out of memory");
			return;
		}
		status = tls_read(c->tls, room, READ_CHUNK, &n);
		if (status == TLS_EOF || status == TLS_ERROR) {
			on_end(c, status);
			return;
		}
		if (status != TLS_OK) {
			buf_trim(&c->in, IN_KEEP);
			return;
		}
		c->heard_us = loop_now(c->context->loop);
		c->is_suspect = false;
		buf_commit(&c->in, n);
		if (!take_frames(c))
			return;
		if (!tls_pending(c->tls)) {
			buf_trim(&c->in, IN_KEEP);
			return;
		}
	}
	(void)timer_set(c->context->loop, &c->more, 0, read_more, c);
}

void conn_exchange(struct conn *c, unsigned ready)
{
	if (ready & LOOP_WRITE && c->wants_write) {
		conn_flush(c);
		if (c->state == CONN_CLOSED)
			return;
	}
	read_all(c);
	/* what is now known of the upstream may let silence be noticed sooner */
	if (c->state != CONN_CLOSED && ids_awaited_count(c->ids))
		conn_watch_time(c);
	/* it could not be retired with its last query: too many were draining */
	if (c->state == CONN_READY && conn_is_used_up(c) && !ids_awaited_count(c->ids))
		conn_retire(c, 0);
	if (c->state == CONN_DRAINING)
		conn_end_drain(c);
}
