/* stamp: DNS stamps (sdns://...), as far as they say something about DNS over TLS. */
#ifndef DOTGATE_CONF_STAMP_H
#define DOTGATE_CONF_STAMP_H

#include <stdint.h>

#include "conf/fault.h"

/* A DoT stamp is two texts of up to 255 octets, and hashes, which are refused; so what
 * does not fit is no DoT stamp that could be used. */
#define STAMP_MAX 1024

struct stamp {
	uint8_t octets[STAMP_MAX];
	struct span address; /* in octets: "IP", "IP:PORT", ":PORT" or empty */
	struct span host;    /* in octets: "NAME" or "NAME:PORT"; may be empty */
};

/*
 * Reads what follows "sdns://". Other protocols than DoT are refused by their name. So
 * are hashes: a stamp's are of a whole certificate somewhere in the chain (its
 * TBSCertificate), not of a key, so they cannot become pins, and without them the stamp
 * would promise more than is checked.
 */
int stamp_read(struct stamp *out, struct span text, struct fault *f);

#endif
