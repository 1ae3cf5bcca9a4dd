/* cache_persist: one thread that loads; saving is done by who ends the daemon. */
#include "daemon/cache_persist.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "base/log.h"
#include "cache/file.h"
#include "proxy/recall.h"

struct cache_persist {
	struct cache *cache;
	const struct config *config;
	struct cache_load load;
	pthread_t thread;
	bool joined;
	bool refused; /* the file was not loaded, and is there still */
};

static uint32_t seconds(uint64_t us)
{
	return (uint32_t)(us / 1000000);
}

struct answer_limits cache_persist_limits(const struct config *c)
{
	return (struct answer_limits){.ttl_min = seconds(c->ttl_min_us),
				      .ttl_max = seconds(c->ttl_max_us),
				      .negative_ttl_max = seconds(c->negative_ttl_max_us),
				      .failure_ttl = seconds(c->failure_ttl_us)};
}

static struct cache_clock read_clocks(void)
{
	struct timespec boot, wall;

	clock_gettime(CLOCK_BOOTTIME, &boot);
	clock_gettime(CLOCK_REALTIME, &wall);
	return (struct cache_clock){
	    .now = recall_seconds((uint64_t)boot.tv_sec * 1000000), .wall = wall.tv_sec};
}

static bool is_there(const char *path)
{
	struct stat s;

	return lstat(path, &s) == 0 || errno != ENOENT;
}

static void *load(void *arg)
{
	struct cache_persist *p = arg;
	const char *path = p->config->cache_file;
	int64_t r = cache_load(p->cache, path, &p->load);

	if (r >= 0)
		log_line(LOG_NOTICE, "cache-file %s: %" PRId64 " answers loaded", path,
			 r);
	else if (r != -ENOENT)
		log_line(LOG_WARNING, "cache-file %s: %s", path, cache_file_error(r));
	p->refused = r < 0 && is_there(path);
	return NULL;
}

static void wait_until_loaded(struct cache_persist *p)
{
	if (!p->joined)
		pthread_join(p->thread, NULL);
	p->joined = true;
}

struct cache_persist *cache_persist_begin(struct cache *cache, const struct config *c,
					  const struct hash_key *key)
{
	struct cache_persist *p = calloc(1, sizeof *p);

	if (!p)
		return NULL;
	*p = (struct cache_persist){.cache = cache,
				    .config = c,
				    .load = {.key = key,
					     .limits = cache_persist_limits(c),
					     .clock = read_clocks()}};
	if (pthread_create(&p->thread, NULL, load, p) == 0)
		return p;
	free(p);
	return NULL;
}

void cache_persist_save(struct cache_persist *p)
{
	const struct cache_clock clock = read_clocks();
	const char *path;
	int64_t r;

	if (!p)
		return;
	path = p->config->cache_file;
	wait_until_loaded(p);
	if (p->refused) {
		log_line(LOG_WARNING,
			 "cache-file %s: not saved: what is there was not loaded, and is "
			 "left as it is",
			 path);
		return;
	}
	r = cache_save(p->cache, path, &clock);
	if (r < 0)
		log_line(LOG_WARNING, "cache-file %s: not saved: %s", path,
			 cache_file_error(r));
	else
		log_line(LOG_NOTICE, "cache-file %s: %" PRId64 " answers saved", path, r);
}

void cache_persist_end(struct cache_persist *p)
{
	if (!p)
		return;
	wait_until_loaded(p);
	free(p);
}
