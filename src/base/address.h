/* address: an IP address with a port. */
#ifndef DOTGATE_BASE_ADDRESS_H
#define DOTGATE_BASE_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct address {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	};
};

/* "[" + 45 + "%" + scope 15 + "]:" + port 5, and the end. */
#define ADDRESS_TEXT_MAX 80

/* Reads "192.0.2.1" or "2001:db8::1" or "fe80::1%eth0" (no brackets, no port) of LEN
 * characters. Returns 0, -EINVAL (no IP address) or -ENODEV (no such interface). */
int address_parse_ip(struct address *a, const char *text, size_t len, uint16_t port);

/* "192.0.2.1:53" or "[2001:db8::1]:53". Returns OUT. */
const char *address_text(const struct address *a, char out[ADDRESS_TEXT_MAX]);

/* The same without the port (and so without brackets). Returns OUT. */
const char *address_ip_text(const struct address *a, char out[ADDRESS_TEXT_MAX]);

static inline socklen_t address_len(const struct address *a)
{
	return a->any.sa_family == AF_INET6 ? sizeof a->v6 : sizeof a->v4;
}

uint16_t address_port(const struct address *a);
bool address_equal(const struct address *a, const struct address *b); /* with the port */
bool address_same_ip(const struct address *a, const struct address *b); /* without it */
bool address_is_wildcard(const struct address *a);

#endif
