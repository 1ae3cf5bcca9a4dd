/* random: what the parts of the driver of random worlds share. */
#ifndef DOTGATE_TESTS_SIM_RANDOM_RANDOM_H
#define DOTGATE_TESTS_SIM_RANDOM_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chance.h"
#include "world.h"

#define UPSTREAMS 4
#define GROUPS 3

/* How one server behaves at the moment. Percentages are of the queries that it receives. */
struct mood {
	uint64_t fast_us, slow_us; /* an answer takes between these */
	unsigned lost, held;	   /* never answered; not until it is told to */
	unsigned mute; /* of its connections: held is all that comes by them */
	unsigned twice, wrong_id, wrong_question, junk, fragment;
	unsigned negative, error, truncated, large, keepalive;
	unsigned bare;	/* of the errors: without a question section */
	unsigned rcode; /* of the errors; 0: any */
	unsigned hangs_up, resets, bad_frame; /* instead of an answer */
	unsigned limit; /* it closes a connection after so many answers; 0: it does not */
	uint64_t close_us; /* so long after the last of them */
	uint64_t idle_us;  /* and after so long without a query; 0: it does not */
	uint64_t
	    each_us; /* it answers one after the other, each taking so long; 0: all at once */
	bool knows_no_edns;
	uint32_t ttl_max;
};

/* What a step may do. */
enum deed {
	DEED_ASK,
	DEED_ASK_SAME,
	DEED_ASK_BADLY,
	DEED_FLOOD,
	DEED_FILL,
	DEED_RELEASE,
	DEED_HANG_UP,
	DEED_RESTART,
	DEED_DIAL,
	DEED_SHAKE,
	DEED_SHAKE_AGAIN,
	DEED_STALL,
	DEED_PLACE,
	DEED_BLOCK,
	DEED_NETWORK,
	DEED_WAY,
	DEED_JUMP,
	DEED_ADDRESSES,
	DEED_MOOD,
	DEED_EARLY,
	DEED_UNASKED,
	DEED_SHORT,
	DEED_REST,
	DEED_N
};

/* What one seed makes of the world. Each world has a few faults, and those often: a fault of each
 * kind in each world would hide what comes of many of one kind. */
struct temper {
	struct world_plan plan;
	unsigned steps;
	unsigned weight[DEED_N]; /* 0: never */
	uint64_t pace_us;	 /* most steps take less */
	bool hurries;		 /* all do */
	unsigned names;		 /* that are asked for again and again */
	unsigned burst;		 /* queries asked at once */
	unsigned odd;		 /* percentage of queries with unusual flags or types */
	bool heals;		 /* at the end all faults are lifted */
};

extern struct temper temper;
extern struct mood moods[UPSTREAMS];

/* The world of this seed, and its temper. */
void plan_world(void);

/* A mood; GOOD: without faults. */
struct mood plan_mood(bool good);

/* One step: something happens, and time passes. */
void step_once(void);

/* All faults are lifted. */
void step_heal(void);

/* Server S cannot be reached any more. */
void step_cut_off(unsigned s);

/* Before each world. */
void step_forget(void);

/* When time last jumped, and by how much at most: what was due came only then. */
uint64_t step_jumped_us(void);
uint64_t step_longest_jump_us(void);

/* ---- servers ---- */

/* Answers, or not, as the mood of its server says. */
void server_receive(struct received *q);

/* Answers a query that is held. */
void server_release(struct received *q);

/* Answers that would be lost, or useless, are held from now on. */
void server_lose_nothing(void);

/* All that is held is answered, but what is held for good since its connection is mute. */
void server_release_all(void);

/* Queries that connection C has carried. */
unsigned server_queries(unsigned c);

/* Sends what nobody asked for over connection C. */
void server_blurt(unsigned c);

/* Before each world. */
void server_forget(void);

/* The proof that an answer is one to this question: made of name (in lower case), type and class,
 * and of the bit CD. */
uint32_t server_proof(const uint8_t *message, size_t len);

/* Whether the message, which is ours or a client's, has an OPT, and DO in it. */
bool server_has_opt(const uint8_t *message, size_t len, bool *do_bit);

/* What stands in the TXT record of an answer. */
#define TESTIMONY_LEN 17
struct testimony {
	uint32_t proof, ttl;
	uint64_t made_us;
	bool recursive; /* RD was set */
	bool with_opt, do_bit;
};
void testimony_write(uint8_t *out, const struct testimony *t);
void testimony_read(const uint8_t *in, struct testimony *t);

/* ---- clients ---- */

void client_forget(void);

/* Asks one question, as the temper says. Returns the client's number. */
unsigned client_ask(void);

/* Asks NAME plainly. */
unsigned client_ask_for(const char *name);

/* COUNT names that nobody else asks for, from ADDRESS. */
void client_flood(unsigned count, unsigned address);

/* Sends what is no good query. */
void client_ask_badly(void);

/* At the end of a world: each was answered once. */
void client_end(void);

/* Looks at all that clients were told since the last call, and at who should have been. */
void client_check(void);

/* After client_check(): clients that wait; what was sent to them; what they asked. */
unsigned client_waiting(void);
uint64_t client_answers(void);
uint64_t client_requests(void);
bool client_is_good(unsigned client); /* it was answered, and not by an error */
uint64_t client_asked_us(unsigned client);

/* Its query, and from where it asked; how many that ask from there wait. */
const uint8_t *client_query(unsigned client, size_t *len);
unsigned client_waiting_with(unsigned client);

/* Flights that there were before it asked; whether as many wait for its name as may. */
unsigned client_crowd(unsigned client);
bool client_is_of_crowd(unsigned client);

/* ---- invariants ---- */

/* Before each world. */
void invariants_forget(void);

/* What must hold between any two steps. */
void invariants_check(void);

/* In each round: whose upstreams are in trouble. */
void invariants_look(void);

/* With POLICY_SHARD: Q, of the group, may only come to its server where those before it were in trouble. */
void invariants_received(const struct received *q);

/* A client has just been told something. */
void invariants_told(unsigned client, const uint64_t *counter);

/* A client has asked, and was told at once that there is overload. */
void invariants_refused(unsigned client, const char *text);

/* After all faults were lifted, and some time. */
void invariants_well(void);

/* What must hold once nothing is left. */
void invariants_end(void);

/* ---- the report ---- */

/* Something that must not be is: the world ends here, unless the CLASS (one word) is muted. */
void fault(const char *class, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A line of the trace, if one is wanted. */
void trace(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
