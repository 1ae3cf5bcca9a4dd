/* tcp: TCP clients: pipelined frames, answers as they are ready, caps, idle times (RFC
 * 7766). */
#ifndef DOTGATE_FRONT_TCP_H
#define DOTGATE_FRONT_TCP_H

#include "base/metric.h"
#include "front/client.h"
#include "net/loop.h"

#define TCP_LISTENERS_MAX 64

struct tcp_options {
	struct loop *loop;
	struct metrics *metrics;
	front_query_fn *on_query;
	void *arg;	      /* of on_query */
	unsigned clients_max; /* connections in all; who gives way: tcp_table.h */
	unsigned
	    clients_per_address; /* of one address, at any time; 0: its share alone counts */
	uint64_t idle_us;	 /* without a query under way */
};

int tcp_new(struct tcp **out, const struct tcp_options *o);

/* Accepts on the listening socket FD, which it owns unless this fails. Returns 0 or -errno. */
int tcp_add(struct tcp *t, int fd);

/* Writes what is queued. Called at the end of each round. */
void tcp_flush(struct tcp *t);

/* Serves what has arrived, then accepts and reads no more; idle clients are closed now, the
 * others once answered. */
void tcp_stop(struct tcp *t);

void tcp_free(struct tcp *t);

/* For loop_at_shortage(), with the struct tcp as TCP: an idle client gives way. */
bool tcp_free_descriptor(void *tcp);

uint16_t tcp_keepalive(const struct tcp *t);

struct host tcp_host(struct tcp *t, const struct client *c);

/* The part of the client interface that is TCP's; see client.h. */
uint8_t *tcp_room(struct tcp *t, const struct client *c, size_t n);
void tcp_send(struct tcp *t, const struct client *c, size_t len, uint64_t *sent);
void tcp_drop(struct tcp *t, const struct client *c);

#endif
