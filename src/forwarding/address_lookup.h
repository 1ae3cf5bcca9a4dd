/* address_lookup: the addresses of a name. */
#ifndef DOTGATE_FORWARDING_ADDRESS_LOOKUP_H
#define DOTGATE_FORWARDING_ADDRESS_LOOKUP_H

#include "forwarding/stub.h"
#include "upstream/addresses.h"

/* Of each of the two kinds so many are taken, so that neither pushes out the other. */
#define ADDRESS_LOOKUP_MAX (2 * ADDRESSES_MAX)

/* A time to live that any other one shortens: longer than anybody keeps an address. */
#define ADDRESS_LOOKUP_TTL_START UINT32_MAX

struct address_lookup {
	unsigned count;
	struct address all[ADDRESS_LOOKUP_MAX];
	uint32_t ttl; /* in seconds: then it is asked for again */
};

/*
 * Asks S for the addresses of NAME (wire format, LEN octets), which get PORT. Returns true if there
 * is one at least: where only one of the two kinds was answered that has to do, for a short time.
 * Else STUB->error says why.
 */
bool address_lookup_ask(struct stub *stub, struct stub_server *s, const uint8_t *name,
			size_t len, uint16_t port, struct address_lookup *out);

/* Adds the address in DATA, which a record of TYPE (A or AAAA) has, with PORT. Passed over if there are
 * ADDRESSES_MAX of its kind. */
void address_lookup_add(struct address_lookup *out, uint16_t type, const uint8_t *data,
			uint16_t port);

/* What is in OUT lives no longer than TTL seconds. */
void address_lookup_shorten(struct address_lookup *out, uint32_t ttl);

#endif
