/* hash: SipHash-1-3 (Aumasson and Bernstein): one round per eight octets, three at the
 * end. */
#include "base/hash.h"

#include <endian.h>
#include <string.h>

struct sip {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotate(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

static inline uint64_t load(const uint8_t *p)
{
	uint64_t x;

	memcpy(&x, p, sizeof x);
	return le64toh(x);
}

static inline void sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v2 += s->v3;
	s->v1 = rotate(s->v1, 13) ^ s->v0;
	s->v3 = rotate(s->v3, 16) ^ s->v2;
	s->v0 = rotate(s->v0, 32);
	s->v2 += s->v1;
	s->v0 += s->v3;
	s->v1 = rotate(s->v1, 17) ^ s->v2;
	s->v3 = rotate(s->v3, 21) ^ s->v0;
	s->v2 = rotate(s->v2, 32);
}

static inline void sip_word(struct sip *s, uint64_t word)
{
	s->v3 ^= word;
	sip_round(s);
	s->v0 ^= word;
}

/* The last 0 to 7 octets as the low octets of a word. One load that overlaps what was
 * read before does it, unless the whole input is shorter than a word. */
static inline uint64_t load_tail(const uint8_t *p, size_t len)
{
	size_t left = len % 8;
	uint64_t word = 0;

	if (left == 0)
		return 0;
	if (len > 8)
		return load(p + len - 8) >> (64 - 8 * left);
	for (size_t i = 0; i < left; i++)
		word |= (uint64_t)p[i] << 8 * i;
	return word;
}

uint64_t hash_bytes(const struct hash_key *key, const void *data, size_t len)
{
	const uint8_t *p = data;
	struct sip s = {
	    key->k0 ^ 0x736f6d6570736575,
	    key->k1 ^ 0x646f72616e646f6d,
	    key->k0 ^ 0x6c7967656e657261,
	    key->k1 ^ 0x7465646279746573,
	};

	for (size_t i = 0; i < len / 8; i++)
		sip_word(&s, load(p + 8 * i));
	sip_word(&s, (uint64_t)len << 56 | load_tail(p, len));
	s.v2 ^= 0xff;
	sip_round(&s);
	sip_round(&s);
	sip_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
