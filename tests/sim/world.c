/* world: the fake net layer and front that the simulation links in place of the real
 * ones. */
#include "world.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/log.h"
#include "base/random.h"
#include "dns/message.h"
#include "front/client.h"
#include "net/loop.h"
#include "net/socket.h"
#include "net/timer.h"
#include "net/tls.h"
#include "proxy/query.h"
#include "upstream/pool.h"

#define CONNECTIONS_MAX 4096
#define CLIENTS_MAX 20000
#define TIMERS_MAX 4096
#define RECEIVED_MAX 20000
#define RECORDS_MAX 1024
#define FD_BASE 100000
/* Each address of each upstream is a server. */
#define SERVERS_MAX (UPSTREAMS_MAX * ADDRESSES_MAX)

/* ---- state ---- */

struct record {
	uint64_t due;
	size_t len, taken;
	uint8_t *data;
};

struct connection {
	bool open; /* from our side */
	unsigned server;
	bool blocked, ended, reset;
	unsigned events;
	loop_event_fn *fn;
	void *arg;
	unsigned record_count;
	struct record records[RECORDS_MAX];
};

struct tls_conn {
	unsigned number;
	bool ready;
	bool early; /* its early data was accepted */
	enum reason failure;
};

struct loop {
	uint64_t now;
	struct timer *timers[TIMERS_MAX];
	unsigned timer_count;
};

static struct world {
	struct loop loop;
	struct random random;
	struct hash_key key;
	struct metrics metrics;
	struct server servers[SERVERS_MAX];
	unsigned
	    server_count; /* one for each upstream, then those of further addresses */
	struct address addresses[UPSTREAMS_MAX];
	struct addresses known[UPSTREAMS_MAX];
	struct notes notes[UPSTREAMS_MAX];
	unsigned connection_count;
	struct connection *connections[CONNECTIONS_MAX];
	unsigned received_count;
	struct received *received[RECEIVED_MAX];
	unsigned client_count;
	struct told *clients[CLIENTS_MAX];
	uint8_t scratch[65535];
	struct front front;
	struct proxy *proxy;
	struct cache *cache;
	struct pool *pool;
	bool path_changed, no_way;
	unsigned address; /* of the clients that ask */
	unsigned forgotten;
	struct routes routes; /* none */
} * world;

static struct connection *connection(unsigned number)
{
	assert(number >= 1 && number <= world->connection_count);
	return world->connections[number - 1];
}

static unsigned number_of(int fd)
{
	return (unsigned)(fd - FD_BASE);
}

/* ---- loop and timers ---- */

uint64_t loop_now(const struct loop *l)
{
	return l->now;
}

int loop_watch_fd(struct loop *l, int fd, unsigned events, enum loop_class class,
		  loop_event_fn *fn, void *arg, loop_watch *out)
{
	struct connection *c = connection(number_of(fd));

	(void)l;
	(void)class;
	c->events = events;
	c->fn = fn;
	c->arg = arg;
	*out = number_of(fd);
	return 0;
}

void loop_change(struct loop *l, loop_watch w, unsigned events)
{
	(void)l;
	connection((unsigned)w)->events = events;
}

void loop_forget(struct loop *l, loop_watch w)
{
	(void)l;
	if (w)
		connection((unsigned)w)->fn = NULL;
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
	t->fn = fn;
	t->arg = arg;
	if (t->slot)
		return 0;
	assert(l->timer_count < TIMERS_MAX);
	l->timers[l->timer_count++] = t;
	t->slot = l->timer_count;
	return 0;
}

void timer_stop(struct loop *l, struct timer *t)
{
	if (!t->slot)
		return;
	l->timers[t->slot - 1] = l->timers[--l->timer_count];
	l->timers[t->slot - 1]->slot = t->slot;
	t->slot = 0;
}

/* ---- sockets ---- */

int socket_connect(const struct address *a, unsigned user_timeout_ms, bool fast_open)
{
	unsigned i = (unsigned)address_port(a) - 1;
	struct server *s = &world->servers[i];
	struct connection *c = calloc(1, sizeof *c);

	assert(user_timeout_ms > 0 && !fast_open);
	assert(c && world->connection_count < CONNECTIONS_MAX);
	c->open = true;
	c->server = i;
	world->connections[world->connection_count++] = c;
	if (!s->dials++)
		s->first_dial_us = world->loop.now;
	s->last_dial_us = world->loop.now;
	return FD_BASE + (int)world->connection_count;
}

int socket_connect_result(int fd)
{
	struct server *s = &world->servers[connection(number_of(fd))->server];

	return s->dial == DIAL_REFUSES ? -ECONNREFUSED : 0;
}

int socket_connect_udp(const struct address *a)
{
	(void)a;
	return -ENETUNREACH; /* no upstream is asked in the clear here */
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

void socket_close(int fd)
{
	connection(number_of(fd))->open = false;
}

/* ---- TLS ---- */

int tls_conn_new(struct tls_conn **out, struct tls_peer *p, int fd)
{
	struct tls_conn *t = calloc(1, sizeof *t);

	(void)p;
	assert(t);
	t->number = number_of(fd);
	*out = t;
	return 0;
}

void tls_conn_free(struct tls_conn *t)
{
	free(t);
}

void tls_peer_forget_sessions(struct tls_peer *p)
{
	assert(p);
	world->forgotten++;
}

enum tls_status tls_handshake(struct tls_conn *t)
{
	struct server *s = &world->servers[connection(t->number)->server];

	switch (s->shake) {
	case SHAKE_HANGS:
		return TLS_WANT_READ;
	case SHAKE_FAILS:
		t->failure = s->shake_failure;
		return TLS_ERROR;
	case SHAKE_OK:
		break;
	}
	t->ready = true;
	s->shaken++;
	return TLS_OK;
}

size_t tls_early_room(const struct tls_conn *t)
{
	return world->servers[connection(t->number)->server].early;
}

bool tls_early_accepted(const struct tls_conn *t)
{
	assert(t->ready);
	return t->early;
}

enum tls_status tls_read(struct tls_conn *t, uint8_t *out, size_t cap, size_t *n)
{
	struct connection *c = connection(t->number);
	struct record *r = &c->records[0];

	if (!c->record_count || r->due > world->loop.now) {
		if (!c->record_count && c->reset) {
			t->failure = REASON_RESET;
			return TLS_ERROR;
		}
		return !c->record_count && c->ended ? TLS_EOF : TLS_WANT_READ;
	}
	*n = r->len - r->taken < cap ? r->len - r->taken : cap;
	memcpy(out, r->data + r->taken, *n);
	r->taken += *n;
	if (r->taken == r->len) {
		free(r->data);
		memmove(r, r + 1, --c->record_count * sizeof *r);
	}
	return TLS_OK;
}

bool tls_pending(const struct tls_conn *t)
{
	const struct connection *c = connection(t->number);

	return c->record_count && c->records[0].due <= world->loop.now;
}

static void receive(unsigned number, const uint8_t *message, size_t len)
{
	struct connection *c = connection(number);
	struct server *s = &world->servers[c->server];
	struct received *q = calloc(1, sizeof *q);

	assert(q && len <= sizeof q->message && len >= DNS_HEADER_LEN);
	assert(world->received_count < RECEIVED_MAX);
	q->connection = number;
	q->server = c->server;
	q->id = (uint16_t)(message[0] << 8 | message[1]);
	q->len = len;
	memcpy(q->message, message, len);
	world->received[world->received_count++] = q;
	s->queries++;
	if (!s->mute)
		world_answer(q);
}

/* Frames, written whole. */
static void receive_all(struct tls_conn *t, const uint8_t *data, size_t len)
{
	struct connection *c = connection(t->number);
	size_t pos = 0;

	while (len - pos >= 2) {
		size_t m = (size_t)data[pos] << 8 | data[pos + 1];

		assert(len - pos - 2 >= m);
		if (!c->ended)
			receive(t->number, data + pos + 2, m);
		pos += 2 + m;
	}
	assert(pos == len);
}

enum tls_status tls_write_early(struct tls_conn *t, const uint8_t *data, size_t len)
{
	struct server *s = &world->servers[connection(t->number)->server];

	assert(!t->ready && !t->early && len <= s->early);
	s->early_writes++;
	t->early = !s->refuses_early && s->shake != SHAKE_FAILS;
	if (t->early)
		receive_all(t, data, len);
	return TLS_OK;
}

enum tls_status tls_write(struct tls_conn *t, const uint8_t *data, size_t len, size_t *n)
{
	struct connection *c = connection(t->number);

	assert(t->ready); /* not one octet before the peer is authenticated */
	if (c->reset) {
		t->failure = REASON_RESET;
		return TLS_ERROR;
	}
	if (c->blocked)
		return TLS_WANT_WRITE;
	receive_all(t, data, len);
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

void client_send(struct front *f, const struct client *c, size_t len, uint64_t *sent)
{
	struct told *t = world->clients[c->tcp.slot];

	(void)f;
	assert(len >= DNS_HEADER_LEN);
	metric_inc(sent);
	t->answers++;
	t->at_us = world->loop.now;
	t->rcode = world->scratch[3] & 15u;
	t->truncated = world->scratch[2] & 2u;
	t->len = len;
	memcpy(t->message, world->scratch, len);
	read_ede(t);
}

void client_drop(struct front *f, const struct client *c)
{
	(void)f;
	(void)c;
}

struct host client_host(const struct front *f, const struct client *c)
{
	(void)f;
	return (struct host){.interface = world->clients[c->tcp.slot]->address};
}

uint16_t client_keepalive(const struct front *f, const struct client *c)
{
	(void)f;
	(void)c;
	return 0;
}

/* ---- servers ---- */

static void push(unsigned number, const void *data, size_t len, uint64_t delay)
{
	struct connection *c = connection(number);
	struct record *r = &c->records[c->record_count++];

	assert(c->record_count <= RECORDS_MAX);
	*r = (struct record){
	    .due = world->loop.now + delay, .len = len, .data = malloc(len)};
	assert(r->data);
	memcpy(r->data, data, len);
}

void world_send(unsigned c, const void *data, size_t len)
{
	push(c, data, len, 0);
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

static void forget_received(struct received *q)
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
	push(q->connection, frame, n, world->servers[q->server].rtt_us);
	forget_received(q);
}

void world_answer(struct received *q)
{
	uint8_t frame[600];
	size_t n = world_make_answer(q, frame, sizeof frame);

	push(q->connection, frame, n, world->servers[q->server].rtt_us);
	forget_received(q);
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

	while (world_received(i, n))
		n++;
	return n;
}

static void end(unsigned number)
{
	connection(number)->ended = true;
	for (unsigned i = world->received_count; i-- > 0;)
		if (world->received[i]->connection == number)
			forget_received(world->received[i]);
}

void world_close(unsigned c)
{
	end(c);
}

void world_reset(unsigned c)
{
	end(c);
	connection(c)->reset = true;
}

void world_block(unsigned c, bool blocked)
{
	connection(c)->blocked = blocked;
}

bool world_is_open(unsigned c)
{
	return connection(c)->open;
}

unsigned world_connections(void)
{
	return world->connection_count;
}

/* ---- rounds ---- */

static bool is_readable(const struct connection *c)
{
	if (c->record_count)
		return c->records[0].due <= world->loop.now;
	return c->ended || c->reset;
}

/* What a connection is ready for now. One that waits to write is connecting or blocked.
 */
static unsigned readiness(const struct connection *c)
{
	const struct server *s = &world->servers[c->server];
	unsigned ready = 0;

	if (!c->fn || !c->open)
		return 0;
	if (c->events == LOOP_WRITE)
		return s->dial == DIAL_BLACK_HOLE ? 0 : LOOP_WRITE;
	if (c->events & LOOP_WRITE && !c->blocked)
		ready |= LOOP_WRITE;
	if (c->events & LOOP_READ && is_readable(c))
		ready |= LOOP_READ;
	return ready;
}

static bool deliver(void)
{
	bool any = false;

	for (unsigned i = 0; i < world->connection_count; i++) {
		struct connection *c = world->connections[i];
		unsigned ready = readiness(c);

		if (!ready)
			continue;
		any = true;
		c->fn(c->arg, ready);
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
		t->fn(t->arg);
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
		idle = any ? 0 : idle + 1;
		if (idle ==
		    2) /* what the first idle round has sent was not answered either */
			return;
	}
	abort();
}

/* The next time at which something can happen by itself. */
static uint64_t next_time(uint64_t until)
{
	struct timer *t = earliest();
	uint64_t next = t && t->due < until ? t->due : until;

	for (unsigned i = 0; i < world->connection_count; i++) {
		const struct connection *c = world->connections[i];

		if (c->open && c->record_count && c->records[0].due < next)
			next = c->records[0].due;
	}
	return next > world->loop.now ? next : world->loop.now + 1;
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

/* ---- clients ---- */

void world_ask_from(unsigned address)
{
	world->address = address;
}

unsigned world_ask_raw(const uint8_t *message, size_t len)
{
	struct client c = {.kind = CLIENT_TCP, .tcp = {.slot = world->client_count}};
	struct told *t = calloc(1, sizeof *t);

	assert(t && world->client_count < CLIENTS_MAX);
	t->ede = -1;
	t->address = world->address;
	t->asked_us = world->loop.now;
	world->clients[world->client_count++] = t;
	query_begin(world->proxy, &c, message, len);
	return world->client_count - 1;
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

unsigned world_ask_count(void)
{
	return world->client_count;
}

const struct told *world_told(unsigned client)
{
	assert(client < world->client_count);
	return world->clients[client];
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

void world_make(const struct world_plan *plan)
{
	unsigned upstreams = plan->upstreams;
	struct pool_group all = {.count = upstreams};
	struct proxy_options proxy = {
	    .timeout_us = 5 * WORLD_S,
	    .stale_after_us = 1800 * WORLD_MS,
	    .client_share = 25,
	    .ede_detail = !plan->terse,
	    .recall = {
		.limits = {.ttl_max = 86400, .negative_ttl_max = 3600, .failure_ttl = 5},
		.serve_stale = 86400}};
	struct pool_options pool = {.upstream_count = upstreams,
				    .group_count = 1,
				    .groups = &all,
				    .policy = plan->policy,
				    .race = plan->race,
				    .hedge = plan->hedge,
				    .keep_warm_us = plan->keep_warm_us,
				    .idle_us = 10 * WORLD_S,
				    .timeout_us = 5 * WORLD_S,
				    .events = &query_events};

	world = calloc(1, sizeof *world);
	assert(world);
	world->loop.now = 1000 * WORLD_S;
	world->server_count = upstreams;
	if (plan->cached && cache_new(&proxy.recall.cache, 1 << 20) < 0)
		abort();
	world->cache = proxy.recall.cache;
	random_init(&world->random);
	world->key = (struct hash_key){1, 2};
	proxy.loop = pool.loop = &world->loop;
	proxy.metrics = pool.metrics = &world->metrics;
	pool.random = &world->random;
	pool.hash_key = &world->key;
	proxy.routes = &world->routes;
	for (unsigned i = 0; i < upstreams; i++) {
		int r = address_parse_ip(&world->addresses[i], "192.0.2.1", 9,
					 (uint16_t)(i + 1));

		assert(r == 0);
		pool.upstreams[i].label = i ? "tls://second" : "tls://first";
		addresses_init(&world->known[i]);
		addresses_set(&world->known[i], &world->addresses[i], 1);
		pool.upstreams[i].addresses = &world->known[i];
		pool.upstreams[i].peer =
		    (struct tls_peer *)(void *)world; /* not looked at */
		pool.upstreams[i].notes = &world->notes[i];
		notes_init(&world->notes[i]);
		pool.upstreams[i].weight = 1;
		pool.upstreams[i].early_data = plan->early_data;
		all.upstream[i] = (uint8_t)i;
	}
	if (proxy_new(&world->proxy, &proxy) < 0)
		abort();
	pool.arg = world->proxy;
	if (pool_new(&world->pool, &pool) < 0)
		abort();
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

void world_free(void)
{
	assert(world_adds_up());
	pool_free(world->pool);
	proxy_free(world->proxy);
	cache_free(world->cache);
	for (unsigned i = 0; i < world->connection_count; i++) {
		struct connection *c = world->connections[i];

		assert(!c->open); /* no descriptor leaks */
		for (unsigned k = 0; k < c->record_count; k++)
			free(c->records[k].data);
		free(c);
	}
	while (world->received_count)
		forget_received(world->received[0]);
	for (unsigned i = 0; i < world->client_count; i++)
		free(world->clients[i]);
	free(world);
	world = NULL;
}
