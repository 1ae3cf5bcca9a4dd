/* early: queries that go before the handshake, where that is allowed, and what becomes of them. */
#include "dns/message.h"
#include "story.h"

static void make(unsigned upstreams)
{
	world_make(&(struct world_plan){
	    .upstreams = upstreams, .policy = POLICY_ORDERED, .early_data = true});
	for (unsigned i = 0; i < upstreams; i++)
		world_server(i)->early = 16384;
}

static uint64_t early(bool accepted)
{
	return world_metrics()->upstream[0].early[accepted];
}

static void the_first_queries_go_before_the_handshake(void **state)
{
	(void)state;
	make(1);
	world_ask("one.example");
	world_ask("two.example");
	world_settle();
	assert_good(0);
	assert_good(1);
	assert_int_equal(world_server(0)->early_writes, 1);
	assert_int_equal(world_server(0)->queries, 2);
	assert_int_equal(world_server(0)->writes, 0);
	assert_int_equal(early(true), 2);
	/* from now on it is a connection like all others */
	world_ask("three.example");
	world_settle();
	assert_good(2);
	assert_int_equal(world_server(0)->early_writes, 1);
	assert_int_equal(world_server(0)->dials, 1);
	assert_int_equal(world_inflight(), 0);
	world_free();
}

static void only_where_it_is_asked_for(void **state)
{
	(void)state;
	world_new(1);
	world_server(0)->early = 16384;
	world_ask("one.example");
	world_settle();
	assert_good(0);
	assert_int_equal(world_server(0)->early_writes, 0);
	world_free();
}

static void only_with_a_ticket_that_has_room(void **state)
{
	(void)state;
	make(1);
	world_server(0)->early = 100;
	world_ask("one.example");
	world_settle();
	assert_good(0);
	assert_int_equal(world_server(0)->early_writes, 0);
	assert_int_equal(world_server(0)->writes, 1);
	world_free();
}

static void more_than_fits_waits_for_the_handshake(void **state)
{
	(void)state;
	make(1);
	world_server(0)->early = 1024;
	for (unsigned i = 0; i < 20; i++) {
		char name[32];

		snprintf(name, sizeof name, "n%u.example", i);
		world_ask(name);
	}
	world_settle();
	for (unsigned i = 0; i < 20; i++)
		assert_good(i);
	assert_int_equal(world_server(0)->early_writes, 1);
	assert_int_equal(world_server(0)->queries, 20);
	assert_in_range(early(true), 1, 7);
	world_free();
}

static void what_was_refused_is_sent_again(void **state)
{
	(void)state;
	make(1);
	world_server(0)->refuses_early = true;
	world_ask("one.example");
	world_ask("two.example");
	world_settle();
	assert_good(0);
	assert_good(1);
	assert_int_equal(world_server(0)->early_writes, 1);
	assert_int_equal(world_server(0)->queries, 2);
	assert_int_equal(world_server(0)->writes, 1);
	assert_int_equal(early(false), 2);
	assert_int_equal(early(true), 0);
	assert_int_equal(world_inflight(), 0);
	world_free();
}

static void types_that_are_no_data_wait(void **state)
{
	(void)state;
	make(1);
	world_server(0)->mute = true;
	world_ask_as("one.example", TYPE_ANY, DNS_RD, false);
	world_ask("two.example");
	world_settle();
	assert_int_equal(world_server(0)->queries, 2);
	assert_int_equal(early(true), 1);
	assert_int_equal(world_server(0)->writes, 1);
	world_answer(world_received(0, 0));
	world_answer(world_received(0, 0));
	world_settle();
	assert_good(1);
	world_free();
}

static void who_ends_the_connection_for_it_is_sent_none(void **state)
{
	(void)state;
	make(1);
	world_server(0)->shake = SHAKE_FAILS;
	world_server(0)->shake_failure = REASON_RESET;
	world_ask("one.example");
	world_settle();
	assert_int_equal(world_server(0)->early_writes, 1);
	world_server(0)->shake = SHAKE_OK;
	world_run(4 * WORLD_S);
	assert_good(0);
	assert_int_equal(world_server(0)->early_writes, 1);
	assert_int_equal(world_server(0)->writes, 1);
	world_free();
}

static void when_the_handshake_hangs_another_is_asked(void **state)
{
	(void)state;
	make(2);
	world_server(0)->shake = SHAKE_HANGS;
	world_server(0)->mute = true;
	world_ask("one.example");
	world_run(400 * WORLD_MS);
	assert_good(0);
	assert_int_equal(world_server(0)->early_writes, 1);
	assert_int_equal(world_server(1)->queries, 1);
	world_run(10 * WORLD_S);
	assert_int_equal(world_told(0)->answers, 1);
	assert_int_equal(world_inflight(), 0);
	world_free();
}

static void a_limit_of_queries_holds_for_them_too(void **state)
{
	unsigned early_writes;
	uint64_t replays;

	(void)state;
	make(1);
	world_server(0)->mute = true;
	serve_limited(60, 13);
	replays = world_metrics()->replays;
	world_run(20 * WORLD_S); /* all are closed */
	early_writes = world_server(0)->early_writes;
	ask_many(30);
	for (unsigned turn = 0; turn < 20; turn++) {
		world_run(1 * WORLD_MS);
		while (world_received(0, 0))
			world_answer(world_received(0, 0));
	}
	assert_true(world_server(0)->early_writes > early_writes);
	for (unsigned i = 0; i < 90; i++)
		assert_good(i);
	assert_int_equal(world_metrics()->replays, replays);
	world_free();
}

static void without_queries_nothing_goes(void **state)
{
	(void)state;
	make(1);
	world_warm();
	world_settle();
	assert_int_equal(world_server(0)->shaken, 1);
	assert_int_equal(world_server(0)->early_writes, 0);
	world_ask("one.example");
	world_settle();
	assert_good(0);
	assert_int_equal(world_server(0)->writes, 1);
	world_free();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_first_queries_go_before_the_handshake),
	    cmocka_unit_test(only_where_it_is_asked_for),
	    cmocka_unit_test(only_with_a_ticket_that_has_room),
	    cmocka_unit_test(more_than_fits_waits_for_the_handshake),
	    cmocka_unit_test(what_was_refused_is_sent_again),
	    cmocka_unit_test(types_that_are_no_data_wait),
	    cmocka_unit_test(who_ends_the_connection_for_it_is_sent_none),
	    cmocka_unit_test(when_the_handshake_hangs_another_is_asked),
	    cmocka_unit_test(a_limit_of_queries_holds_for_them_too),
	    cmocka_unit_test(without_queries_nothing_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
