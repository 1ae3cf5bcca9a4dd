/* address_lookup: questions to one server, and what its answers mean. */
#include "forwarding/address_lookup.h"

#include <stdio.h>
#include <string.h>

#include "dns/message.h"
#include "dns/records.h"
#include "dns/svcb.h"

/* Longer than anybody keeps an address; the caller has a limit of its own. */
#define TTL_START UINT32_MAX

/* So soon is asked again when one of the two kinds was not answered. */
#define HALF_TTL_S 60

/* RFC 7858 3.1. */
#define DOT_PORT 853

static bool fail(struct stub *stub, const char *text)
{
	snprintf(stub->error, sizeof stub->error, "%s", text);
	return false;
}

static void shorten(struct address_lookup *out, uint32_t ttl)
{
	if (ttl < out->ttl)
		out->ttl = ttl;
}

/* ---- addresses of a name ---- */

static unsigned count_of(const struct address_lookup *r, int family)
{
	unsigned n = 0;

	for (unsigned i = 0; i < r->count; i++)
		n += r->all[i].any.sa_family == family;
	return n;
}

static void add_address(struct address_lookup *out, uint16_t type, const uint8_t *data,
			uint16_t port)
{
	struct address a = {0};

	if (type == TYPE_AAAA) {
		a.v6.sin6_family = AF_INET6;
		a.v6.sin6_port = htons(port);
		memcpy(&a.v6.sin6_addr, data, 16);
	} else {
		a.v4.sin_family = AF_INET;
		a.v4.sin_port = htons(port);
		memcpy(&a.v4.sin_addr, data, 4);
	}
	if (count_of(out, a.any.sa_family) < ADDRESSES_MAX)
		out->all[out->count++] = a;
}

/* Why a response has nothing of use. */
static bool fail_as(struct stub *stub, const struct response *r, const char *text)
{
	switch (r->rcode) {
	case RCODE_NOERROR:
		return fail(stub, text);
	case RCODE_NXDOMAIN:
		return fail(stub, "NXDOMAIN");
	case RCODE_SERVFAIL:
		return fail(stub, "SERVFAIL");
	case RCODE_REFUSED:
		return fail(stub, "REFUSED");
	default:
		snprintf(stub->error, sizeof stub->error, "RCODE %u", r->rcode);
		return false;
	}
}

/* Addresses of one type. False: the question was not answered. */
static bool ask_type(struct stub *stub, struct stub_server *s, const struct question *q,
		     uint16_t port, struct address_lookup *out)
{
	uint8_t name[NAME_MAX_LEN];
	uint32_t ttl = TTL_START;
	struct response r;
	struct records it;
	struct record x;
	size_t len;

	if (!stub_ask(stub, s, q, &r))
		return false;
	(void)fail_as(stub, &r, "it has no address");
	it = records_of(&r);
	len = records_name(&r, name, &ttl);
	while (len && records_next_of(&it, name, len, q->type, &x)) {
		add_address(out, q->type, x.data, port);
		shorten(out, x.ttl < ttl ? x.ttl : ttl);
	}
	if (r.rcode != RCODE_NOERROR && r.rcode != RCODE_NXDOMAIN)
		shorten(out, HALF_TTL_S);
	return true;
}

bool address_lookup_ask(struct stub *stub, struct stub_server *s, const uint8_t *name,
			size_t len, uint16_t port, struct address_lookup *out)
{
	struct question q = {
	    .name = name, .name_len = len, .type = TYPE_A, .class = CLASS_IN};

	*out = (struct address_lookup){.ttl = TTL_START};
	if (!ask_type(stub, s, &q, port, out))
		return false;
	/* there are servers that are silent when they are asked for AAAA */
	q.type = TYPE_AAAA;
	if (!ask_type(stub, s, &q, port, out))
		shorten(out, HALF_TTL_S);
	return out->count > 0;
}

/* ---- designated resolvers ---- */

static const uint8_t ddr_name[] = "\4_dns\10resolver\4arpa";

/* The record of the highest priority that names a DNS-over-TLS resolver. */
static bool choose(const struct response *r, struct svcb *best, uint32_t *ttl)
{
	struct records it = records_of(r);
	uint8_t name[NAME_MAX_LEN];
	size_t len = records_name(r, name, ttl);
	struct record x;
	struct svcb s;

	best->priority = 0;
	while (len && records_next_of(&it, name, len, TYPE_SVCB, &x)) {
		if (x.ttl < *ttl)
			*ttl = x.ttl;
		if (svcb_read(&s, &x) && s.dot && s.priority &&
		    (!best->priority || s.priority < best->priority))
			*best = s;
	}
	return best->priority > 0;
}

/* What the response says of its target besides the record (RFC 9460 4.1). */
static void add_additional(struct ddr *d, const struct response *r)
{
	static const uint16_t types[] = {TYPE_AAAA, TYPE_A};
	struct record x;

	for (unsigned i = 0; i < 2; i++) {
		struct records it = records_additional(r);

		while (records_next_of(&it, d->target, d->target_len, types[i], &x)) {
			add_address(&d->at, types[i], x.data, d->port);
			shorten(&d->at, x.ttl);
		}
	}
}

static void add_hints(struct ddr *d, const struct svcb *s)
{
	for (unsigned i = 0; i < s->v6_count; i++)
		add_address(&d->at, TYPE_AAAA, s->v6[i], d->port);
	for (unsigned i = 0; i < s->v4_count; i++)
		add_address(&d->at, TYPE_A, s->v4[i], d->port);
}

/* With its scope, if it has one. */
void ddr_itself(struct ddr *d, const struct address *address)
{
	struct address *mine = &d->at.all[0];

	d->at.count = 1;
	*mine = *address;
	if (mine->any.sa_family == AF_INET6)
		mine->v6.sin6_port = htons(d->port);
	else
		mine->v4.sin_port = htons(d->port);
}

/* The name without the final dot. What is no host name is not said to anybody. */
static void set_sni(struct ddr *d)
{
	char text[NAME_TEXT_MAX];
	size_t n = strlen(name_text(d->target, d->target_len, text));

	if (n < 2 || n > sizeof d->sni || memchr(text, '\\', n))
		return;
	memcpy(d->sni, text, n - 1);
	d->sni[n - 1] = 0;
}

bool ddr_ask(struct stub *stub, const struct address *address, struct ddr *out)
{
	const struct question q = {.name = ddr_name,
				   .name_len = sizeof ddr_name,
				   .type = TYPE_SVCB,
				   .class = CLASS_IN};
	struct stub_server plain = {.addresses = address, .count = 1};
	uint32_t ttl = TTL_START;
	struct response r;
	struct svcb s;

	if (!stub_ask(stub, &plain, &q, &r))
		return false;
	if (!choose(&r, &s, &ttl))
		return fail_as(stub, &r, "it designates no DNS-over-TLS resolver");
	*out = (struct ddr){.at.ttl = ttl,
			    .target_len = s.target_len,
			    .port = s.port ? s.port : DOT_PORT};
	memcpy(out->target, s.target, s.target_len);
	if (s.target_len > 1)
		add_additional(out, &r);
	if (!out->at.count)
		add_hints(out, &s);
	set_sni(out);
	return true;
}
