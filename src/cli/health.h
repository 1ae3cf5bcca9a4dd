/* health: does the daemon on this machine live? For a container's health check. */
#ifndef DOTGATE_CLI_HEALTH_H
#define DOTGATE_CLI_HEALTH_H

#include "conf/config.h"

/*
 * Sends a DNS header without a question to the first listen address (the loopback one for
 * all addresses) over UDP, and waits 2 seconds for the FORMERR that is due (RFC 9619):
 * this proves that the daemon's loop runs, and asks no upstream. Says on stdout that it
 * does, or on stderr what is wrong. Returns the exit code: 0 or 1.
 */
int cli_health(const struct config *c);

#endif
