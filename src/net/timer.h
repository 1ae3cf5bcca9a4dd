/* timer: deadlines of one loop; the timers live in their owners. */
#ifndef DOTGATE_NET_TIMER_H
#define DOTGATE_NET_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "net/heap.h"

struct loop;

typedef heap_fn timer_fn;

/* Embedded in its owner. Zero-filled, it is idle. */
struct timer {
	uint64_t due; /* microseconds, as loop_now() */
	struct heap_item item;
};

/* Calls FN(ARG) once when the loop's time is DUE or later; a running timer is moved.
 * Returns 0 or -ENOMEM (only when there are more timers than ever before). */
int timer_set(struct loop *l, struct timer *t, uint64_t due, timer_fn *fn, void *arg);

/* Stops it; right also for an idle one. */
void timer_stop(struct loop *l, struct timer *t);

static inline bool timer_running(const struct timer *t)
{
	return t->item.slot != 0;
}

#endif
