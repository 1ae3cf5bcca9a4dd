/* story: what the simulation's tests say again and again. Included by each of them. */
#ifndef DOTGATE_TESTS_SIM_STORY_H
#define DOTGATE_TESTS_SIM_STORY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "dns/message.h"
#include "world.h"

/* Asks for n0.example, n1.example, ... */
static inline void ask_many(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		char name[32];

		snprintf(name, sizeof name, "n%u.example", i);
		world_ask(name);
	}
}

/* Asks N names, five at a time; server 0 answers but closes each connection after LIMIT
 * answers, whatever is out. */
static inline void serve_limited(unsigned n, unsigned limit)
{
	static unsigned answered[4096];

	memset(answered, 0, sizeof answered);
	for (unsigned i = 0; i < n; i += 5) {
		ask_many(5);
		for (unsigned turn = 0; turn < 20; turn++) {
			struct received *q;

			world_run(1 * WORLD_MS);
			while ((q = world_received(0, 0))) {
				unsigned c = q->connection;

				world_answer(q);
				if (++answered[c] == limit)
					world_close(c);
			}
		}
	}
	world_run(100 * WORLD_MS);
}

/* The client was answered once, well, and under its own id. */
static inline void assert_good(unsigned client)
{
	const struct told *t = world_told(client);

	assert_int_equal(t->answers, 1);
	assert_int_equal(t->rcode, RCODE_NOERROR);
	assert_int_equal(t->message[0] << 8 | t->message[1], client & 0xffff);
}

/* It was told once that it failed, and why. */
static inline void assert_failed(unsigned client, int ede, const char *text)
{
	const struct told *t = world_told(client);

	assert_int_equal(t->answers, 1);
	assert_int_equal(t->rcode, RCODE_SERVFAIL);
	assert_int_equal(t->ede, ede);
	assert_memory_equal(t->text, text, strlen(text));
}

#endif
