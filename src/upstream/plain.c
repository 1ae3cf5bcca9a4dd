/* plain: a slot for each query under way; UDP first, TCP when the answer is too long for it. */
#include "upstream/plain.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "dns/message.h"
#include "net/frame.h"
#include "net/socket.h"
#include "net/timer.h"
#include "upstream/conn.h"

/* Sent again after this, and after twice this: a datagram may be lost. */
#define AGAIN_US 1000000
#define SENT_MAX 3

/* A TCP connection that does not come about is left to the query's own deadline. */
#define USER_TIMEOUT_MS 5000

/* Datagrams read from one socket in a round: a flood of forged ones must not hold up the rest. */
#define READS_PER_ROUND 16

/* Longer datagrams than were asked for are cut off, and then bad. */
#define DATAGRAM_MAX 4096

struct slot {
	struct plain *plain;
	struct slot *next; /* free: the next free one */
	bool used, tcp;
	int fd;
	loop_watch watch;
	struct timer timer;
	uint64_t flight, question, sent_us;
	unsigned sent; /* times */
	uint16_t id;
	struct buf in;
	size_t frame_at; /* TCP: octets of the frame that are written */
	size_t len;
	uint8_t frame[FRAME_HEADER + QUERY_ENCODED_MAX];
};

struct plain {
	struct plain_options options;
	unsigned used;
	struct slot *free;
	struct slot slots[PLAIN_QUERIES_MAX];
};

static void on_timer(void *arg);

static uint64_t now(const struct slot *s)
{
	return loop_now(s->plain->options.loop);
}

static struct address address_of(const struct plain *p)
{
	struct address all[ADDRESSES_MAX] = {0};

	(void)addresses_get(p->options.addresses, all);
	return all[0];
}

/* ---- slots ---- */

static void close_socket(struct slot *s)
{
	loop_forget(s->plain->options.loop, s->watch);
	s->watch = 0;
	if (s->fd >= 0)
		socket_close(s->fd);
	s->fd = -1;
}

static void give_back(struct slot *s)
{
	struct plain *p = s->plain;

	close_socket(s);
	timer_stop(p->options.loop, &s->timer);
	buf_free(&s->in);
	s->used = false;
	s->next = p->free;
	p->free = s;
	p->used--;
	metric_dec(&p->options.metrics->inflight);
}

static void lose(struct slot *s, enum reason why, const char *detail)
{
	const struct plain_options *o = &s->plain->options;
	uint64_t flight = s->flight;

	metric_inc(&o->metrics->requests[why]);
	give_back(s);
	o->events->lost(o->arg, flight, why, detail);
}

static void lose_by(struct slot *s, int error)
{
	lose(s, error == ECONNREFUSED ? REASON_DIAL_REFUSED : REASON_DIAL_UNREACHABLE,
	     strerror(error));
}

/* ---- answers ---- */

static void drop(struct slot *s, enum reason why)
{
	metric_inc(&s->plain->options.metrics->dropped[why]);
}

/* True if the message answers the query of S. */
static bool is_answer(struct slot *s, const uint8_t *message, size_t len,
		      struct response *r)
{
	if (len < DNS_HEADER_LEN || (message[0] << 8 | message[1]) != s->id) {
		drop(s, REASON_UNMATCHED);
		return false;
	}
	if (response_read(r, message, len) < 0) {
		drop(s, REASON_BAD_ANSWER);
		return false;
	}
	if (conn_question_hash(s->plain->options.hash_key, &r->question) != s->question) {
		drop(s, REASON_UNMATCHED);
		return false;
	}
	return true;
}

static void deliver(struct slot *s, const struct response *r, struct buf *in)
{
	const struct plain_options *o = &s->plain->options;
	uint64_t flight = s->flight, rtt = now(s) - s->sent_us;

	/* the response may lie in the slot's buffer */
	*in = s->in;
	s->in = (struct buf){0};
	give_back(s);
	if (o->events->answer(o->arg, flight, r, rtt)) {
		metric_inc(&o->metrics->requests[REASON_NONE]);
		histogram_add(&o->metrics->request_duration, rtt);
	} else {
		drop(s, REASON_LATE);
	}
	buf_free(in);
}

/* ---- TCP ---- */

static void tcp_write(struct slot *s)
{
	struct loop *l = s->plain->options.loop;
	ssize_t n =
	    send(s->fd, s->frame + s->frame_at, s->len - s->frame_at, MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN) {
		lose_by(s, errno);
		return;
	}
	s->frame_at += n > 0 ? (size_t)n : 0;
	if (s->frame_at == s->len)
		loop_change(l, s->watch, LOOP_READ);
}

static void tcp_read(struct slot *s)
{
	uint8_t *room = buf_reserve(&s->in, DATAGRAM_MAX, FRAME_MAX + DATAGRAM_MAX);
	const uint8_t *message;
	struct response r;
	size_t pos = 0, len;
	ssize_t n = room ? recv(s->fd, room, DATAGRAM_MAX, 0) : 0;
	struct buf in;

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		lose(s, REASON_CLOSED_BUSY, "the upstream closed the connection");
		return;
	}
	buf_commit(&s->in, (size_t)n);
	while (frame_next(buf_head(&s->in), buf_len(&s->in), &pos, &message, &len))
		if (is_answer(s, message, len, &r)) {
			deliver(s, &r, &in);
			return;
		}
	buf_consume(&s->in, pos);
}

static void on_tcp(void *arg, unsigned ready)
{
	struct slot *s = arg;

	if (ready & LOOP_WRITE && s->frame_at < s->len) {
		int error = s->frame_at ? 0 : socket_connect_result(s->fd);

		if (error < 0)
			lose_by(s, -error);
		else
			tcp_write(s);
		return;
	}
	tcp_read(s);
}

static void ask_over_tcp(struct slot *s)
{
	const struct plain_options *o = &s->plain->options;
	struct address address = address_of(s->plain);
	int fd;

	close_socket(s);
	fd = socket_connect(&address, USER_TIMEOUT_MS, false);
	if (loop_relieve(o->loop, fd))
		fd = socket_connect(&address, USER_TIMEOUT_MS, false);
	if (fd < 0) {
		lose_by(s, -fd);
		return;
	}
	s->fd = fd;
	s->tcp = true;
	s->frame_at = 0;
	if (loop_watch_fd(o->loop, fd, LOOP_WRITE, LOOP_UPSTREAM, on_tcp, s, &s->watch) <
	    0)
		lose(s, REASON_DIAL_ERROR, "too many descriptors");
}

/* ---- UDP ---- */

static void on_udp(void *arg, unsigned ready)
{
	struct slot *s = arg;
	uint8_t message[DATAGRAM_MAX];
	struct response r;
	struct buf in;

	(void)ready;
	for (unsigned i = 0; i < READS_PER_ROUND; i++) {
		ssize_t n = recv(s->fd, message, sizeof message, MSG_DONTWAIT);

		if (n < 0 && errno != EAGAIN) {
			lose_by(s, errno);
			return;
		}
		if (n < 0)
			return;
		if (!is_answer(s, message, (size_t)n, &r))
			continue;
		if (r.flags & DNS_TC)
			ask_over_tcp(s);
		else
			deliver(s, &r, &in);
		return;
	}
}

/* Returns 0 or -errno. */
static int send_once(struct slot *s)
{
	if (send(s->fd, s->frame + FRAME_HEADER, s->len - FRAME_HEADER, MSG_NOSIGNAL) <
		0 &&
	    errno != EAGAIN && errno != ENOBUFS)
		return -errno;
	s->sent++;
	return 0;
}

static uint64_t next_look(const struct slot *s)
{
	uint64_t end = s->sent_us + s->plain->options.timeout_us;
	uint64_t again = s->sent_us + AGAIN_US * ((1u << s->sent) - 1);

	return !s->tcp && s->sent < SENT_MAX && again < end ? again : end;
}

static void on_timer(void *arg)
{
	struct slot *s = arg;
	int error = 0;

	if (now(s) >= s->sent_us + s->plain->options.timeout_us) {
		lose(s, REASON_QUERY_TIMEOUT, "no answer");
		return;
	}
	if (!s->tcp && s->sent < SENT_MAX)
		error = send_once(s);
	if (error < 0)
		lose_by(s, -error);
	else
		(void)timer_set(s->plain->options.loop, &s->timer, next_look(s), on_timer,
				s);
}

/* ---- all ---- */

static int start(struct slot *s)
{
	const struct plain_options *o = &s->plain->options;
	struct address address = address_of(s->plain);
	int r;

	s->fd = socket_connect_udp(&address);
	if (loop_relieve(o->loop, s->fd))
		s->fd = socket_connect_udp(&address);
	if (s->fd < 0)
		return s->fd;
	r = loop_watch_fd(o->loop, s->fd, LOOP_READ, LOOP_UPSTREAM, on_udp, s, &s->watch);
	if (r == 0)
		r = send_once(s);
	return r < 0 ? r : timer_set(o->loop, &s->timer, next_look(s), on_timer, s);
}

int plain_send(struct plain *p, const struct query *q, uint64_t flight, uint64_t question)
{
	struct slot *s = p->free;
	size_t n;
	int r;

	if (!s)
		return -ENOSPC;
	p->free = s->next;
	p->used++;
	*s = (struct slot){.plain = p,
			   .used = true,
			   .fd = -1,
			   .flight = flight,
			   .question = question,
			   .sent_us = loop_now(p->options.loop),
			   .id = random_u16(p->options.random)};
	n = query_encode_plain(s->frame + FRAME_HEADER, q, s->id);
	frame_put_length(s->frame, n);
	s->len = FRAME_HEADER + n;
	metric_inc(&p->options.metrics->inflight);
	r = start(s);
	if (r < 0)
		give_back(s);
	return r;
}

unsigned plain_inflight(const struct plain *p)
{
	return p->used;
}

int plain_new(struct plain **out, const struct plain_options *o)
{
	struct plain *p = calloc(1, sizeof *p);

	if (!p)
		return -ENOMEM;
	p->options = *o;
	for (unsigned i = PLAIN_QUERIES_MAX; i-- > 0;) {
		p->slots[i].next = p->free;
		p->free = &p->slots[i];
	}
	*out = p;
	return 0;
}

void plain_free(struct plain *p)
{
	if (!p)
		return;
	for (unsigned i = 0; i < PLAIN_QUERIES_MAX; i++)
		if (p->slots[i].used)
			give_back(&p->slots[i]);
	free(p);
}
