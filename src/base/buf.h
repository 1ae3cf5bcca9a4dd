/* buf: a byte queue that grows up to a cap: bytes are appended behind, consumed in front. */
#ifndef DOTGATE_BASE_BUF_H
#define DOTGATE_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
	uint8_t *data;
	size_t start, end; /* what is queued is data[start .. end) */
	size_t size;	   /* bytes allocated */
};

static inline size_t buf_len(const struct buf *b)
{
	return b->end - b->start;
}

static inline uint8_t *buf_head(struct buf *b)
{
	return b->start > 0 ? b->data + b->start : b->data;
}

/* Room for N more bytes behind the queued ones, which may move; NULL when that would
 * exceed CAP bytes in all, or memory. Commit what was written there with buf_commit(). */
uint8_t *buf_reserve(struct buf *b, size_t n, size_t cap);

static inline void buf_commit(struct buf *b, size_t n)
{
	b->end += n;
}

/* Forgets N bytes in front. */
void buf_consume(struct buf *b, size_t n);

/* Frees the memory when nothing is queued and it is larger than KEEP bytes. */
void buf_trim(struct buf *b, size_t keep);

/* Forgets everything and frees the memory. */
void buf_free(struct buf *b);

#endif
