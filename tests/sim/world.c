/* world: making a world, its upstreams and its proxy, and ending it. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "world_state.h"

struct world *world;

volatile bool world_claims;

/* ---- memory ---- */

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

void world_grow(void *all, unsigned count, unsigned *room, size_t size)
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

/* ---- making ---- */

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

/* ---- what the worker does, and what is seen of it ---- */

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

void world_look_for_addresses(void)
{
	(void)pool_look_for_addresses(world->pool);
	world_settle();
}

struct metrics *world_metrics(void)
{
	return &world->metrics;
}

unsigned world_inflight(void)
{
	return proxy_inflight(world->proxy);
}

void world_abort(void)
{
	proxy_abort(world->proxy);
}

struct pool *world_pool(void)
{
	return world->pool;
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

/* ---- the end ---- */

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

bool world_exists(void)
{
	return world != NULL;
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
