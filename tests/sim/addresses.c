/* addresses: an upstream with several, of which some are no good: it is not down for that. */
#include "story.h"

/* Upstream 0 has N addresses, whose servers are 0, and those of numbers from 1. */
static void make(unsigned n)
{
	world_new(1);
	for (unsigned i = 1; i < n; i++)
		assert_int_equal(world_add_address(0), i);
}

static void fail_name(unsigned server)
{
	world_server(server)->shake = SHAKE_FAILS;
	world_server(server)->shake_failure = REASON_TLS_CERT_NAME;
}

static void a_wrong_certificate_on_the_first_costs_no_query(void **state)
{
	(void)state;
	make(2);
	fail_name(0);
	world_ask("example.com");
	world_settle();
	assert_good(0);
	assert_int_equal(world_server(0)->dials, 1);
	assert_int_equal(world_metrics()->upstream[0].up, 1);
	/* the good one is asked first from now on */
	world_run(60 * WORLD_S);
	world_ask("www.example.com");
	world_settle();
	assert_good(1);
	assert_int_equal(world_server(0)->dials, 1);
	assert_int_equal(world_server(1)->dials, 2);
	world_free();
}

static void all_wrong_is_told_after_each_was_tried_once(void **state)
{
	(void)state;
	make(3);
	for (unsigned i = 0; i < 3; i++)
		fail_name(i);
	world_ask("example.com");
	world_settle();
	assert_failed(0, 22, "tls_cert_name");
	assert_int_equal(world_metrics()->upstream[0].up, 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(world_server(i)->dials, 1);
	/* one at a time while it is down; any that is good again ends that */
	world_server(2)->shake = SHAKE_OK;
	world_run(2 * WORLD_S);
	assert_int_equal(world_metrics()->upstream[0].up, 1);
	world_ask("www.example.com");
	world_settle();
	assert_good(1);
	world_free();
}

/* While the good one is away the bad one is met; that must not make it the first for ever. */
static void the_good_one_is_found_again_after_its_restart(void **state)
{
	(void)state;
	make(2);
	fail_name(1);
	world_ask("example.com");
	world_settle();
	assert_good(0);
	world_close(1);
	world_server(0)->dial = DIAL_REFUSES;
	world_ask("away.example.com");
	world_settle();
	assert_failed(1, 22, "tls_cert_name");
	world_run(1 * WORLD_S);
	world_server(0)->dial = DIAL_ACCEPTS;
	world_run(2 * WORLD_S);
	world_ask("back.example.com");
	world_settle();
	assert_good(2);
	world_free();
}

static void a_handshake_that_hangs_costs_a_moment(void **state)
{
	uint64_t start;

	(void)state;
	make(2);
	world_server(0)->shake = SHAKE_HANGS;
	start = world_now();
	world_ask("example.com");
	world_run(299 * WORLD_MS);
	assert_int_equal(world_told(0)->answers, 0);
	assert_int_equal(world_server(1)->dials, 0);
	world_run(5 * WORLD_S);
	assert_good(0);
	assert_true(world_told(0)->at_us <= start + 301 * WORLD_MS);
	assert_false(world_is_open(1)); /* it is not waited for any more */
	assert_int_equal(world_metrics()->upstream[0].up, 1);
	assert_int_equal(world_metrics()->upstream[0].connecting, 0);
	assert_int_equal(world_server(0)->dials, 1);
	world_free();
}

static void several_that_hang_cost_a_moment_each(void **state)
{
	uint64_t start;

	(void)state;
	make(4);
	for (unsigned i = 0; i < 3; i++)
		world_server(i)->shake = SHAKE_HANGS;
	start = world_now();
	world_ask("example.com");
	world_run(5 * WORLD_S);
	assert_good(0);
	assert_true(world_told(0)->at_us <= start + 910 * WORLD_MS);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(world_server(i)->dials, 1);
	world_free();
}

/* As many attempts as there are addresses, and no more. */
static void all_that_hang_are_given_their_time(void **state)
{
	(void)state;
	make(2);
	for (unsigned i = 0; i < 2; i++)
		world_server(i)->shake = SHAKE_HANGS;
	world_ask("example.com");
	world_run(3900 * WORLD_MS);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(world_server(i)->dials, 1);
	world_server(1)->shake = SHAKE_OK;
	world_run(3 * WORLD_S);
	assert_int_equal(world_told(0)->answers, 1);
	world_ask("www.example.com");
	world_run(1 * WORLD_S);
	assert_good(1);
	world_free();
}

static void a_sole_address_that_hangs_is_dialled_once(void **state)
{
	(void)state;
	make(1);
	world_server(0)->shake = SHAKE_HANGS;
	world_ask("example.com");
	world_run(3900 * WORLD_MS);
	assert_int_equal(world_server(0)->dials, 1);
	world_run(2 * WORLD_S);
	assert_int_equal(world_told(0)->answers, 1);
	world_free();
}

/* It shakes hands well, and says nothing more. */
static void one_that_answers_nothing_is_left(void **state)
{
	(void)state;
	make(2);
	world_server(0)->mute = true;
	world_ask("example.com");
	world_run(4 * WORLD_S);
	assert_good(0);
	assert_in_range(world_server(1)->queries, 1, 2); /* and a probe */
	world_free();
}

/* In the clear: where other addresses refuse at once, a datagram that is lost is sent again all the
 * same. */
static void refusals_are_no_tries(void **state)
{
	struct server *s;

	(void)state;
	world_make(&(struct world_plan){.upstreams = 1, .plain = 1, .places = {3}});
	s = world_server(0);
	s->places[0].dial = s->places[1].dial = DIAL_REFUSES;
	s->places[2].dial = DIAL_BLACK_HOLE;
	world_ask("one.example");
	world_run(500 * WORLD_MS);
	assert_int_equal(world_told(0)->answers, 0);
	memset(s->places, 0, sizeof s->places);
	world_ask("two.example");
	world_run(100 * WORLD_MS);
	assert_good(1); /* so it is the datagram that was lost */
	world_run(500 * WORLD_MS);
	assert_good(0);
	world_free();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_wrong_certificate_on_the_first_costs_no_query),
	    cmocka_unit_test(all_wrong_is_told_after_each_was_tried_once),
	    cmocka_unit_test(the_good_one_is_found_again_after_its_restart),
	    cmocka_unit_test(a_handshake_that_hangs_costs_a_moment),
	    cmocka_unit_test(several_that_hang_cost_a_moment_each),
	    cmocka_unit_test(all_that_hang_are_given_their_time),
	    cmocka_unit_test(a_sole_address_that_hangs_is_dialled_once),
	    cmocka_unit_test(one_that_answers_nothing_is_left),
	    cmocka_unit_test(refusals_are_no_tries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
