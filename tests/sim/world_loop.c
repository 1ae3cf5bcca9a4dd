/* world_loop: a loop whose clock is turned by hand, its timers, and the rounds in which all happens. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "world_state.h"

/* ---- loop and timers ---- */

uint64_t loop_now(const struct loop *l)
{
	return l->now;
}

int loop_watch_fd(struct loop *l, int fd, unsigned events, enum loop_class class,
		  loop_event_fn *fn, void *arg, loop_watch *out)
{
	struct connection *c = world_connection(world_number(fd));

	(void)l;
	(void)class;
	if (world->short_of_descriptors)
		return -ENOSPC;
	c->events = events;
	c->fn = fn;
	c->arg = arg;
	*out = world_number(fd);
	return 0;
}

void loop_change(struct loop *l, loop_watch w, unsigned events)
{
	(void)l;
	world_connection((unsigned)w)->events = events;
}

void loop_forget(struct loop *l, loop_watch w)
{
	(void)l;
	if (w)
		world_connection((unsigned)w)->fn = NULL;
}

bool loop_relieve(struct loop *l, int error)
{
	(void)l;
	(void)error;
	return false;
}

int timer_set(struct loop *l, struct timer *t, uint64_t due, timer_fn *fn, void *arg)
{
	t->due = due;
	t->item.fn = fn;
	t->item.arg = arg;
	if (t->item.slot)
		return 0;
	assert(l->timer_count < TIMERS_MAX);
	l->timers[l->timer_count++] = t;
	t->item.slot = l->timer_count;
	return 0;
}

void timer_stop(struct loop *l, struct timer *t)
{
	if (!t->item.slot)
		return;
	l->timers[t->item.slot - 1] = l->timers[--l->timer_count];
	l->timers[t->item.slot - 1]->item.slot = t->item.slot;
	t->item.slot = 0;
}

/* ---- rounds ---- */

/* What is sent cannot be read before the handshake has ended. */
static bool is_readable(const struct connection *c)
{
	if (c->wire == WIRE_TLS && !c->authenticated)
		return c->ended || c->reset || c->goes_on ||
		       (c->shaken_us && c->shaken_us <= world->loop.now);
	if (c->record_count)
		return c->records[0].due <= world->loop.now;
	return c->ended || c->reset;
}

static bool is_writable(const struct connection *c)
{
	return !c->blocked && c->up_us <= world->loop.now &&
	       world_dial_mode(c) != DIAL_BLACK_HOLE;
}

/* What a connection is ready for now. One that waits to write is connecting or blocked.
 */
static unsigned readiness(const struct connection *c)
{
	unsigned ready = 0;

	if (!c->fn || !c->open)
		return 0;
	if (c->events == LOOP_WRITE)
		return is_writable(c) ? LOOP_WRITE : 0;
	if (c->events & LOOP_WRITE && !c->blocked)
		ready |= LOOP_WRITE;
	if (c->events & LOOP_READ && is_readable(c))
		ready |= LOOP_READ;
	return ready;
}

/* The server has not sent what would have come later. */
static void unsend(struct connection *c)
{
	while (c->record_count && c->records[c->record_count - 1].due > world->loop.now)
		free(c->records[--c->record_count].data);
}

/* Those whose time has come are closed by their server. */
static void end_due(void)
{
	for (unsigned i = 0; i < world->open_count; i++) {
		struct connection *c = world_connection(world->open[i]);

		if (c->end_us && c->end_us <= world->loop.now) {
			c->end_us = 0;
			unsend(c);
			world_close(c->number);
		}
	}
}

static bool deliver(void)
{
	bool any = false;

	end_due();
	for (unsigned i = 0; i < world->open_count;) {
		struct connection *c = world_connection(world->open[i]);
		unsigned ready = readiness(c), number = c->number;

		if (ready) {
			any = true;
			c->fn(c->arg, ready);
		}
		i = world_place(number + 1); /* any may have been opened or closed */
	}
	return any;
}

static struct timer *earliest(void)
{
	struct timer *t = NULL;

	for (unsigned i = 0; i < world->loop.timer_count; i++)
		if (!t || world->loop.timers[i]->due < t->due)
			t = world->loop.timers[i];
	return t;
}

static bool run_timers(void)
{
	struct timer *t;
	bool any = false;

	while ((t = earliest()) && t->due <= world->loop.now) {
		timer_stop(&world->loop, t);
		t->item.fn(t->item.arg);
		any = true;
	}
	return any;
}

void world_settle(void)
{
	/* more rounds than any chain of reactions needs: else something spins */
	for (unsigned i = 0, idle = 0; i < 1000; i++) {
		bool any = deliver();

		any |= run_timers();
		pool_flush(world->pool);
		if (world->on_round)
			world->on_round();
		idle = any ? 0 : idle + 1;
		if (idle ==
		    2) /* what the first idle round has sent was not answered either */
			return;
	}
	fprintf(stderr, "world: the rounds do not end\n");
	abort();
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
	/* what is past has been looked at */
	return b > world->loop.now && b < a ? b : a;
}

/* The next time at which something can happen by itself. */
static uint64_t next_time(uint64_t until)
{
	struct timer *t = earliest();
	uint64_t next = t ? sooner(until, t->due) : until;

	for (unsigned i = 0; i < world->open_count; i++) {
		const struct connection *c = world_connection(world->open[i]);

		if (c->record_count)
			next = sooner(next, c->records[0].due);
		next = sooner(next, c->up_us);
		next = sooner(next, c->end_us);
		next = sooner(next, c->shaken_us);
	}
	return next;
}

void world_run(uint64_t us)
{
	uint64_t until = world->loop.now + us;

	world_settle();
	while (world->loop.now < until) {
		world->loop.now = next_time(until);
		world_settle();
	}
}

void world_jump(uint64_t us)
{
	world->loop.now += us;
	world_settle();
}

void world_on_round(void (*fn)(void))
{
	world->on_round = fn;
}

unsigned world_timers(void)
{
	return world->loop.timer_count;
}

uint64_t world_now(void)
{
	return world->loop.now;
}
