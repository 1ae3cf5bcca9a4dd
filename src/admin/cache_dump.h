/* cache_dump: an answer of the cache for people to read. */
#ifndef DOTGATE_ADMIN_CACHE_DUMP_H
#define DOTGATE_ADMIN_CACHE_DUMP_H

#include <stdio.h>

#include "cache/cache.h"

/* A line about the answer, then one for each of its records. NOW as recall_seconds(). */
void cache_dump_entry(FILE *out, const uint8_t *key, size_t key_len,
		      const struct cache_meta *m, const uint8_t *body, uint32_t now);

#endif
