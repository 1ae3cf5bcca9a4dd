/* endpoint: an address or host name with its port. */
#include "conf/endpoint.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PORT_DIGITS_MAX 5
#define PORT_MAX 65535u

/* The host that is not in brackets ends at @, or at its only colon: with more of them it
 * is an IPv6 address without a port. */
static size_t bare_host_len(struct span text)
{
	const char *at = text.len ? memchr(text.at, '@', text.len) : NULL;
	const char *colon = text.len ? memchr(text.at, ':', text.len) : NULL;

	if (at)
		return (size_t)(at - text.at);
	if (!colon || memrchr(text.at, ':', text.len) != colon)
		return text.len;
	return (size_t)(colon - text.at);
}

/* What follows the ] of [HOST]; *REST is then what follows a %WORD there. */
static int split_brackets(struct endpoint *e, struct span text, struct span *rest,
			  struct fault *f)
{
	struct span inner = {text.at + 1, text.len - 1};
	struct span after;
	size_t n = 0;

	if (!span_cut(&inner, ']', &after))
		return fault_set(f, text.at, "'[' without ']'");
	e->host = inner;
	*rest = after;
	if (rest->len == 0 || *rest->at != '%')
		return 0;
	while (n < rest->len && !strchr(":@", rest->at[n]))
		n++;
	e->percent = (struct span){rest->at + 1, n - 1};
	*rest = (struct span){rest->at + n, rest->len - n};
	return 0;
}

int endpoint_split(struct endpoint *e, struct span text, struct fault *f)
{
	struct endpoint new = {0};
	struct span rest;
	struct span scope;

	if (text.len > 0 && *text.at == '[') {
		if (split_brackets(&new, text, &rest, f) != 0)
			return -EINVAL;
	} else {
		new.host = (struct span){text.at, bare_host_len(text)};
		rest = (struct span){text.at + new.host.len, text.len - new.host.len};
	}
	if (span_cut(&new.host, '%', &scope)) {
		if (new.percent.at)
			return fault_set(f, new.percent.at, "a second '%%'");
		new.percent = scope;
	}
	if (rest.len > 0) {
		if (!strchr(":@", *rest.at))
			return fault_set(f, rest.at, "'%.*s' behind ']'",
					 span_shown(rest), rest.at);
		new.port = (struct span){rest.at + 1, rest.len - 1};
		span_cut(&new.port, '%', &new.interface);
	}
	*e = new;
	return 0;
}

int endpoint_port(uint16_t *port, struct span text, struct fault *f)
{
	unsigned value = 0;
	size_t i = 0;

	for (; i < text.len && i < PORT_DIGITS_MAX; i++) {
		if (text.at[i] < '0' || text.at[i] > '9')
			break;
		value = value * 10 + (unsigned)(text.at[i] - '0');
	}
	if (i == 0 || i != text.len || value == 0 || value > PORT_MAX)
		return fault_set(f, text.at, "bad port '%.*s': a number from 1 to 65535",
				 span_shown(text), text.at);
	*port = (uint16_t)value;
	return 0;
}

bool endpoint_is_ip(const struct endpoint *e)
{
	struct address a;

	return address_parse_ip(&a, e->host.at, e->host.len, 0) == 0;
}

bool endpoint_is_link_local(const struct address *a)
{
	return a->any.sa_family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&a->v6.sin6_addr);
}

static int with_interface(struct address *a, const struct endpoint *e, uint16_t port,
			  struct fault *f)
{
	struct span scope = e->interface.at ? e->interface : e->percent;
	char text[ADDRESS_TEXT_MAX];
	int r = -EINVAL;

	if (e->interface.at && e->percent.at)
		return fault_set(f, e->interface.at, "a second interface");
	if (!scope.at)
		return fault_set(f, e->host.at,
				 "a link-local address needs its interface: %.*s%%eth0",
				 span_shown(e->host), e->host.at);
	if (e->host.len + 1 + scope.len < sizeof text) {
		snprintf(text, sizeof text, "%.*s%%%.*s", (int)e->host.len, e->host.at,
			 (int)scope.len, scope.at);
		r = address_parse_ip(a, text, strlen(text), port);
	}
	if (r != 0)
		return fault_set(f, scope.at, "no interface '%.*s' on this machine",
				 span_shown(scope), scope.at);
	return 0;
}

int endpoint_address(struct address *a, const struct endpoint *e, uint16_t port,
		     struct fault *f)
{
	struct address new;

	if (e->port.at && endpoint_port(&port, e->port, f) != 0)
		return -EINVAL;
	if (address_parse_ip(&new, e->host.at, e->host.len, port) != 0)
		return fault_set(f, e->host.at, "'%.*s' is no IP address",
				 span_shown(e->host), e->host.at);
	if (endpoint_is_link_local(&new)) {
		if (with_interface(&new, e, port, f) != 0)
			return -EINVAL;
	} else if (e->interface.at) {
		return fault_set(f, e->interface.at - 1,
				 "'%%%.*s': only link-local addresses (fe80::...) take "
				 "an interface",
				 span_shown(e->interface), e->interface.at);
	}
	*a = new;
	return 0;
}
