/* check: is the configuration good? */
#include "cli/check.h"

#include <stdio.h>

#include "conf/options.h"
#include "net/tls.h"

enum { EXIT_GOOD = 0, EXIT_CONFIGURATION = 2 };

static bool check_upstream(const struct config *c, unsigned i)
{
	char name[UPSTREAM_TEXT_MAX];
	char error[TLS_DETAIL_MAX] = "";
	struct tls_peer *peer = NULL;
	struct tls_trust trust;
	bool good;

	upstream_text(&c->upstream[i], false, name);
	config_trust(c, i, &trust);
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

static const char *plural(unsigned n, const char *ending)
{
	return n == 1 ? "" : ending;
}

int cli_check(const struct config *c, bool print)
{
	bool good = true;

	for (unsigned i = 0; i < c->upstream_count; i++)
		good = check_upstream(c, i) && good;
	if (!good)
		return EXIT_CONFIGURATION;
	if (print)
		options_print_config(stdout, c);
	else
		printf("dotgate: OK: %u listen address%s, %u upstream%s\n",
		       c->listen_count, plural(c->listen_count, "es"), c->upstream_count,
		       plural(c->upstream_count, "s"));
	return EXIT_GOOD;
}
