/* warm: connections that are idle, closed, and replaced before anybody waits for them. */
#include "story.h"

#define KEEP_WARM (300 * WORLD_S)

static void make(void)
{
	world_make(&(struct world_plan){
	    .upstreams = 1, .policy = POLICY_FASTEST, .keep_warm_us = KEEP_WARM});
	world_warm();
	world_settle();
}

static unsigned open_count(void)
{
	unsigned n = 0;

	for (unsigned c = 1; c <= world_connections(); c++)
		n += world_is_open(c);
	return n;
}

/* Closes every open connection that has been idle for US, as the server would. */
static void live_with_idle_close(uint64_t us, uint64_t total)
{
	for (uint64_t t = 0; t < total; t += us) {
		unsigned last = world_connections();

		world_run(us);
		/* still the same one: the server ends it */
		if (last == world_connections() && world_is_open(last))
			world_close(last);
		world_settle();
	}
}

static void the_first_query_finds_a_connection(void **state)
{
	(void)state;
	make();
	assert_int_equal(world_server(0)->shaken, 1);
	world_run(
	    200 *
	    WORLD_S); /* longer than an idle connection is kept without use for it */
	assert_true(world_is_open(1));
	world_ask("one.example");
	assert_int_equal(world_server(0)->dials, 1);
	world_settle();
	assert_good(0);
	world_free();
}

static void after_a_long_pause_there_is_none(void **state)
{
	(void)state;
	make();
	world_run(KEEP_WARM + 1 * WORLD_S);
	assert_int_equal(open_count(), 0);
	assert_int_equal(world_server(0)->dials, 1);
	world_free();
}

static void what_the_upstream_closes_is_replaced_at_once(void **state)
{
	(void)state;
	make();
	world_ask("one.example");
	world_run(8 * WORLD_S);
	world_close(1);
	world_settle();
	assert_int_equal(open_count(), 1);
	assert_int_equal(world_server(0)->dials, 2);
	world_free();
}

static void its_idle_time_is_learnt_and_it_is_not_met_any_more(void **state)
{
	uint64_t closed;

	(void)state;
	make();
	world_ask("one.example");
	world_settle();
	live_with_idle_close(8 * WORLD_S, 16 * WORLD_S);
	closed = world_metrics()->upstream[0].closed[REASON_CLOSED_IDLE];
	assert_int_equal(closed, 2);
	assert_int_equal(world_metrics()->upstream[0].learnt_idle, 8 * WORLD_S);
	live_with_idle_close(8 * WORLD_S, 160 * WORLD_S);
	assert_int_equal(world_metrics()->upstream[0].closed[REASON_CLOSED_IDLE], closed);
	assert_true(world_metrics()->upstream[0].closed[REASON_CLOSED_BY_US] > 10);
	assert_int_equal(open_count(), 1);
	world_free();
}

static void its_successor_is_ready_before_it_ends(void **state)
{
	(void)state;
	make();
	world_ask("one.example");
	world_settle();
	live_with_idle_close(8 * WORLD_S, 16 * WORLD_S);
	for (unsigned i = 0; i < 1000; i++) {
		world_run(100 * WORLD_MS);
		assert_in_range(open_count(), 1, 2);
	}
	world_free();
}

static void who_closes_at_once_is_not_dialled_all_the_time(void **state)
{
	unsigned dials;

	(void)state;
	make();
	world_ask("one.example");
	world_settle();
	dials = world_server(0)->dials;
	for (unsigned i = 0; i < 1000; i++) {
		world_run(10 * WORLD_MS);
		for (unsigned c = 1; c <= world_connections(); c++)
			if (world_is_open(c))
				world_close(c);
	}
	/* in 10 s: what closes idle connections within 5 s, again and again, is not kept warm */
	assert_in_range(world_server(0)->dials - dials, 1, 5);
	world_free();
}

/* Two ends that agree are enough. */
static void nor_is_who_closes_soon(void **state)
{
	unsigned dials;

	(void)state;
	make();
	world_ask("one.example");
	world_settle();
	dials = world_server(0)->dials;
	live_with_idle_close(600 * WORLD_MS, 20 * WORLD_S);
	assert_in_range(world_server(0)->dials - dials, 1, 4);
	world_free();
}

static void off_means_off(void **state)
{
	(void)state;
	world_make(&(struct world_plan){.upstreams = 1});
	world_warm();
	world_run(11 * WORLD_S);
	assert_int_equal(open_count(), 0);
	world_free();
}

/* ---- the network ---- */

static void a_new_path_replaces_an_idle_connection(void **state)
{
	(void)state;
	make();
	world_ask("one.example");
	world_settle();
	world_change_network(false, false);
	assert_int_equal(world_server(0)->dials, 1); /* not its path */
	world_change_network(true, false);
	assert_int_equal(world_server(0)->dials, 2);
	assert_false(world_is_open(1));
	assert_true(world_is_open(2));
	world_free();
}

/* Two connections, of which one is a spare. */
static void make_busy(void)
{
	make();
	ask_many(60);
	world_run(100 * WORLD_MS);
	assert_int_equal(open_count(), 2);
}

static void a_new_path_replaces_a_spare_as_well(void **state)
{
	(void)state;
	make_busy();
	world_change_network(true, false);
	assert_int_equal(world_server(0)->dials, 3);
	assert_false(world_is_open(1));
	assert_false(world_is_open(2));
	assert_true(world_is_open(3));
	world_free();
}

static void a_new_path_is_taken_by_what_was_out_on_two(void **state)
{
	(void)state;
	make_busy();
	world_server(0)->mute = true;
	world_block(1, true); /* the first takes no more: the second has some, too */
	ask_many(20);
	world_settle();
	world_server(0)->mute = false;
	world_change_network(true, false);
	assert_int_equal(world_server(0)->dials, 3);
	for (unsigned i = 60; i < 80; i++)
		assert_good(i);
	world_free();
}

static void after_sleep_queries_in_flight_move(void **state)
{
	(void)state;
	make();
	world_ask("warm.example");
	world_settle();
	world_server(0)->mute = true;
	ask_many(5);
	world_settle();
	world_server(0)->mute = false;
	world_change_network(false, true);
	for (unsigned i = 0; i <= 5; i++)
		assert_good(i);
	assert_int_equal(world_metrics()->upstream[0].up, 1);
	world_free();
}

/* Changes that concern others are many, as on a node where containers come and go. */
static void another_network_gets_no_old_tickets(void **state)
{
	(void)state;
	make();
	world_change_network(false, false);
	assert_int_equal(world_forgotten(), 0);
	world_set_way(false);
	world_change_network(true, false);
	assert_int_equal(world_forgotten(), 1);
	world_set_way(true);
	world_change_network(true, false);
	assert_int_equal(world_forgotten(),
			 1); /* of another address none is used anyway */
	world_change_network(false, true);
	assert_int_equal(world_forgotten(), 2);
	world_free();
}

static void a_change_ends_the_back_off(void **state)
{
	(void)state;
	make();
	world_server(0)->dial = DIAL_REFUSES;
	world_close(1);
	world_run(120 * WORLD_S);
	assert_int_equal(world_metrics()->upstream[0].up, 0);
	world_server(0)->dial = DIAL_ACCEPTS;
	world_change_network(true, false);
	assert_int_equal(world_metrics()->upstream[0].up, 1);
	world_free();
}

static void a_dial_on_the_old_path_starts_again(void **state)
{
	(void)state;
	make();
	world_server(0)->dial = DIAL_BLACK_HOLE;
	world_close(1);
	world_ask("one.example");
	world_run(100 * WORLD_MS);
	world_server(0)->dial = DIAL_ACCEPTS;
	world_change_network(true, false);
	world_settle();
	assert_good(0);
	world_free();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_first_query_finds_a_connection),
	    cmocka_unit_test(after_a_long_pause_there_is_none),
	    cmocka_unit_test(what_the_upstream_closes_is_replaced_at_once),
	    cmocka_unit_test(its_idle_time_is_learnt_and_it_is_not_met_any_more),
	    cmocka_unit_test(its_successor_is_ready_before_it_ends),
	    cmocka_unit_test(who_closes_at_once_is_not_dialled_all_the_time),
	    cmocka_unit_test(nor_is_who_closes_soon),
	    cmocka_unit_test(off_means_off),
	    cmocka_unit_test(a_new_path_replaces_an_idle_connection),
	    cmocka_unit_test(a_new_path_replaces_a_spare_as_well),
	    cmocka_unit_test(a_new_path_is_taken_by_what_was_out_on_two),
	    cmocka_unit_test(after_sleep_queries_in_flight_move),
	    cmocka_unit_test(another_network_gets_no_old_tickets),
	    cmocka_unit_test(a_change_ends_the_back_off),
	    cmocka_unit_test(a_dial_on_the_old_path_starts_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
