/* heap: deadlines, the next one on top. */
#ifndef DOTGATE_NET_HEAP_H
#define DOTGATE_NET_HEAP_H

#include <stdint.h>

typedef void heap_fn(void *arg);

/* What is due at a time. Embedded in its owner; zero-filled, it is in no heap. */
struct heap_item {
	heap_fn *fn; /* called when it is due; set by the owner */
	void *arg;
	unsigned slot; /* place in the heap + 1; 0: in none */
};

/* The key stands beside the pointer, so that sifting stays within the heap's memory. */
struct heap_entry {
	uint64_t due;
	uint64_t order; /* when it was set: equal deadlines run in that order */
	struct heap_item *item;
};

/* Zero-filled, it is empty. */
struct heap {
	struct heap_entry *entries;
	unsigned count, size;
	uint64_t order;
	uint64_t earliest; /* nothing is due before this: see heap_run() */
};

/* Puts ITEM into the heap, or moves it: it is due at DUE. Returns 0 or -ENOMEM (only when there are
 * more items than ever before). */
int heap_set(struct heap *h, struct heap_item *item, uint64_t due);

/* Takes ITEM out, if it is in the heap. */
void heap_remove(struct heap *h, struct heap_item *item);

/* When the next item is due; UINT64_MAX if there is none. */
uint64_t heap_next(const struct heap *h);

/* Takes out and calls what is due at NOW. An item that one of them sets, to whatever time, waits for
 * the next call: so this one ends. */
void heap_run(struct heap *h, uint64_t now);

/* Frees the heap's memory. Items that are in it stay their owners'. */
void heap_free(struct heap *h);

#endif
