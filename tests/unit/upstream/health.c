/* health: up and down, back-off, patience. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "upstream/health.h"

static struct random r;

static void starts_usable(void **state)
{
	struct health h = {0};

	(void)state;
	assert_false(h.down);
	assert_true(health_may_dial(&h, 0));
	assert_int_equal(health_patience(&h), 1000000);
}

static void a_failure_backs_off_and_an_answer_ends_it(void **state)
{
	struct health h = {0};

	(void)state;
	random_init(&r);
	assert_true(health_failed(&h, REASON_DIAL_REFUSED, 1000, &r));
	assert_false(health_failed(&h, REASON_DIAL_REFUSED, 1000, &r));
	assert_true(h.down);
	assert_int_equal(h.reason, REASON_DIAL_REFUSED);
	assert_false(health_may_dial(&h, 1000));
	assert_true(health_may_dial(&h, h.retry_us));
	assert_true(health_answered(&h, 10));
	assert_false(health_answered(&h, 10));
	assert_false(h.down);
	assert_int_equal(h.failures, 0);
	assert_true(health_may_dial(&h, 0));
}

static void a_handshake_ends_what_a_handshake_lacked(void **state)
{
	struct health h = {0};

	(void)state;
	random_init(&r);
	health_failed(&h, REASON_TLS_CERT_EXPIRED, 0, &r);
	assert_true(health_connected(&h));
	assert_false(health_connected(&h));
	health_silent(&h, 0, &r);
	assert_false(health_connected(&h));
	assert_true(h.down);
	health_failed(&h, REASON_CLOSED_BUSY, 0, &r);
	assert_false(health_connected(&h));
	assert_true(health_answered(&h, 1));
}

static void back_off_grows_with_the_outage_up_to_five_seconds(void **state)
{
	(void)state;
	random_init(&r);
	for (unsigned run = 0; run < 100; run++) {
		struct health h = {0};
		uint64_t now = 7;

		for (unsigned i = 0; i < 40; i++) {
			uint64_t full = (now - 7) / 2;

			if (full < 50000)
				full = 50000;
			if (full > 5000000)
				full = 5000000;
			health_failed(&h, REASON_RESET, now, &r);
			assert_in_range(h.retry_us - now, full / 2, full);
			now = h.retry_us;
		}
		assert_true(now > 40 * 1000000ull);
	}
}

static void the_first_silence_allows_a_second_connection_at_once(void **state)
{
	struct health h = {0};

	(void)state;
	random_init(&r);
	assert_true(health_silent(&h, 500, &r));
	assert_true(health_may_dial(&h, 500));
	assert_false(health_silent(&h, 500, &r));
	assert_false(health_may_dial(&h, 500));
}

static void silence_makes_careful_for_a_while(void **state)
{
	struct health h = {0};

	(void)state;
	random_init(&r);
	assert_false(health_is_careful(&h, 5));
	health_failed(&h, REASON_RESET, 5, &r);
	assert_false(health_is_careful(&h, 5));
	health_silent(&h, 5, &r);
	health_answered(&h, 1);
	assert_true(health_is_careful(&h, 599000000));
	assert_false(health_is_careful(&h, 601000000));
}

static void patience_follows_the_round_trip_time(void **state)
{
	struct health h = {0};

	(void)state;
	random_init(&r);
	health_answered(&h, 20000);
	assert_int_equal(h.rtt_us, 20000);
	assert_int_equal(h.rtt_var_us, 10000);
	assert_int_equal(health_patience(&h), 1000000);
	for (unsigned i = 0; i < 100; i++)
		health_answered(&h, 800000);
	assert_in_range(health_patience(&h), 1600000, 1700000);
	for (unsigned i = 0; i < 100; i++)
		health_answered(&h, 4000000);
	assert_int_equal(health_patience(&h), 3000000);
}

static void patience_grows_with_silence(void **state)
{
	struct health h = {0};

	(void)state;
	random_init(&r);
	health_silent(&h, 0, &r);
	assert_int_equal(health_patience(&h), 2000000);
	health_silent(&h, 0, &r);
	assert_int_equal(health_patience(&h), 3000000);
}

static void errors_are_a_rate(void **state)
{
	struct health h = {0};

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		health_judge(&h, true);
	assert_false(health_is_erring(&h));
	health_judge(&h, true);
	assert_true(health_is_erring(&h));
	for (unsigned i = 0; i < 3; i++)
		health_judge(&h, false);
	assert_false(health_is_erring(&h));
	/* every other one is no reason to prefer others for good */
	for (unsigned i = 0; i < 100; i++)
		health_judge(&h, i % 2 == 0);
	assert_false(health_is_erring(&h));
}

static void a_lack_of_edns_is_remembered(void **state)
{
	struct health h = {0};

	(void)state;
	health_took_no_opt(&h, 1000000); /* nothing was refused */
	assert_false(health_lacks_edns(&h, 1000000));
	health_refused_opt(&h, 1000000);
	assert_false(health_lacks_edns(&h, 1000000));
	health_took_no_opt(&h, 1020000);
	assert_true(health_lacks_edns(&h, 1020000));
	assert_false(health_lacks_edns(&h, 601020000));
	/* an old refusal proves nothing */
	health_refused_opt(&h, 700000000);
	health_took_no_opt(&h, 720000000);
	assert_false(health_lacks_edns(&h, 720000000));
}

static void what_is_lost_is_late_by_far(void **state)
{
	struct health h = {0};

	(void)state;
	assert_int_equal(health_lost(&h), HEALTH_NEVER);
	assert_int_equal(health_overdue(&h), 1000000);
	for (unsigned i = 0; i < 200; i++)
		health_answered(&h, 100000);
	assert_in_range(health_lost(&h), 3 * health_late(&h), 3 * health_late(&h));
	assert_int_equal(health_overdue(&h), 1000000);
	for (unsigned i = 0; i < 500; i++)
		health_answered(&h, 600000);
	assert_int_equal(health_overdue(&h), health_lost(&h));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(starts_usable),
	    cmocka_unit_test(a_failure_backs_off_and_an_answer_ends_it),
	    cmocka_unit_test(a_handshake_ends_what_a_handshake_lacked),
	    cmocka_unit_test(back_off_grows_with_the_outage_up_to_five_seconds),
	    cmocka_unit_test(the_first_silence_allows_a_second_connection_at_once),
	    cmocka_unit_test(silence_makes_careful_for_a_while),
	    cmocka_unit_test(patience_follows_the_round_trip_time),
	    cmocka_unit_test(patience_grows_with_silence),
	    cmocka_unit_test(errors_are_a_rate),
	    cmocka_unit_test(a_lack_of_edns_is_remembered),
	    cmocka_unit_test(what_is_lost_is_late_by_far),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
