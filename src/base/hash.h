/* hash: SipHash-1-3, keyed, so that who picks the names cannot pick the buckets. */
#ifndef DOTGATE_BASE_HASH_H
#define DOTGATE_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

struct hash_key {
	uint64_t k0, k1;
};

/* 64 bits of SipHash-1-3 over LEN bytes. */
uint64_t hash_bytes(const struct hash_key *key, const void *data, size_t len);

#endif
