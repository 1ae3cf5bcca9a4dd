/* plan: what a seed makes of a world: its upstreams, its clients, and the faults it has. */
#include <string.h>

#include "random.h"

struct temper temper;

/* A percentage: mostly none, else mostly small. */
static unsigned some(unsigned chance, unsigned most)
{
	return chance_percent(chance) ? 1 + (unsigned)chance_spread(most - 1) : 0;
}

static void add_faults(struct mood *m)
{
	m->lost = some(25, 60);
	m->held = some(25, 100);
	m->mute = some(15, 60);
	m->twice = some(10, 50);
	m->wrong_id = some(10, 60);
	m->wrong_question = some(10, 60);
	m->junk = some(10, 60);
	m->fragment = some(30, 100);
	m->error = some(15, 100);
	m->bare = some(40, 100);
	m->rcode = chance_percent(50) ? chance_between(1, 5) : 0;
	m->rcode = m->rcode == 3 ? 2 : m->rcode;
	m->truncated = some(10, 50);
	m->keepalive = some(15, 100);
	m->hangs_up = some(10, 30);
	m->resets = some(10, 20);
	m->bad_frame = some(5, 5);
	m->each_us = chance_percent(10) ? chance_spread(100 * WORLD_MS) : 0;
	m->knows_no_edns = chance_percent(5);
	if (chance_percent(35))
		m->limit = 1 + (unsigned)chance_spread(30);
	m->close_us = chance_spread(200 * WORLD_MS);
	if (chance_percent(20))
		m->idle_us = chance_spread(5 * WORLD_S) + 1;
}

struct mood plan_mood(bool good)
{
	struct mood m = {.ttl_max = chance_percent(50) ? 3 : 86400};

	m.fast_us = good ? chance_below(2000) : chance_spread(200 * WORLD_MS);
	m.slow_us = m.fast_us + (good ? 20 * WORLD_MS : chance_spread(3 * WORLD_S));
	m.negative = some(30, 60);
	m.large = some(10, 30);
	if (!good)
		add_faults(&m);
	return m;
}

/* ---- topology ---- */

static void plan_groups(struct world_plan *p)
{
	if (chance_percent(60))
		return;
	p->group_count = chance_between(1, GROUPS);
	for (unsigned g = 0; g < p->group_count; g++) {
		struct pool_group *to = &p->groups[g];

		for (unsigned i = 0; i < p->upstreams; i++)
			if (chance_percent(60))
				to->upstream[to->count++] = (uint8_t)i;
		if (!to->count)
			to->upstream[to->count++] = (uint8_t)chance_below(p->upstreams);
	}
}

static void plan_topology(struct world_plan *p)
{
	static const enum policy policies[] = {
	    POLICY_FASTEST, POLICY_ORDERED,  POLICY_ROUND_ROBIN, POLICY_RANDOM,
	    POLICY_RACE,    POLICY_WEIGHTED, POLICY_SHARD,
	};

	p->upstreams = chance_between(1, UPSTREAMS);
	p->policy = policies[chance_below(7)];
	p->race = chance_between(2, 4);
	p->hedge = (enum hedge)chance_below(3);
	p->keep_warm_us = chance_percent(60) ? 300 * WORLD_S : 0;
	p->cached = chance_percent(60);
	p->early_data = chance_percent(25);
	for (unsigned i = 0; i < p->upstreams; i++) {
		p->plain |= chance_percent(15) ? 1u << i : 0;
		p->places[i] = chance_percent(60) ? 1 : chance_between(2, WORLD_PLACES);
		p->weight[i] = chance_between(1, 10);
	}
	plan_groups(p);
}

static void plan_deeds(void)
{
	for (unsigned d = 0; d < DEED_N; d++)
		temper.weight[d] = chance_percent(40) ? 1 + chance_below(8) : 0;
	temper.weight[DEED_ASK] = 10 + chance_below(40);
	temper.weight[DEED_RELEASE] = 5 + chance_below(30);
	temper.weight[DEED_SHORT] = chance_percent(15) ? 2 : 0;
	temper.weight[DEED_JUMP] = chance_percent(20) ? 1 : 0;
	temper.weight[DEED_FLOOD] = chance_percent(1) ? 1 : 0;
	temper.weight[DEED_ASK_SAME] = chance_percent(20) ? 1 : 0;
}

/* Servers that answer only what they are told to: what is out, on how many connections, is then in
 * the hands of the steps. */
static void plan_patient(void)
{
	temper.weight[DEED_MOOD] = 0;
	temper.weight[DEED_ASK] = 35;
	temper.weight[DEED_RELEASE] = 35;
	temper.burst = 12;
	for (unsigned i = 0; i < UPSTREAMS; i++)
		moods[i] = (struct mood){.held = 100, .ttl_max = 60};
}

/* Such as close each connection after so many answers, and few other faults: of all that is learnt
 * and kept of connections, most is about these. */
static void plan_limited(void)
{
	unsigned limit = chance_between(8, 12);
	static const uint8_t weight[DEED_N] = {
	    [DEED_ASK] = 30,  [DEED_FILL] = 30, [DEED_RELEASE] = 30, [DEED_NETWORK] = 15,
	    [DEED_SHAKE] = 1, [DEED_STALL] = 2, [DEED_HANG_UP] = 1};

	plan_patient();
	temper.plan.upstreams = chance_percent(85) ? 1 : 2;
	temper.plan.group_count = temper.plan.plain = 0;
	temper.plan.keep_warm_us = 300 * WORLD_S;
	temper.burst = 12;
	temper.pace_us = chance_between(10, 200) * WORLD_MS;
	temper.hurries = false;
	temper.steps = chance_between(50, 300);
	for (unsigned d = 0; d < DEED_N; d++)
		temper.weight[d] = weight[d];
	for (unsigned i = 0; i < UPSTREAMS; i++) {
		moods[i].limit = limit;
		moods[i].close_us = chance_below(100) * WORLD_MS;
	}
}

/* More than there are places for. */
static void plan_crowd(void)
{
	temper.weight[DEED_FLOOD] = 8;
	temper.weight[DEED_RELEASE] = 1;
	temper.weight[DEED_REST] = 0;
	temper.pace_us = 1 + chance_spread(20 * WORLD_MS);
	temper.hurries = true;
	temper.steps = chance_between(50, 150);
	for (unsigned i = 0; i < UPSTREAMS; i++)
		if (chance_percent(60))
			moods[i].held = 100;
}

void plan_world(void)
{
	unsigned kind;

	memset(&temper, 0, sizeof temper);
	plan_topology(&temper.plan);
	plan_deeds();
	temper.steps = chance_percent(5) ? 2000 : chance_between(50, 300);
	temper.pace_us = 1 + chance_spread(200 * WORLD_MS);
	temper.hurries = chance_percent(15);
	temper.names = 1 + (unsigned)chance_spread(500);
	temper.burst = 1 + (unsigned)chance_spread(40);
	temper.odd = some(50, 60);
	temper.heals = chance_percent(75);
	for (unsigned i = 0; i < UPSTREAMS; i++)
		moods[i] = plan_mood(chance_percent(30));
	if (chance_percent(1))
		plan_crowd();
	kind = chance_below(100);
	if (kind < 40)
		plan_limited();
	else if (kind < 55)
		plan_patient();
}
