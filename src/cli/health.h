/* health: does the daemon on this machine live? For a container's health check. */
#ifndef DOTGATE_CLI_HEALTH_H
#define DOTGATE_CLI_HEALTH_H

#include "conf/config.h"

/*
 * Asks the daemon over its control socket whether its workers move and where it listens; without a
 * response, or if C's `listen` is from the command line, that is where C says. Then sends a DNS header
 * without a question to all these addresses (the loopback one for all addresses) over UDP, and waits 2
 * seconds for the FORMERR that is due (RFC 9619): this proves that a worker's loop runs, and asks no
 * upstream. Says on stdout who answers, or on stderr what is wrong. Returns the exit code: 0 or 1.
 */
int cli_health(const struct config *c);

#endif
