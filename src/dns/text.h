/* text: the parts of which presentation format is made (RFC 1035 5.1), written into a writer. */
#ifndef DOTGATE_DNS_TEXT_H
#define DOTGATE_DNS_TEXT_H

#include "dns/wire.h"

void text_put(struct writer *w, const char *text);
void text_number(struct writer *w, uint32_t n);

/* An octet inside of quotes: as \" \\ or \DDD where it must be. */
void text_octet(struct writer *w, uint8_t octet);

/* LEN octets between quotes. NULL writes none. */
void text_quoted(struct writer *w, const uint8_t *data, size_t len);

void text_hex(struct writer *w, const uint8_t *data, size_t len);
void text_base64(struct writer *w, const uint8_t *data, size_t len);

/* Base 32 with the extended hex alphabet, lower case, not padded (RFC 5155 3.3). */
void text_base32(struct writer *w, const uint8_t *data, size_t len);

/* The second of a 32-bit clock as YYYYMMDDHHmmSS (RFC 4034 3.2), taken to be before 2106. */
void text_time(struct writer *w, uint32_t seconds);

void text_ipv4(struct writer *w, const uint8_t address[4]);
void text_ipv6(struct writer *w, const uint8_t address[16]);

#endif
