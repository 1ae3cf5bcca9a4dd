/* listeners: binds every configured address for every worker. */
#ifndef DOTGATE_DAEMON_LISTENERS_H
#define DOTGATE_DAEMON_LISTENERS_H

#include "daemon/worker.h"

/*
 * Binds UDP and TCP sockets of all addresses, a pair for each worker, and hands them
 * over. An IPv6 loopback or wildcard address on a machine without IPv6 is taken out of C, with a
 * warning, if another address is left. Returns 0, or the program's exit code after saying
 * on stderr which address could not be had, why, and what to do.
 */
int listeners_bind(struct config *c, struct worker *const *workers,
		   unsigned worker_count);

/* What listeners_check() calls with a text. */
struct listeners_sayings {
	void (*error)(const char *text);   /* the daemon would not start */
	void (*warning)(const char *text); /* it would, without this address */
};

/*
 * Tries whether listeners_bind() would get all addresses of C, and the HTTP pages theirs. A port that
 * a running dotgate has is no error: that is the one whose place the next one takes. Returns
 * true if there was no error.
 */
bool listeners_check(const struct config *c, const struct listeners_sayings *say);

#endif
