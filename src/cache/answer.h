/* answer: what is kept of a response, how long, and how it is shown again. */
#ifndef DOTGATE_CACHE_ANSWER_H
#define DOTGATE_CACHE_ANSWER_H

#include "dns/response.h"

/* Seconds. */
struct answer_limits {
	uint32_t ttl_min, ttl_max;
	uint32_t negative_ttl_max;
	uint32_t failure_ttl; /* 0: failures are not kept */
};

/* In the order of their worth: a failure never takes the place of a good answer. */
enum answer_kind {
	ANSWER_FAILURE,	 /* SERVFAIL, REFUSED (RFC 9520) */
	ANSWER_NEGATIVE, /* NXDOMAIN, NODATA (RFC 2308) */
	ANSWER_POSITIVE
};

/* What is to be remembered beside the octets. */
struct answer_life {
	bool keep; /* false: it is not to be kept; `ttl` is undefined */
	enum answer_kind kind;
	uint32_t ttl; /* seconds */
};

/* The octets that a packed answer has beyond the records of the response, at most. */
#define ANSWER_OVERHEAD_MAX (16 + 2 * 1490 + EDE_KEPT_MAX * (4 + EDE_TEXT_MAX))

/* Room for a packed answer; longer ones are not packed. */
#define ANSWER_MAX (16384 + ANSWER_OVERHEAD_MAX)

/*
 * Packs R into OUT (ANSWER_MAX octets): flags, records, EDEs, and where the TTLs are. TTLs are
 * brought into the limits, and those of a negative answer down to what the SOA allows, so that
 * what the first client sees is what a later one sees, but for age. Returns the length; 0: R
 * is too long, or would become another with its TTLs.
 *
 * Not to be kept: truncated answers, TTL 0, negative answers without a SOA, and those that
 * have another rcode, opcode of meaning, class than IN, or a meta-type (RFC 6895 3.1).
 */
size_t answer_pack(uint8_t *out, const struct response *r, const struct answer_limits *l,
		   struct answer_life *life);

/* Packs a failure of our own: RCODE with one EDE. */
size_t answer_pack_failure(uint8_t *out, unsigned rcode, uint16_t ede, const char *text,
			   const struct answer_limits *l, struct answer_life *life);

/* In front of a packed answer that is unpacked there must be this much room. */
#define ANSWER_HEADROOM (12 + NAME_MAX_LEN + 4)

/* TTL of every record of a stale answer (RFC 8767 4). */
#define ANSWER_STALE_TTL 30

/*
 * The packed answer of LEN octets at PACKED as a response to Q, in place: each TTL is lowered by
 * AGE seconds; STALE sets them to ANSWER_STALE_TTL instead. R is good for
 * reply_from_response() while PACKED is; its `question` and what stands before question_end
 * are not there. Returns 0; -EBADMSG: these are not octets that answer_pack() made.
 */
int answer_unpack(struct response *r, uint8_t *packed, size_t len,
		  const struct question *q, uint32_t age, bool stale);

/* Adds an EDE, whose text must outlive R, if R has room for one more. */
void answer_add_ede(struct response *r, uint16_t code, const char *text);

#endif
