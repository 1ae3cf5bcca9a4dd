/* address: an IP address with a port, and its text. */
#include "base/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

/* Digits of an interface index, which is a positive int. */
#define INDEX_DIGITS_MAX 9

/* The index that NAME, an interface's name or number, has on this machine; 0: none. */
static unsigned interface_index(const char *name)
{
	size_t digits = strspn(name, "0123456789");
	char found[IF_NAMESIZE];
	unsigned index = 0;

	if (name[digits] != 0 || digits > INDEX_DIGITS_MAX)
		return if_nametoindex(name);
	for (size_t i = 0; i < digits; i++)
		index = index * 10 + (unsigned)(name[i] - '0');
	return if_indextoname(index, found) ? index : 0;
}

static int parse_v6(struct address *a, char *text, uint16_t port)
{
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	char *scope = strchr(text, '%');

	if (scope)
		*scope++ = 0;
	if (inet_pton(AF_INET6, text, &v6.sin6_addr) != 1)
		return -EINVAL;
	/* any other address means the same on every interface */
	if (scope && (!IN6_IS_ADDR_LINKLOCAL(&v6.sin6_addr) || *scope == 0))
		return -EINVAL;
	if (scope) {
		v6.sin6_scope_id = interface_index(scope);
		if (v6.sin6_scope_id == 0)
			return -ENODEV;
	}
	memset(a, 0, sizeof *a);
	a->v6 = v6;
	return 0;
}

int address_parse_ip(struct address *a, const char *text, size_t len, uint16_t port)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
	char copy[ADDRESS_TEXT_MAX];

	if (len >= sizeof copy || memchr(text, 0, len))
		return -EINVAL;
	memcpy(copy, text, len);
	copy[len] = 0;
	if (inet_pton(AF_INET, copy, &v4.sin_addr) != 1)
		return parse_v6(a, copy, port);
	memset(a, 0, sizeof *a);
	a->v4 = v4;
	return 0;
}

const char *address_ip_text(const struct address *a, char out[ADDRESS_TEXT_MAX])
{
	char name[IF_NAMESIZE];
	size_t n;

	if (a->any.sa_family == AF_INET)
		return inet_ntop(AF_INET, &a->v4.sin_addr, out, ADDRESS_TEXT_MAX);
	if (a->any.sa_family != AF_INET6)
		return strcpy(out, "unknown");
	inet_ntop(AF_INET6, &a->v6.sin6_addr, out, ADDRESS_TEXT_MAX);
	n = strlen(out);
	if (a->v6.sin6_scope_id == 0)
		return out;
	if (if_indextoname(a->v6.sin6_scope_id, name))
		snprintf(out + n, ADDRESS_TEXT_MAX - n, "%%%s", name);
	else
		snprintf(out + n, ADDRESS_TEXT_MAX - n, "%%%u", a->v6.sin6_scope_id);
	return out;
}

const char *address_text(const struct address *a, char out[ADDRESS_TEXT_MAX])
{
	bool v6 = a->any.sa_family == AF_INET6;
	char ip[ADDRESS_TEXT_MAX];

	address_ip_text(a, ip);
	/* an IPv6 address with its scope has 45 + 1 + 15 characters at most */
	snprintf(out, ADDRESS_TEXT_MAX, v6 ? "[%.61s]:%u" : "%.61s:%u", ip,
		 address_port(a));
	return out;
}

uint16_t address_port(const struct address *a)
{
	return ntohs(a->any.sa_family == AF_INET6 ? a->v6.sin6_port : a->v4.sin_port);
}

bool address_same_ip(const struct address *a, const struct address *b)
{
	if (a->any.sa_family != b->any.sa_family)
		return false;
	if (a->any.sa_family != AF_INET6)
		return a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
	return a->v6.sin6_scope_id == b->v6.sin6_scope_id &&
	       IN6_ARE_ADDR_EQUAL(&a->v6.sin6_addr, &b->v6.sin6_addr);
}

bool address_equal(const struct address *a, const struct address *b)
{
	return address_same_ip(a, b) && address_port(a) == address_port(b);
}

bool address_is_wildcard(const struct address *a)
{
	if (a->any.sa_family == AF_INET6)
		return IN6_IS_ADDR_UNSPECIFIED(&a->v6.sin6_addr);
	return a->v4.sin_addr.s_addr == htonl(INADDR_ANY);
}
