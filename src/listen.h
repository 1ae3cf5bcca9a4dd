/* listen: binds every configured address for every worker. */
#ifndef DOTGATE_LISTEN_H
#define DOTGATE_LISTEN_H

#include "worker.h"

/*
 * Binds UDP and TCP sockets of all addresses, a pair for each worker, and hands them
 * over. An IPv6 loopback or wildcard address on a machine without IPv6 is left out with a
 * warning, if another address works. Returns 0, or the program's exit code after saying
 * on stderr which address could not be had, why, and what to do.
 */
int listen_all(const struct config *c, struct worker *const *workers,
	       unsigned worker_count);

#endif
