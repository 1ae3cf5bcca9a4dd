/* step: what happens in a random world, and how long nothing does. */
#include <string.h>

#include "memory.h"
#include "random.h"

static uint64_t jumped_us, longest_jump_us, looked_us;

void step_forget(void)
{
	jumped_us = longest_jump_us = looked_us = 0;
}

uint64_t step_jumped_us(void)
{
	return jumped_us;
}

uint64_t step_longest_jump_us(void)
{
	return longest_jump_us;
}

static unsigned some_server(void)
{
	return chance_below(temper.plan.upstreams);
}

/* An open connection; 0: there is none. */
static unsigned some_connection(void)
{
	unsigned n = world_open_count();

	return n ? world_open(chance_below(n)) : 0;
}

/* ---- clients ---- */

static void ask(void)
{
	for (unsigned n = 1 + (unsigned)chance_spread(temper.burst - 1); n > 0; n--)
		(void)client_ask();
}

/* One address asks far more than others. */
static void flood(void)
{
	unsigned n = chance_between(500, 4000), address = chance_below(3);

	trace("address %u asks %u names", address, n);
	client_flood(n, address);
}

/* More ask the same than may wait for one answer. */
static void ask_same(void)
{
	for (unsigned n = chance_percent(20) ? 600 : chance_below(60); n > 0; n--)
		(void)client_ask_for("same.example");
}

/* ---- servers ---- */

/* One of the queries that are held, rather a recent one; NULL: there is none. */
static struct received *some_held(void)
{
	unsigned held = 0, back;

	while (world_held(held))
		held++;
	if (!held)
		return NULL;
	back =
	    chance_percent(70) ? (unsigned)chance_spread(held - 1) : chance_below(held);
	return world_held(held - 1 - back);
}

/* Answers what is held of one connection, but for the last LEAVE. */
static void release_of(unsigned connection, unsigned leave)
{
	struct received *q;
	unsigned of = 0;

	for (unsigned n = 0; (q = world_held(n)); n++)
		of += q->connection == connection;
	for (unsigned n = 0; of > leave && (q = world_held(n));) {
		if (q->connection == connection)
			of--, server_release(q);
		else
			n++;
	}
}

/* Whose connection has gone is not answered any more. */
static void forget_gone(void)
{
	struct received *q;

	for (unsigned n = 0; (q = world_held(n));)
		if (world_is_open(q->connection))
			n++;
		else
			world_forget(q);
}

static void release(void)
{
	struct received *q;
	unsigned n;

	forget_gone();
	if (chance_percent(50)) {
		for (n = chance_below(20); n > 0 && (q = some_held()); n--)
			server_release(q);
	} else if ((q = some_held())) {
		release_of(q->connection, chance_percent(70) ? 0 : 1);
	}
}

/* The newest connection of server S; 0: there is none. */
static unsigned newest_of(unsigned s)
{
	for (unsigned n = world_open_count(); n-- > 0;)
		if (world_server_of(world_open(n)) == s)
			return world_open(n);
	return 0;
}

/* Has a connection carry all but one of the queries that it will. */
static void fill(void)
{
	unsigned s = some_server(), c = newest_of(s);

	while (c && world_is_open(c) && server_queries(c) + 1 < moods[s].limit) {
		unsigned before = server_queries(c);

		(void)client_ask();
		world_run(100);
		if (server_queries(c) == before)
			return;
	}
}

static void hang_up(void)
{
	unsigned c = some_connection();

	if (!c)
		return;
	trace("connection %u of server %u ends", c, world_server_of(c));
	if (chance_percent(50))
		world_close(c);
	else
		world_reset(c);
}

/* All connections of a server end; for a time it may refuse new ones. */
static void restart(void)
{
	unsigned s = some_server();

	trace("server %u restarts", s);
	for (unsigned i = world_open_count(); i-- > 0;)
		if (world_server_of(world_open(i)) == s)
			world_reset(world_open(i));
	if (chance_percent(50))
		world_server(s)->dial = DIAL_REFUSES;
}

void step_cut_off(unsigned s)
{
	trace("server %u cannot be reached", s);
	for (unsigned i = world_open_count(); i-- > 0;)
		if (world_server_of(world_open(i)) == s)
			world_reset(world_open(i));
	world_server(s)->dial = chance_percent(50) ? DIAL_REFUSES : DIAL_UNREACHABLE;
}

static enum dial_mode some_dial(void)
{
	return chance_percent(50) ? DIAL_ACCEPTS : (enum dial_mode)chance_below(4);
}

static enum shake_mode some_shake(void)
{
	return chance_percent(50) ? SHAKE_OK : (enum shake_mode)chance_below(3);
}

static void dial(void)
{
	unsigned s = some_server();

	world_server(s)->dial = some_dial();
	world_server(s)->dial_us = chance_spread(2 * WORLD_S);
	trace("server %u: dial mode %u", s, world_server(s)->dial);
}

static void shake(void)
{
	static const enum reason failures[] = {
	    REASON_TLS_ALERT,	     REASON_TLS_CERT_NAME, REASON_TLS_PROTOCOL,
	    REASON_TLS_CERT_EXPIRED, REASON_RESET,	   REASON_CLOSED_BUSY};
	struct server *s = world_server(some_server());

	s->shake = some_shake();
	s->shake_failure = failures[chance_below(6)];
	s->shake_us = chance_spread(2 * WORLD_S);
	trace("a server: shake mode %u", s->shake);
}

static void shake_again(void)
{
	for (unsigned i = 0; i < world_open_count(); i++)
		world_shake_again(world_open(i));
}

/* A server takes no new connections for a moment, and answers a query now and then. */
static void stall(void)
{
	struct server *s = world_server(some_server());
	struct received *q;

	trace("a server stalls");
	s->shake = SHAKE_HANGS;
	for (unsigned n = chance_between(1, 4); n > 0; n--) {
		world_run(20 * WORLD_MS + chance_spread(300 * WORLD_MS));
		forget_gone();
		q = some_held();
		if (q)
			server_release(q);
		world_run(chance_spread(20 * WORLD_MS));
	}
	s->shake = SHAKE_OK;
	shake_again();
}

/* One of the addresses becomes bad, or good. */
static void place(void)
{
	struct server *s = world_server(some_server());
	struct place *p = &s->places[chance_below(WORLD_PLACES)];

	p->dial = some_dial();
	p->shake = some_shake();
	trace("a place: dial mode %u, shake mode %u", p->dial, p->shake);
}

static void block(void)
{
	unsigned c = some_connection();
	bool blocked = chance_percent(50);

	if (!c)
		return;
	trace("connection %u is %s", c, blocked ? "blocked" : "free");
	world_block(c, blocked);
}

static void early(void)
{
	struct server *s = world_server(some_server());

	s->tickets = true;
	s->early = chance_percent(70) ? chance_between(200, 16384) : 0;
	s->refuses_early = chance_percent(30);
}

static void blurt(void)
{
	unsigned c = some_connection();

	if (c)
		server_blurt(c);
}

/* ---- this machine ---- */

static void network(void)
{
	bool path = chance_percent(50), slept = chance_percent(50);

	trace("the network changes%s%s", path ? ", the path too" : "",
	      slept ? ", after sleep" : "");
	world_change_network(path, slept);
}

/* The network is gone, or back. */
static void way(void)
{
	bool has_way = chance_percent(60);

	trace("there is %s way", has_way ? "a" : "no");
	world_set_way(has_way);
	world_change_network(true, false);
}

static void jump(void)
{
	uint64_t us = chance_spread(chance_percent(20) ? 100000 * WORLD_S : 20 * WORLD_S);

	trace("time jumps by %llu us", (unsigned long long)us);
	if (us > longest_jump_us)
		longest_jump_us = us;
	jumped_us = world_now() + us;
	world_jump(us);
	if (chance_percent(50))
		world_change_network(chance_percent(50), true);
}

static void addresses(void)
{
	unsigned s = some_server();
	unsigned first = chance_below(WORLD_PLACES);
	unsigned n = chance_percent(10) ? 0 : chance_between(1, WORLD_PLACES);

	trace("server %u has %u addresses from %u on", s, n, first);
	world_set_addresses(s, first, n);
}

static void be_short(void)
{
	bool memory = chance_percent(50);

	trace("%s is short", memory ? "memory" : "everything else");
	if (memory)
		memory_short(chance_between(1, 10));
	else
		world_short(true);
	for (unsigned i = 0; i < 3; i++) {
		ask();
		world_run(chance_spread(WORLD_S));
	}
	memory_short(0);
	world_short(false);
}

static void change_mood(void)
{
	moods[some_server()] = plan_mood(chance_percent(30));
}

/* ---- steps ---- */

static void do_nothing(void)
{
}

static void rest(void)
{
	world_run(chance_spread(30 * WORLD_S));
}

static void (*const deeds[DEED_N])(void) = {
    [DEED_ASK] = ask,
    [DEED_ASK_SAME] = ask_same,
    [DEED_ASK_BADLY] = client_ask_badly,
    [DEED_FLOOD] = flood,
    [DEED_FILL] = fill,
    [DEED_RELEASE] = release,
    [DEED_HANG_UP] = hang_up,
    [DEED_RESTART] = restart,
    [DEED_DIAL] = dial,
    [DEED_SHAKE] = shake,
    [DEED_SHAKE_AGAIN] = shake_again,
    [DEED_STALL] = stall,
    [DEED_PLACE] = place,
    [DEED_BLOCK] = block,
    [DEED_NETWORK] = network,
    [DEED_WAY] = way,
    [DEED_JUMP] = jump,
    [DEED_ADDRESSES] = addresses,
    [DEED_MOOD] = change_mood,
    [DEED_EARLY] = early,
    [DEED_UNASKED] = blurt,
    [DEED_SHORT] = be_short,
    [DEED_REST] = rest,
};

static void (*pick_deed(void))(void)
{
	unsigned all = 0, at;

	for (unsigned d = 0; d < DEED_N; d++)
		all += temper.weight[d];
	at = chance_below(all);
	for (unsigned d = 0; d < DEED_N; d++) {
		if (at < temper.weight[d])
			return deeds[d];
		at -= temper.weight[d];
	}
	return do_nothing;
}

static void look_around(void)
{
	if (world_now() < looked_us + WORLD_S)
		return;
	looked_us = world_now();
	world_look_for_addresses();
}

static void let_pass(void)
{
	unsigned kind = chance_below(temper.hurries ? 86 : 100);

	if (kind < 20)
		world_settle();
	else if (kind < 85)
		world_run(chance_spread(temper.pace_us));
	else if (kind < 97)
		world_run(chance_spread(300 * WORLD_MS));
	else
		world_run(chance_spread(3 * WORLD_S));
}

void step_once(void)
{
	pick_deed()();
	let_pass();
	look_around();
}

void step_heal(void)
{
	for (unsigned i = 0; i < temper.plan.upstreams; i++) {
		struct server *s = world_server(i);

		s->dial = DIAL_ACCEPTS;
		s->shake = SHAKE_OK;
		s->dial_us = s->shake_us = WORLD_MS;
		memset(s->places, 0, sizeof s->places);
		moods[i] = plan_mood(true);
		world_set_addresses(i, 0, WORLD_PLACES);
	}
	for (unsigned i = 0; i < world_open_count(); i++) {
		world_block(world_open(i), false);
		world_shake_again(world_open(i));
	}
	world_set_way(true);
	server_release_all();
	world_look_for_addresses();
}
