/* reply: what a client is sent: an upstream's response made its own, or an error. */
#ifndef DOTGATE_DNS_REPLY_H
#define DOTGATE_DNS_REPLY_H

#include "dns/message.h"
#include "dns/query.h"
#include "dns/response.h"

/* The longest error reply: header, question, OPT, one EDE. */
#define REPLY_ERROR_MAX                                                                  \
	(DNS_HEADER_LEN + NAME_MAX_LEN + 4 + OPT_LEN + 6 + EDE_TEXT_MAX + 6)

/* Room that a reply needs beyond the response's kept records: an OPT with the EDEs kept
 * and a keepalive option. */
#define REPLY_OPT_MAX (OPT_LEN + 6 + EDE_KEPT_MAX * (6 + EDE_TEXT_MAX))

/*
 * Writes R, whose question is Q's but for the case, as the answer to Q: Q's id and
 * question octet for octet, RD and CD from Q, RA set, AA never, TC if R has it, AD only
 * if R has it and Q set AD or DO (RFC 6840 5.8), R's rcode and records; an OPT only if Q
 * had one, with DO from Q, the extended rcode, R's EDEs, and KEEPALIVE_100MS if not 0
 * (TCP only, RFC 7828). An extended rcode becomes SERVFAIL for a client without EDNS.
 * EDEs that do not fit Q->limit are left out; if it still does not fit, a truncated reply
 * is written: TC set, sections empty, OPT kept. Returns its length, at most Q->limit; 0
 * when CAP (which must be at least Q->limit or the length needed) is too small.
 */
size_t reply_from_response(uint8_t *out, size_t cap, const struct query *q,
			   const struct response *r, uint16_t keepalive_100ms);

/*
 * Writes a reply without records: RCODE (BADVERS included), Q's id, its question if it
 * has one, RD and CD from Q, RA set (to another opcode than QUERY without RA and CD); an
 * OPT if Q had one, with an EDE if EDE_CODE >= 0 and TEXT (may be NULL), cut at
 * EDE_TEXT_MAX, on a UTF-8 boundary and to Q->limit.
 * Returns its length; OUT holds REPLY_ERROR_MAX octets.
 */
size_t reply_error(uint8_t *out, const struct query *q, unsigned rcode, int ede_code,
		   const char *text, uint16_t keepalive_100ms);

#endif
