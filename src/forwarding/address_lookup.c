/* address_lookup: a question for each of the two kinds of address, and what the answers mean. */
#include "forwarding/address_lookup.h"

#include <string.h>

#include "dns/message.h"
#include "dns/records.h"

/* So soon is asked again when one of the two kinds was not answered. */
#define HALF_TTL_S 60

void address_lookup_shorten(struct address_lookup *out, uint32_t ttl)
{
	if (ttl < out->ttl)
		out->ttl = ttl;
}

static unsigned count_of(const struct address_lookup *r, int family)
{
	unsigned n = 0;

	for (unsigned i = 0; i < r->count; i++)
		n += r->all[i].any.sa_family == family;
	return n;
}

void address_lookup_add(struct address_lookup *out, uint16_t type, const uint8_t *data,
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

/* Addresses of one type. False: the question was not answered. */
static bool ask_type(struct stub *stub, struct stub_server *s, const struct question *q,
		     uint16_t port, struct address_lookup *out)
{
	uint8_t name[NAME_MAX_LEN];
	uint32_t ttl = ADDRESS_LOOKUP_TTL_START;
	struct response r;
	struct records it;
	struct record x;
	size_t len;

	if (!stub_ask(stub, s, q, &r))
		return false;
	(void)stub_explain(stub, &r, "it has no address");
	it = records_of(&r);
	len = records_name(&r, name, &ttl);
	while (len && records_next_of(&it, name, len, q->type, &x)) {
		address_lookup_add(out, q->type, x.data, port);
		address_lookup_shorten(out, x.ttl < ttl ? x.ttl : ttl);
	}
	if (r.rcode != RCODE_NOERROR && r.rcode != RCODE_NXDOMAIN)
		address_lookup_shorten(out, HALF_TTL_S);
	return true;
}

bool address_lookup_ask(struct stub *stub, struct stub_server *s, const uint8_t *name,
			size_t len, uint16_t port, struct address_lookup *out)
{
	struct question q = {
	    .name = name, .name_len = len, .type = TYPE_A, .class = CLASS_IN};

	*out = (struct address_lookup){.ttl = ADDRESS_LOOKUP_TTL_START};
	if (!ask_type(stub, s, &q, port, out))
		return false;
	/* there are servers that are silent when they are asked for AAAA */
	q.type = TYPE_AAAA;
	if (!ask_type(stub, s, &q, port, out))
		address_lookup_shorten(out, HALF_TTL_S);
	return out->count > 0;
}
