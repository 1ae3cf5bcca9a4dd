/* edns: the OPT record (RFC 6891) as far as a forwarder cares. It is hop by hop. */
#ifndef DOTGATE_DNS_EDNS_H
#define DOTGATE_DNS_EDNS_H

#include "dns/wire.h"

/* EDE options kept from one answer; more are dropped. */
#define EDE_KEPT_MAX 4

/* Octets of one EDE option's text that are kept: an answer must not be blown up by it. */
#define EDE_TEXT_MAX 200

struct ede {
	uint16_t code;
	uint16_t text_len;
	const uint8_t *text; /* UTF-8, not terminated; not owned */
};

struct edns {
	bool present;
	bool do_bit;
	bool keepalive; /* the keepalive option was there (RFC 7828) */
	bool padding;	/* the padding option was there (RFC 7830) */
	uint8_t version;
	uint8_t extended_rcode; /* the upper eight bits of the rcode */
	uint8_t ede_count;
	uint16_t udp_size;	  /* as sent */
	uint16_t keepalive_value; /* in units of 100 ms; 0xffff: the option was empty */
	struct ede ede[EDE_KEPT_MAX];
};

/*
 * Reads the fixed part of an OPT record behind its owner name and type, and its options,
 * into E. Options that overrun the record set c->bad and leave E empty; unknown ones, and
 * known ones of a length that they cannot have, are passed over.
 */
void edns_read(struct cursor *c, struct edns *e);

#endif
