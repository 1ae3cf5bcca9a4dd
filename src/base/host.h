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

#define HOST_TEXT_MAX ADDRESS_TEXT_MAX

/* "192.0.2.1", "2001:db8:0:1200::/56" or "fe80::1". Returns OUT. */
const char *host_text(const struct host *h, char out[HOST_TEXT_MAX]);

#endif
