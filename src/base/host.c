/* host: the octets of an address that count. */
#include "base/host.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

/* Octets of an IPv6 address that a site does not choose by itself. */
#define SITE_BITS 56
#define SITE_OCTETS (SITE_BITS / 8)

/* As in ::ffff:192.0.2.1, which no /56 looks like. */
#define V4_MARK ((uint64_t)0xffff << 32)

static struct host host_of_v4(uint32_t address)
{
	return (struct host){.interface = V4_MARK | address};
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

const char *host_text(const struct host *h, char out[HOST_TEXT_MAX])
{
	struct in_addr v4 = {.s_addr = (uint32_t)h->interface};
	struct in6_addr v6 = {0};
	char text[INET6_ADDRSTRLEN] = "?";

	if (!h->network && (h->interface & V4_MARK) == V4_MARK) {
		(void)inet_ntop(AF_INET, &v4, out, HOST_TEXT_MAX);
		return out;
	}
	memcpy(v6.s6_addr, &h->network, 8);
	memcpy(v6.s6_addr + 8, &h->interface, 8);
	(void)inet_ntop(AF_INET6, &v6, text, sizeof text);
	if (h->interface)
		snprintf(out, HOST_TEXT_MAX, "%s", text);
	else
		snprintf(out, HOST_TEXT_MAX, "%s/%d", text, SITE_BITS);
	return out;
}
