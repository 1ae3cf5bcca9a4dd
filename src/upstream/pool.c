/* pool: made, ended, and settled at the end of each round. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "upstream/pool_state.h"

/* Times that changes at the end of a round may cause others at once; what then still
 * changes (nothing is known to) goes on in the next round, so that clients are served
 * between. */
#define SETTLE_MAX 8

/* Upstreams of the default group to which connections are made at the start. */
#define WARM_MAX 4

static void free_closed(struct pool *p)
{
	while (!list_empty(&p->closed))
		conn_free(list_entry(p->closed.next, struct conn, node));
}

/* Tells of changes, and writes. Either may end a connection, which is a change again. */
static void settle(struct pool *p)
{
	bool changed = p->changed;

	p->changed = false;
	if (changed)
		p->options.events->change(p->options.arg);
	while (p->dirty_count > 0)
		conn_flush(p->dirty[--p->dirty_count]);
}

void pool_flush(struct pool *p)
{
	for (unsigned i = 0; i < SETTLE_MAX && (p->changed || p->dirty_count); i++)
		settle(p);
	if (p->changed)
		(void)timer_set(p->options.loop, &p->retry, pool_now(p), pool_retry_due,
				p);
	free_closed(p);
}

/* Late answers of an upstream are of interest if something can be done about them. */
static bool can_hedge(const struct pool_options *o, unsigned upstream)
{
	if (o->hedge != HEDGE_AUTO || o->policy == POLICY_SHARD)
		return o->hedge == HEDGE_ON;
	for (unsigned i = 0; i < o->group_count; i++)
		for (unsigned k = 0; o->groups[i].count > 1 && k < o->groups[i].count;
		     k++)
			if (o->groups[i].upstream[k] == upstream)
				return true;
	return false;
}

/* The same in each run, so that POLICY_SHARD sends a domain to the same place after a restart. */
static uint64_t identity(const char *label)
{
	static const struct hash_key fixed = {1, 2};

	return hash_bytes(&fixed, label, strlen(label));
}

static int make_plain(struct pool *p, unsigned i, struct plain **out)
{
	const struct pool_options *o = &p->options;
	const struct plain_options plain = {.loop = o->loop,
					    .random = o->random,
					    .hash_key = o->hash_key,
					    .addresses = o->upstreams[i].addresses,
					    .metrics = &o->metrics->upstream[i],
					    .health = &p->upstreams[i].health,
					    .timeout_us = o->timeout_us,
					    .events = &pool_plain_events,
					    .arg = &p->upstreams[i]};

	*out = NULL;
	return o->upstreams[i].peer ? 0 : plain_new(out, &plain);
}

static int init_upstream(struct pool *p, unsigned i)
{
	const struct pool_options *o = &p->options;
	const struct pool_upstream *from = &o->upstreams[i];
	struct upstream_options u = {
	    .owner = p,
	    .number = i,
	    .label = from->label,
	    .notes = from->notes,
	    .weight = from->weight,
	    .identity = identity(from->label),
	    .idle_us = o->idle_us,
	    .keep_warm_us = o->keep_warm_us,
	    .context =
		{
		    .loop = o->loop,
		    .random = o->random,
		    .hash_key = o->hash_key,
		    .events = &pool_conn_events,
		    .addresses = from->addresses,
		    .peer = from->peer,
		    .metrics = &o->metrics->upstream[i],
		    .hedges = can_hedge(o, i),
		    .fast_open = from->fast_open,
		    .early_data = from->early_data,
		    .timeout_us = o->timeout_us,
		},
	};
	int r = make_plain(p, i, &u.plain);

	upstream_init(&p->upstreams[i], &u);
	return r;
}

static void init_group(struct pool *p, unsigned i)
{
	const struct pool_group *from = &p->options.groups[i];
	struct group *g = &p->groups[i];

	g->policy = p->options.policy;
	g->count = from->count;
	for (unsigned k = 0; k < from->count; k++)
		g->members[k] = &p->upstreams[from->upstream[k]];
}

int pool_new(struct pool **out, const struct pool_options *o)
{
	struct pool *p = calloc(1, sizeof *p);
	int r = 0;

	if (p)
		p->groups = calloc(o->group_count, sizeof *p->groups);
	if (!p || !p->groups) {
		free(p);
		return -ENOMEM;
	}
	p->options = *o;
	p->hedges.left = 100;
	p->doubts.left = 100 * DOUBT_MAX;
	p->again.left = 100 * AGAIN_BURST;
	list_init(&p->closed);
	for (unsigned i = 0; i < o->upstream_count; i++)
		r |= init_upstream(p, i);
	for (unsigned i = 0; i < o->group_count; i++)
		init_group(p, i);
	if (r != 0) {
		pool_free(p);
		return -ENOMEM;
	}
	*out = p;
	return 0;
}

void pool_change_soon(struct pool *p)
{
	p->changed = true;
}

void pool_warm(struct pool *p)
{
	struct group *g = &p->groups[0];

	for (unsigned i = 0; i < g->count && i < WARM_MAX; i++)
		if (atomic_load(&g->members[i]->context.addresses->version))
			(void)upstream_open(g->members[i]);
}

void pool_free(struct pool *p)
{
	if (!p)
		return;
	timer_stop(p->options.loop, &p->retry);
	free_closed(p);
	for (unsigned i = 0; i < p->options.upstream_count; i++)
		upstream_free(&p->upstreams[i]);
	free(p->groups);
	free(p);
}
