/* world_state: what the parts of the fake network share. Only tests/sim/world*.c include it. */
#ifndef DOTGATE_TESTS_SIM_WORLD_STATE_H
#define DOTGATE_TESTS_SIM_WORLD_STATE_H

#include "base/random.h"
#include "front/client.h"
#include "net/loop.h"
#include "net/socket.h"
#include "net/timer.h"
#include "net/tls.h"
#include "proxy/query.h"
#include "upstream/pool.h"
#include "world.h"

#define TIMERS_MAX 4096
#define WORLD_FD_BASE 100000
/* Each address that was added to an upstream is a server of its own. */
#define SERVERS_MAX (UPSTREAMS_MAX * ADDRESSES_MAX)

/* What a server has sent and we have not read: a TLS record, or a datagram. */
struct record {
	uint64_t due;
	size_t len, taken;
	uint8_t *data;
};

/* One descriptor: a connection, or a socket for datagrams. */
struct connection {
	bool open; /* from our side */
	enum { WIRE_TLS, WIRE_TCP, WIRE_UDP } wire;
	unsigned number, server, place;
	bool blocked, ended, reset;
	bool goes_on;	    /* its handshake is to be looked at once more */
	uint64_t up_us;	    /* TCP connects then */
	uint64_t end_us;    /* the server closes it then; 0: not */
	uint64_t shaken_us; /* the handshake may end then; 0: it has not begun */
	bool authenticated;
	unsigned events;
	loop_event_fn *fn;
	void *arg;
	unsigned record_count, record_room;
	struct record *records; /* by due time */
};

struct tls_conn {
	unsigned number;
	bool ready;
	bool early; /* its early data was accepted */
	enum reason failure;
};

struct loop {
	uint64_t now;
	struct timer *timers[TIMERS_MAX];
	unsigned timer_count;
};

extern struct world {
	struct loop loop;
	struct random random;
	struct hash_key key;
	struct metrics metrics;
	struct server servers[SERVERS_MAX];
	unsigned server_count; /* one for each upstream, then those added */
	struct addresses known[UPSTREAMS_MAX];
	struct notes notes[UPSTREAMS_MAX];
	char labels[UPSTREAMS_MAX][24];
	world_query_fn *on_query;
	void (*on_round)(void);
	world_told_fn *on_told;
	unsigned connection_count, connection_room;
	struct connection **connections; /* by number, from 1; ended ones too */
	unsigned open_count, open_room;
	unsigned *open; /* numbers of those that are open, in order */
	unsigned tls_count;
	unsigned received_count, received_room;
	struct received **received;
	unsigned client_count, client_room;
	struct told **clients;
	uint8_t scratch[65535];
	struct front front;
	struct proxy *proxy;
	struct cache *cache;
	struct pool *pool;
	bool path_changed, no_way, short_of_descriptors;
	unsigned address; /* of the clients that ask */
	unsigned forgotten;
	struct routes routes;
} * world;

struct connection *world_connection(unsigned number);

/* The number of the connection that has this descriptor. */
unsigned world_number(int fd);

/* The place of connection NUMBER in `open`, or where it would be. */
unsigned world_place(unsigned number);

/* Room for one more of COUNT things of SIZE octets; ALL points to the pointer to them. */
void world_grow(void *all, unsigned count, unsigned *room, size_t size);

/* While the fake network itself allocates, which never fails. */
extern volatile bool world_claims; /* compilers know what calloc() reads */

/* A new descriptor to the server that listens on A. */
struct connection *world_connect(const struct address *a, int wire);

/* Server `number` has received one message. */
void world_receive(unsigned number, const uint8_t *message, size_t len);

/* It has received octets that are whole frames. */
void world_receive_frames(unsigned number, const uint8_t *data, size_t len);

/* The mode of the server's address to which C leads. */
enum dial_mode world_dial_mode(const struct connection *c);

/* The next octets that have come on C: up to CAP, of one record. Returns how many; 0: none yet. */
size_t world_take(struct connection *c, uint8_t *out, size_t cap);

#endif
