/* waiting: many queries wait for an upstream: what it takes to look after them. */
#include "story.h"

#define MANY 2000

enum pool_verdict __real_pool_send(struct pool *p, const struct ask *a, uint64_t until_us,
				   unsigned *copies, enum reason *why, const char **text);
enum pool_verdict __wrap_pool_send(struct pool *p, const struct ask *a, uint64_t until_us,
				   unsigned *copies, enum reason *why, const char **text);

static unsigned calls;

enum pool_verdict __wrap_pool_send(struct pool *p, const struct ask *a, uint64_t until_us,
				   unsigned *copies, enum reason *why, const char **text)
{
	calls++;
	return __real_pool_send(p, a, until_us, copies, why, text);
}

/* When something has changed, those that still have to wait are not looked at one by one. */
static void a_change_that_helps_nobody_is_cheap(void **state)
{
	(void)state;
	world_new(1);
	world_server(0)->shake = SHAKE_HANGS;
	ask_many(MANY);
	world_settle();
	calls = 0;
	for (unsigned i = 0; i < 20; i++) {
		pool_change_soon(world_pool());
		world_settle();
	}
	assert_in_range(calls, 20, 20 * 50);
	assert_int_equal(world_inflight(), MANY);
	world_server(0)->shake = SHAKE_OK;
	world_shake_again(1);
	world_run(10 * WORLD_MS);
	for (unsigned i = 0; i < MANY; i++)
		assert_good(i);
	world_free();
}

/* Those of one group wait, and those of another need not. */
static void one_group_does_not_wait_for_another(void **state)
{
	(void)state;
	world_make(&(struct world_plan){
	    .upstreams = 2,
	    .policy = POLICY_ORDERED,
	    .hedge = HEDGE_OFF,
	    .group_count = 2,
	    .groups = {{.count = 1, .upstream = {0}}, {.count = 1, .upstream = {1}}}});
	world_server(0)->shake = SHAKE_HANGS;
	world_server(1)->shake = SHAKE_HANGS;
	ask_many(100);
	world_ask("one.g1");
	world_settle();
	world_server(1)->shake = SHAKE_OK;
	world_shake_again(1);
	world_shake_again(2);
	world_run(10 * WORLD_MS);
	assert_good(100);
	assert_int_equal(world_inflight(), 100);
	world_free();
}

/* An upstream is lost, and with it the queries that wait: they fail when they have waited their time, all
 * of them. */
static void all_of_them_hear_in_time(void **state)
{
	(void)state;
	world_new(1);
	world_server(0)->dial = DIAL_REFUSES;
	ask_many(MANY);
	world_run(5 * WORLD_S);
	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(world_told(i)->answers, 1);
	assert_in_range(world_told(MANY - 1)->at_us - world_told(MANY - 1)->asked_us,
			900 * WORLD_MS, 3 * WORLD_S); /* 2 s, less a back-off */
	world_free();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_change_that_helps_nobody_is_cheap),
	    cmocka_unit_test(one_group_does_not_wait_for_another),
	    cmocka_unit_test(all_of_them_hear_in_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
