/* records: a section of a response, record by record. */
#ifndef DOTGATE_DNS_RECORDS_H
#define DOTGATE_DNS_RECORDS_H

#include "dns/name.h"
#include "dns/response.h"

/* CNAMEs that are followed; resolvers give up at about as many. */
#define RECORDS_CNAMES_MAX 16

struct record {
	size_t owner; /* where its owner's name starts in the message */
	uint16_t type, class;
	uint32_t ttl;
	const uint8_t *data; /* not owned */
	size_t len;
};

/* A place in a section of a response that response_read() has accepted. */
struct records {
	struct cursor c;
	unsigned left;
};

/* The start of the answer section; of the additional section, whose OPT is not among them. */
struct records records_of(const struct response *r);
struct records records_additional(const struct response *r);

/* The next record; false: there is none. */
bool records_next(struct records *it, struct record *out);

/* The name that is answered for: the question's, or where the CNAMEs in the answer lead from there.
 * *TTL is lowered to the least of theirs. Returns its length; 0: they lead nowhere. */
size_t records_name(const struct response *r, uint8_t out[NAME_MAX_LEN], uint32_t *ttl);

/* The next record of TYPE and class IN that NAME (LEN octets) owns; false: there is none. */
bool records_next_of(struct records *it, const uint8_t *name, size_t len, uint16_t type,
		     struct record *out);

#endif
