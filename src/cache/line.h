/* line: the cache line in which up to eight records are found; only for src/cache. */
#ifndef DOTGATE_CACHE_LINE_H
#define DOTGATE_CACHE_LINE_H

#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Records of one line. */
#define WAYS 8

/* Times that a record is remembered to have been asked for. */
#define HEAT_MAX 3

/* Tries to get a line's lock before the CPU is given to who holds it. */
#define LINE_SPINS 1000

struct line {
	uint32_t block[WAYS]; /* the first of the record's chain; 0: empty */
	uint16_t tag[WAYS];   /* bits of the hash that do not choose the line */
	uint8_t heat[WAYS];
	atomic_uchar lock;
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct line) == 64, "a look-up reads one cache line");

static inline void line_lock(struct line *l)
{
	for (unsigned i = 0; atomic_exchange_explicit(&l->lock, 1, memory_order_acquire);
	     i++)
		if (i >= LINE_SPINS)
			sched_yield();
}

static inline void line_unlock(struct line *l)
{
	atomic_store_explicit(&l->lock, 0, memory_order_release);
}

/* Of a locked line: an empty way, else the coldest. */
static inline unsigned line_coldest(const struct line *l)
{
	unsigned best = 0;

	for (unsigned i = 0; i < WAYS; i++) {
		if (!l->block[i])
			return i;
		if (l->heat[i] < l->heat[best])
			best = i;
	}
	return best;
}

/* Empties a way of a locked line. Returns the chain, which is the caller's to give back. */
static inline uint32_t line_clear(struct line *l, unsigned way)
{
	uint32_t block = l->block[way];

	l->block[way] = 0;
	l->heat[way] = 0;
	return block;
}

#endif
