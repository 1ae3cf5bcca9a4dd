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

struct warm_start {
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

struct answer_limits warm_start_limits(const struct config *c)
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
	struct warm_start *w = arg;
	const char *path = w->config->cache_file;
	int64_t r = cache_load(w->cache, path, &w->load);

	if (r >= 0)
		log_line(LOG_NOTICE, "cache-file %s: %" PRId64 " answers loaded", path,
			 r);
	else if (r != -ENOENT)
		log_line(LOG_WARNING, "cache-file %s: %s", path, cache_file_error(r));
	w->refused = r < 0 && is_there(path);
	return NULL;
}

static void wait_until_loaded(struct warm_start *w)
{
	if (!w->joined)
		pthread_join(w->thread, NULL);
	w->joined = true;
}

struct warm_start *warm_start_begin(struct cache *cache, const struct config *c,
				    const struct hash_key *key)
{
	struct warm_start *w = calloc(1, sizeof *w);

	if (!w)
		return NULL;
	*w = (struct warm_start){
	    .cache = cache,
	    .config = c,
	    .load = {.key = key, .limits = warm_start_limits(c), .clock = read_clocks()}};
	if (pthread_create(&w->thread, NULL, load, w) == 0)
		return w;
	free(w);
	return NULL;
}

void warm_start_save(struct warm_start *w)
{
	const struct cache_clock clock = read_clocks();
	const char *path;
	int64_t r;

	if (!w)
		return;
	path = w->config->cache_file;
	wait_until_loaded(w);
	if (w->refused) {
		log_line(LOG_WARNING,
			 "cache-file %s: not saved: what is there was not loaded, and is "
			 "left as it is",
			 path);
		return;
	}
	r = cache_save(w->cache, path, &clock);
	if (r < 0)
		log_line(LOG_WARNING, "cache-file %s: not saved: %s", path,
			 cache_file_error(r));
	else
		log_line(LOG_NOTICE, "cache-file %s: %" PRId64 " answers saved", path, r);
}

void warm_start_end(struct warm_start *w)
{
	if (!w)
		return;
	wait_until_loaded(w);
	free(w);
}
