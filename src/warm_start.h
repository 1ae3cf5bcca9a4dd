/* warm_start: the cache is loaded in the background at the start, and saved at the end. */
#ifndef DOTGATE_WARM_START_H
#define DOTGATE_WARM_START_H

#include "base/hash.h"
#include "cache/cache.h"
#include "conf/config.h"

struct warm_start;

/* The answers' limits that C says. */
struct answer_limits warm_start_limits(const struct config *c);

/* Starts to load C's cache-file on a thread of its own. What goes wrong is logged. NULL: it will not
 * be loaded, nor saved. The arguments must outlive it. */
struct warm_start *warm_start_begin(struct cache *cache, const struct config *c,
				    const struct hash_key *key);

/* Ends it; SAVED: the cache is saved. NULL is right. */
void warm_start_end(struct warm_start *w, bool saved);

#endif
