/* cmdline: the command line, taken apart. */
#ifndef DOTGATE_CONF_CMDLINE_H
#define DOTGATE_CONF_CMDLINE_H

#include "conf/options.h"
#include "conf/table.h"

/* Options with a value on one command line: every list full, and each other option once.
 */
#define GIVEN_MAX                                                                        \
	(LISTEN_MAX + UPSTREAMS_MAX + ROUTES_CONF_MAX + TIME_GRACE_MAX + BOOTSTRAP_MAX + \
	 DISCOVER_MAX + OPTIONS)

struct given {
	const struct option *option;
	const char *value;
	char *joined; /* VALUE, if it was several words; NULL: it is one of ARGV's */
};

struct cmdline {
	struct invocation invocation;
	bool command_given;
	const char *config; /* of --config, or NULL */
	unsigned verbose;   /* times */
	unsigned count;
	struct given given[GIVEN_MAX]; /* those that set something, in their order */
};

/*
 * Takes --word VALUE, --word=VALUE, -l VALUE, -lVALUE, letters in one (-vT), one command,
 * and -- before it. The values that a file has in several words may be several arguments,
 * too: --route DOMAIN UPSTREAM, --policy race N, and KEY=VALUE behind an upstream. At help
 * and version it stops. Values may be those of ARGV, which must outlive OUT. Returns 0, and
 * OUT is to be freed, or -EINVAL with ERROR set.
 */
int cmdline_read(struct cmdline *out, int argc, char **argv, char error[CONF_ERROR_MAX]);

/* Frees what L owns. */
void cmdline_free(struct cmdline *l);

#endif
