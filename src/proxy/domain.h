/* domain: the registrable domain of a name, such as example.co.uk of www.example.co.uk. */
#ifndef DOTGATE_PROXY_DOMAIN_H
#define DOTGATE_PROXY_DOMAIN_H

#include <stddef.h>
#include <stdint.h>

/* The public suffix list, by libpsl, which is loaded only when it is wanted. Thread safe. */
struct domains;

/* Returns 0, or -ELIBACC: libpsl is not installed. */
int domains_new(struct domains **out);
void domains_free(struct domains *d);

/* A hash, the same in each run, of the registrable domain of NAME (wire format, lower case, LEN
 * octets); of a name that has none, of itself. */
uint64_t domains_hash(const struct domains *d, const uint8_t *name, size_t len);

#endif
