/* shard: one upstream sees a domain, and no other while it is there. */
#include "story.h"

#include "upstream/pool_state.h"

/* Asks NAME; returns the server that sees it. */
static unsigned owner_of(const char *name)
{
	unsigned before = world_server(0)->queries;

	world_ask(name);
	world_settle();
	return world_server(0)->queries == before;
}

static void domains_are_spread(void **state)
{
	unsigned seconds = 0;

	(void)state;
	world_make(&(struct world_plan){.upstreams = 2, .policy = POLICY_SHARD});
	for (unsigned i = 0; i < 40; i++) {
		char name[32];

		snprintf(name, sizeof name, "www.n%u.example", i);
		seconds += owner_of(name);
	}
	assert_in_range(seconds, 8, 32);
	assert_int_equal(owner_of("www.same.example"), owner_of("ftp.same.example"));
	world_free();
}

/* Its upstream has refused it, and then the connection dies that carries another copy. */
static void what_was_refused_stays_with_its_upstream(void **state)
{
	unsigned owner = 0, copies;

	(void)state;
	world_make(&(struct world_plan){.upstreams = 2, .policy = POLICY_SHARD});
	for (unsigned i = 0; i < 10; i++) {
		world_server(0)->rtt_us = world_server(1)->rtt_us = 5 * WORLD_MS;
		owner = owner_of("www.same.example");
		world_run(50 * WORLD_MS);
	}
	world_server(owner)->mute = true;
	world_ask("ftp.same.example");
	world_run(100 * WORLD_MS);
	copies = world_connections() - 1;
	assert_in_range(copies, 1, 3);
	world_answer_with(world_received(owner, 0),
			  &(struct reply_plan){.rcode = RCODE_REFUSED});
	world_run(10 * WORLD_MS);
	assert_int_equal(world_told(10)->answers, 0);
	while (copies > 0)
		world_close(1 + copies--);
	world_settle();
	assert_int_equal(world_told(10)->answers, 1);
	assert_int_equal(world_told(10)->rcode, RCODE_REFUSED);
	assert_int_equal(world_server(!owner)->queries, 0);
	world_free();
}

/* The upstream that is next in the order of DOMAIN when FIRST is DOWN. */
static struct upstream *next_of(struct group *g, struct upstream *first,
				const struct ask *a)
{
	struct refusal why;
	struct pick p;

	first->health.down = true;
	p = group_choose(g, a, &why);
	first->health.down = false;
	return p.upstream;
}

/* A copy for what an upstream has that went DOWN goes to the next in the order of its own domain, not
 * of the one that was asked for last. */
static void a_copy_goes_to_the_next_of_its_own_domain(void **state)
{
	struct group *g;
	struct query q = {0};

	(void)state;
	world_make(&(struct world_plan){.upstreams = 4, .policy = POLICY_SHARD});
	world_warm();
	world_settle();
	g = &world_pool()->groups[0];
	for (uint64_t i = 0; i < 4; i++)
		(void)upstream_open(g->members[i]);
	world_settle();
	for (uint64_t domain = 1; domain < 50; domain++) {
		struct ask a = {.query = &q, .domain = domain};
		struct ask other = {.query = &q, .domain = domain + 1};
		struct refusal why;
		struct upstream *first = group_choose(g, &a, &why).upstream;
		struct upstream *second = next_of(g, first, &a);

		(void)group_choose(g, &other, &why);
		assert_null(group_other(g, &a, first).upstream);
		first->health.down = true;
		assert_ptr_equal(group_other(g, &a, first).upstream, second);
		first->health.down = false;
	}
	world_free();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(domains_are_spread),
	    cmocka_unit_test(what_was_refused_stays_with_its_upstream),
	    cmocka_unit_test(a_copy_goes_to_the_next_of_its_own_domain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
