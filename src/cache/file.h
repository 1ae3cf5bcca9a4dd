/* file: the cache on disk, from one start to the next. */
#ifndef DOTGATE_CACHE_FILE_H
#define DOTGATE_CACHE_FILE_H

#include <stdio.h>

#include "base/hash.h"
#include "cache/answer.h"
#include "cache/cache.h"

/*
 * A file of this machine for this machine: a header (what it is, version, byte order, wall
 * clock, number of answers), the answers, a checksum over all before it. Nothing in it is trusted
 * for that: each answer is made a message again, read as one from an upstream would be, and packed
 * anew before it is put; and nothing takes the place of what is in the cache already.
 */

struct cache_clock {
	uint32_t now; /* seconds, as the cache's `stored` */
	int64_t wall; /* seconds since 1970 */
};

/* Writes PATH by state_file_write(). Returns the number of answers, or -errno; what was at PATH is then as
 * it was. */
int64_t cache_save(struct cache *c, const char *path, const struct cache_clock *clock);

struct cache_load {
	const struct hash_key *key; /* of the questions' hashes */
	struct answer_limits limits;
	struct cache_clock clock;
};

/*
 * Reads PATH. Answers are older by the time that has passed by the wall clock; if that went
 * backwards, all are out of date (of use as stale answers only). Returns the number of answers;
 * -ENOENT: there is no file; -EPERM: others may write to it, or it is nobody's we trust;
 * -EBADMSG: damaged, or not of this program; -EPROTO: another version; -EFBIG: larger than the
 * cache. After the last three the file has been set aside as PATH.bad.
 */
int64_t cache_load(struct cache *c, const char *path, const struct cache_load *o);

/* The same from a stream of which SIZE octets are there, without setting aside. */
int64_t cache_load_stream(struct cache *c, FILE *in, uint64_t size,
			  const struct cache_load *o);

/* The checksum of the LEN octets from the start of IN on. */
uint64_t cache_file_sum(FILE *in, uint64_t len);

/* What went wrong, in words. */
const char *cache_file_error(int64_t error);

#endif
