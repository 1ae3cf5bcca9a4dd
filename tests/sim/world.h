/* world: a network that exists only in memory, with a clock that is turned by hand. */
#ifndef DOTGATE_TESTS_SIM_WORLD_H
#define DOTGATE_TESTS_SIM_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/metric.h"
#include "base/reason.h"
#include "upstream/pool.h"

/*
 * The real proxy and upstream rooms run against a fake front and a fake net layer (loop,
 * timers, sockets, TLS). Nothing happens between two calls: time stands still until
 * world_run(), and a server does only what it is told.
 */

#define WORLD_MS 1000ull
#define WORLD_S 1000000ull

/* client-share, in percent. */
#define WORLD_SHARE 25

enum dial_mode { DIAL_ACCEPTS, DIAL_REFUSES, DIAL_BLACK_HOLE, DIAL_UNREACHABLE };
enum shake_mode { SHAKE_OK, SHAKE_HANGS, SHAKE_FAILS };

/* Addresses that a server may have. */
#define WORLD_PLACES 3

/* One of them, which can fail by itself. */
struct place {
	enum dial_mode dial;
	enum shake_mode shake;
};

/* One upstream. A test sets the modes at any time. */
struct server {
	bool plain; /* it is asked in the clear */
	struct place
	    places[WORLD_PLACES];   /* what is worse counts: this, or the server's own */
	uint64_t dial_us, shake_us; /* TCP connects after this; TLS after this more */
	bool tickets;		    /* early data only after a handshake has succeeded */
	enum dial_mode dial;
	enum shake_mode shake;
	enum reason shake_failure;
	bool mute;    /* queries are kept, not answered at once */
	size_t early; /* octets of early data that its tickets allow */
	bool refuses_early;
	unsigned early_writes; /* early data received so far, refused or not */
	uint64_t
	    rtt_us; /* an answer comes so long after its query; 0: in the next round */
	unsigned dials;	  /* connection attempts so far */
	unsigned shaken;  /* handshakes completed so far */
	unsigned queries; /* received so far */
	unsigned writes;  /* TLS records received so far */
	uint64_t first_dial_us, last_dial_us;
};

/* A query that a server received and has not answered. */
struct received {
	unsigned connection; /* number of the connection, from 1 in the order of dials */
	unsigned server;
	uint16_t id;
	uint8_t message[512];
	size_t len;
};

/* What a client was told. */
struct told {
	unsigned address; /* of the client */
	uint64_t asked_us;
	unsigned answers; /* replies so far; more than one is a fault */
	unsigned drops;	  /* or it was dropped */
	unsigned rcode;
	bool truncated;
	int ede; /* -1: none */
	char text[256];
	uint64_t at_us;
	uint8_t *message;
	size_t len;
};

/* Worlds differ in this. */
struct world_plan {
	unsigned upstreams;
	enum policy policy;
	unsigned race;
	enum hedge hedge;
	uint64_t keep_warm_us;
	bool cached;
	bool early_data;
	bool terse;			/* clients are told no more than why */
	unsigned plain;			/* bit I: upstream I is asked in the clear */
	unsigned places[UPSTREAMS_MAX]; /* addresses of each; 0: one */
	unsigned weight[UPSTREAMS_MAX]; /* 0: one */
	/* Group I (from 1) serves the names below "gI"; the first all others. None: one group of
	 * all upstreams. */
	unsigned group_count;
	struct pool_group groups[UPSTREAMS_MAX];
};

void world_make(const struct world_plan *plan);

/* A world with UPSTREAMS servers, all accepting, asked in their order, without hedges. QUERY_TIMEOUT
 * 5 s, idle 10 s, never kept warm. */
void world_new(unsigned upstreams);

/* The same, with a cache of 1 MiB: ttl-max 1 d, negative-ttl-max 1 h, failure-ttl 5 s,
 * serve-stale 1 d, stale-after 1.8 s. */
void world_new_cached(unsigned upstreams);
void world_free(void);
bool world_exists(void);

/* What the worker does in its first round. */
void world_warm(void);

/* The network has changed: PATH says whether that concerns the connections. Or it has SLEPT. */
void world_change_network(bool path, bool slept);

/* UPSTREAM has one more address, tried last. Returns the number of the server that is there. Before
 * anything is asked. */
unsigned world_add_address(unsigned upstream);

/* Servers can or cannot be reached any more, as far as the kernel knows. */
void world_set_way(bool has_way);

/* Times that the tickets of an upstream were forgotten. */
unsigned world_forgotten(void);
/* True if requests = responses + dropped + waiting; each world must end so. */
bool world_adds_up(void);

struct server *world_server(unsigned i);
struct metrics *world_metrics(void);
uint64_t world_now(void);
unsigned world_inflight(void);

/* Clients that ask from now on have this address. */
void world_ask_from(unsigned address);

/* A client asks for NAME (presentation format without escapes), A, RD. Returns its
 * number. */
unsigned world_ask(const char *name);

/* The same, with flags in the header (CD...; RD: without it), DO, and the type. */
unsigned world_ask_as(const char *name, uint16_t type, uint16_t flags, bool do_bit);

/* Gives a raw message to the proxy as a client's. Returns the client's number. */
unsigned world_ask_raw(const uint8_t *message, size_t len);

/* Clients that have asked so far: the number of the next. */
unsigned world_ask_count(void);

/* The same, over UDP. */
unsigned world_ask_udp(const uint8_t *message, size_t len);

const struct told *world_told(unsigned client);

/* Runs rounds, and lets US microseconds pass. */
void world_run(uint64_t us);

/* Runs rounds until nothing happens any more, without time passing. */
void world_settle(void);

/* The Nth (from 0) unanswered query that server I holds; NULL: there are fewer. */
struct received *world_received(unsigned i, unsigned n);
unsigned world_received_count(unsigned i);

/* The same of all servers: in the order in which they came. */
struct received *world_held(unsigned n);

/* Answers Q (A 192.0.2.1), which is then forgotten. */
void world_answer(struct received *q);

/* Answers Q with this rcode and header flags beyond the usual ones: with an A record of this
 * TTL, or if RCODE or `negative` say so with a SOA of TTL and MINIMUM, if TTL is not 0. */
struct reply_plan {
	unsigned rcode, flags;
	bool negative;
	uint32_t ttl, minimum;
};
void world_answer_with(struct received *q, const struct reply_plan *plan);

/* Sends octets as one TLS record over connection C. A frame header is not added; over UDP the
 * first two octets, where that would be, are left out. */
void world_send(unsigned c, const void *data, size_t len);

/* The same, to arrive DELAY from now: what is sent later to arrive earlier overtakes it. */
void world_send_after(unsigned c, const void *data, size_t len, uint64_t delay);

/* From now on FN answers queries, or keeps them, or forgets them (NULL: as `mute` says). */
typedef void world_query_fn(struct received *q);
void world_on_query(world_query_fn *fn);

/* FN is called at the end of each round. */
void world_on_round(void (*fn)(void));

/* FN is called when a client has been told something; COUNTER is that of such responses. */
typedef void world_told_fn(unsigned client, const uint64_t *counter);
void world_on_told(world_told_fn *fn);

/* Q is not answered any more. */
void world_forget(struct received *q);

/* Makes the answer to Q without sending it: a frame with its header. Returns its length.
 */
size_t world_make_answer(const struct received *q, uint8_t *frame, size_t cap);

/* The server closes connection C: cleanly, or with a reset. What it had sent before is
 * still delivered first. Its unanswered queries are forgotten. */
void world_close(unsigned c);
void world_reset(unsigned c);

/* Connection C takes no more octets (a full socket), or takes them again. */
void world_block(unsigned c, bool blocked);

/* The server closes connection C after DELAY. */
void world_close_after(unsigned c, uint64_t delay);

/* A handshake that hangs goes on, if the server's mode is another by now. */
void world_shake_again(unsigned c);

/* No new descriptors or TLS connections can be had, or they can again. */
void world_short(bool is_short);

/* The server's addresses are these COUNT of its places, from FIRST on; 0: they are not known. */
void world_set_addresses(unsigned server, unsigned first, unsigned count);

/* As the worker does each second. */
void world_look_for_addresses(void);

/* Time jumps, as if the process had been stopped: all that is due then comes at once. */
void world_jump(uint64_t us);

bool world_is_open(unsigned c);
bool world_is_authenticated(unsigned c); /* TLS, and open */
bool world_is_datagram(unsigned c);	 /* UDP */
unsigned world_server_of(unsigned c);
unsigned world_connections(void); /* dials so far, all servers */

/* The Nth (from 0) descriptor that is open, as a connection's number; 0: there are fewer. */
unsigned world_open(unsigned n);
unsigned world_open_count(void);

/* What is left of it, for those who look for leaks. */
unsigned world_timers(void);
unsigned world_tls_count(void);
struct pool *world_pool(void);

/* Zeroed memory for the tests; never NULL. */
void *world_claim(size_t size);

/* Ends everything in flight as at shutdown. */
void world_abort(void);

/* The pool and the proxy end; the network, and what clients were told, are still there. */
void world_end(void);

#endif
