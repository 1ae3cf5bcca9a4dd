/* name: domain names in wire format (RFC 1035 3.1, 4.1.4; compared without case, RFC
 * 4343). */
#ifndef DOTGATE_DNS_NAME_H
#define DOTGATE_DNS_NAME_H

#include "dns/wire.h"

/* A name has at most 255 octets, its length octets and the root included (RFC
 * 1035 2.3.4). */
#define NAME_MAX_LEN 255

/* Room for the text of any name: each octet may become \DDD, and the end. */
#define NAME_TEXT_MAX (NAME_MAX_LEN * 4 + 1)

/*
 * Reads an uncompressed name, as in the question of a message: a pointer, a label over 63
 * or a name over 255 octets sets c->bad. Returns its length; the name starts where the
 * cursor was.
 */
size_t name_read_plain(struct cursor *c);

/*
 * Steps over a name that may be compressed, in a cursor over the whole message. Every
 * pointer must lead to an earlier octet behind the header, the labels there must end
 * before those that led to them begin, and the whole name (labels behind pointers
 * included) must fit 255 octets; else c->bad is set. The time is bounded by 127 labels
 * and 127 pointers per name.
 */
void name_skip(struct cursor *c);

/* Copies LEN octets of an uncompressed name in lower case (length octets are never
 * letters). */
void name_lower(uint8_t *out, const uint8_t *name, size_t len);

/* Two uncompressed names of LEN octets, compared without case. */
bool name_equal(const uint8_t *a, const uint8_t *b, size_t len);

/* Reads presentation format (RFC 1035 5.1: \\DDD and \\X; the final dot may be missing) into OUT.
 * Returns the length, or 0: it is no name. */
size_t name_parse(uint8_t out[NAME_MAX_LEN], const char *text);

/* Reads a name that may be compressed into OUT, uncompressed: any octets, each pointer backward. Returns
 * its length; 0 sets c->bad. */
size_t name_expand(struct cursor *c, uint8_t out[NAME_MAX_LEN]);

/* Presentation format of an uncompressed, valid name, with the final dot. Returns OUT. */
const char *name_text(const uint8_t *name, size_t len, char out[NAME_TEXT_MAX]);

#endif
