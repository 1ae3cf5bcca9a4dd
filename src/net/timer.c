/* timer: deadlines in the heap of a loop. */
#include "net/timer.h"

#include "net/loop.h"

int timer_set(struct loop *l, struct timer *t, uint64_t due, timer_fn *fn, void *arg)
{
	int r = heap_set(loop_heap(l), &t->item, due);

	if (r < 0)
		return r;
	t->due = due;
	t->item.fn = fn;
	t->item.arg = arg;
	return 0;
}

void timer_stop(struct loop *l, struct timer *t)
{
	heap_remove(loop_heap(l), &t->item);
}
