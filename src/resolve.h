/* resolve: the addresses of a name, or of the resolver that a plain one designates (RFC 9462). */
#ifndef DOTGATE_RESOLVE_H
#define DOTGATE_RESOLVE_H

#include "lookup.h"
#include "upstream/addresses.h"

/* Of each of the two kinds so many are taken, so that neither pushes out the other. */
#define RESOLVED_MAX (2 * ADDRESSES_MAX)

/* The longest name that TLS can say, and the end. */
#define RESOLVED_SNI_MAX 256

struct resolved {
	unsigned count;
	struct address all[RESOLVED_MAX];
	uint32_t ttl;		    /* in seconds: then it is asked for again */
	char sni[RESOLVED_SNI_MAX]; /* of a designated resolver; "": it has none */
};

/*
 * Asks S for the addresses of NAME (wire format, LEN octets), which get PORT. Returns true if there
 * is one at least: where only one of the two kinds was answered that has to do, for a short time.
 * Else L->error says why.
 */
bool resolve_name(struct lookup *l, struct lookup_server *s, const uint8_t *name,
		  size_t len, uint16_t port, struct resolved *out);

/*
 * Asks the plain resolver at ADDRESS whom it designates: of those that speak DNS over TLS, the one
 * of the highest priority. Returns true, and where that is; else L->error says why.
 */
bool resolve_designated(struct lookup *l, const struct address *address,
			struct resolved *out);

#endif
