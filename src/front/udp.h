/* udp: datagrams in batches: recvmmsg into preset slots, one sendmmsg per round and
 * listener. */
#ifndef DOTGATE_FRONT_UDP_H
#define DOTGATE_FRONT_UDP_H

#include "base/metric.h"
#include "front/client.h"
#include "net/loop.h"

/* Listeners of one worker. */
#define UDP_LISTENERS_MAX 64

struct udp_options {
	struct loop *loop;
	struct metrics *metrics;
	front_query_fn *on_query;
	void *arg; /* of on_query */
};

int udp_new(struct udp **out, const struct udp_options *o);

/* Serves the bound socket FD, which it then owns. WILDCARD: answer from the address
 * asked. */
int udp_add(struct udp *u, int fd, bool wildcard);

/* Sends what is queued. Called at the end of each round. */
void udp_flush(struct udp *u);

/* Serves what has arrived, then reads no more; what is answered later still leaves. */
void udp_stop(struct udp *u);

/* Asks the kernel how many datagrams it had no room for, and counts them. To be called now and
 * then. */
void udp_look(struct udp *u);

void udp_free(struct udp *u);

/* The part of the client interface that is UDP's; see client.h. */
uint8_t *udp_room(struct udp *u, const struct client *c, size_t n);
void udp_send(struct udp *u, const struct client *c, size_t len, uint64_t *sent);

#endif
