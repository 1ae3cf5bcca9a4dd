/* policy: one order for each policy; then those in trouble go to the end. */
#include "upstream/policy.h"

/* Two that were chosen stay so for this long: queries of one moment then share a connection. */
#define CHOSEN_US 1000000

/* The earlier one is as good as the later if it takes no more than this longer, and a fifth. */
#define AS_GOOD_US 1000
#define AS_GOOD_PART 5

static void swap(uint8_t *a, uint8_t *b)
{
	uint8_t x = *a;

	*a = *b;
	*b = x;
}

/* Moves number X, wherever it is, to place I; what was between moves up. */
static void bring(uint8_t *order, unsigned i, unsigned x)
{
	unsigned at = i;

	while (order[at] != x)
		at++;
	for (; at > i; at--)
		swap(&order[at], &order[at - 1]);
}

/* ---- fastest ---- */

/* Each failure since the last answer makes it look that much slower again. */
static uint64_t slowness(const struct candidate *c)
{
	return c->latency_us * (1 + c->failures);
}

/* A is written before B. One that is not known yet is not tried on a client: the pool asks it
 * beside another. */
static bool is_faster(const struct candidate *b, const struct candidate *a)
{
	uint64_t x = slowness(a), y = slowness(b);

	if (!b->latency_us || !a->latency_us)
		return b->latency_us && !a->latency_us;
	return y + AS_GOOD_US < x && y < x - x / AS_GOOD_PART;
}

static void choose_two(struct policy_memory *m, unsigned n, uint64_t now_us,
		       struct random *r)
{
	unsigned a = random_below(r, n), b = random_below(r, n - 1);

	b += b >= a;
	m->chosen[0] = (uint8_t)(a < b ? a : b);
	m->chosen[1] = (uint8_t)(a < b ? b : a);
	m->chosen_until_us = now_us + CHOSEN_US;
}

static void order_fastest(struct policy_memory *m, const struct candidate *c, unsigned n,
			  uint64_t now_us, struct random *r, uint8_t *order)
{
	unsigned first, second;

	if (now_us >= m->chosen_until_us || m->chosen[1] >= n)
		choose_two(m, n, now_us, r);
	first = m->chosen[0];
	second = m->chosen[1];
	if (is_faster(&c[second], &c[first])) {
		first = m->chosen[1];
		second = m->chosen[0];
	}
	bring(order, 0, first);
	bring(order, 1, second);
}

/* ---- the others ---- */

static void order_random(unsigned n, struct random *r, uint8_t *order)
{
	for (unsigned i = n; i > 1; i--)
		swap(&order[i - 1], &order[random_below(r, i)]);
}

static void order_weighted(const struct candidate *c, unsigned n, struct random *r,
			   uint8_t *order)
{
	uint32_t left = 0, x;

	for (unsigned i = 0; i < n; i++)
		left += c[i].weight;
	for (unsigned i = 0; i + 1 < n; i++) {
		unsigned at = i;

		x = random_below(r, left);
		while (x >= c[order[at]].weight)
			x -= c[order[at++]].weight;
		left -= c[order[at]].weight;
		bring(order, i, order[at]);
	}
}

/* A mixing of 64 bits into 64 (as in SplitMix64). */
static uint64_t mix(uint64_t x)
{
	x ^= x >> 30;
	x *= UINT64_C(0xbf58476d1ce4e5b9);
	x ^= x >> 27;
	x *= UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* Rendezvous hashing: when one fails, only its own domains move. */
static void order_shard(const struct candidate *c, unsigned n, uint64_t domain,
			uint8_t *order)
{
	for (unsigned i = 0; i + 1 < n; i++) {
		unsigned best = order[i];

		for (unsigned at = i + 1; at < n; at++)
			if (mix(c[order[at]].identity ^ domain) >
			    mix(c[best].identity ^ domain))
				best = order[at];
		bring(order, i, best);
	}
}

/* The less, the sooner it is asked. */
static unsigned trouble(const struct candidate *c)
{
	return c->down ? 2 : c->erring;
}

/* Those without trouble first, those that are DOWN last; else the order stays. */
static void put_last_in_trouble(const struct candidate *c, unsigned n, uint8_t *order)
{
	uint8_t from[UPSTREAMS_MAX];
	unsigned count = 0;

	for (unsigned i = 0; i < n; i++)
		from[i] = order[i];
	for (unsigned t = 0; t <= 2; t++)
		for (unsigned i = 0; i < n; i++)
			if (trouble(&c[from[i]]) == t)
				order[count++] = from[i];
}

void policy_order(enum policy p, struct policy_memory *m, const struct candidate *c,
		  unsigned n, uint64_t domain, uint64_t now_us, struct random *r,
		  uint8_t order[UPSTREAMS_MAX])
{
	for (unsigned i = 0; i < n; i++)
		order[i] = (uint8_t)i;
	if (n == 1)
		return;
	switch (p) {
	case POLICY_FASTEST:
	case POLICY_RACE:
		order_fastest(m, c, n, now_us, r, order);
		break;
	case POLICY_ROUND_ROBIN:
		bring(order, 0, m->turn++ % n);
		break;
	case POLICY_RANDOM:
		order_random(n, r, order);
		break;
	case POLICY_WEIGHTED:
		order_weighted(c, n, r, order);
		break;
	case POLICY_SHARD:
		order_shard(c, n, domain, order);
		break;
	case POLICY_ORDERED:
		break;
	}
	put_last_in_trouble(c, n, order);
}
