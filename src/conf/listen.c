/* listen: the addresses at which dotgate is reached, as option values. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "conf/endpoint.h"
#include "conf/table.h"
#include "conf/value.h"

/* RFC 1035 section 4.2. */
#define DNS_PORT 53

static bool all_digits(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.at[i] < '0' || s.at[i] > '9')
			return false;
	return s.len > 0;
}

/* Reads one IP address with its port. */
static int read_address(struct address *a, const struct endpoint *e, struct fault *f)
{
	if (endpoint_address(a, e, DNS_PORT, f) != 0)
		return -EINVAL;
	if (e->percent.at && !endpoint_is_link_local(a))
		return fault_set(
		    f, e->percent.at - 1,
		    "only link-local addresses (fe80::...) take an interface");
	if (a->any.sa_family == AF_INET6 && (IN6_IS_ADDR_MULTICAST(&a->v6.sin6_addr) ||
					     IN6_IS_ADDR_V4MAPPED(&a->v6.sin6_addr)))
		return fault_set(f, e->host.at, "no address to listen at");
	if (a->any.sa_family == AF_INET && ntohl(a->v4.sin_addr.s_addr) >> 28 == 0xe)
		return fault_set(f, e->host.at, "a multicast address");
	return 0;
}

static int append(struct config *c, const struct address *a, unsigned n, const char *text,
		  struct fault *f)
{
	if (c->listen_count + n > LISTEN_MAX)
		return fault_set(f, text, "more than %d listen addresses", LISTEN_MAX);
	memcpy(&c->listen[c->listen_count], a, n * sizeof *a);
	c->listen_count += n;
	return 0;
}

/* Both families at once: this machine only, or all addresses. */
static int append_pair(struct config *c, struct span port, bool all, const char *text,
		       struct fault *f)
{
	const char *v4 = all ? "0.0.0.0" : "127.0.0.1";
	const char *v6 = all ? "::" : "::1";
	uint16_t number = DNS_PORT;
	struct address pair[2];

	if (port.at && endpoint_port(&number, port, f) != 0)
		return -EINVAL;
	if (address_parse_ip(&pair[0], v4, strlen(v4), number) != 0 ||
	    address_parse_ip(&pair[1], v6, strlen(v6), number) != 0)
		return -EINVAL;
	return append(c, pair, 2, text, f);
}

static int read_listen(struct config *c, const struct option *o, const char *text,
		       struct fault *f)
{
	struct endpoint e;
	struct address a;

	(void)o;
	if (all_digits(span_of(text)))
		return append_pair(c, span_of(text), false, text, f);
	if (endpoint_split(&e, span_of(text), f) != 0)
		return -EINVAL;
	if (e.host.len == 0 && !e.percent.at && !e.interface.at && e.port.at)
		return append_pair(c, e.port, false, text, f);
	if (span_is(e.host, "*") && !e.percent.at && !e.interface.at)
		return append_pair(c, e.port, true, text, f);
	if (read_address(&a, &e, f) != 0)
		return -EINVAL;
	return append(c, &a, 1, text, f);
}

static bool listen_text(const struct config *c, const struct option *o, unsigned i,
			char out[VALUE_TEXT_MAX])
{
	char text[ADDRESS_TEXT_MAX];

	(void)o;
	if (i >= c->listen_count)
		return false;
	strcpy(out, address_text(&c->listen[i], text));
	return true;
}

static bool same_listen(const struct config *c, unsigned i, unsigned j)
{
	return address_equal(&c->listen[i], &c->listen[j]);
}

static int read_http(struct config *c, const struct option *o, const char *text,
		     struct fault *f)
{
	struct endpoint e;
	struct address a;

	(void)o;
	if (strcmp(text, "off") == 0) {
		c->http_set = false;
		return 0;
	}
	if (endpoint_split(&e, span_of(text), f) != 0)
		return -EINVAL;
	if (!e.port.at || !endpoint_is_ip(&e))
		return fault_set(
		    f, text,
		    "'%.255s' is no ADDRESS:PORT: write 127.0.0.1:9153 for this "
		    "machine only, 0.0.0.0:9153 or [::]:9153 for all",
		    text);
	if (read_address(&a, &e, f) != 0)
		return -EINVAL;
	c->http_set = true;
	c->http = a;
	return 0;
}

static bool http_text(const struct config *c, const struct option *o, unsigned i,
		      char out[VALUE_TEXT_MAX])
{
	char text[ADDRESS_TEXT_MAX];

	(void)o;
	strcpy(out, c->http_set ? address_text(&c->http, text) : "off");
	return i == 0;
}

const struct value_kind value_listen = {read_listen, listen_text, same_listen};
const struct value_kind value_http = {read_http, http_text, NULL};
