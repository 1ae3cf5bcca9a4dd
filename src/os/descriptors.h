/* descriptors: how many files this process may open, shared out before anything is. */
#ifndef DOTGATE_OS_DESCRIPTORS_H
#define DOTGATE_OS_DESCRIPTORS_H

#include "conf/config.h"

/* Sockets that one worker can have towards one upstream: over TLS, those that take queries and
 * those that end; in the clear, one for each query. With as many all is well; with as few as the
 * least it still works. */
#define DESCRIPTORS_TLS 33
#define DESCRIPTORS_TLS_LEAST 2
#define DESCRIPTORS_PLAIN 256
#define DESCRIPTORS_PLAIN_LEAST 8

/* Who needs descriptors besides TCP clients. */
struct descriptor_users {
	unsigned workers;
	unsigned
	    listeners; /* addresses: each worker has a UDP and a TCP socket for each */
	unsigned tls, plain; /* upstreams, those of routes included */
	bool http;
};

/*
 * How many TCP clients there is room for under LIMIT descriptors. What the others need at most is
 * kept for them; where that leaves clients less than half, clients get that half, but for what
 * the others cannot do without. A few clients are served at any rate.
 */
unsigned long descriptors_for_clients(unsigned long limit,
				      const struct descriptor_users *u);

/* Raises the soft limit to the hard one and, if that is still too low for the configured
 * number of TCP clients, lowers that number; says so in the log. */
void descriptors_fit(struct config *c, const struct descriptor_users *u);

#endif
