/* client: who asked, and how to answer: the one door of the front for the layers above. */
#ifndef DOTGATE_FRONT_CLIENT_H
#define DOTGATE_FRONT_CLIENT_H

#include <stdbool.h>

#include "base/host.h"

struct udp;
struct tcp;

/* The address a datagram was sent to, for the answer to leave from; family 0: not known.
 */
struct local_address {
	sa_family_t family;
	unsigned interface; /* index; 0: any */
	union {
		struct in_addr v4;
		struct in6_addr v6;
	};
};

/* Names a client across a wait. A TCP client may be gone by then; its generation tells.
 */
struct client {
	enum client_kind { CLIENT_UDP, CLIENT_TCP } kind;
	union {
		struct {
			unsigned listener;
			struct address peer;
			struct local_address local;
		} udp;
		struct {
			uint32_t slot, generation;
		} tcp;
	};
};

/* All listeners of one worker. Either may be NULL (tests). */
struct front {
	struct udp *udp;
	struct tcp *tcp;
};

/* What the front does with a client's message. MESSAGE is only valid during the call. The
 * handler answers now or later, exactly once: client_send() or client_drop(). */
typedef void front_query_fn(void *arg, const struct client *c, const uint8_t *message,
			    size_t len);

/*
 * Room for a reply of up to N octets to C, to be followed at once by client_send() with
 * its length, or client_drop(). NULL: the client is gone or memory is short, and nothing
 * more is to be done (the drop has been counted).
 */
uint8_t *client_room(struct front *f, const struct client *c, size_t n);

/* Queues what was written to client_room(); it leaves at the end of the round. *SENT counts
 * it: at once over TCP, over UDP when the kernel has taken it; else `dropped` does. */
void client_send(struct front *f, const struct client *c, size_t len, uint64_t *sent);

/* C gets no answer; the caller counts the drop. */
void client_drop(struct front *f, const struct client *c);

/* What C is counted as; all 0 for a TCP client that is gone. */
struct host client_host(const struct front *f, const struct client *c);

static inline bool client_is_tcp(const struct client *c)
{
	return c->kind == CLIENT_TCP;
}

/* What a TCP client that asks with the keepalive option is told: the idle time-out in
 * units of 100 ms (RFC 7828); 0 over UDP. */
uint16_t client_keepalive(const struct front *f, const struct client *c);

#endif
