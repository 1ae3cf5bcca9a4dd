/* cache: a bounded table from keys to records of octets, shared by all workers. */
#ifndef DOTGATE_CACHE_CACHE_H
#define DOTGATE_CACHE_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Lines of one cache line (64 octets) hold eight tags and eight numbers of blocks; records lie
 * in chains of 128-octet blocks. Both arrays are mapped once, so memory is bounded by
 * construction: when the blocks are used up, or a line is full, what is asked least gives
 * way. Each line has a lock of its own, held for one copy. Thread safe.
 */
struct cache;

/* The longest key. */
#define CACHE_KEY_MAX 264

/* The longest body: a longer one is not worth a lock held for its copy. */
#define CACHE_BODY_MAX 20480

/* The smallest size that is of use. */
#define CACHE_SIZE_MIN (256 * 1024)

/* What is kept beside a body. Only `body_len` and `heat` mean something to the cache. */
struct cache_meta {
	uint32_t stored; /* seconds, of the caller's clock */
	uint32_t ttl;	 /* seconds from `stored` on for which the body is fresh */
	uint32_t tried;	 /* when it could not be renewed; 0: never */
	uint16_t body_len;
	uint8_t kind;
	bool renewing; /* somebody has set out to renew it */
};

/* SIZE octets in all, rounded down to what the arrays can use; what is not used yet is not
 * touched. Returns 0, -EINVAL (below CACHE_SIZE_MIN) or -ENOMEM. */
int cache_new(struct cache **out, size_t size);
void cache_free(struct cache *c);

/* The hash of a key, from that of its question, which nobody outside may be able to foresee
 * (SipHash), and from the few bits behind it. */
static inline uint64_t cache_hash(uint64_t question, uint8_t bits)
{
	return question ^ (bits + 1u) * UINT64_C(0x9e3779b97f4a7c15);
}

/* A key and its hash; equal keys must have equal hashes. */
struct cache_key {
	uint64_t hash;
	const uint8_t *data; /* not owned */
	size_t len;
};

/*
 * Copies the body of the record with this key to BODY, which holds CACHE_BODY_MAX octets, and
 * its meta to M. *HEAT is how often it was asked for lately before (0 to 3). False: there is
 * none.
 */
bool cache_get(struct cache *c, const struct cache_key *key, struct cache_meta *m,
	       uint8_t *body, unsigned *heat);

/* Has the CPU fetch what cache_get() will touch first. */
void cache_prefetch(const struct cache *c, uint64_t hash);

/* Says whether a record may take the place of the one with the same key. */
typedef bool cache_replace_fn(const void *arg, const struct cache_meta *old,
			      const struct cache_meta *new);

/* Puts a record; in the place of one with the same key only if MAY (NULL: always) says so. False:
 * it was not put. */
bool cache_put(struct cache *c, const struct cache_key *key, const struct cache_meta *m,
	       const uint8_t *body, cache_replace_fn *may, const void *arg);

/* Has FN change the meta of a record, under its lock, and returns what FN does; false: there is
 * none. The body's length is not to be changed. */
typedef bool cache_change_fn(const void *arg, struct cache_meta *m);
bool cache_change(struct cache *c, const struct cache_key *key, cache_change_fn *fn,
		  const void *arg);

/* Takes away what FN says true of. Returns how many. */
typedef bool cache_match_fn(const void *arg, const uint8_t *key, size_t key_len);
uint64_t cache_remove(struct cache *c, cache_match_fn *fn, const void *arg);

/* Calls FN with a copy of every record, in no order. False from FN ends it. */
typedef bool cache_visit_fn(void *arg, const uint8_t *key, size_t key_len,
			    const struct cache_meta *m, const uint8_t *body);
void cache_each(struct cache *c, cache_visit_fn *fn, void *arg);

struct cache_stats {
	uint64_t entries;
	uint64_t bytes;	    /* that records and lines use now */
	uint64_t size;	    /* at most */
	uint64_t evictions; /* records that gave way since the start */
};
struct cache_stats cache_stats(struct cache *c);

#endif
