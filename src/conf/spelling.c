/* spelling: the ways in which people write an upstream. */
#include "conf/spelling.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "conf/endpoint.h"
#include "conf/hostname.h"
#include "conf/parameter.h"
#include "conf/scheme.h"
#include "conf/stamp.h"

static_assert(SPELLING_ERROR_MAX == FAULT_TEXT_MAX, "an error is a fault's text");

/* RFC 7858 section 3.1. */
#define DOT_PORT 853

/* Who writes this without tls:// means plain DNS. */
#define PLAIN_PORT 53

/* An upstream that is being read. */
struct reading {
	struct fault *fault;
	struct span text; /* all of it */
	struct upstream_conf u;
	uint16_t port; /* 0: not given */
	bool has_address;
	struct span name; /* where u.name, or name_address, was written */
	bool name_is_address;
	struct address name_address;
	struct parameters given;
};

/* The name may be written in more than one place, if it is the same. */
static int set_name(struct reading *r, struct span text)
{
	char name[CONF_NAME_MAX];
	struct address a;

	if (text.len == 0)
		return fault_set(r->fault, text.at, "the name is missing");
	if (address_parse_ip(&a, text.at, text.len, 0) == 0) {
		r->name_is_address = true;
		r->name_address = a;
	} else if (hostname_read(name, text, r->fault) != 0) {
		return -EINVAL;
	} else if (r->name.at && strcmp(name, r->u.name) != 0) {
		return fault_set(r->fault, text.at, "two names: '%.*s' and '%.*s'",
				 span_shown(r->name), r->name.at, span_shown(text),
				 text.at);
	} else {
		memcpy(r->u.name, name, sizeof name);
	}
	r->name = text;
	return 0;
}

static int set_address(struct reading *r, const struct endpoint *e)
{
	struct address a;

	if (endpoint_address(&a, e, DOT_PORT, r->fault) != 0)
		return -EINVAL;
	if (r->has_address && !address_same_ip(&a, &r->u.addresses[0]))
		return fault_set(r->fault, e->host.at, "two addresses");
	r->u.addresses[0] = a;
	r->u.address_count = 1;
	r->has_address = true;
	if (e->percent.at && !endpoint_is_link_local(&a))
		return set_name(r, e->percent);
	return 0;
}

static int set_host(struct reading *r, const struct endpoint *e)
{
	struct span extra = e->percent.at ? e->percent : e->interface;

	if (memchr(e->host.at, ':', e->host.len))
		return fault_set(r->fault, e->host.at, "bad IPv6 address '%.*s'",
				 span_shown(e->host), e->host.at);
	if (extra.at)
		return fault_set(r->fault, extra.at, "'%%' behind a name");
	return set_name(r, e->host);
}

/* Reads HOST[:PORT]; HOST may be missing if a stamp says so. */
static int read_endpoint(struct reading *r, struct span text, bool may_lack_host)
{
	struct endpoint e;
	uint16_t port = 0;

	if (endpoint_split(&e, text, r->fault) != 0)
		return -EINVAL;
	if (e.port.at && endpoint_port(&port, e.port, r->fault) != 0)
		return -EINVAL;
	if (port && r->port && port != r->port)
		return fault_set(r->fault, e.port.at, "two ports: %u and %u", r->port,
				 port);
	if (port)
		r->port = port;
	if (e.host.len > 0 && endpoint_is_ip(&e))
		return set_address(r, &e);
	if (e.host.len > 0)
		return set_host(r, &e);
	return may_lack_host ? 0 : fault_set(r->fault, text.at, "the address is missing");
}

static int read_stamp(struct reading *r, struct span text)
{
	struct fault *outer = r->fault;
	struct fault inner;
	struct stamp s;
	int result = 0;

	if (stamp_read(&s, text, outer) != 0)
		return -EINVAL;
	/* the parts lie in S, not in the text */
	inner.base = (const char *)s.octets;
	r->fault = &inner;
	if (s.address.len > 0)
		result = read_endpoint(r, s.address, true);
	if (result == 0 && s.host.len > 0)
		result = read_endpoint(r, s.host, true);
	r->fault = outer;
	if (result != 0)
		return fault_set(outer, text.at, "in this stamp: %s", inner.text);
	r->name = r->name.at ? text : (struct span){0};
	return 0;
}

/* KEY=VALUE words between &, as in a URL. */
static int read_url_parameters(struct reading *r, struct span text)
{
	struct span next = text;

	while (next.at) {
		struct span word = next;

		next = (struct span){0};
		span_cut(&word, '&', &next);
		if (word.len > 0 && parameter_read(&r->u, &r->given, word, r->fault) != 0)
			return -EINVAL;
	}
	return 0;
}

/* Reads [SCHEME:]ADDRESS[#NAME][?PARAMETERS] or [SCHEME:]ADDRESS[?PARAMETERS][#NAME]. */
static int read_head(struct reading *r, struct span text)
{
	struct span parameters = {0};
	struct span name = {0};
	enum scheme kind;
	int result;

	if (scheme_read(&kind, &text, r->fault) != 0)
		return -EINVAL;
	if (span_cut(&text, '?', &parameters) && !span_cut(&text, '#', &name))
		span_cut(&parameters, '#', &name);
	else if (!parameters.at)
		span_cut(&text, '#', &name);
	if (kind == SCHEME_STAMP)
		result = read_stamp(r, text);
	else
		result = read_endpoint(r, text, false);
	r->u.plain = kind == SCHEME_PLAIN;
	if (r->u.plain && (r->u.name[0] || name.at))
		result = fault_set(r->fault, text.at,
				   "plain:// knows no name: write plain://ADDRESS");
	if (result == 0 && kind == SCHEME_NONE && r->port == PLAIN_PORT)
		result = fault_set(
		    r->fault, text.at,
		    "53 is the port of plain DNS, which is never sent: leave it "
		    "out, or write tls:// in front if TLS is spoken there");
	if (result == 0 && name.at)
		result = set_name(r, name);
	if (result == 0)
		result = read_url_parameters(r, parameters);
	return result;
}

/* Why nobody can be called at A, or NULL. */
static const char *address_fault(const struct address *a)
{
	uint32_t v4;

	if (a->any.sa_family == AF_INET6) {
		if (IN6_IS_ADDR_UNSPECIFIED(&a->v6.sin6_addr))
			return "the unspecified address";
		if (IN6_IS_ADDR_MULTICAST(&a->v6.sin6_addr))
			return "a multicast address";
		if (IN6_IS_ADDR_V4MAPPED(&a->v6.sin6_addr))
			return "an IPv4 address in IPv6 form; write it as IPv4";
		if (endpoint_is_link_local(a) && a->v6.sin6_scope_id == 0)
			return "a link-local address, which needs its interface (%eth0)";
		return NULL;
	}
	v4 = ntohl(a->v4.sin_addr.s_addr);
	if (v4 >> 24 == 0)
		return "the unspecified address";
	if (v4 >> 28 == 0xe)
		return "a multicast address";
	return v4 == INADDR_BROADCAST ? "the broadcast address" : NULL;
}

static void set_port(struct address *a, uint16_t port)
{
	if (a->any.sa_family == AF_INET6)
		a->v6.sin6_port = htons(port);
	else
		a->v4.sin_port = htons(port);
}

/* The addresses: what was written in front, and those of addr=. */
static int finish_address(struct reading *r)
{
	const struct span addr = r->given.addr;
	struct upstream_conf *u = &r->u;

	u->port = r->port ? r->port : u->plain ? PLAIN_PORT : DOT_PORT;
	if (r->has_address && addr.at && !u->name[0])
		return fault_set(
		    r->fault, addr.at,
		    "addr= behind an address: write the name that they share "
		    "behind #");
	for (unsigned i = 0; i < r->given.address_count; i++)
		u->addresses[u->address_count++] = r->given.addresses[i];
	if (!u->address_count && !u->name[0])
		return fault_set(r->fault, r->text.at, "the address is missing");
	for (unsigned i = 0; i < u->address_count; i++) {
		const char *what = address_fault(&u->addresses[i]);

		if (what)
			return fault_set(r->fault, addr.at ? addr.at : r->text.at,
					 "no upstream can have %s", what);
		set_port(&u->addresses[i], u->port);
	}
	return 0;
}

/* An address behind # says what is the case without it: authenticate by address. */
static int finish_name(struct reading *r)
{
	if (r->name_is_address && !address_same_ip(&r->name_address, &r->u.addresses[0]))
		return fault_set(
		    r->fault, r->name.at,
		    "the name is an IP address, but not that of the upstream");
	if (r->name_is_address && r->u.name[0])
		return fault_set(r->fault, r->name.at,
				 "both a name and an address behind it");
	return 0;
}

static int read_upstream(struct reading *r)
{
	struct span rest = r->text;
	struct span word = span_word(&rest);

	if (fault_check_text(r->fault, r->text.at) != 0)
		return -EINVAL;
	if (!word.at)
		return fault_set(r->fault, r->text.at, "an upstream is missing");
	r->text = word;
	if (read_head(r, word) != 0)
		return -EINVAL;
	for (word = span_word(&rest); word.at; word = span_word(&rest))
		if (parameter_read(&r->u, &r->given, word, r->fault) != 0)
			return -EINVAL;
	if (finish_address(r) != 0 || finish_name(r) != 0)
		return -EINVAL;
	return parameter_check(&r->u, &r->given, r->text, r->fault);
}

int spelling_read(struct upstream_conf *u, const char *text,
		  char error[SPELLING_ERROR_MAX], size_t *column)
{
	struct fault fault = {.base = text};
	struct reading r = {.fault = &fault, .text = span_of(text), .u.weight = 1};

	if (read_upstream(&r) != 0) {
		memcpy(error, fault.text, SPELLING_ERROR_MAX);
		*column = fault.column;
		return -EINVAL;
	}
	memcpy(u, &r.u, sizeof *u);
	return 0;
}
