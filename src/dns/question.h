/* question: the one question of a message (RFC 9619), and the key that stands for it. */
#ifndef DOTGATE_DNS_QUESTION_H
#define DOTGATE_DNS_QUESTION_H

#include "dns/name.h"

struct question {
	const uint8_t
	    *name; /* uncompressed wire format, in the case it was asked; not owned */
	size_t name_len; /* 1 to 255; 0: there is no question */
	uint16_t type, class;
};

/* Reads a question; a compressed or overlong name sets c->bad. */
struct question question_read(struct cursor *c);

/* Name in lower case, type, class. */
#define QUESTION_KEY_MAX (NAME_MAX_LEN + 4)

/* Writes the key of Q; equal questions have equal keys. Returns its length. */
size_t question_key(const struct question *q, uint8_t key[QUESTION_KEY_MAX]);

#endif
