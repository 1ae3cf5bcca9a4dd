/* heap: a binary heap, the next deadline on top. */
#include "net/heap.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

/* Timers of a worker without clients. */
#define SIZE_MIN 64

static bool before(const struct heap_entry *a, const struct heap_entry *b)
{
	return a->due != b->due ? a->due < b->due : a->order < b->order;
}

static void place(struct heap *h, unsigned i, struct heap_entry e)
{
	h->entries[i] = e;
	e.item->slot = i + 1;
}

/* Puts E at I or, as long as it comes before what is above, higher. */
static void sift_up(struct heap *h, unsigned i, struct heap_entry e)
{
	while (i > 0 && before(&e, &h->entries[(i - 1) / 2])) {
		place(h, i, h->entries[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	place(h, i, e);
}

/* Puts E at I or, as long as one below comes before it, lower. */
static void sift_down(struct heap *h, unsigned i, struct heap_entry e)
{
	for (;;) {
		unsigned child = 2 * i + 1;

		if (child + 1 < h->count &&
		    before(&h->entries[child + 1], &h->entries[child]))
			child++;
		if (child >= h->count || !before(&h->entries[child], &e))
			break;
		place(h, i, h->entries[child]);
		i = child;
	}
	place(h, i, e);
}

/* Puts E at I, the place of an entry that has left or whose key was another. */
static void sift(struct heap *h, unsigned i, struct heap_entry e)
{
	if (i > 0 && before(&e, &h->entries[(i - 1) / 2]))
		sift_up(h, i, e);
	else
		sift_down(h, i, e);
}

static void take_out(struct heap *h, struct heap_item *item)
{
	unsigned i = item->slot - 1;
	struct heap_entry last = h->entries[--h->count];

	item->slot = 0;
	if (last.item != item)
		sift(h, i, last);
}

static int grow(struct heap *h)
{
	unsigned size = h->size > 0 ? h->size * 2 : SIZE_MIN;
	struct heap_entry *entries = reallocarray(h->entries, size, sizeof *entries);

	if (!entries)
		return -ENOMEM;
	h->entries = entries;
	h->size = size;
	return 0;
}

int heap_set(struct heap *h, struct heap_item *item, uint64_t due)
{
	struct heap_entry e = {due > h->earliest ? due : h->earliest, h->order, item};

	if (item->slot == 0 && h->count == h->size && grow(h) < 0)
		return -ENOMEM;
	h->order++;
	if (item->slot == 0)
		sift_up(h, h->count++, e);
	else
		sift(h, item->slot - 1, e);
	return 0;
}

void heap_remove(struct heap *h, struct heap_item *item)
{
	if (item->slot != 0)
		take_out(h, item);
}

uint64_t heap_next(const struct heap *h)
{
	return h->count > 0 ? h->entries[0].due : UINT64_MAX;
}

void heap_run(struct heap *h, uint64_t now)
{
	h->earliest = now + 1;
	while (h->count > 0 && h->entries[0].due <= now) {
		struct heap_item *item = h->entries[0].item;

		take_out(h, item);
		item->fn(item->arg);
	}
	h->earliest = 0;
}

void heap_free(struct heap *h)
{
	free(h->entries);
	*h = (struct heap){0};
}
