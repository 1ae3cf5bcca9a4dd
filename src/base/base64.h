/* base64: RFC 4648, both alphabets, for pins and DNS stamps. */
#ifndef DOTGATE_BASE_BASE64_H
#define DOTGATE_BASE_BASE64_H

#include <stddef.h>
#include <stdint.h>

/* Decodes LEN characters of TEXT (standard or URL alphabet, padding optional) into OUT.
 * Returns the number of bytes, or -EINVAL (not base64) or -ENOSPC (more than CAP). */
int base64_decode(uint8_t *out, size_t cap, const char *text, size_t len);

/* Encodes LEN bytes with the standard alphabet and padding; OUT holds at least
 * (LEN + 2) / 3 * 4 + 1 characters. */
void base64_encode(char *out, const uint8_t *data, size_t len);

#endif
