/* plain: a slot for each query under way; UDP first, TCP when the answer is too long for it. */
#include "upstream/plain.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "dns/message.h"
#include "dns/octets.h"
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
	struct plain_query query;
	bool is_doubted, is_past_patience; /* has been told */
	unsigned sent;		/* times; addresses that refuse at once do not count */
	unsigned places;	/* addresses tried so far; one again counts again */
	struct address address; /* that is asked */
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

static uint64_t now(const struct slot *s)
{
	return loop_now(s->plain->options.loop);
}

/* Sets the address that S asks: the upstream's first, or the one behind that which it has asked, as the
 * order is now. Returns how many there are. */
static unsigned choose_address(struct slot *s)
{
	struct address all[ADDRESSES_MAX] = {0};
	unsigned count = addresses_get(s->plain->options.addresses, all), i = 0;

	while (s->places && i < count && !address_equal(&all[i], &s->address))
		i++;
	s->address = all[s->places && i + 1 < count ? i + 1 : 0];
	s->places++;
	return count;
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
	struct plain_query lost = s->query;

	metric_inc(&o->metrics->requests[why]);
	give_back(s);
	o->events->lost(o->arg, &lost, why, detail);
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
	if (len < DNS_HEADER_LEN || load16(message) != s->id) {
		drop(s, REASON_UNMATCHED);
		return false;
	}
	if (response_read_error(r, message, len) == 0)
		return true;
	if (response_read(r, message, len) < 0) {
		drop(s, REASON_BAD_ANSWER);
		return false;
	}
	if (conn_question_hash(s->plain->options.hash_key, &r->question) !=
	    s->query.question) {
		drop(s, REASON_UNMATCHED);
		return false;
	}
	return true;
}

static void deliver(struct slot *s, const struct response *r, struct buf *in)
{
	const struct plain_options *o = &s->plain->options;
	struct plain_query answered = s->query;
	uint64_t rtt = now(s) - answered.sent_us;

	if (s->places > 1) /* it has answered where another has not */
		addresses_prefer(s->plain->options.addresses, &s->address);
	/* the response may lie in the slot's buffer */
	*in = s->in;
	s->in = (struct buf){0};
	give_back(s);
	if (o->events->answer(o->arg, &answered, r, rtt)) {
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
	int fd;

	close_socket(s);
	fd = socket_connect(&s->address, USER_TIMEOUT_MS, false);
	if (loop_relieve(o->loop, fd))
		fd = socket_connect(&s->address, USER_TIMEOUT_MS, false);
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

static bool ask_next_address(struct slot *s);

static void on_udp(void *arg, unsigned ready)
{
	struct slot *s = arg;
	uint8_t message[DATAGRAM_MAX];
	struct response r;
	struct buf in;

	(void)ready;
	for (unsigned i = 0; i < READS_PER_ROUND; i++) {
		ssize_t n = recv(s->fd, message, sizeof message, MSG_DONTWAIT);
		int error = errno;

		if (n < 0 && error != EAGAIN) {
			if (!ask_next_address(s))
				lose_by(s, error);
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
	return 0;
}

/* Opens a socket to the address that S asks, and sends. Returns 0 or -errno. */
static int open_and_send(struct slot *s)
{
	int r;

	s->fd = socket_connect_udp(&s->address);
	if (loop_relieve(s->plain->options.loop, s->fd))
		s->fd = socket_connect_udp(&s->address);
	if (s->fd < 0)
		return s->fd;
	r = loop_watch_fd(s->plain->options.loop, s->fd, LOOP_READ, LOOP_UPSTREAM, on_udp,
			  s, &s->watch);
	return r < 0 ? r : send_once(s);
}

/* Returns false if there is none that has not been asked, or it cannot be. */
static bool ask_next_address(struct slot *s)
{
	unsigned count = choose_address(s);

	while (s->places <= count) {
		close_socket(s);
		if (open_and_send(s) == 0)
			return true;
		count = choose_address(s);
	}
	return false;
}

/* Sends S once more: to the next address, if there is one. Returns 0 or -errno. */
static int send_again(struct slot *s)
{
	struct address before = s->address;

	(void)choose_address(s);
	if (address_equal(&before, &s->address))
		return send_once(s);
	close_socket(s);
	return open_and_send(s);
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t next_send(const struct slot *s)
{
	return s->tcp || s->sent >= SENT_MAX
		   ? HEALTH_NEVER
		   : s->query.sent_us + AGAIN_US * ((1u << s->sent) - 1);
}

static uint64_t next_doubt(const struct slot *s)
{
	return s->is_doubted
		   ? HEALTH_NEVER
		   : s->query.sent_us + health_suspicion(s->plain->options.health);
}

static uint64_t next_silence(const struct slot *s)
{
	return s->is_past_patience
		   ? HEALTH_NEVER
		   : s->query.sent_us + health_patience(s->plain->options.health);
}

static uint64_t next_look(const struct slot *s)
{
	uint64_t end = s->query.sent_us + s->plain->options.timeout_us;

	return sooner(sooner(end, next_send(s)), sooner(next_doubt(s), next_silence(s)));
}

/* Tells of what S, unanswered for so long, means. */
static void tell(struct slot *s)
{
	const struct plain_options *o = &s->plain->options;

	if (next_doubt(s) <= now(s)) {
		s->is_doubted = true;
		o->events->doubt(o->arg, &s->query);
	}
	if (next_silence(s) <= now(s)) {
		s->is_past_patience = true;
		s->query.is_silent = o->events->silent(o->arg, &s->query);
	}
}

static void on_timer(void *arg)
{
	struct slot *s = arg;
	int error = 0;

	if (now(s) >= s->query.sent_us + s->plain->options.timeout_us) {
		lose(s, REASON_QUERY_TIMEOUT, "no answer");
		return;
	}
	if (next_send(s) <= now(s)) {
		s->sent++;
		error = send_again(s);
	}
	if (error < 0) {
		lose_by(s, -error);
		return;
	}
	tell(s);
	(void)timer_set(s->plain->options.loop, &s->timer, next_look(s), on_timer, s);
}

/* ---- all ---- */

static int start(struct slot *s)
{
	int r;

	(void)choose_address(s);
	r = open_and_send(s);
	if (r < 0 && ask_next_address(s))
		r = 0;
	return r < 0 ? r
		     : timer_set(s->plain->options.loop, &s->timer, next_look(s),
				 on_timer, s);
}

static void encode(struct slot *s, const struct query *q)
{
	uint8_t *message = s->frame + FRAME_HEADER;
	size_t n = s->query.with_opt ? query_encode_plain(message, q, s->id)
				     : query_encode_bare(message, q, s->id);

	frame_put_length(s->frame, n);
	s->len = FRAME_HEADER + n;
}

int plain_send(struct plain *p, const struct ask *a)
{
	struct slot *s = p->free;
	uint64_t now = loop_now(p->options.loop);
	int r;

	if (!s)
		return -ENOSPC;
	p->free = s->next;
	p->used++;
	*s = (struct slot){
	    .plain = p,
	    .used = true,
	    .sent = 1,
	    .fd = -1,
	    .query = {.flight = a->flight,
		      .question = a->question,
		      .sent_us = now,
		      .group = (uint8_t)a->group,
		      .bits = sent_bits(a->query),
		      .with_opt =
			  !a->without_edns && !health_lacks_edns(p->options.health, now)},
	    .id = random_u16(p->options.random)};
	encode(s, a->query);
	metric_inc(&p->options.metrics->inflight);
	r = start(s);
	if (r < 0)
		give_back(s);
	return r;
}

bool plain_is_probing(const struct plain *p)
{
	for (unsigned i = 0; i < PLAIN_QUERIES_MAX; i++) {
		const struct slot *s = &p->slots[i];

		if (s->used && !s->query.flight && !s->is_past_patience)
			return true;
	}
	return false;
}

bool plain_has_room(const struct plain *p)
{
	return p->free != NULL;
}

bool plain_is_mute(const struct plain *p, uint64_t since_us)
{
	const struct slot *first = NULL;

	for (unsigned i = 0; i < PLAIN_QUERIES_MAX; i++) {
		const struct slot *s = &p->slots[i];

		if (!s->used || s->query.sent_us < since_us)
			continue;
		if (first && s->query.question != first->query.question)
			return true;
		first = first ? first : s;
	}
	return false;
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
