/* check: is the configuration good? */
#include "cli/check.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "cache/cache.h"
#include "conf/options.h"
#include "daemon/listeners.h"
#include "daemon/preflight.h"
#include "forwarding/bootstrap.h"
#include "forwarding/forwarding.h"
#include "net/tls.h"

enum { EXIT_GOOD = 0, EXIT_CONFIGURATION = 2 };

static bool check_upstream(const struct config *c, const struct upstream_conf *u)
{
	char name[UPSTREAM_TEXT_MAX];
	char error[TLS_ERROR_MAX] = "";
	struct tls_peer *peer = NULL;
	struct tls_trust trust;
	bool good;

	upstream_text(u, false, name);
	if (u->plain) {
		fprintf(stderr,
			"dotgate: warning: %s: not encrypted: whoever is on the way can "
			"read and change all of it\n",
			name);
		return true;
	}
	config_trust(c, u, &trust);
	good = tls_peer_new(&peer, &trust, error) == 0;
	if (good)
		tls_peer_free(peer);
	else
		fprintf(stderr, "dotgate: %s: %s\n", name, error);
	if (trust.auth == TLS_AUTH_NONE)
		fprintf(stderr,
			"dotgate: warning: %s: auth=none: whoever is on the way can read "
			"and change the answers\n",
			name);
	return good;
}

/* How many different ones there are. A copy (time-grace) has the addresses of its original. */
static unsigned count_upstreams(const struct forwarding *f)
{
	unsigned n = 0;

	for (unsigned i = 0; i < f->count; i++)
		n += f->pool[i].addresses == &f->addresses[i];
	return n;
}

/* What is wrong with all of them together. COUNT: how many there are. */
static bool check_together(const struct config *c, unsigned *count)
{
	struct forwarding *f = malloc(sizeof *f);
	char error[FORWARDING_ERROR_MAX] = "out of memory";
	bool good;

	log_set_level(LOG_ERROR); /* what is not safe has been told */
	good =
	    f && forwarding_make(f, c, error) == 0 && bootstrap_check(f, c, error) == 0;
	if (!good)
		fprintf(stderr, "dotgate: %s\n", error);
	else
		*count = count_upstreams(f);
	if (f)
		forwarding_free(f);
	free(f);
	return good;
}

static void warn(const char *text)
{
	fprintf(stderr, "dotgate: warning: %s\n", text);
}

static void complain(const char *text)
{
	fprintf(stderr, "dotgate: %s\n", text);
}

static bool check_memory(const struct config *c)
{
	struct cache *cache = NULL;

	if (c->cache_size && cache_new(&cache, c->cache_size) < 0) {
		complain("no memory for the cache: lower cache-size");
		return false;
	}
	cache_free(cache);
	return true;
}

/* Does this machine have what the daemon would need? */
static bool check_machine(const struct config *c)
{
	const struct listeners_sayings say = {complain, warn};
	bool libraries = preflight_libraries(c, complain);
	bool files = preflight_files(c, complain);
	bool control = preflight_control(c, complain);
	bool ports = listeners_check(c, &say);

	return check_memory(c) && libraries && files && control && ports;
}

static const char *plural(unsigned n, const char *ending)
{
	return n == 1 ? "" : ending;
}

int cli_check(const struct config *c, bool print)
{
	bool good = true;
	unsigned count = 0;

	warnings_each(&c->warnings, warn);
	for (unsigned i = 0; i < config_upstreams(c); i++)
		good = check_upstream(c, &c->upstream[i]) && good;
	for (unsigned i = 0; i < c->route_count; i++)
		good = check_upstream(c, &c->route[i].upstream) && good;
	good = good && check_together(c, &count);
	if (!check_machine(c) || !good)
		return EXIT_CONFIGURATION;
	if (print)
		options_print_config(stdout, c);
	else
		printf("dotgate: OK: %u listen address%s, %u upstream%s\n",
		       c->listen_count, plural(c->listen_count, "es"), count,
		       plural(count, "s"));
	return EXIT_GOOD;
}
