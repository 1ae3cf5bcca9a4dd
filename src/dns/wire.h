/* wire: cursors over message bytes. All packet memory is read and written through these. */
#ifndef DOTGATE_DNS_WIRE_H
#define DOTGATE_DNS_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * A reader with a sticky error: a read past the end returns 0 (or NULL), sets `bad` and
 * moves nothing; so a list of reads needs one check at its end.
 */
struct cursor {
	const uint8_t *data;
	size_t len, pos;
	bool bad;
};

static inline struct cursor cursor_make(const void *data, size_t len)
{
	return (struct cursor){.data = data, .len = len};
}

static inline size_t cursor_left(const struct cursor *c)
{
	return c->len - c->pos;
}

/* The next N bytes, which stay where they are; NULL past the end. */
static inline const uint8_t *cursor_bytes(struct cursor *c, size_t n)
{
	if (c->bad || n > c->len - c->pos) {
		c->bad = true;
		return NULL;
	}
	c->pos += n;
	return c->data + (c->pos - n);
}

static inline void cursor_skip(struct cursor *c, size_t n)
{
	(void)cursor_bytes(c, n);
}

static inline uint8_t cursor_u8(struct cursor *c)
{
	const uint8_t *p = cursor_bytes(c, 1);

	return p ? p[0] : 0;
}

static inline uint16_t cursor_u16(struct cursor *c)
{
	const uint8_t *p = cursor_bytes(c, 2);

	return p ? (uint16_t)(p[0] << 8 | p[1]) : 0;
}

static inline uint32_t cursor_u32(struct cursor *c)
{
	const uint8_t *p = cursor_bytes(c, 4);

	return p ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
		       p[3]
		 : 0;
}

/* A writer with a sticky error: what does not fit sets `full` and writes nothing. */
struct writer {
	uint8_t *data;
	size_t cap, pos;
	bool full;
};

static inline struct writer writer_make(void *data, size_t cap)
{
	return (struct writer){.data = data, .cap = cap};
}

/* Room for N bytes, to be filled by the caller; NULL when they do not fit. */
static inline uint8_t *writer_room(struct writer *w, size_t n)
{
	if (w->full || n > w->cap - w->pos) {
		w->full = true;
		return NULL;
	}
	w->pos += n;
	return w->data + (w->pos - n);
}

static inline void writer_bytes(struct writer *w, const void *data, size_t n)
{
	uint8_t *p = writer_room(w, n);

	if (p && n)
		memcpy(p, data, n);
}

static inline void writer_u8(struct writer *w, uint8_t v)
{
	writer_bytes(w, &v, 1);
}

static inline void writer_u16(struct writer *w, uint16_t v)
{
	const uint8_t b[2] = {(uint8_t)(v >> 8), (uint8_t)v};

	writer_bytes(w, b, 2);
}

static inline void writer_u32(struct writer *w, uint32_t v)
{
	const uint8_t b[4] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8),
			      (uint8_t)v};

	writer_bytes(w, b, 4);
}

#endif
