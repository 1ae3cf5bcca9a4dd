/* cache_persist: the cache is loaded in the background at the start, and saved at the end. */
#ifndef DOTGATE_DAEMON_CACHE_PERSIST_H
#define DOTGATE_DAEMON_CACHE_PERSIST_H

#include "base/hash.h"
#include "cache/cache.h"
#include "conf/config.h"

struct cache_persist;

/* The answers' limits that C says. */
struct answer_limits cache_persist_limits(const struct config *c);

/* Starts to load C's cache-file on a thread of its own. What goes wrong is logged. NULL: it will not
 * be loaded, nor saved. The arguments must outlive it. */
struct cache_persist *cache_persist_begin(struct cache *cache, const struct config *c,
					  const struct hash_key *key);

/* Saves the cache, and logs how that went. A file that was refused at the start is not written over.
 * NULL is right. */
void cache_persist_save(struct cache_persist *p);

/* Ends it. NULL is right. */
void cache_persist_end(struct cache_persist *p);

#endif
