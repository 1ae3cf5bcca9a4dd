/* query: a client's query, as it arrived and as it goes up. */
#ifndef DOTGATE_DNS_QUERY_H
#define DOTGATE_DNS_QUERY_H

#include "dns/edns.h"
#include "dns/question.h"

/* Queries over TLS are padded to a multiple of this (RFC 8467 4.1). */
#define QUERY_PAD_BLOCK 128

/* The longest message that query_encode() makes: header, question, OPT, options, padding.
 */
#define QUERY_ENCODED_MAX 384

struct query {
	uint16_t id;
	uint16_t flags; /* header flags as the client sent them */
	uint16_t limit; /* octets of the longest answer that the client takes on its
			   transport */
	struct question question;
	struct edns edns;
};

/*
 * Reads the sections of a message whose header says that it is a query with one question.
 * `limit` is left to the caller. Returns 0, or -EBADMSG: octets missing, a compressed or
 * overlong question name, two OPTs, an OPT with an owner name or with options that
 * overrun it. After -EBADMSG the id, the flags and, where it could be read, the question
 * are set.
 */
int query_read(struct query *q, const uint8_t *message, size_t len);

/*
 * Writes the message that asks Q's question upstream: ID, RD and CD as the client set
 * them, AD set (RFC 6840 5.7), the question as asked, an OPT of our own with DO as the
 * client set it, an empty keepalive option if KEEPALIVE (RFC 7828 3.2.1), padding to 128.
 * Nothing else of the client goes up. Returns its length; OUT holds QUERY_ENCODED_MAX
 * octets.
 */
size_t query_encode(uint8_t *out, const struct query *q, uint16_t id, bool keepalive);

/* Writes the message that asks Q's question where nothing is encrypted: as query_encode(), without
 * padding and keepalive. */
size_t query_encode_plain(uint8_t *out, const struct query *q, uint16_t id);

/* Writes the message that asks Q's question of an upstream that does not know EDNS: without OPT. */
size_t query_encode_bare(uint8_t *out, const struct query *q, uint16_t id);

#endif
