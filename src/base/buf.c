/* buf: a byte queue in one block of memory. */
#include "base/buf.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* The first allocation: a few DNS messages. */
#define SIZE_MIN 512

static void move_to_front(struct buf *b)
{
	size_t len = buf_len(b);

	if (b->start > 0 && len > 0)
		memmove(b->data, b->data + b->start, len);
	b->start = 0;
	b->end = len;
}

/* Twice as large, so that the cost per byte stays the same however long the queue is. */
static size_t next_size(size_t size, size_t need, size_t cap)
{
	size_t next = size > SIZE_MIN / 2 ? size * 2 : SIZE_MIN;

	if (next < need)
		next = need;
	return next < cap ? next : cap;
}

uint8_t *buf_reserve(struct buf *b, size_t n, size_t cap)
{
	size_t len = buf_len(b);

	if (len > cap || n > cap - len)
		return NULL;
	if (b->data && n <= b->size - b->end)
		return b->data + b->end;

	/* moving more bytes than were consumed is only worth it when the block is at its
	 * cap */
	bool room = len + n <= b->size && (b->start >= len || b->size >= cap);
	size_t size = next_size(b->size, len + n, cap);

	if (b->data)
		move_to_front(b);
	if (!b->data || !room) {
		uint8_t *data = realloc(b->data, size > 0 ? size : 1);

		if (!data)
			return NULL;
		b->data = data;
		b->size = size;
	}
	return b->data + b->end;
}

void buf_consume(struct buf *b, size_t n)
{
	assert(n <= buf_len(b));
	b->start += n;
	if (b->start == b->end)
		b->start = b->end = 0;
}

void buf_trim(struct buf *b, size_t keep)
{
	if (buf_len(b) == 0 && b->size > keep)
		buf_free(b);
}

void buf_free(struct buf *b)
{
	free(b->data);
	*b = (struct buf){0};
}
