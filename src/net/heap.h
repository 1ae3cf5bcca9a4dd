/* heap: what a loop keeps of its timers; for loop.c and timer.c only. */
#ifndef DOTGATE_NET_HEAP_H
#define DOTGATE_NET_HEAP_H

#include <stdint.h>

#include "net/timer.h"

/* The key stands beside the pointer, so that sifting stays within the heap's memory. */
struct heap_entry {
	uint64_t due;
	uint64_t order; /* when it was set: equal deadlines run in that order */
	struct timer *timer;
};

struct heap {
	struct heap_entry *entries;
	unsigned count, size;
	uint64_t order;
	uint64_t earliest; /* no timer is due before this: see heap_run() */
};

/* The heap of a loop (loop.c). */
struct heap *loop_heap(struct loop *l);

/* When the next timer is due; UINT64_MAX if none is running. */
uint64_t heap_next(const struct heap *h);

/* Runs what is due at NOW. A timer that one of them sets, to whatever time, waits for the
 * next round: so a round ends. */
void heap_run(struct heap *h, uint64_t now);

void heap_free(struct heap *h);

#endif
