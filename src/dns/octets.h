/* octets: numbers in octets whose bounds the caller has checked already. */
#ifndef DOTGATE_DNS_OCTETS_H
#define DOTGATE_DNS_OCTETS_H

#include <stdint.h>
#include <string.h>

static inline uint16_t load16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline void store16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* Eight octets in the machine's order: for work that treats each octet alike. */
static inline uint64_t load_8(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

static inline void store_8(uint8_t *p, uint64_t v)
{
	memcpy(p, &v, sizeof v);
}

/*
 * The length to which a UTF-8 text of LEN octets is cut to be at most MAX: never inside a
 * character. Text that is not UTF-8 may be cut anywhere in its last four octets.
 */
static inline size_t utf8_cut(const uint8_t *text, size_t len, size_t max)
{
	size_t cut = max;

	if (len <= max)
		return len;
	while (cut > 0 && max - cut < 3 && (text[cut] & 0xc0) == 0x80)
		cut--;
	return cut;
}

#endif
