/* commands: looking into the cache, emptying it, the state of the upstreams. */
#include "admin/commands.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "admin/cache_dump.h"
#include "admin/status.h"
#include "cache/answer.h"
#include "dns/message.h"
#include "dns/octets.h"
#include "dns/qtype.h"
#include "proxy/recall.h"
#include "telemetry/totals.h"

/* ---- stats ---- */

void commands_cache_numbers(void *arg, struct cache_numbers *out)
{
	struct cache_stats s = cache_stats(arg);

	*out = (struct cache_numbers){s.entries, s.bytes, s.size, s.evictions};
}

static void put(FILE *out, const char *what, uint64_t n)
{
	fprintf(out, "%-12s %" PRIu64 "\n", what, n);
}

static bool stats(const struct commands *c, FILE *out)
{
	struct cache_stats s = cache_stats(c->cache);
	struct metrics totals;
	uint64_t asked, stale = 0;

	totals_make(&totals, c->sources);
	for (unsigned rcode = 0; rcode < METRIC_RCODES; rcode++)
		stale += totals.responses[rcode][SOURCE_STALE];
	asked = totals.cache_hits + totals.cache_misses;
	put(out, "entries", s.entries);
	put(out, "bytes", s.bytes);
	put(out, "size", s.size);
	put(out, "hits", totals.cache_hits);
	put(out, "misses", totals.cache_misses);
	fprintf(out, "%-12s %.1f %%\n", "hit rate",
		asked ? 100.0 * (double)totals.cache_hits / (double)asked : 0.0);
	put(out, "stale", stale);
	put(out, "prefetches", totals.prefetches);
	put(out, "evictions", s.evictions);
	return true;
}

/* ---- names ---- */

struct name {
	uint8_t octets[NAME_MAX_LEN];
	size_t len;
};

static bool read_name(struct name *n, const char *text, FILE *out)
{
	uint8_t octets[NAME_MAX_LEN];

	n->len = name_parse(octets, text);
	if (n->len == 0) {
		fprintf(out, "'%.300s' is no domain name\n", text);
		return false;
	}
	name_lower(n->octets, octets, n->len);
	return true;
}

/* Names that end with N at a label's start. */
static bool is_below(const void *arg, const uint8_t *key, size_t key_len)
{
	const struct name *n = arg;
	size_t len = key_len - 5, at = 0; /* type, class, bits */

	while (len - at > n->len)
		at += key[at] + 1u;
	return len - at == n->len && memcmp(key + at, n->octets, n->len) == 0;
}

static bool is_any(const void *arg, const uint8_t *key, size_t key_len)
{
	(void)arg;
	(void)key;
	(void)key_len;
	return true;
}

static bool flush(const struct commands *c, const char *what, FILE *out)
{
	uint64_t gone;
	struct name n;

	if (!what || strcmp(what, "all") == 0) {
		gone = cache_remove(c->cache, is_any, NULL);
	} else {
		if (!read_name(&n, what, out))
			return false;
		gone = cache_remove(c->cache, is_below, &n);
	}
	fprintf(out, "%" PRIu64 " answer%s forgotten\n", gone, gone == 1 ? "" : "s");
	return true;
}

/* ---- show ---- */

struct search {
	struct name name;
	uint32_t now;
	FILE *out;
	unsigned found;
};

static bool show_match(void *arg, const uint8_t *key, size_t key_len,
		       const struct cache_meta *m, const uint8_t *body)
{
	struct search *s = arg;

	if (key_len - 5 != s->name.len || memcmp(key, s->name.octets, s->name.len) != 0)
		return true;
	s->found++;
	cache_dump_entry(s->out, key, key_len, m, body, s->now);
	return true;
}

static bool show(const struct commands *c, const char *what, FILE *out)
{
	struct search s = {.out = out};
	struct timespec t;

	if (!read_name(&s.name, what, out))
		return false;
	clock_gettime(CLOCK_BOOTTIME, &t);
	s.now = recall_seconds((uint64_t)t.tv_sec * 1000000);
	cache_each(c->cache, show_match, &s);
	if (s.found == 0)
		fprintf(out, "nothing of %.300s is in the cache\n", what);
	return true;
}

/* ---- health ---- */

/* Says where the daemon listens, an address a line, for the health check to ask there. False: it is not
 * well, and why. */
static bool run_health(const struct commands *c, FILE *out)
{
	char text[ADDRESS_TEXT_MAX];
	struct timespec t;
	int stuck;

	clock_gettime(CLOCK_MONOTONIC, &t);
	stuck = liveness_stuck(c->liveness, (uint64_t)t.tv_sec * 1000000);
	if (stuck >= 0) {
		fprintf(out, "worker %d has not moved for %d s or more\n", stuck,
			LIVENESS_STUCK_US / 1000000);
		return false;
	}
	for (unsigned i = 0; i < c->config->listen_count; i++)
		fprintf(out, "%s\n", address_text(&c->config->listen[i], text));
	return true;
}

/* ---- all ---- */

static bool run_cache(const struct commands *c, unsigned count, char *const *words,
		      FILE *out)
{
	if (!c->cache) {
		fputs("the cache is off (cache-size 0)\n", out);
		return false;
	}
	if (count == 1 && strcmp(words[0], "stats") == 0)
		return stats(c, out);
	if (count == 2 && strcmp(words[0], "show") == 0)
		return show(c, words[1], out);
	if (count >= 1 && count <= 2 && strcmp(words[0], "flush") == 0)
		return flush(c, count == 2 ? words[1] : NULL, out);
	fputs("the words are: cache stats | show NAME | flush [NAME | all]\n", out);
	return false;
}

static bool run_status(const struct commands *c, unsigned count, char *const *words,
		       FILE *out)
{
	bool json = count == 1 && strcmp(words[0], "--json") == 0;

	if (count > 0 && !json) {
		fputs("the words are: status [--json]\n", out);
		return false;
	}
	status_print(out, c->forwarding, c->sources, json);
	return true;
}

bool commands_run(void *arg, unsigned count, char *const *words, FILE *out)
{
	if (count >= 1 && strcmp(words[0], "cache") == 0)
		return run_cache(arg, count - 1, words + 1, out);
	if (count >= 1 && strcmp(words[0], "status") == 0)
		return run_status(arg, count - 1, words + 1, out);
	if (count == 1 && strcmp(words[0], "health") == 0)
		return run_health(arg, out);
	fprintf(out, "unknown command '%.100s'\n", count ? words[0] : "");
	return false;
}
