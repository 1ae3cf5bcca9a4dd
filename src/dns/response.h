/* response: an upstream's response, validated as a whole before anything of it is used. */
#ifndef DOTGATE_DNS_RESPONSE_H
#define DOTGATE_DNS_RESPONSE_H

#include "dns/edns.h"
#include "dns/question.h"

struct response {
	const uint8_t *wire; /* the message; not owned */
	size_t len;	     /* its octets, without any behind the last record */
	uint16_t id, flags;
	uint16_t rcode; /* with the extended bits */
	struct question question;
	size_t question_end; /* where the answer section starts */
	uint16_t answers, authorities;
	uint16_t additionals; /* records in the additional section that are kept */
	size_t body_end;      /* where the kept records end: before the OPT, or at len */
	struct edns edns;
};

/*
 * Reads a whole response. Everything is checked that a client would have to trust: QR
 * set, opcode QUERY, one uncompressed question, all records present, names (owners, and
 * those in the data of types of RFC 1035 and SRV, DNAME, RRSIG, NSEC) valid and their
 * pointers leading backward, A and AAAA data of their length, at most one OPT, with the
 * root as owner and in the additional section. Records behind the OPT (no server puts
 * data there) are not kept. Returns 0, or -EBADMSG and leaves R undefined.
 */
int response_read(struct response *r, const uint8_t *message, size_t len);

/*
 * Reads a response that has no question section, as some servers send with an error: QR set,
 * opcode QUERY, no record but an OPT, and an rcode that is an error (rcode_is_error()). R's
 * question then has length 0. Returns 0, or -EBADMSG and leaves R undefined.
 */
int response_read_error(struct response *r, const uint8_t *message, size_t len);

#endif
