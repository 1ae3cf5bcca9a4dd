/* invariants: what must hold between any two steps. The only file here that looks inside the pool. */
#include <string.h>

#include "memory.h"
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
