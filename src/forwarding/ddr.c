/* ddr: the one question about a plain resolver, and what its answer means. */
#include "forwarding/ddr.h"

#include <string.h>

#include "dns/message.h"
#include "dns/records.h"
#include "dns/svcb.h"

/* RFC 7858 3.1. */
#define DOT_PORT 853

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
			address_lookup_add(&d->at, types[i], x.data, d->port);
			address_lookup_shorten(&d->at, x.ttl);
		}
	}
}

static void add_hints(struct ddr *d, const struct svcb *s)
{
	for (unsigned i = 0; i < s->v6_count; i++)
		address_lookup_add(&d->at, TYPE_AAAA, s->v6[i], d->port);
	for (unsigned i = 0; i < s->v4_count; i++)
		address_lookup_add(&d->at, TYPE_A, s->v4[i], d->port);
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
	uint32_t ttl = ADDRESS_LOOKUP_TTL_START;
	struct response r;
	struct svcb s;

	if (!stub_ask(stub, &plain, &q, &r))
		return false;
	if (!choose(&r, &s, &ttl))
		return stub_explain(stub, &r, "it designates no DNS-over-TLS resolver");
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
