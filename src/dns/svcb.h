/* svcb: the data of an SVCB record (RFC 9460), as far as the discovery of resolvers wants it. */
#ifndef DOTGATE_DNS_SVCB_H
#define DOTGATE_DNS_SVCB_H

#include "dns/name.h"
#include "dns/records.h"

#define SVCB_HINTS_MAX 8

struct svcb {
	uint16_t priority; /* 0: an alias */
	uint8_t target[NAME_MAX_LEN];
	size_t target_len;
	bool dot;      /* the alpn list has "dot" (RFC 9461) */
	uint16_t port; /* 0: not given */
	unsigned v4_count, v6_count;
	uint8_t v4[SVCB_HINTS_MAX][4], v6[SVCB_HINTS_MAX][16];
};

/* Reads R's data. False: it is malformed, or has a mandatory key that is not known here. */
bool svcb_read(struct svcb *out, const struct record *r);

#endif
