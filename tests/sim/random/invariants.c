/* invariants: what must hold between any two steps. The only file here that looks inside the pool. */
#include <ctype.h>
#include <string.h>

#include "memory.h"
#include "proxy/check.h"
#include "proxy/domain.h"
#include "proxy/flight.h"
#include "random.h"
#include "upstream/pool_state.h"

/* Dials that may be under way: beside those whose handshakes are stuck, other addresses are tried. */
#define DIALS_MAX (UPSTREAM_DIALS_MAX + WORLD_PLACES - 1)

/* What is counted of one upstream's connections. */
struct census {
	unsigned connecting, ready, draining, dialling, awaited;
};

static void check_connection(const struct conn *c, unsigned i)
{
	if (c->state == CONN_CLOSED)
		fault("closed", "upstream %u keeps a closed connection", i);
	if (!timer_running(&c->timer))
		fault("timer", "a connection of upstream %u, %s, has no time", i,
		      conn_state_word(c->state));
	if (c->is_dirty)
		fault("dirty", "a connection of upstream %u was not flushed", i);
}

static struct census take_census(struct upstream *u, unsigned i)
{
	struct census n = {0};
	unsigned rounds = 0;

	for (struct list *l = u->conns.next; l != &u->conns; l = l->next) {
		const struct conn *c = list_entry(l, struct conn, node);

		if (++rounds > 1000) {
			fault("list", "the connections of upstream %u never end", i);
			return n;
		}
		check_connection(c, i);
		n.dialling += c->state < CONN_READY;
		n.ready += c->state == CONN_READY;
		n.draining += c->state == CONN_DRAINING;
		n.awaited += ids_awaited_count(c->ids);
	}
	n.awaited += u->plain ? plain_inflight(u->plain) : 0;
	return n;
}

static void check_gauge(const char *what, unsigned i, uint64_t gauge, uint64_t real)
{
	if (gauge != real)
		fault("gauge", "upstream %u: %s says %lld, it is %lld", i, what,
		      (long long)gauge, (long long)real);
}

/* Connections that the network knows, of upstream I. */
static unsigned authenticated(unsigned i)
{
	unsigned n = 0;

	for (unsigned k = 0; k < world_open_count(); k++)
		n += world_server_of(world_open(k)) == i &&
		     world_is_authenticated(world_open(k));
	return n;
}

static void check_upstream(struct upstream *u, unsigned i)
{
	const struct upstream_metrics *m = &world_metrics()->upstream[i];
	struct census n = take_census(u, i);

	check_gauge("inflight", i, m->inflight, n.awaited);
	check_gauge("connecting", i, m->connecting, n.dialling);
	check_gauge("connections", i, m->connections, n.ready + n.draining);
	check_gauge("connections, of the network,", i, m->connections, authenticated(i));
	check_gauge("opened", i, m->opened[0] + m->opened[1], world_server(i)->shaken);
	check_gauge("up", i, m->up, !u->health.down);
	if (n.dialling + n.ready > UPSTREAM_LIMITED_MAX + DIALS_MAX ||
	    n.dialling > DIALS_MAX || n.draining > UPSTREAM_DRAINING_MAX ||
	    n.dialling + n.ready + n.draining > UPSTREAM_CONNS_MAX)
		fault("cap", "upstream %u has %u + %u + %u connections", i, n.dialling,
		      n.ready, n.draining);
}

/* A dial or a question will tell whether it is back. */
static bool is_being_tried(struct upstream *u)
{
	if (u->plain)
		return plain_inflight(u->plain) > 0;
	for (struct list *l = u->conns.next; l != &u->conns; l = l->next) {
		const struct conn *c = list_entry(l, struct conn, node);

		if (conn_is_dialling(c) || ids_awaited_count(c->ids))
			return true;
	}
	return false;
}

static void check_pool(struct pool *p)
{
	unsigned down = 0;

	for (unsigned i = 0; i < p->options.upstream_count; i++) {
		struct upstream *u = &p->upstreams[i];

		check_upstream(u, i);
		down += u->health.down;
		if (u->health.down && !is_being_tried(u) && !timer_running(&p->retry))
			fault("retry", "upstream %u is down and not tried again", i);
	}
	if (p->down_count != down)
		fault("down", "%u upstreams are down, %u by the count", down,
		      p->down_count);
	if (p->dirty_count || !list_empty(&p->closed))
		fault("round", "the round was not ended");
}

static uint64_t sum(const uint64_t *n, size_t count)
{
	uint64_t all = 0;

	while (count > 0)
		all += n[--count];
	return all;
}

static void check_proxy(void)
{
	const struct metrics *m = world_metrics();
	uint64_t requests =
	    sum(&m->requests[0][0], METRIC_PROTO_N * (size_t)METRIC_TYPES);
	uint64_t responses = sum(&m->responses[0][0], METRIC_RCODES * (size_t)SOURCE_N);

	if (m->flights != world_inflight())
		fault("flights", "the gauge says %llu, it is %u",
		      (unsigned long long)m->flights, world_inflight());
	if (requests != client_requests())
		fault("requests", "%llu were counted, %llu made",
		      (unsigned long long)requests,
		      (unsigned long long)client_requests());
	if (responses != client_answers())
		fault("responses", "%llu were counted, %llu sent",
		      (unsigned long long)responses,
		      (unsigned long long)client_answers());
	if (m->waiting != client_waiting())
		fault("waiting", "the gauge says %llu, %u clients wait",
		      (unsigned long long)m->waiting, client_waiting());
	if (!world_adds_up())
		fault("sum", "requests are not responses and drops and those who wait");
	if (client_waiting() && !world_inflight())
		fault("forgotten", "%u clients wait for nothing", client_waiting());
}

/* ---- shards ---- */

/* When an upstream was last seen to be in trouble, so that another may have its names. */
static uint64_t trouble_us[UPSTREAMS];

void invariants_forget(void)
{
	memset(trouble_us, 0, sizeof trouble_us);
}

static bool is_slow(const struct conn *c)
{
	return conn_is_dialling(c) && c->is_slow;
}

static bool is_in_trouble(struct upstream *u)
{
	return u->health.down || health_is_erring(&u->health) ||
	       upstream_find(u, is_slow);
}

void invariants_look(void)
{
	struct pool *p = world_pool();

	for (unsigned i = 0; i < p->options.upstream_count; i++)
		if (is_in_trouble(&p->upstreams[i]))
			trouble_us[i] = world_now();
}

static const struct group *group_of(const uint8_t *name)
{
	const struct pool *p = world_pool();
	unsigned n = 0;

	while (name[name[0] + 1u])
		name += name[0] + 1u;
	if (p->options.group_count > 1 && name[0] == 2 && (name[1] | 0x20) == 'g')
		n = name[2] - '0';
	return &p->groups[n < p->options.group_count ? n : 0];
}

static uint64_t domain_of(const uint8_t *name)
{
	uint8_t lower[300];
	size_t n = 0;

	for (; name[n]; n += name[n] + 1u)
		lower[n] = name[n];
	lower[n] = 0;
	for (size_t i = 0; i < n; i += name[i] + 1u)
		for (size_t k = 1; k <= name[i]; k++)
			lower[i + k] = (uint8_t)tolower(name[i + k]);
	return domains_hash(NULL, lower, n + 1);
}

/* The place of server I in the order of those that may be asked for NAME, if none is in trouble. */
static void order_of(const struct group *g, const uint8_t *name,
		     uint8_t order[UPSTREAMS_MAX])
{
	struct candidate c[UPSTREAMS_MAX];
	struct policy_memory none = {0};

	for (unsigned i = 0; i < g->count; i++)
		c[i] =
		    (struct candidate){.weight = 1, .identity = g->members[i]->identity};
	policy_order(POLICY_SHARD, &none, c, g->count, domain_of(name), world_now(), NULL,
		     order);
}

/* What is out was sent at most a time-out ago. */
void invariants_received(const struct received *q)
{
	const uint8_t *name = q->message + 12;
	uint8_t order[UPSTREAMS_MAX];
	const struct group *g;

	if (temper.plan.policy != POLICY_SHARD || !name[0])
		return;
	invariants_look();
	g = group_of(name);
	order_of(g, name, order);
	for (unsigned i = 0; i < g->count; i++) {
		unsigned before = g->members[order[i]]->number;

		if (before == q->server)
			return;
		if (!trouble_us[before] ||
		    trouble_us[before] + 5 * WORLD_S + step_longest_jump_us() <
			world_now())
			fault("shard",
			      "upstream %u sees a name of upstream %u, which is well",
			      q->server, before);
	}
	fault("group", "upstream %u sees a name of another group", q->server);
}

/* ---- overload ---- */

/* With fewer in flight no query is refused for want of capacity. */
#define CAPACITY_LEAST 48

void invariants_refused(unsigned client, const char *text)
{
	const struct pool *p = world_pool();
	unsigned crowd = client_crowd(client), most = 0;

	if (strstr(text, "too many queries") && !client_is_of_crowd(client)) {
		if (crowd < FLIGHTS_MAX / 4 * 3)
			fault("refused", "client %u was refused, with %u flights", client,
			      crowd);
		if (crowd < FLIGHTS_MAX &&
		    client_waiting_with(client) < FLIGHTS_MAX * WORLD_SHARE / 100)
			fault("share", "client %u was refused, though %u wait with it",
			      client, client_waiting_with(client));
	}
	for (unsigned i = 0; i < p->options.upstream_count; i++)
		if (most < upstream_inflight(&p->upstreams[i]))
			most = upstream_inflight(&p->upstreams[i]);
	if (strstr(text, "answer fewer queries") && most < CAPACITY_LEAST)
		fault("capacity", "client %u was refused, with at most %u in flight",
		      client, most);
}

/* ---- errors ---- */

/* True if an upstream may still answer Q, which was asked at FROM_US. */
static bool is_out(struct upstream *u, const struct query *q, uint64_t from_us)
{
	uint64_t hash = conn_question_hash(u->context.hash_key, &q->question);

	for (struct list *l = u->conns.next; l != &u->conns; l = l->next) {
		const struct conn *c = list_entry(l, struct conn, node);

		for (const struct sent *s = ids_oldest(c->ids); s;
		     s = ids_next(c->ids, s))
			if (s->flight && !s->is_silent && s->question == hash &&
			    s->bits == sent_bits(q) && s->sent_us >= from_us)
				return true;
	}
	return false;
}

void invariants_told(unsigned client, const uint64_t *counter)
{
	const struct metrics *m = world_metrics();
	const struct told *t = world_told(client);
	struct pool *p = world_pool();
	size_t len;
	const uint8_t *message = client_query(client, &len);
	unsigned rcode;
	enum reason why;
	struct query q;

	if (strstr(t->text, "this client asks more") && client_waiting_with(client) < 100)
		fault("share", "client %u gives way, though only %u wait with it", client,
		      client_waiting_with(client));
	if (counter != &m->responses[t->rcode][SOURCE_UPSTREAM] || !t->rcode ||
	    t->rcode == RCODE_NXDOMAIN ||
	    check_message(&q, message, len, true, &rcode, &why) != VERDICT_FORWARD ||
	    world_now() >= t->asked_us + 3 * WORLD_S)
		return;
	for (unsigned i = 0; i < p->options.upstream_count; i++)
		if (is_out(&p->upstreams[i], &q, t->asked_us))
			fault("error",
			      "client %u is told rcode %u, but upstream %u is asked",
			      client, t->rcode, i);
}

void invariants_well(void)
{
	const struct pool *p = world_pool();

	for (unsigned i = 0; i < p->options.upstream_count; i++)
		if (p->upstreams[i].health.down)
			fault("stays_down", "upstream %u, with nothing wrong for 8 s", i);
}

void invariants_check(void)
{
	client_check();
	check_pool(world_pool());
	check_proxy();
}

void invariants_end(void)
{
	if (world_open_count())
		fault("leak", "%u descriptors are left", world_open_count());
	if (world_timers())
		fault("leak", "%u timers are left", world_timers());
	if (world_tls_count())
		fault("leak", "%u TLS connections are left", world_tls_count());
}
