/* route: a domain, or a prefix that stands for one, and an upstream. */
#include "conf/route.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "conf/spelling.h"

#define DOMAIN_TEXT_MAX NAME_TEXT_MAX

/* "1.168.192.in-addr.arpa" for 192.168.1.0/24, likewise for IPv6. LEN bits; STEP bits a label. */
static void reverse_name(char *out, const uint8_t *address, unsigned len, unsigned step)
{
	size_t at = 0;

	for (unsigned i = len / step; i-- > 0;) {
		unsigned octet = address[i * step / 8];

		at += step == 8 ? (size_t)sprintf(out + at, "%u.", octet)
				: (size_t)sprintf(out + at, "%x.",
						  i % 2 ? octet & 15u : octet >> 4);
	}
	strcpy(out + at, step == 8 ? "in-addr.arpa" : "ip6.arpa");
}

/* The number of bits behind the slash; -1: it is none. */
static int prefix_length(struct span text, unsigned most)
{
	unsigned n = 0;

	if (text.len < 1 || text.len > 3)
		return -1;
	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] < '0' || text.at[i] > '9')
			return -1;
		n = n * 10 + (unsigned)(text.at[i] - '0');
	}
	return n <= most ? (int)n : -1;
}

static bool is_set_behind(const uint8_t *address, unsigned len, unsigned bits)
{
	for (unsigned i = len; i < bits; i++)
		if (address[i / 8] & (0x80 >> i % 8))
			return true;
	return false;
}

static int read_prefix(char out[DOMAIN_TEXT_MAX], struct span ip, struct span rest,
		       struct fault *f)
{
	struct address a;
	bool v6;
	const uint8_t *octets;
	unsigned bits, step;
	int len;

	if (address_parse_ip(&a, ip.at, ip.len, 0) != 0)
		return fault_set(f, ip.at, "'%.*s' is no IP address", span_shown(ip),
				 ip.at);
	v6 = a.any.sa_family == AF_INET6;
	octets = v6 ? a.v6.sin6_addr.s6_addr : (const uint8_t *)&a.v4.sin_addr;
	bits = v6 ? 128 : 32;
	step = v6 ? 4 : 8;
	len = prefix_length(rest, bits);
	if (len < 0)
		return fault_set(f, rest.at, "'%.*s' is no length of a prefix (0 to %u)",
				 span_shown(rest), rest.at, bits);
	if (len == 0 || (unsigned)len % step)
		return fault_set(
		    f, rest.at,
		    "a reverse zone ends after each %u bits: write one route "
		    "for each part of this prefix",
		    step);
	if (is_set_behind(octets, (unsigned)len, bits))
		return fault_set(f, ip.at, "bits are set behind the prefix's %d", len);
	reverse_name(out, octets, (unsigned)len, step);
	return 0;
}

/* A name in wire format, however its octets were written. */
static bool has_star(const uint8_t *name, size_t len)
{
	for (size_t at = 0; at < len; at += name[at] + 1u)
		if (memchr(name + at + 1, '*', name[at]))
			return true;
	return false;
}

/* A star is a label like any other in DNS: nobody asks for it, and who writes it means the
 * names below. */
static int refuse_star(struct span word, struct fault *f)
{
	struct span below = {word.at + 2, word.len > 2 ? word.len - 2 : 0};

	if (word.len == 1)
		return fault_set(f, word.at, "'*' is no domain: write . for all names");
	if (strncmp(word.at, "*.", 2) == 0 && below.len &&
	    !memchr(below.at, '*', below.len))
		return fault_set(f, word.at,
				 "'%.*s': write %.*s, which is also for all names below "
				 "it",
				 span_shown(word), word.at, span_shown(below), below.at);
	return fault_set(f, word.at,
			 "'%.*s': a star stands for nothing: write the domain, which is "
			 "also for all names below it",
			 span_shown(word), word.at);
}

static int read_name(uint8_t domain[NAME_MAX_LEN], size_t *len, const char *text,
		     struct span word, struct fault *f)
{
	uint8_t name[NAME_MAX_LEN];

	*len = name_parse(name, text);
	if (*len == 0)
		return fault_set(f, word.at, "'%.*s' is no domain name", span_shown(word),
				 word.at);
	if (has_star(name, *len))
		return refuse_star(word, f);
	name_lower(domain, name, *len);
	return 0;
}

static int read_domain(struct route_conf *r, struct span word, struct fault *f)
{
	char text[DOMAIN_TEXT_MAX];
	struct span ip = word, rest;

	if (span_cut(&ip, '/', &rest)) {
		if (read_prefix(text, ip, rest, f) != 0)
			return -EINVAL;
	} else if (!span_copy(text, sizeof text, word)) {
		return fault_set(f, word.at, "this domain is too long");
	}
	return read_name(r->domain, &r->domain_len, text, word, f);
}

static int read_route(struct config *c, const struct option *o, const char *text,
		      struct fault *f)
{
	struct span rest = span_of(text);
	struct span word = span_word(&rest);
	struct route_conf *r = &c->route[c->route_count];
	struct fault inner = {0};
	size_t column;

	(void)o;
	if (c->route_count == ROUTES_CONF_MAX)
		return fault_set(f, text, "more than %d routes", ROUTES_CONF_MAX);
	if (!word.at)
		return fault_set(f, text, "a domain and an upstream are missing");
	while (rest.len > 0 && (*rest.at == ' ' || *rest.at == '\t'))
		rest.at++, rest.len--;
	if (rest.len == 0)
		return fault_set(f, text,
				 "an upstream is missing behind the domain: route %.*s "
				 "tls://ADDRESS#NAME",
				 span_shown(word), word.at);
	memset(r, 0, sizeof *r);
	if (read_domain(r, word, f) != 0)
		return -EINVAL;
	if (spelling_read(&r->upstream, rest.at, inner.text, &column) != 0) {
		memcpy(f->text, inner.text, sizeof f->text);
		f->column = (size_t)(rest.at - text) + column;
		return -EINVAL;
	}
	c->route_count++;
	return 0;
}

static bool route_text(const struct config *c, const struct option *o, unsigned i,
		       char out[VALUE_TEXT_MAX])
{
	char domain[NAME_TEXT_MAX], upstream[UPSTREAM_TEXT_MAX];
	const struct route_conf *r = &c->route[i];

	(void)o;
	if (i >= c->route_count)
		return false;
	name_text(r->domain, r->domain_len, domain);
	upstream_text(&r->upstream, true, upstream);
	snprintf(out, VALUE_TEXT_MAX, "%s %s", domain, upstream);
	return true;
}

static bool same_route(const struct config *c, unsigned i, unsigned j)
{
	const struct route_conf *a = &c->route[i], *b = &c->route[j];
	char x[UPSTREAM_TEXT_MAX], y[UPSTREAM_TEXT_MAX];

	return a->domain_len == b->domain_len &&
	       memcmp(a->domain, b->domain, a->domain_len) == 0 &&
	       strcmp(upstream_text(&a->upstream, false, x),
		      upstream_text(&b->upstream, false, y)) == 0;
}

static int read_grace(struct config *c, const struct option *o, const char *text,
		      struct fault *f)
{
	struct domain_conf *d = &c->time_grace[c->time_grace_count];

	(void)o;
	if (c->time_grace_count == TIME_GRACE_MAX)
		return fault_set(f, text, "more than %d names", TIME_GRACE_MAX);
	if (read_name(d->domain, &d->domain_len, text, span_of(text), f) != 0)
		return -EINVAL;
	if (d->domain_len == 1)
		return fault_set(f, text,
				 "not for all names: write those of time servers");
	c->time_grace_count++;
	return 0;
}

static bool grace_text(const struct config *c, const struct option *o, unsigned i,
		       char out[VALUE_TEXT_MAX])
{
	(void)o;
	if (i < c->time_grace_count)
		name_text(c->time_grace[i].domain, c->time_grace[i].domain_len, out);
	return i < c->time_grace_count;
}

static bool same_grace(const struct config *c, unsigned i, unsigned j)
{
	const struct domain_conf *a = &c->time_grace[i], *b = &c->time_grace[j];

	return a->domain_len == b->domain_len &&
	       memcmp(a->domain, b->domain, a->domain_len) == 0;
}

const struct value_kind value_time_grace = {read_grace, grace_text, same_grace};
const struct value_kind value_route = {read_route, route_text, same_route};
