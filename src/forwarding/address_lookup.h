/* address_lookup: the addresses of a name, and the resolver that a plain one designates (RFC 9462). */
#ifndef DOTGATE_FORWARDING_ADDRESS_LOOKUP_H
#define DOTGATE_FORWARDING_ADDRESS_LOOKUP_H

#include "forwarding/stub.h"
#include "upstream/addresses.h"

/* Of each of the two kinds so many are taken, so that neither pushes out the other. */
#define ADDRESS_LOOKUP_MAX (2 * ADDRESSES_MAX)

/* The longest name that TLS can say, and the end. */
#define DDR_SNI_MAX 256

struct address_lookup {
	unsigned count;
	struct address all[ADDRESS_LOOKUP_MAX];
	uint32_t ttl; /* in seconds: then it is asked for again */
};

/* A resolver that speaks DNS over TLS, and that a plain one designates (RFC 9462). */
struct ddr {
	struct address_lookup at;     /* count 0: the response holds no address of it */
	uint8_t target[NAME_MAX_LEN]; /* its name */
	size_t target_len;	      /* 1: it is the plain resolver itself */
	uint16_t port;
	char sni[DDR_SNI_MAX]; /* "": it has none */
};

/*
 * Asks S for the addresses of NAME (wire format, LEN octets), which get PORT. Returns true if there
 * is one at least: where only one of the two kinds was answered that has to do, for a short time.
 * Else STUB->error says why.
 */
bool address_lookup_ask(struct stub *stub, struct stub_server *s, const uint8_t *name,
			size_t len, uint16_t port, struct address_lookup *out);

/*
 * Asks the plain resolver at ADDRESS whom it designates: of those that speak DNS over TLS, the one
 * of the highest priority. That one question is all that is asked in the clear: addresses are taken
 * from the additional section, or else from the record's hints (RFC 9460 4.1, 7.3). Returns true; else
 * STUB->error says why.
 */
bool ddr_ask(struct stub *stub, const struct address *address, struct ddr *out);

/* The plain resolver at ADDRESS itself is where D is to be found. */
void ddr_itself(struct ddr *d, const struct address *address);

#endif
