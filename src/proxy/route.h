/* route: which group of upstreams serves a name. */
#ifndef DOTGATE_PROXY_ROUTE_H
#define DOTGATE_PROXY_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns/name.h"

/* What is configured (64), and the names of time servers. */
#define ROUTES_MAX 72

/* The names at and below `domain`, which is not the root, belong to a group of upstreams (upstream/pool.h). */
struct route {
	uint8_t domain[NAME_MAX_LEN]; /* wire format, lower case */
	size_t len;
	unsigned group;
};

/* Built once, then constant. */
struct routes {
	unsigned count;
	struct route all[ROUTES_MAX];
};

/* The route of the longest domain that NAME (wire format, lower case, LEN octets) is in; NULL: none
 * is, and the first group serves it. The same domain twice: the first. */
const struct route *routes_find(const struct routes *r, const uint8_t *name, size_t len);

#endif
