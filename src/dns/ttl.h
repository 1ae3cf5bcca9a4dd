/* ttl: how long a response may be kept (RFC 1035, 2181, 2308), and where its TTLs are. */
#ifndef DOTGATE_DNS_TTL_H
#define DOTGATE_DNS_TTL_H

#include "dns/response.h"

/* Records whose TTLs are listed: what 16 KiB hold at most. */
#define TTLS_MAX 1490

/* There is no SOA in the authority section. */
#define TTL_NONE UINT32_MAX

struct ttls {
	bool too_many;	/* more than TTLS_MAX; the rest is undefined */
	bool plain;	/* addresses of the question's name only: no other name is read */
	bool answered;	/* the answer section has a record of the type that was asked */
	uint32_t least; /* of all records; TTL_NONE: there are none */
	uint32_t negative; /* min(TTL, MINIMUM) of the SOA in the authority section (RFC
			      2308 5), or TTL_NONE */
	unsigned count;
	uint16_t at[TTLS_MAX]; /* octets from R->question_end to each TTL */
};

/* Finds the TTLs of the records that response_read() kept. */
void ttl_scan(const struct response *r, struct ttls *out);

/* A TTL as it is to be taken: with the upper bit set it is 0 (RFC 2181 8). */
static inline uint32_t ttl_read(uint32_t wire)
{
	return wire > INT32_MAX ? 0 : wire;
}

#endif
