/* world: the fake net layer and front that the simulation links in place of the real
 * ones. */
#include "world.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "dns/message.h"
#include "world_state.h"

/* Records of one connection that wait to be read, and clients of one world. */
#define RECORDS_MAX 20000
#define CLIENTS_MAX 200000
#define CONNECTIONS_MAX 200000

/* A handshake that goes on only when it is told to. */
#define HUNG UINT64_MAX

struct world *world;
volatile bool world_claims;

void *world_claim(size_t size)
{
	void *p;

	world_claims = true;
	p = calloc(1, size);
	world_claims = false;
	if (!p)
		abort();
	return p;
}

/* Room for one more of COUNT things of SIZE octets. */
static void grow(void *all, unsigned count, unsigned *room, size_t size)
{
	void **p = all;

	if (count < *room)
		return;
	*room = *room ? 2 * *room : 64;
	world_claims = true;
	*p = realloc(*p, *room * size);
	world_claims = false;
	if (!*p)
		abort();
}

struct connection *world_connection(unsigned number)
{
	assert(number >= 1 && number <= world->connection_count);
	return world->connections[number - 1];
}

static unsigned number_of(int fd)
{
	return (unsigned)(fd - WORLD_FD_BASE);
}

/* ---- loop and timers ---- */

uint64_t loop_now(const struct loop *l)
{
	return l->now;
}

int loop_watch_fd(struct loop *l, int fd, unsigned events, enum loop_class class,
		  loop_event_fn *fn, void *arg, loop_watch *out)
{
	struct connection *c = world_connection(number_of(fd));

	(void)l;
	(void)class;
	if (world->short_of_descriptors)
		return -ENOSPC;
	c->events = events;
	c->fn = fn;
	c->arg = arg;
	*out = number_of(fd);
	return 0;
}

void loop_change(struct loop *l, loop_watch w, unsigned events)
{
	(void)l;
	world_connection((unsigned)w)->events = events;
}

void loop_forget(struct loop *l, loop_watch w)
{
	(void)l;
	if (w)
		world_connection((unsigned)w)->fn = NULL;
}

bool loop_relieve(struct loop *l, int error)
{
	(void)l;
	(void)error;
	return false;
}

int timer_set(struct loop *l, struct timer *t, uint64_t due, timer_fn *fn, void *arg)
{
	t->due = due;
	t->item.fn = fn;
	t->item.arg = arg;
	if (t->item.slot)
		return 0;
	assert(l->timer_count < TIMERS_MAX);
	l->timers[l->timer_count++] = t;
	t->item.slot = l->timer_count;
	return 0;
}

void timer_stop(struct loop *l, struct timer *t)
{
	if (!t->item.slot)
		return;
	l->timers[t->item.slot - 1] = l->timers[--l->timer_count];
	l->timers[t->item.slot - 1]->item.slot = t->item.slot;
	t->item.slot = 0;
}

/* ---- sockets ---- */

/* The server and its place are in the address: 192.0.2.PLACE, and its number as the port. */
struct connection *world_connect(const struct address *a, int wire)
{
	struct connection *c = world_claim(sizeof *c);

	assert(world->connection_count < CONNECTIONS_MAX);
	grow(&world->connections, world->connection_count, &world->connection_room,
	     sizeof *world->connections);
	grow(&world->open, world->open_count, &world->open_room, sizeof *world->open);
	c->open = true;
	c->wire = (unsigned)wire;
	c->server = (unsigned)address_port(a) - 1;
	c->place = (ntohl(a->v4.sin_addr.s_addr) & 255) - 1;
	c->up_us = world->loop.now + world->servers[c->server].dial_us;
	world->connections[world->connection_count++] = c;
	c->number = world->connection_count;
	world->open[world->open_count++] = c->number;
	return c;
}

enum dial_mode world_dial_mode(const struct connection *c)
{
	const struct server *s = &world->servers[c->server];
	enum dial_mode own = s->places[c->place].dial;

	return own > s->dial ? own : s->dial;
}

static enum shake_mode shake_mode(const struct connection *c)
{
	const struct server *s = &world->servers[c->server];
	enum shake_mode own = s->places[c->place].shake;

	return own > s->shake ? own : s->shake;
}

int socket_connect(const struct address *a, unsigned user_timeout_ms, bool fast_open)
{
	struct connection *c;
	struct server *s;

	assert(user_timeout_ms > 0 && !fast_open);
	if (!a->any.sa_family)
		return -EAFNOSUPPORT;
	if (world->short_of_descriptors)
		return -EMFILE;
	s = &world->servers[address_port(a) - 1];
	if (!s->dials++)
		s->first_dial_us = world->loop.now;
	s->last_dial_us = world->loop.now;
	c = world_connect(a, s->plain ? WIRE_TCP : WIRE_TLS);
	if (world_dial_mode(c) != DIAL_UNREACHABLE)
		return WORLD_FD_BASE + (int)c->number;
	socket_close(WORLD_FD_BASE + (int)c->number);
	return -ENETUNREACH;
}

int socket_connect_result(int fd)
{
	return world_dial_mode(world_connection(number_of(fd))) == DIAL_REFUSES
		   ? -ECONNREFUSED
		   : 0;
}

bool socket_has_way(const struct address *a)
{
	(void)a;
	return !world->no_way;
}

bool socket_path_changed(int fd, const struct address *a)
{
	(void)fd;
	(void)a;
	return world->path_changed;
}

/* The place of connection NUMBER in `open`, or where it would be. */
static unsigned place_of(unsigned number)
{
	unsigned low = 0, high = world->open_count;

	while (low < high) {
		unsigned middle = (low + high) / 2;

		if (world->open[middle] < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void socket_close(int fd)
{
	struct connection *c = world_connection(number_of(fd));
	unsigned at = place_of(c->number);

	assert(c->open && world->open[at] == c->number);
	c->open = false;
	world->open_count--;
	memmove(&world->open[at], &world->open[at + 1],
		(world->open_count - at) * sizeof *world->open);
	while (c->record_count > 0)
		free(c->records[--c->record_count].data);
	free(c->records);
	c->records = NULL;
	c->record_room = 0;
}

/* ---- TLS ---- */

int tls_conn_new(struct tls_conn **out, struct tls_peer *p, int fd)
{
	struct tls_conn *t;

	(void)p;
	if (world->short_of_descriptors)
		return -ENOMEM;
	t = world_claim(sizeof *t);
	t->number = number_of(fd);
	world->tls_count++;
	*out = t;
	return 0;
}

void tls_conn_free(struct tls_conn *t)
{
	world->tls_count -= t != NULL;
	free(t);
}

void tls_peer_forget_sessions(struct tls_peer *p)
{
	assert(p);
	world->forgotten++;
}

/* The server has ended the connection before the handshake was done. */
static enum tls_status broken_off(struct tls_conn *t, const struct connection *c)
{
	t->failure = c->reset ? REASON_RESET : REASON_CLOSED_BUSY;
	return TLS_ERROR;
}

enum tls_status tls_handshake(struct tls_conn *t)
{
	struct connection *c = world_connection(t->number);
	struct server *s = &world->servers[c->server];

	if (c->goes_on && c->shaken_us == HUNG)
		c->shaken_us = world->loop.now;
	c->goes_on = false;
	if (c->ended || c->reset)
		return broken_off(t, c);
	if (!c->shaken_us)
		c->shaken_us = world->loop.now + s->shake_us;
	if (world->loop.now < c->shaken_us)
		return TLS_WANT_READ;
	switch (shake_mode(c)) {
	case SHAKE_HANGS:
		c->shaken_us = HUNG;
		return TLS_WANT_READ;
	case SHAKE_FAILS:
		t->failure = s->shake_failure;
		return TLS_ERROR;
	case SHAKE_OK:
		break;
	}
	t->ready = c->authenticated = true;
	s->shaken++;
	return TLS_OK;
}

size_t tls_early_room(const struct tls_conn *t)
{
	const struct server *s = &world->servers[world_connection(t->number)->server];

	return s->tickets && !s->shaken ? 0 : s->early;
}

bool tls_early_accepted(const struct tls_conn *t)
{
	assert(t->ready);
	return t->early;
}

size_t world_take(struct connection *c, uint8_t *out, size_t cap)
{
	struct record *r = c->records;
	size_t n;

	if (!c->record_count || r->due > world->loop.now)
		return 0;
	n = r->len - r->taken < cap ? r->len - r->taken : cap;
	memcpy(out, r->data + r->taken, n);
	r->taken += n;
	if (r->taken == r->len || c->wire == WIRE_UDP) {
		free(r->data);
		memmove(r, r + 1, --c->record_count * sizeof *r);
	}
	return n;
}

enum tls_status tls_read(struct tls_conn *t, uint8_t *out, size_t cap, size_t *n)
{
	struct connection *c = world_connection(t->number);

	assert(t->ready);
	*n = world_take(c, out, cap);
	if (*n)
		return TLS_OK;
	if (!c->record_count && c->reset) {
		t->failure = REASON_RESET;
		return TLS_ERROR;
	}
	return !c->record_count && c->ended ? TLS_EOF : TLS_WANT_READ;
}

bool tls_pending(const struct tls_conn *t)
{
	const struct connection *c = world_connection(t->number);

	return c->record_count && c->records[0].due <= world->loop.now;
}

void world_receive(unsigned number, const uint8_t *message, size_t len)
{
	struct connection *c = world_connection(number);
	struct server *s = &world->servers[c->server];
	struct received *q = world_claim(sizeof *q);

	assert(len <= sizeof q->message && len >= DNS_HEADER_LEN);
	grow(&world->received, world->received_count, &world->received_room,
	     sizeof *world->received);
	q->connection = number;
	q->server = c->server;
	q->id = (uint16_t)(message[0] << 8 | message[1]);
	q->len = len;
	memcpy(q->message, message, len);
	world->received[world->received_count++] = q;
	s->queries++;
	if (world->on_query)
		world->on_query(q);
	else if (!s->mute)
		world_answer(q);
}

void world_receive_frames(unsigned number, const uint8_t *data, size_t len)
{
	struct connection *c = world_connection(number);
	size_t pos = 0;

	while (len - pos >= 2) {
		size_t m = (size_t)data[pos] << 8 | data[pos + 1];

		assert(len - pos - 2 >= m);
		if (!c->ended)
			world_receive(number, data + pos + 2, m);
		pos += 2 + m;
	}
	assert(pos == len);
}

enum tls_status tls_write_early(struct tls_conn *t, const uint8_t *data, size_t len)
{
	struct connection *c = world_connection(t->number);
	struct server *s = &world->servers[c->server];

	assert(!t->ready && !t->early && len <= tls_early_room(t));
	s->early_writes++;
	t->early = !s->refuses_early && shake_mode(c) != SHAKE_FAILS;
	if (t->early)
		world_receive_frames(t->number, data, len);
	return TLS_OK;
}

enum tls_status tls_write(struct tls_conn *t, const uint8_t *data, size_t len, size_t *n)
{
	struct connection *c = world_connection(t->number);

	assert(t->ready); /* not one octet before the peer is authenticated */
	if (c->reset) {
		t->failure = REASON_RESET;
		return TLS_ERROR;
	}
	if (c->blocked)
		return TLS_WANT_WRITE;
	world_receive_frames(t->number, data, len);
	world->servers[c->server].writes++;
	*n = len;
	return TLS_OK;
}

void tls_close(struct tls_conn *t)
{
	assert(t->ready);
}

enum reason tls_conn_failure(const struct tls_conn *t, char detail[TLS_DETAIL_MAX])
{
	snprintf(detail, TLS_DETAIL_MAX, "as the test has it");
	return t->failure;
}

bool tls_conn_resumed(const struct tls_conn *t)
{
	(void)t;
	return false;
}

const char *tls_conn_version(const struct tls_conn *t)
{
	(void)t;
	return "TLSv1.3";
}

const char *tls_conn_suite(const struct tls_conn *t)
{
	(void)t;
	return "none";
}

int64_t tls_conn_cert_not_before(const struct tls_conn *t)
{
	(void)t;
	return 0;
}

int tls_conn_pin(const struct tls_conn *t)
{
	(void)t;
	return -1;
}

int64_t tls_conn_cert_not_after(const struct tls_conn *t)
{
	(void)t;
	return 0;
}

/* ---- domains: the last two labels ---- */

uint64_t domains_hash(const struct domains *d, const uint8_t *name, size_t len)
{
	size_t at[128] = {0}, n = 0;

	(void)d;
	for (size_t i = 0; name[i]; i += name[i] + 1u)
		at[n++] = i;
	n = n > 2 ? n - 2 : 0;
	return hash_bytes(&(struct hash_key){5, 6}, name + at[n], len - at[n]);
}

/* ---- front ---- */

uint8_t *client_room(struct front *f, const struct client *c, size_t n)
{
	(void)f;
	(void)c;
	assert(n <= sizeof world->scratch);
	return world->scratch;
}

static void read_ede(struct told *t)
{
	struct response r;

	t->ede = -1;
	if (response_read(&r, t->message, t->len) < 0 || !r.edns.ede_count)
		return;
	t->ede = r.edns.ede[0].code;
	snprintf(t->text, sizeof t->text, "%.*s", (int)r.edns.ede[0].text_len,
		 (const char *)r.edns.ede[0].text);
}

static unsigned number_of_client(const struct client *c)
{
	return client_is_tcp(c) ? c->tcp.slot : c->udp.listener;
}

static struct told *told_to(const struct client *c)
{
	return world->clients[number_of_client(c)];
}

void client_send(struct front *f, const struct client *c, size_t len, uint64_t *sent)
{
	struct told *t = told_to(c);

	(void)f;
	assert(len >= DNS_HEADER_LEN);
	metric_inc(sent);
	t->answers++;
	t->at_us = world->loop.now;
	t->rcode = world->scratch[3] & 15u;
	t->truncated = world->scratch[2] & 2u;
	t->len = len;
	free(t->message);
	t->message = world_claim(len);
	memcpy(t->message, world->scratch, len);
	read_ede(t);
	if (world->on_told)
		world->on_told(number_of_client(c), sent);
}

void client_drop(struct front *f, const struct client *c)
{
	(void)f;
	told_to(c)->drops++;
}

struct host client_host(const struct front *f, const struct client *c)
{
	(void)f;
	return (struct host){.interface = told_to(c)->address};
}

uint16_t client_keepalive(const struct front *f, const struct client *c)
{
	(void)f;
	(void)c;
	return 0;
}

/* ---- servers ---- */

void world_send_after(unsigned number, const void *data, size_t len, uint64_t delay)
{
	struct connection *c = world_connection(number);
	size_t skip = c->wire == WIRE_UDP ? 2 : 0;
	struct record r = {.due = world->loop.now + delay, .len = len - skip};
	unsigned at = c->record_count;

	if (!c->open || len == skip)
		return; /* it is lost */
	assert(c->record_count < RECORDS_MAX && len > skip);
	grow(&c->records, c->record_count, &c->record_room, sizeof *c->records);
	r.data = world_claim(r.len);
	memcpy(r.data, (const uint8_t *)data + skip, r.len);
	while (at > 0 && c->records[at - 1].due > r.due && !c->records[at - 1].taken)
		at--;
	memmove(&c->records[at + 1], &c->records[at],
		(c->record_count++ - at) * sizeof r);
	c->records[at] = r;
}

void world_send(unsigned c, const void *data, size_t len)
{
	world_send_after(c, data, len, 0);
}

size_t world_make_answer(const struct received *q, uint8_t *frame, size_t cap)
{
	static const uint8_t record[16] = {0xc0, 12, 0, 1, 0,	1, 0, 0,
					   1,	 44, 0, 4, 192, 0, 2, 1};
	size_t end = DNS_HEADER_LEN, n;

	while (q->message[end])
		end += q->message[end] + 1u;
	end += 5;
	n = end + sizeof record;
	assert(n + 2 <= cap);
	frame[0] = (uint8_t)(n >> 8);
	frame[1] = (uint8_t)n;
	memcpy(frame + 2, q->message, end);
	frame[2 + 2] = 0x81;
	frame[2 + 3] = 0x80;
	memcpy(frame + 2 + 4, "\0\1\0\1\0\0\0\0", 8);
	memcpy(frame + 2 + end, record, sizeof record);
	return n + 2;
}

void world_forget(struct received *q)
{
	for (unsigned i = 0; i < world->received_count; i++) {
		if (world->received[i] != q)
			continue;
		world->received_count--;
		memmove(&world->received[i], &world->received[i + 1],
			(world->received_count - i) * sizeof *world->received);
		free(q);
		return;
	}
	assert(0);
}

static void put32(uint8_t *p, uint32_t v)
{
	for (unsigned i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (24 - 8 * i));
}

void world_answer_with(struct received *q, const struct reply_plan *plan)
{
	/* root SOA: both names the root, five numbers, the last is MINIMUM */
	uint8_t soa[33] = {0, 0, 6, 0, 1, 0, 0, 0, 0, 0, 22};
	uint8_t frame[700];
	size_t n = world_make_answer(q, frame, sizeof frame);
	bool negative = plan->negative || plan->rcode != 0;

	frame[2 + 2] |= (uint8_t)(plan->flags >> 8);
	frame[2 + 3] |= (uint8_t)(plan->flags | plan->rcode);
	put32(frame + n - 10, plan->ttl);
	if (negative) {
		n -= 16;
		memset(frame + 2 + 6, 0, 6);
		put32(soa + 5, plan->ttl);
		put32(soa + 29, plan->minimum);
		if (plan->ttl) {
			frame[2 + 9] = 1;
			memcpy(frame + n, soa, sizeof soa);
			n += sizeof soa;
		}
		frame[0] = (uint8_t)((n - 2) >> 8);
		frame[1] = (uint8_t)(n - 2);
	}
	world_send_after(q->connection, frame, n, world->servers[q->server].rtt_us);
	world_forget(q);
}

void world_answer(struct received *q)
{
	uint8_t frame[600];
	size_t n = world_make_answer(q, frame, sizeof frame);

	world_send_after(q->connection, frame, n, world->servers[q->server].rtt_us);
	world_forget(q);
}

struct received *world_received(unsigned i, unsigned n)
{
	for (unsigned k = 0; k < world->received_count; k++)
		if (world->received[k]->server == i && !n--)
			return world->received[k];
	return NULL;
}

unsigned world_received_count(unsigned i)
{
	unsigned n = 0;

	for (unsigned k = 0; k < world->received_count; k++)
		n += world->received[k]->server == i;
	return n;
}

struct received *world_held(unsigned n)
{
	return n < world->received_count ? world->received[n] : NULL;
}

static void end(unsigned number)
{
	world_connection(number)->ended = world_connection(number)->wire != WIRE_UDP;
	for (unsigned i = world->received_count; i-- > 0;)
		if (world->received[i]->connection == number)
			world_forget(world->received[i]);
}

void world_close(unsigned c)
{
	end(c);
}

void world_reset(unsigned c)
{
	end(c);
	world_connection(c)->reset = true;
}

void world_block(unsigned c, bool blocked)
{
	world_connection(c)->blocked = blocked;
}

void world_close_after(unsigned c, uint64_t delay)
{
	world_connection(c)->end_us = world->loop.now + delay;
}

void world_shake_again(unsigned c)
{
	world_connection(c)->goes_on = true;
}

bool world_exists(void)
{
	return world != NULL;
}

bool world_is_open(unsigned c)
{
	return world_connection(c)->open;
}

bool world_is_authenticated(unsigned c)
{
	return world_connection(c)->open && world_connection(c)->authenticated;
}

bool world_is_datagram(unsigned c)
{
	return world_connection(c)->wire == WIRE_UDP;
}

unsigned world_server_of(unsigned c)
{
	return world_connection(c)->server;
}

unsigned world_connections(void)
{
	return world->connection_count;
}

unsigned world_open(unsigned n)
{
	return n < world->open_count ? world->open[n] : 0;
}

unsigned world_open_count(void)
{
	return world->open_count;
}

/* ---- rounds ---- */

/* What is sent cannot be read before the handshake has ended. */
static bool is_readable(const struct connection *c)
{
	if (c->wire == WIRE_TLS && !c->authenticated)
		return c->ended || c->reset || c->goes_on ||
		       (c->shaken_us && c->shaken_us <= world->loop.now);
	if (c->record_count)
		return c->records[0].due <= world->loop.now;
	return c->ended || c->reset;
}

static bool is_writable(const struct connection *c)
{
	return !c->blocked && c->up_us <= world->loop.now &&
	       world_dial_mode(c) != DIAL_BLACK_HOLE;
}

/* What a connection is ready for now. One that waits to write is connecting or blocked.
 */
static unsigned readiness(const struct connection *c)
{
	unsigned ready = 0;

	if (!c->fn || !c->open)
		return 0;
	if (c->events == LOOP_WRITE)
		return is_writable(c) ? LOOP_WRITE : 0;
	if (c->events & LOOP_WRITE && !c->blocked)
		ready |= LOOP_WRITE;
	if (c->events & LOOP_READ && is_readable(c))
		ready |= LOOP_READ;
	return ready;
}

/* The server has not sent what would have come later. */
static void unsend(struct connection *c)
{
	while (c->record_count && c->records[c->record_count - 1].due > world->loop.now)
		free(c->records[--c->record_count].data);
}

/* Those whose time has come are closed by their server. */
static void end_due(void)
{
	for (unsigned i = 0; i < world->open_count; i++) {
		struct connection *c = world_connection(world->open[i]);

		if (c->end_us && c->end_us <= world->loop.now) {
			c->end_us = 0;
			unsend(c);
			world_close(c->number);
		}
	}
}

static bool deliver(void)
{
	bool any = false;

	end_due();
	for (unsigned i = 0; i < world->open_count;) {
		struct connection *c = world_connection(world->open[i]);
		unsigned ready = readiness(c), number = c->number;

		if (ready) {
			any = true;
			c->fn(c->arg, ready);
		}
		i = place_of(number + 1); /* any may have been opened or closed */
	}
	return any;
}

static struct timer *earliest(void)
{
	struct timer *t = NULL;

	for (unsigned i = 0; i < world->loop.timer_count; i++)
		if (!t || world->loop.timers[i]->due < t->due)
			t = world->loop.timers[i];
	return t;
}

static bool run_timers(void)
{
	struct timer *t;
	bool any = false;

	while ((t = earliest()) && t->due <= world->loop.now) {
		timer_stop(&world->loop, t);
		t->item.fn(t->item.arg);
		any = true;
	}
	return any;
}

void world_settle(void)
{
	/* more rounds than any chain of reactions needs: else something spins */
	for (unsigned i = 0, idle = 0; i < 1000; i++) {
		bool any = deliver();

		any |= run_timers();
		pool_flush(world->pool);
		if (world->on_round)
			world->on_round();
		idle = any ? 0 : idle + 1;
		if (idle ==
		    2) /* what the first idle round has sent was not answered either */
			return;
	}
	fprintf(stderr, "world: the rounds do not end\n");
	abort();
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
	/* what is past has been looked at */
	return b > world->loop.now && b < a ? b : a;
}

/* The next time at which something can happen by itself. */
static uint64_t next_time(uint64_t until)
{
	struct timer *t = earliest();
	uint64_t next = t ? sooner(until, t->due) : until;

	for (unsigned i = 0; i < world->open_count; i++) {
		const struct connection *c = world_connection(world->open[i]);

		if (c->record_count)
			next = sooner(next, c->records[0].due);
		next = sooner(next, c->up_us);
		next = sooner(next, c->end_us);
		next = sooner(next, c->shaken_us);
	}
	return next;
}

void world_run(uint64_t us)
{
	uint64_t until = world->loop.now + us;

	world_settle();
	while (world->loop.now < until) {
		world->loop.now = next_time(until);
		world_settle();
	}
}

void world_jump(uint64_t us)
{
	world->loop.now += us;
	world_settle();
}

/* ---- clients ---- */

void world_ask_from(unsigned address)
{
	world->address = address;
}

static unsigned ask(const struct client *c, const uint8_t *message, size_t len)
{
	struct told *t = world_claim(sizeof *t);

	assert(world->client_count < CLIENTS_MAX);
	grow(&world->clients, world->client_count, &world->client_room,
	     sizeof *world->clients);
	t->ede = -1;
	t->address = world->address;
	t->asked_us = world->loop.now;
	world->clients[world->client_count++] = t;
	query_begin(world->proxy, c, message, len);
	return world->client_count - 1;
}

unsigned world_ask_raw(const uint8_t *message, size_t len)
{
	return ask(
	    &(struct client){.kind = CLIENT_TCP, .tcp = {.slot = world->client_count}},
	    message, len);
}

unsigned world_ask_udp(const uint8_t *message, size_t len)
{
	return ask(&(struct client){.kind = CLIENT_UDP,
				    .udp = {.listener = world->client_count}},
		   message, len);
}

unsigned world_ask_as(const char *name, uint16_t type, uint16_t flags, bool do_bit)
{
	uint8_t m[400] = {0};
	struct writer w = writer_make(m, sizeof m);

	writer_u16(&w, (uint16_t)world->client_count);
	writer_u16(&w, (uint16_t)(DNS_RD ^ flags));
	writer_u16(&w, 1);
	writer_u32(&w, 0);
	writer_u16(&w, 1);
	while (*name) {
		size_t n = strcspn(name, ".");

		writer_u8(&w, (uint8_t)n);
		writer_bytes(&w, name, n);
		name += n + (name[n] == '.');
	}
	writer_u8(&w, 0);
	writer_u16(&w, type);
	writer_u16(&w, 1);
	writer_u8(&w, 0);
	writer_u16(&w, TYPE_OPT);
	writer_u16(&w, UDP_ANSWER_MAX);
	writer_u32(&w, do_bit ? 0x8000 : 0);
	writer_u16(&w, 0);
	assert(!w.full);
	return world_ask_raw(m, w.pos);
}

unsigned world_ask(const char *name)
{
	return world_ask_as(name, TYPE_A, 0, false);
}

const struct told *world_told(unsigned client)
{
	assert(client < world->client_count);
	return world->clients[client];
}

unsigned world_ask_count(void)
{
	return world->client_count;
}

/* ---- the world ---- */

struct server *world_server(unsigned i)
{
	return &world->servers[i];
}

struct metrics *world_metrics(void)
{
	return &world->metrics;
}

uint64_t world_now(void)
{
	return world->loop.now;
}

unsigned world_inflight(void)
{
	return proxy_inflight(world->proxy);
}

void world_abort(void)
{
	proxy_abort(world->proxy);
}

void world_set_addresses(unsigned server, unsigned first, unsigned count)
{
	struct address all[WORLD_PLACES];
	char text[16];

	for (unsigned i = 0; i < count; i++) {
		unsigned place = (first + i) % WORLD_PLACES;

		snprintf(text, sizeof text, "192.0.2.%u", place + 1);
		if (address_parse_ip(&all[i], text, strlen(text),
				     (uint16_t)(server + 1)) < 0)
			abort();
	}
	addresses_set(&world->known[server], all, count);
}

static void make_upstream(struct pool_upstream *u, const struct world_plan *plan,
			  unsigned i)
{
	static const char *const labels[] = {"tls://first", "tls://second"};

	snprintf(world->labels[i], sizeof world->labels[i], "tls://number%u", i + 1);
	addresses_init(&world->known[i]);
	world_set_addresses(i, 0, plan->places[i] ? plan->places[i] : 1);
	notes_init(&world->notes[i]);
	world->servers[i].plain = plan->plain >> i & 1;
	*u = (struct pool_upstream){
	    .label = i < 2 ? labels[i] : world->labels[i],
	    .addresses = &world->known[i],
	    .peer = world->servers[i].plain
			? NULL
			: (struct tls_peer *)(void *)world, /* not looked at */
	    .notes = &world->notes[i],
	    .weight = plan->weight[i] ? plan->weight[i] : 1,
	    .early_data = plan->early_data};
}

/* The names below "gN" belong to group N. */
static void make_routes(const struct world_plan *plan)
{
	for (unsigned i = 1; i < plan->group_count; i++)
		world->routes.all[world->routes.count++] = (struct route){
		    .domain = {2, 'g', (uint8_t)('0' + i)}, .len = 4, .group = i};
}

static void make_pool(const struct world_plan *plan)
{
	unsigned upstreams = plan->upstreams;
	struct pool_group all = {.count = upstreams};
	struct pool_options pool = {.loop = &world->loop,
				    .random = &world->random,
				    .hash_key = &world->key,
				    .metrics = &world->metrics,
				    .upstream_count = upstreams,
				    .group_count =
					plan->group_count ? plan->group_count : 1,
				    .groups = plan->group_count ? plan->groups : &all,
				    .policy = plan->policy,
				    .race = plan->race,
				    .hedge = plan->hedge,
				    .keep_warm_us = plan->keep_warm_us,
				    .idle_us = 10 * WORLD_S,
				    .timeout_us = 5 * WORLD_S,
				    .events = &query_events,
				    .arg = world->proxy};

	for (unsigned i = 0; i < upstreams; i++) {
		make_upstream(&pool.upstreams[i], plan, i);
		all.upstream[i] = (uint8_t)i;
	}
	make_routes(plan);
	if (pool_new(&world->pool, &pool) < 0)
		abort();
}

static void make_proxy(const struct world_plan *plan)
{
	struct proxy_options proxy = {
	    .loop = &world->loop,
	    .metrics = &world->metrics,
	    .routes = &world->routes,
	    .timeout_us = 5 * WORLD_S,
	    .stale_after_us = 1800 * WORLD_MS,
	    .client_share = WORLD_SHARE,
	    .ede_detail = !plan->terse,
	    .recall = {
		.limits = {.ttl_max = 86400, .negative_ttl_max = 3600, .failure_ttl = 5},
		.serve_stale = 86400}};

	if (plan->policy == POLICY_SHARD)
		proxy.domains = (struct domains *)(void *)world; /* not looked at */
	if (plan->cached && cache_new(&proxy.recall.cache, 1 << 20) < 0)
		abort();
	world->cache = proxy.recall.cache;
	if (proxy_new(&world->proxy, &proxy) < 0)
		abort();
}

void world_make(const struct world_plan *plan)
{
	world = world_claim(sizeof *world);
	world->loop.now = 1000 * WORLD_S;
	world->server_count = plan->upstreams;
	random_init(&world->random);
	world->key = (struct hash_key){1, 2};
	make_proxy(plan);
	make_pool(plan);
	proxy_connect(world->proxy, &world->front, world->pool);
	log_set_level(LOG_ERROR);
}

void world_new(unsigned upstreams)
{
	world_make(&(struct world_plan){
	    .upstreams = upstreams, .policy = POLICY_ORDERED, .hedge = HEDGE_OFF});
}

void world_new_cached(unsigned upstreams)
{
	world_make(&(struct world_plan){.upstreams = upstreams,
					.policy = POLICY_ORDERED,
					.hedge = HEDGE_OFF,
					.cached = true});
}

unsigned world_add_address(unsigned upstream)
{
	struct address all[ADDRESSES_MAX];
	unsigned n = addresses_get(&world->known[upstream], all);
	unsigned i = world->server_count++;
	int r;

	assert(i < SERVERS_MAX && n < ADDRESSES_MAX);
	r = address_parse_ip(&all[n], "192.0.2.2", 9, (uint16_t)(i + 1));
	assert(r == 0);
	addresses_set(&world->known[upstream], all, n + 1);
	return i;
}

void world_warm(void)
{
	pool_warm(world->pool);
}

void world_change_network(bool path, bool slept)
{
	world->path_changed = path;
	pool_network_changed(world->pool, slept);
	world_settle();
	world->path_changed = false;
}

void world_set_way(bool has_way)
{
	world->no_way = !has_way;
}

unsigned world_forgotten(void)
{
	return world->forgotten;
}

static uint64_t sum(const uint64_t *counters, size_t n)
{
	uint64_t all = 0;

	for (size_t i = 0; i < n; i++)
		all += counters[i];
	return all;
}

bool world_adds_up(void)
{
	const struct metrics *m = &world->metrics;

	return sum(m->requests[0], METRIC_PROTO_N * METRIC_TYPES) ==
	       sum(m->responses[0], METRIC_RCODES * SOURCE_N) +
		   sum(m->dropped, REASON_N) + m->waiting;
}

void world_look_for_addresses(void)
{
	(void)pool_look_for_addresses(world->pool);
	world_settle();
}

void world_on_query(world_query_fn *fn)
{
	world->on_query = fn;
}

void world_on_round(void (*fn)(void))
{
	world->on_round = fn;
}

void world_on_told(world_told_fn *fn)
{
	world->on_told = fn;
}

void world_short(bool is_short)
{
	world->short_of_descriptors = is_short;
}

unsigned world_timers(void)
{
	return world->loop.timer_count;
}

unsigned world_tls_count(void)
{
	return world->tls_count;
}

struct pool *world_pool(void)
{
	return world->pool;
}

void world_end(void)
{
	assert(world_adds_up());
	pool_free(world->pool);
	proxy_free(world->proxy);
	cache_free(world->cache);
	world->pool = NULL;
	world->proxy = NULL;
	world->cache = NULL;
}

static void free_clients(void)
{
	for (unsigned i = 0; i < world->client_count; i++) {
		free(world->clients[i]->message);
		free(world->clients[i]);
	}
	free(world->clients);
}

void world_free(void)
{
	world_end();
	for (unsigned i = 0; i < world->connection_count; i++) {
		assert(!world->connections[i]->open); /* no descriptor leaks */
		free(world->connections[i]);
	}
	free(world->connections);
	free(world->open);
	while (world->received_count)
		world_forget(world->received[0]);
	free(world->received);
	free_clients();
	free(world);
	world = NULL;
}
