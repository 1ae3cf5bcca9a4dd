/* svcb: priority, target, and keys in ascending order. */
#include "dns/svcb.h"

#include <string.h>

enum key {
	KEY_MANDATORY = 0,
	KEY_ALPN = 1,
	KEY_NO_DEFAULT_ALPN = 2,
	KEY_PORT = 3,
	KEY_V4 = 4,
	KEY_V6 = 6
};

static bool is_known(unsigned key)
{
	return key == KEY_ALPN || key == KEY_NO_DEFAULT_ALPN || key == KEY_PORT ||
	       key == KEY_V4 || key == KEY_V6;
}

static bool read_mandatory(struct cursor *c)
{
	if (!cursor_left(c))
		return false;
	while (cursor_left(c))
		if (!is_known(cursor_u16(c)))
			return false;
	return true;
}

static bool read_alpn(struct svcb *s, struct cursor *c)
{
	if (!cursor_left(c))
		return false;
	while (cursor_left(c)) {
		size_t n = cursor_u8(c);
		const uint8_t *id = cursor_bytes(c, n);

		if (n == 0 || !id)
			return false;
		s->dot |= n == 3 && memcmp(id, "dot", 3) == 0;
	}
	return true;
}

/* Addresses of SIZE octets; those that have no room are left out. */
static bool read_hints(uint8_t *out, unsigned *count, size_t size, struct cursor *c)
{
	if (!cursor_left(c) || cursor_left(c) % size)
		return false;
	while (cursor_left(c)) {
		const uint8_t *a = cursor_bytes(c, size);

		if (*count < SVCB_HINTS_MAX)
			memcpy(out + size * (*count)++, a, size);
	}
	return true;
}

static bool read_value(struct svcb *s, unsigned key, struct cursor *c)
{
	switch (key) {
	case KEY_MANDATORY:
		return read_mandatory(c);
	case KEY_ALPN:
		return read_alpn(s, c);
	case KEY_PORT:
		s->port = cursor_u16(c);
		return !c->bad && !cursor_left(c);
	case KEY_V4:
		return read_hints(s->v4[0], &s->v4_count, 4, c);
	case KEY_V6:
		return read_hints(s->v6[0], &s->v6_count, 16, c);
	default:
		return true;
	}
}

bool svcb_read(struct svcb *out, const struct record *r)
{
	struct cursor c = cursor_make(r->data, r->len);
	const uint8_t *target;
	int last = -1;

	*out = (struct svcb){.priority = cursor_u16(&c)};
	target = c.data + c.pos;
	out->target_len = name_read_plain(&c);
	if (c.bad)
		return false;
	memcpy(out->target, target, out->target_len);
	while (cursor_left(&c)) {
		unsigned key = cursor_u16(&c);
		size_t len = cursor_u16(&c);
		const uint8_t *value = cursor_bytes(&c, len);
		struct cursor v = cursor_make(value, len);

		if (c.bad || (int)key <= last || !read_value(out, key, &v))
			return false;
		last = (int)key;
	}
	return !c.bad;
}
