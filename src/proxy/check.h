/* check: the verdict on a client's message, before anything else is done with it. */
#ifndef DOTGATE_PROXY_CHECK_H
#define DOTGATE_PROXY_CHECK_H

#include "base/reason.h"
#include "dns/query.h"

enum verdict {
	VERDICT_DROP,	/* no answer: *why says the reason to count */
	VERDICT_REPLY,	/* answer *rcode without records */
	VERDICT_FORWARD /* q is a whole, valid query */
};

/*
 * Rules, first match wins (RFC 1035, 5625, 6891, 9619, 8482):
 *   shorter than 12 octets, or QR set                     drop
 *   opcode not QUERY                                      NOTIMP
 *   QDCOUNT not 1, ANCOUNT or NSCOUNT not 0, unreadable   FORMERR
 *   two OPTs, OPT with an owner name, options overrun     FORMERR
 *   EDNS version above 0                                  BADVERS
 *   class 0 (reserved), class NONE (for UPDATE only)      FORMERR
 *   type 0 (reserved), OPT, TSIG, NXNAME (RFC 9824 3.5)   FORMERR
 *   TKEY, MAILA, MAILB                                    NOTIMP
 *   AXFR, IXFR                                            REFUSED
 *
 * All else is forwarded: ANY, unknown types, and classes from CH to ANY. A message of
 * another opcode is not read behind its header, nor one whose QDCOUNT is not 1.
 *
 * Q->limit is set: 65535 over TCP; over UDP what the client offers, between 512 and 1232.
 * For VERDICT_REPLY the parts of Q that could be read are set, the question has length 0
 * and type 0 where it could not be; for VERDICT_DROP nothing is read.
 */
enum verdict check_message(struct query *q, const uint8_t *message, size_t len, bool tcp,
			   unsigned *rcode, enum reason *why);

#endif
