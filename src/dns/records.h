/* records: the answer section of a response, record by record. */
#ifndef DOTGATE_DNS_RECORDS_H
#define DOTGATE_DNS_RECORDS_H

#include "dns/response.h"

struct record {
	uint16_t type, class;
	uint32_t ttl;
	const uint8_t *data; /* not owned */
	size_t len;
};

/* A place in the answer section of a response that response_read() has accepted. */
struct records {
	struct cursor c;
	unsigned left;
};

struct records records_of(const struct response *r);

/* The next record; false: there is none. */
bool records_next(struct records *it, struct record *out);

#endif
