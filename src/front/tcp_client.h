/* tcp_client: one TCP client: its buffers, and what it waits for. Part of tcp.c. */
#ifndef DOTGATE_FRONT_TCP_CLIENT_H
#define DOTGATE_FRONT_TCP_CLIENT_H

#include "base/buf.h"
#include "base/list.h"
#include "net/loop.h"

struct tcp;

/* Octets read from a client at a time: many queries, but others have their turn soon, and
 * they stay in the first-level cache. */
#define TCP_READ_CHUNK 16384

/*
 * It has buffers only while octets wait: thousands of idle clients cost little.
 *
 * Only tcp_table_close() ends a client, and never while a query is passed up: what finds
 * a fault notes it (`broken`), and the end of the round acts.
 */
struct tcp_client {
	struct tcp *tcp;
	loop_watch watch;
	struct list age;     /* in tcp->quiet or tcp->busy */
	struct list kin;     /* in the list of that name of its address */
	struct list work;    /* in tcp->dirty or tcp->resume, or in neither */
	struct list holding; /* in tcp->holding while it has a buffer */
	struct buf in;	     /* a frame that is not whole, or what a cap holds back */
	struct buf out;	     /* answers that were not sent yet */
	uint64_t active_us;  /* the last whole query, or progress with an answer */
	uint32_t slot, generation; /* generation counts the clients that had this slot */
	uint32_t place;		   /* in the census */
	int fd;			   /* -1: the slot is free */
	uint16_t pending;	   /* queries under way */
	bool busy;		   /* in tcp->busy, not in tcp->quiet */
	bool eof;		   /* no more input: it is closed when all is answered */
	bool full;    /* too many queries under way, until half of them are answered */
	bool backlog; /* a cap holds back whole frames in `in` */
	bool blocked; /* its socket takes no more for now */
	bool broken;  /* it cannot be served on */
};

/* Many thousands of them are idle. */
_Static_assert(sizeof(struct tcp_client) <= 176, "an idle client costs little");

/* Reads what has arrived, up to a chunk, and passes whole frames up. */
void tcp_client_read(struct tcp_client *c);

/* Passes up what a cap has held back. */
void tcp_client_resume(struct tcp_client *c);

/* Sends what is queued as far as the socket takes it. */
void tcp_client_write(struct tcp_client *c);

/* Frees its buffers. */
void tcp_client_release(struct tcp_client *c);

/* True when it waits for nothing from us. */
bool tcp_client_is_quiet(const struct tcp_client *c);

/* True when it is to be closed. */
bool tcp_client_is_done(const struct tcp_client *c);

/* True when its backlog can be passed up. */
bool tcp_client_can_resume(const struct tcp_client *c);

/* What its socket is to be watched for. */
unsigned tcp_client_events(const struct tcp_client *c);

/* It was active just now. */
void tcp_client_touch(struct tcp_client *c);

/* The end of the round looks at it. */
void tcp_client_mark(struct tcp_client *c);

/* True when so much is buffered by all of T's clients that at the end of the round
 * someone has to give way. */
bool tcp_client_memory_is_short(const struct tcp *t);

#endif
