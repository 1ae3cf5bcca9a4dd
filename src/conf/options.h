/* options: the one table of words that command line, environment and file share. */
#ifndef DOTGATE_CONF_OPTIONS_H
#define DOTGATE_CONF_OPTIONS_H

#include <stdio.h>

#include "conf/config.h"

/* Octets of an error message: up to three paths, each at its longest (PATH_MAX), and what is
 * said of them. */
#define CONF_ERROR_MAX (3 * 4096 + 1024)

enum command {
	COMMAND_RUN,
	COMMAND_CHECK,
	COMMAND_HEALTH,
	COMMAND_HELP,
	COMMAND_OPTIONS,
	COMMAND_VERSION,
	COMMAND_CACHE,
	COMMAND_STATUS
};

/* Words behind a command. */
#define WORDS_MAX 3

struct invocation {
	enum command command;
	bool print; /* check -T: print the effective configuration */
	unsigned word_count;
	const char *words[WORDS_MAX]; /* behind COMMAND_CACHE, COMMAND_STATUS */
};

/*
 * Reads everything into C, which is all zeros: defaults, then the file, then the environment (DOTGATE_...,
 * DNSSERVER), then the command line; a repeatable option given in one place replaces that
 * of the places before it. The file is the one that --config or DOTGATE_CONFIG names (it
 * must exist), else /etc/dotgate/dotgate.conf if it exists. Returns 0, or -EINVAL with a
 * message that says where (file:line:column, the variable, or the option), what, and what
 * to do, with the nearest known word for an unknown one. What is allowed but hardly meant
 * is in C's warnings.
 */
int options_read(struct config *c, struct invocation *inv, int argc, char **argv,
		 char **environ, char error[CONF_ERROR_MAX]);

/* One screen of help. */
void options_print_help(FILE *out);

/* Every option. */
void options_print_all(FILE *out);

/* The effective configuration as a file that would give it again; without upstreams whose place a
 * route has taken. */
void options_print_config(FILE *out, const struct config *c);

#endif
