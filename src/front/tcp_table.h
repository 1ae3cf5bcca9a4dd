/* tcp_table: all TCP clients of a worker: who is there, since when, and who gives way. */
#ifndef DOTGATE_FRONT_TCP_TABLE_H
#define DOTGATE_FRONT_TCP_TABLE_H

#include "base/log.h"
#include "front/census.h"
#include "front/tcp.h"
#include "front/tcp_client.h"
#include "net/timer.h"

/* A timer that runs always can be set without fail. */
#define TCP_NEVER UINT64_MAX

struct tcp_listener {
	struct tcp *tcp;
	int fd;
	loop_watch watch;
};

struct tcp {
	struct tcp_options options;
	bool stopping;
	int spare; /* a descriptor to give up when there is no other, -1: it could not be
		      had */
	unsigned listener_count;
	struct tcp_listener listeners[TCP_LISTENERS_MAX];
	struct timer idle, pause,
	    resuming;	    /* always running, so that setting never fails */
	struct list quiet;  /* clients that wait for nothing from us, the idlest first */
	struct list busy;   /* the others, by their last activity */
	struct list dirty;  /* clients with something to write, to wait for, or to end */
	struct list resume; /* clients whose backlog has its turn in the next round */
	struct list
	    holding; /* clients with buffers, the one that has had them longest first */
	size_t buffered; /* octets allocated for all clients' buffers */
	struct census *census;
	unsigned count;
	uint32_t slots;	  /* ever used */
	struct list free; /* slots that are free again, by their `age` */
	struct tcp_client *clients;
	struct log_limit complaints;
	uint8_t scratch[TCP_READ_CHUNK];
};

/* Makes the table for options.clients_max clients. Returns 0 or -errno. */
int tcp_table_init(struct tcp *t);

/* Closes all clients and frees the table; right also after tcp_table_init() has failed.
 */
void tcp_table_free(struct tcp *t);

/* Serves the connection FD, which it then owns. There must be a free slot. 0 or -errno.
 */
int tcp_table_open(struct tcp *t, int fd, uint32_t place);

/* Ends a client at once. Never call it while a query of that client is passed up. */
void tcp_table_close(struct tcp_client *c);

/* Counts a client, or a newcomer, that is not served (on) because of WHY. */
void tcp_table_drop(struct tcp *t, enum reason why);

/*
 * Sees to it that there is a place for a newcomer that is counted at PLACE already. False: it has
 * to go, as others have less.
 *
 * Places are scarce when more than three quarters are taken; till then anyone may have them, since
 * behind one address there may be a whole site. Then an address that has its share already (half
 * of them, if no other cap is set) gets one more only for an idle one of its own. When all are
 * taken the address that has the most gives way: its idlest client that waits for nothing from us;
 * then, if it is within its share, the idlest of all; then a busy one of it.
 */
bool tcp_table_make_room(struct tcp *t, uint32_t place);

/* Closes an idle client because a descriptor is needed: of an address that has more than its
 * share, else the idlest of all. False: there is none. Right also while a query is passed
 * up. */
bool tcp_table_free_descriptor(struct tcp *t);

#endif
