/* name: domain names in wire format. */
#include "dns/name.h"

#include "dns/message.h"
#include "dns/octets.h"

#define LABEL_MAX 63

/* The first two bits of a length octet that begins a pointer (RFC 1035 4.1.4). */
#define POINTER 0xc0

/* A name of 255 octets has 127 labels and the root: a pointer before each is the most
 * that compression can make of it. */
#define POINTERS_MAX 127

size_t name_read_plain(struct cursor *c)
{
	size_t pos = c->pos;
	size_t end = c->len - pos < NAME_MAX_LEN ? c->len : pos + NAME_MAX_LEN;
	size_t len;

	if (c->bad)
		return 0;
	while (pos < end) {
		uint8_t label = c->data[pos];

		if (label > LABEL_MAX)
			break;
		pos += 1u + label;
		if (label == 0) {
			len = pos - c->pos;
			c->pos = pos;
			return len;
		}
	}
	c->bad = true;
	return 0;
}

/*
 * A name is a row of segments, each but the first reached by a pointer. A segment must
 * begin and end before the one that leads to it begins: so every step goes backward, and
 * what a name is made of never lies behind it.
 */
void name_skip(struct cursor *c)
{
	const uint8_t *data = c->data;
	size_t start = c->pos, pos = start, limit = c->len;
	size_t behind = 0; /* where the cursor goes; 0: no pointer so far */
	size_t total = 0;
	unsigned pointers = 0;

	while (!c->bad && pos < limit) {
		uint8_t label = data[pos];

		if (label <= LABEL_MAX) {
			pos += 1u + label;
			total += 1u + label;
			if (total > NAME_MAX_LEN)
				break;
			if (label == 0) {
				c->pos = behind ? behind : pos;
				return;
			}
			continue;
		}
		if (label < POINTER || limit - pos < 2 || ++pointers > POINTERS_MAX)
			break;
		if (!behind)
			behind = pos + 2;
		pos = load16(data + pos) & 0x3fffu;
		if (pos < DNS_HEADER_LEN || pos >= start)
			break;
		limit = start;
		start = pos;
	}
	c->bad = true;
}

/*
 * Eight octets in lower case. With the top bit of each set aside, adding 0x80 - 'A'
 * carries into it from 'A' on, adding 0x80 - ('Z' + 1) from behind 'Z' on; octets above
 * 0x7f have it set and are no letters. That bit, moved by two, is the one that parts the
 * cases.
 */
static inline uint64_t lower_8(uint64_t x)
{
	const uint64_t each = 0x0101010101010101;
	uint64_t low = x & 0x7f * each;
	uint64_t from_a = low + (0x80 - 'A') * each;
	uint64_t behind_z = low + (0x80 - ('Z' + 1)) * each;

	return x | (from_a & ~behind_z & ~x & 0x80 * each) >> 2;
}

static inline uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

void name_lower(uint8_t *out, const uint8_t *name, size_t len)
{
	if (len < 8) {
		for (size_t i = 0; i < len; i++)
			out[i] = lower(name[i]);
		return;
	}
	for (size_t i = 0; i < len - 8; i += 8)
		store_8(out + i, lower_8(load_8(name + i)));
	/* the last eight, some of them perhaps a second time */
	store_8(out + len - 8, lower_8(load_8(name + len - 8)));
}

bool name_equal(const uint8_t *a, const uint8_t *b, size_t len)
{
	uint64_t differ = 0;

	if (len < 8) {
		for (size_t i = 0; i < len; i++)
			differ |= lower(a[i]) ^ lower(b[i]);
		return differ == 0;
	}
	for (size_t i = 0; i < len - 8; i += 8)
		differ |= lower_8(load_8(a + i)) ^ lower_8(load_8(b + i));
	return (differ | (lower_8(load_8(a + len - 8)) ^ lower_8(load_8(b + len - 8)))) ==
	       0;
}

/* Writes one octet of a label as RFC 1035 5.1 spells it; returns the place behind it. */
static char *octet_text(char *p, uint8_t c)
{
	if (c <= ' ' || c >= 0x7f) {
		*p++ = '\\';
		*p++ = (char)('0' + c / 100);
		*p++ = (char)('0' + c / 10 % 10);
		*p++ = (char)('0' + c % 10);
		return p;
	}
	if (strchr(".\\\"();@$", c))
		*p++ = '\\';
	*p++ = (char)c;
	return p;
}

const char *name_text(const uint8_t *name, size_t len, char out[NAME_TEXT_MAX])
{
	char *p = out;
	size_t pos = 0;

	while (pos < len && name[pos] != 0) {
		size_t end = pos + 1u + name[pos];

		for (pos++; pos < end && pos < len; pos++)
			p = octet_text(p, name[pos]);
		*p++ = '.';
	}
	if (p == out)
		*p++ = '.';
	*p = '\0';
	return out;
}
