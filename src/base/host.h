/* host: what is counted as one client: an address, or the prefix that a site is given. */
#ifndef DOTGATE_BASE_HOST_H
#define DOTGATE_BASE_HOST_H

#include "base/address.h"

/*
 * An IPv4 address, or an IPv6 /56 (RFC 6177: all of it belongs to one site); on a link, where all
 * hosts share fe80::/64, the whole address. Equal hosts have equal octets.
 */
struct host {
	uint64_t network, interface;
};

struct host host_of(const struct address *a);

#endif
