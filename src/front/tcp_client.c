/* tcp_client: frames in, frames out, and no more of either than the client deserves. */
#include "front/tcp_client.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "front/tcp_table.h"
#include "net/frame.h"

/* Queries of one client under way; it is not read from until half of them are answered.
 */
#define PENDING_MAX 128

/* Queries of one client in a row before others have their turn: those that are answered
 * at once are never under way. */
#define TURN_MAX 128

/* Answers that a client has not taken yet; it is not read from until it takes them. An
 * answer more than that may be queued, of any length, for each query under way. */
#define UNSENT_MAX 65536
#define OUT_MAX (UNSENT_MAX + (size_t)PENDING_MAX * FRAME_MAX)

/* A frame but for its last octet, and what is read at a time. */
#define IN_MAX (FRAME_MAX + TCP_READ_CHUNK)

/*
 * Octets of all clients' buffers of a worker: ordinary clients need next to none, but a
 * thousand that send half a frame, or take no answers, could hold these. At the end of a
 * round those who have held theirs longest give way until a quarter is free for the next
 * one; what a single round needs beyond is refused.
 */
#define BUFFERED_MAX ((size_t)64 << 20)
#define BUFFERED_KEEP (BUFFERED_MAX / 4 * 3)

/* An answer that cannot be queued. */
static void drop(struct tcp *t, enum reason why)
{
	metric_inc(&t->options.metrics->dropped[why]);
}

void tcp_client_mark(struct tcp_client *c)
{
	list_remove(&c->work);
	list_append(&c->tcp->dirty, &c->work);
}

void tcp_client_touch(struct tcp_client *c)
{
	struct tcp *t = c->tcp;
	struct holder *h = census_holder(t->census, c->place);

	c->active_us = loop_now(t->options.loop);
	c->busy = !tcp_client_is_quiet(c);
	list_remove(&c->age);
	list_append(c->busy ? &t->busy : &t->quiet, &c->age);
	list_remove(&c->kin);
	list_append(c->busy ? &h->busy : &h->quiet, &c->kin);
}

/* Without an answer that was lost the client would wait in vain: better that it knows. */
static void break_off(struct tcp_client *c, enum reason why)
{
	tcp_table_drop(c->tcp, why);
	c->broken = true;
	tcp_client_mark(c);
}

/* ---- what is waited for ---- */

bool tcp_client_is_quiet(const struct tcp_client *c)
{
	return !c->pending && !buf_len(&c->out);
}

bool tcp_client_is_done(const struct tcp_client *c)
{
	return c->broken || (c->eof && !c->backlog && tcp_client_is_quiet(c));
}

/* No more is taken from a client than it takes from us. */
static bool may_take(const struct tcp_client *c)
{
	return !c->full && !c->broken && buf_len(&c->out) < UNSENT_MAX;
}

bool tcp_client_can_resume(const struct tcp_client *c)
{
	return c->backlog && may_take(c);
}

unsigned tcp_client_events(const struct tcp_client *c)
{
	unsigned events = 0;

	if (!c->eof && !c->backlog && may_take(c))
		events |= LOOP_READ;
	if (c->blocked)
		events |= LOOP_WRITE;
	return events;
}

/* ---- buffers: all growth is counted ---- */

bool tcp_client_memory_is_short(const struct tcp *t)
{
	return t->buffered > BUFFERED_KEEP;
}

static uint8_t *reserve(struct tcp_client *c, struct buf *b, size_t n, size_t cap)
{
	struct tcp *t = c->tcp;
	size_t before = b->size;
	uint8_t *room;

	if (t->buffered + n > BUFFERED_MAX)
		return NULL;
	room = buf_reserve(b, n, cap);
	t->buffered += b->size - before;
	if (b->size && list_empty(&c->holding))
		list_append(&t->holding, &c->holding);
	return room;
}

static void release(struct tcp_client *c, struct buf *b)
{
	c->tcp->buffered -= b->size;
	buf_free(b);
	if (!c->in.size && !c->out.size)
		list_remove(&c->holding);
}

void tcp_client_release(struct tcp_client *c)
{
	release(c, &c->in);
	release(c, &c->out);
}

/* ---- in ---- */

/* Passes whole frames of DATA up until a cap is reached. Returns the octets taken. */
static size_t take_frames(struct tcp_client *c, const uint8_t *data, size_t len)
{
	const struct tcp_options *o = &c->tcp->options;
	const struct client name = {
	    .kind = CLIENT_TCP, .tcp = {.slot = c->slot, .generation = c->generation}};
	const uint8_t *message;
	size_t pos = 0, n;
	unsigned turn = 0;

	while (turn < TURN_MAX && may_take(c) &&
	       frame_next(data, len, &pos, &message, &n)) {
		turn++;
		if (++c->pending == PENDING_MAX)
			c->full = true;
		o->on_query(o->arg, &name, message, n);
	}
	c->backlog = pos < len && (turn == TURN_MAX || !may_take(c));
	/* who asks but takes no answers is not active */
	if (turn && !c->blocked)
		tcp_client_touch(c);
	return pos;
}

/* Keeps what is not a whole frame yet, or what a cap holds back. */
static bool keep(struct tcp_client *c, const uint8_t *data, size_t len)
{
	uint8_t *room;

	if (!len)
		return true;
	room = reserve(c, &c->in, len, IN_MAX);
	if (!room) {
		break_off(c, REASON_CLIENT_LIMIT);
		return false;
	}
	memcpy(room, data, len);
	buf_commit(&c->in, len);
	return true;
}

static void take_kept(struct tcp_client *c)
{
	buf_consume(&c->in, take_frames(c, buf_head(&c->in), buf_len(&c->in)));
	if (!buf_len(&c->in))
		release(c, &c->in);
}

static void take(struct tcp_client *c, const uint8_t *data, size_t len)
{
	size_t taken;

	if (buf_len(&c->in)) {
		if (keep(c, data, len))
			take_kept(c);
		return;
	}
	taken = take_frames(c, data, len);
	(void)keep(c, data + taken, len - taken);
}

void tcp_client_read(struct tcp_client *c)
{
	struct tcp *t = c->tcp;
	ssize_t n = recv(c->fd, t->scratch, sizeof t->scratch, MSG_DONTWAIT);

	if (n > 0)
		take(c, t->scratch, (size_t)n);
	else if (n == 0)
		c->eof = true;
	else if (errno != EAGAIN && errno != EINTR)
		break_off(c, REASON_CLIENT_GONE);
	tcp_client_mark(c);
}

void tcp_client_resume(struct tcp_client *c)
{
	take_kept(c);
	tcp_client_mark(c);
}

/* ---- out ---- */

void tcp_client_write(struct tcp_client *c)
{
	size_t len = buf_len(&c->out);
	ssize_t n;

	if (!len || c->blocked || c->broken)
		return;
	n = send(c->fd, buf_head(&c->out), len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		break_off(c, REASON_CLIENT_GONE);
		return;
	}
	c->blocked = n < (ssize_t)len;
	if (n <= 0)
		return;
	buf_consume(&c->out, (size_t)n);
	if (!buf_len(&c->out))
		release(c, &c->out);
	tcp_client_touch(c);
}

/* The client of a name; NULL: it is gone. */
static struct tcp_client *find(struct tcp *t, const struct client *name)
{
	struct tcp_client *c;

	if (name->tcp.slot >= t->slots)
		return NULL;
	c = &t->clients[name->tcp.slot];
	return c->fd >= 0 && c->generation == name->tcp.generation && !c->broken ? c
										 : NULL;
}

struct host tcp_host(struct tcp *t, const struct client *name)
{
	const struct tcp_client *c = find(t, name);

	return c ? census_host(t->census, c->place) : (struct host){0};
}

static void answered(struct tcp_client *c)
{
	assert(c->pending > 0);
	if (--c->pending <= PENDING_MAX / 2)
		c->full = false;
	tcp_client_mark(c);
}

uint8_t *tcp_room(struct tcp *t, const struct client *name, size_t n)
{
	struct tcp_client *c = find(t, name);
	uint8_t *frame;

	/* many answers in one round need not all wait for its end */
	if (c && buf_len(&c->out) >= UNSENT_MAX)
		tcp_client_write(c);
	if (!c || c->broken) {
		drop(t, REASON_CLIENT_GONE);
		return NULL;
	}
	frame = reserve(c, &c->out, FRAME_HEADER + n, OUT_MAX);
	if (!frame) {
		drop(t, REASON_CLIENT_LIMIT);
		break_off(c, REASON_CLIENT_LIMIT);
		return NULL;
	}
	return frame + FRAME_HEADER;
}

void tcp_send(struct tcp *t, const struct client *name, size_t len, uint64_t *sent)
{
	struct tcp_client *c = find(t, name);

	assert(c && len <= FRAME_MAX - FRAME_HEADER);
	frame_put_length(c->out.data + c->out.end, len);
	buf_commit(&c->out, FRAME_HEADER + len);
	metric_inc(sent);
	answered(c);
}

void tcp_drop(struct tcp *t, const struct client *name)
{
	struct tcp_client *c = find(t, name);

	if (c)
		answered(c);
}
