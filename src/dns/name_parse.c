/* name_parse: names that people write, and names out of messages for people to read. */
#include "dns/name.h"

#define LABEL_MAX 63
#define POINTER 0xc0

/* One character of a label, which may be escaped. -1: it is none. */
static int read_octet(const char **p)
{
	const char *s = *p;
	int value = 0;

	if (*s != '\\') {
		(*p)++;
		return (unsigned char)*s;
	}
	if (s[1] < '0' || s[1] > '9') {
		*p += s[1] ? 2 : 1;
		return s[1] ? (unsigned char)s[1] : -1;
	}
	for (unsigned i = 1; i <= 3; i++) {
		if (s[i] < '0' || s[i] > '9')
			return -1;
		value = value * 10 + (s[i] - '0');
	}
	*p += 4;
	return value < 256 ? value : -1;
}

/* A label up to a dot or the end. False: empty, too long, or broken. */
static bool read_label(struct writer *w, const char **p)
{
	uint8_t *length = writer_room(w, 1);
	unsigned n = 0;

	while (length && **p && **p != '.') {
		int octet = read_octet(p);

		if (octet < 0 || ++n > LABEL_MAX)
			return false;
		writer_u8(w, (uint8_t)octet);
	}
	if (!length || n == 0)
		return false;
	*length = (uint8_t)n;
	return true;
}

size_t name_parse(uint8_t out[NAME_MAX_LEN], const char *text)
{
	struct writer w = writer_make(out, NAME_MAX_LEN);

	if (strcmp(text, ".") == 0)
		text = "";
	else if (!*text)
		return 0;
	while (*text) {
		if (!read_label(&w, &text))
			return 0;
		text += *text == '.';
	}
	writer_u8(&w, 0);
	return w.full ? 0 : w.pos;
}

size_t name_expand(struct cursor *c, uint8_t out[NAME_MAX_LEN])
{
	struct writer w = writer_make(out, NAME_MAX_LEN);
	struct cursor at = *c;
	bool jumped = false;
	uint8_t n;

	do {
		size_t here = at.pos;

		n = cursor_u8(&at);
		if (n < POINTER) {
			const uint8_t *label = cursor_bytes(&at, n);

			at.bad |= n > LABEL_MAX;
			writer_u8(&w, n);
			writer_bytes(&w, label, label ? n : 0);
		} else {
			size_t target = (size_t)(n & ~POINTER) << 8 | cursor_u8(&at);

			if (!jumped)
				*c = at;
			jumped = true;
			/* always backward: it ends */
			at.bad |= target >= here;
			at.pos = target;
		}
	} while (n && !at.bad && !w.full);
	if (!jumped)
		*c = at;
	c->bad |= at.bad || w.full;
	return c->bad ? 0 : w.pos;
}
