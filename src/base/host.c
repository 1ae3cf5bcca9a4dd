/* host: the octets of an address that count. */
#include "base/host.h"

#include <string.h>

/* Octets of an IPv6 address that a site does not choose by itself. */
#define SITE_OCTETS (56 / 8)

static struct host host_of_v4(uint32_t address)
{
	/* as in ::ffff:192.0.2.1, which no /56 looks like */
	return (struct host){.interface = (uint64_t)0xffff << 32 | address};
}

struct host host_of(const struct address *a)
{
	const struct in6_addr *v6 = &a->v6.sin6_addr;
	struct host h = {0};
	uint32_t v4;

	if (a->any.sa_family != AF_INET6)
		return host_of_v4(a->v4.sin_addr.s_addr);
	if (IN6_IS_ADDR_V4MAPPED(v6)) {
		memcpy(&v4, v6->s6_addr + 12, sizeof v4);
		return host_of_v4(v4);
	}
	if (!IN6_IS_ADDR_LINKLOCAL(v6)) {
		memcpy(&h.network, v6, SITE_OCTETS);
		return h;
	}
	memcpy(&h.network, v6, sizeof h.network);
	memcpy(&h.interface, v6->s6_addr + 8, sizeof h.interface);
	return h;
}
