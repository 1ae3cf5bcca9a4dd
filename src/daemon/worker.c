/* worker: one thread: builds its loop, sockets and upstream connections; runs; drains. */
#include "daemon/worker.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/random.h"
#include "daemon/cache_persist.h"
#include "front/tcp.h"
#include "front/udp.h"
#include "net/timer.h"
#include "os/clockwatch.h"
#include "os/descriptors.h"
#include "os/netwatch.h"
#include "proxy/flight.h"
#include "proxy/query.h"
#include "upstream/upstream.h"

/* The deepest thing on a worker's stack is a TLS handshake. */
#define STACK_SIZE (512 * 1024)

/* Descriptors watched besides TCP clients and queries in the clear: listeners, upstream connections
 * and the attempts at one, the control. */
#define WATCHES_OTHER                                                                    \
	(2 * LISTEN_MAX + UPSTREAMS_MAX * (UPSTREAM_CONNS_MAX + DIAL_ATTEMPTS_MAX) + 2)

_Static_assert(DESCRIPTORS_TLS == UPSTREAM_CONNS_MAX &&
		   DESCRIPTORS_PLAIN == PLAIN_QUERIES_MAX,
	       "all have descriptors");

#define HEARTBEAT_US 1000000

/* While an upstream has no address: so often it is looked whether it has one now. */
#define LOOK_US 100000

/* Changes of the network come in bursts: all of one are looked at together. */
#define NETWORK_SETTLES_US 200000

struct worker {
	const struct config *config;
	pthread_t thread;
	int control; /* eventfd: raised by worker_drain() */
	loop_watch control_watch;
	int network; /* netwatch; negative: none */
	loop_watch network_watch;
	struct timer network_settles;
	struct clockwatch clocks;
	bool draining, given_up;
	bool ended; /* read by another thread */
	struct timer start, drain, heartbeat;
	uint64_t beats;
	struct loop *loop;
	struct random random;
	struct metrics *metrics;
	struct front front;
	struct pool *pool;
	struct proxy *proxy;
};

/* ---- the thread ---- */

static void beat(void *arg)
{
	struct worker *w = arg;

	enum clock_change change = clockwatch_look(&w->clocks);
	uint64_t next = pool_look_for_addresses(w->pool) ? LOOK_US : HEARTBEAT_US;

	metric_inc(&w->beats);
	udp_look(w->front.udp);
	if (change != CLOCK_SAME)
		pool_network_changed(w->pool, change == CLOCK_SLEPT);
	(void)timer_set(w->loop, &w->heartbeat, loop_now(w->loop) + next, beat, w);
}

static void network_settled(void *arg)
{
	struct worker *w = arg;

	pool_network_changed(w->pool, false);
}

static void on_network(void *arg, unsigned ready)
{
	struct worker *w = arg;

	(void)ready;
	if (netwatch_read(w->network) && !timer_running(&w->network_settles))
		(void)timer_set(w->loop, &w->network_settles,
				loop_now(w->loop) + NETWORK_SETTLES_US, network_settled,
				w);
}

/* Without it a change is noticed by the connections that fail. */
static void watch_network(struct worker *w)
{
	w->network = netwatch_open();
	if (w->network >= 0)
		(void)loop_watch_fd(w->loop, w->network, LOOP_READ, LOOP_UPSTREAM,
				    on_network, w, &w->network_watch);
}

/* The first round. */
static void start(void *arg)
{
	struct worker *w = arg;

	watch_network(w);
	pool_warm(w->pool);
}

static void give_up(void *arg)
{
	struct worker *w = arg;

	w->given_up = true;
	proxy_abort(w->proxy);
}

/* Raised once: drain. Raised again: end now. */
static void on_control(void *arg, unsigned ready)
{
	struct worker *w = arg;
	uint64_t n;

	(void)ready;
	if (read(w->control, &n, sizeof n) != sizeof n)
		return;
	if (w->draining || n > 1)
		give_up(w);
	w->draining = true;
	udp_stop(w->front.udp);
	tcp_stop(w->front.tcp);
	(void)timer_set(w->loop, &w->drain, loop_now(w->loop) + w->config->drain_us,
			give_up, w);
}

static bool is_drained(const struct worker *w)
{
	return w->given_up ||
	       (!proxy_inflight(w->proxy) && !metric_get(&w->metrics->tcp_clients));
}

/* What the round has produced leaves: first to the upstreams, which take longest. */
static void end_round(void *arg)
{
	struct worker *w = arg;

	pool_flush(w->pool);
	udp_flush(w->front.udp);
	tcp_flush(w->front.tcp);
	if (w->draining && is_drained(w))
		loop_stop(w->loop);
}

static void *run(void *arg)
{
	struct worker *w = arg;

	loop_run(w->loop);
	__atomic_store_n(&w->ended, true, __ATOMIC_RELEASE);
	return NULL;
}

/* ---- making one ---- */

/* One worker's part of a cap; 0: there is none. */
static unsigned part(unsigned cap, unsigned share)
{
	return cap > share ? cap / share : cap > 0;
}

static int make_front(struct worker *w, const struct worker_options *o)
{
	const struct config *c = o->config;
	const struct udp_options udp = {.loop = w->loop,
					.metrics = w->metrics,
					.on_query = query_begin,
					.arg = w->proxy};
	const struct tcp_options tcp = {.loop = w->loop,
					.metrics = w->metrics,
					.on_query = query_begin,
					.arg = w->proxy,
					.clients_max = part(c->tcp_clients, o->share),
					.clients_per_address =
					    part(c->tcp_clients_per_address, o->share),
					.idle_us = c->tcp_idle_us};
	int r = udp_new(&w->front.udp, &udp);

	return r < 0 ? r : tcp_new(&w->front.tcp, &tcp);
}

static int make_pool(struct worker *w, const struct worker_options *o)
{
	struct pool_options p = {.loop = w->loop,
				 .random = &w->random,
				 .hash_key = o->hash_key,
				 .metrics = w->metrics,
				 .upstream_count = o->forwarding->count,
				 .group_count = o->forwarding->group_count,
				 .groups = o->forwarding->groups,
				 .policy = o->config->policy,
				 .race = o->config->race,
				 .hedge = o->config->hedge,
				 .idle_us = o->config->upstream_idle_us,
				 .keep_warm_us = o->config->keep_warm_us,
				 .timeout_us = o->config->query_timeout_us,
				 .events = &query_events,
				 .arg = w->proxy};

	for (unsigned i = 0; i < p.upstream_count; i++)
		p.upstreams[i] = o->forwarding->pool[i];
	return pool_new(&w->pool, &p);
}

static uint32_t seconds(uint64_t us)
{
	return (uint32_t)(us / 1000000);
}

static struct recall_options config_recall(const struct config *c, struct cache *cache)
{
	return (struct recall_options){.cache = cache,
				       .limits = cache_persist_limits(c),
				       .serve_stale = seconds(c->serve_stale_us)};
}

static unsigned watches(const struct worker_options *o)
{
	return o->config->tcp_clients + WATCHES_OTHER +
	       forwarding_plain(o->forwarding) * PLAIN_QUERIES_MAX;
}

static struct proxy_options config_proxy(const struct worker *w,
					 const struct worker_options *o)
{
	const struct config *c = o->config;

	return (struct proxy_options){.loop = w->loop,
				      .metrics = w->metrics,
				      .timeout_us = c->query_timeout_us,
				      .stale_after_us = c->stale_after_us,
				      .client_share = c->client_share,
				      .routes = &o->forwarding->routes,
				      .domains = o->domains,
				      .special_names = c->special_names,
				      .log_clients = c->log_clients,
				      .ede_detail = c->ede_detail,
				      .recall = config_recall(c, o->cache)};
}

static int make(struct worker *w, const struct worker_options *o)
{
	struct proxy_options p;
	int r = loop_new(&w->loop, watches(o));

	if (r < 0)
		return r;
	p = config_proxy(w, o);
	r = proxy_new(&w->proxy, &p);
	if (r == 0)
		r = make_front(w, o);
	if (r == 0)
		r = make_pool(w, o);
	if (r < 0)
		return r;
	metric_set(&w->metrics->flights_max, FLIGHTS_MAX);
	metric_set(&w->metrics->waiting_max, WAITERS_MAX);
	proxy_connect(w->proxy, &w->front, w->pool);
	loop_at_round_end(w->loop, end_round, w);
	loop_at_shortage(w->loop, tcp_free_descriptor, w->front.tcp);
	w->control = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (w->control < 0)
		return -errno;
	r = timer_set(w->loop, &w->heartbeat, 0, beat, w);
	if (r == 0)
		r = timer_set(w->loop, &w->start, 0, start, w);
	/* set here so that it cannot fail later */
	if (r == 0)
		r = timer_set(w->loop, &w->drain, UINT64_MAX, give_up, w);
	if (r < 0)
		return r;
	return loop_watch_fd(w->loop, w->control, LOOP_READ, LOOP_UPSTREAM, on_control, w,
			     &w->control_watch);
}

int worker_new(struct worker **out, const struct worker_options *o)
{
	struct worker *w = calloc(1, sizeof *w);
	int r;

	if (!w)
		return -ENOMEM;
	w->config = o->config;
	w->control = -1;
	random_init(&w->random);
	w->network = -1;
	w->metrics = calloc(1, sizeof *w->metrics);
	r = w->metrics ? make(w, o) : -ENOMEM;
	if (r < 0) {
		worker_free(w);
		return r;
	}
	*out = w;
	return 0;
}

int worker_listen(struct worker *w, int udp_fd, int tcp_fd, bool wildcard)
{
	int r = udp_add(w->front.udp, udp_fd, wildcard);

	return r < 0 ? r : tcp_add(w->front.tcp, tcp_fd);
}

int worker_start(struct worker *w)
{
	pthread_attr_t attr;
	int r = pthread_attr_init(&attr);

	if (r)
		return -r;
	r = pthread_attr_setstacksize(&attr, STACK_SIZE);
	if (!r)
		r = pthread_create(&w->thread, &attr, run, w);
	pthread_attr_destroy(&attr);
	return -r;
}

void worker_drain(struct worker *w)
{
	uint64_t one = 1;

	/* an eventfd takes this unless it was raised 2^64 - 2 times */
	while (write(w->control, &one, sizeof one) < 0 && errno == EINTR)
		continue;
}

bool worker_has_ended(const struct worker *w)
{
	return __atomic_load_n(&w->ended, __ATOMIC_ACQUIRE);
}

void worker_join(struct worker *w)
{
	pthread_join(w->thread, NULL);
}

void worker_free(struct worker *w)
{
	if (!w)
		return;
	pool_free(w->pool);
	tcp_free(w->front.tcp);
	udp_free(w->front.udp);
	proxy_free(w->proxy);
	loop_free(w->loop);
	if (w->control >= 0)
		close(w->control);
	if (w->network >= 0)
		close(w->network);
	free(w->metrics);
	free(w);
}

struct metrics *worker_metrics(struct worker *w)
{
	return w->metrics;
}

uint64_t *worker_heartbeat(struct worker *w)
{
	return &w->beats;
}
