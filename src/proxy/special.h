/* special: names that are answered here, since nobody else can or may answer them. */
#ifndef DOTGATE_PROXY_SPECIAL_H
#define DOTGATE_PROXY_SPECIAL_H

#include "dns/response.h"

/*
 * localhost (RFC 6761), invalid, test, onion (7686), local (6762), home.arpa (8375), alt (9476),
 * resolver.arpa (9462), and the reverse zones of addresses that mean something only in their own
 * network (6303, 7793): asked elsewhere, such names tell strangers of this network and get no good
 * answer.
 */

/* Room for the records of an answer: a SOA or an address. */
#define SPECIAL_ROOM 160

/*
 * If Q is one of them, makes R the response to it, whose records are in ROOM, and returns true.
 * NAME is Q's name in lower case, of the same length.
 */
bool special_answer(const struct question *q, const uint8_t *name,
		    uint8_t room[SPECIAL_ROOM], struct response *r);

#endif
