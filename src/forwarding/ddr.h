/* ddr: the resolver that a plain one designates (RFC 9462). */
#ifndef DOTGATE_FORWARDING_DDR_H
#define DOTGATE_FORWARDING_DDR_H

#include "forwarding/address_lookup.h"

/* The longest name that TLS can say, and the end. */
#define DDR_SNI_MAX 256

/* A resolver that speaks DNS over TLS, and that a plain one designates (RFC 9462). */
struct ddr {
	struct address_lookup at;     /* count 0: the response holds no address of it */
	uint8_t target[NAME_MAX_LEN]; /* its name */
	size_t target_len;	      /* 1: it is the plain resolver itself */
	uint16_t port;
	char sni[DDR_SNI_MAX]; /* "": it has none */
};

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
