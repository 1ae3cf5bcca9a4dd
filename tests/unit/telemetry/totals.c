/* totals: what is added up over the workers, and what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "telemetry/totals.h"

#define WORKERS 3

struct fixture {
	struct metrics *workers[WORKERS];
	struct sources sources;
	struct metrics sum;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	assert_non_null(f);
	for (unsigned w = 0; w < WORKERS; w++) {
		f->workers[w] = calloc(1, sizeof *f->workers[w]);
		assert_non_null(f->workers[w]);
	}
	f->sources = (struct sources){
	    .worker_count = WORKERS, .workers = f->workers, .upstream_count = 2};
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	for (unsigned w = 0; w < WORKERS; w++)
		free(f->workers[w]);
	free(f);
	return 0;
}

/* What the workers say of upstream 1, in turn; the total of it. */
static uint64_t total_of(struct fixture *f, size_t field, uint64_t a, uint64_t b,
			 uint64_t c)
{
	const uint64_t said[WORKERS] = {a, b, c};

	for (unsigned w = 0; w < WORKERS; w++) {
		uint8_t *u = (uint8_t *)&f->workers[w]->upstream[1];

		*(uint64_t *)(void *)(u + field) = said[w];
	}
	totals_make(&f->sum, &f->sources);
	return *(const uint64_t *)(const void *)((uint8_t *)&f->sum.upstream[1] + field);
}

#define TOTAL(field, a, b, c)                                                            \
	total_of(f, offsetof(struct upstream_metrics, field), a, b, c)

static void test_counters_are_added(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(TOTAL(inflight, 1, 2, 4), 7);
	assert_int_equal(TOTAL(requests[REASON_N - 1], 1, 0, 4), 5);
	/* the last word of all */
	assert_int_equal(TOTAL(handshake_duration[1].sum_us, 3, 0, 4), 7);
	for (unsigned w = 0; w < WORKERS; w++)
		f->workers[w]->requests[0][0] = w;
	totals_make(&f->sum, &f->sources);
	assert_int_equal(f->sum.requests[0][0], 3);
	assert_int_equal(f->sum.upstream[0].inflight, 0);
}

/* A delay is that of the worker which finds the upstream slowest. */
static void test_delays_are_the_slowest(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(TOTAL(rtt_p50, 20, 30, 10), 30);
	assert_int_equal(TOTAL(rtt_p95, 900, 200, 100), 900);
	assert_int_equal(TOTAL(rtt_p95, 100, 0, 200), 200);
	assert_int_equal(TOTAL(rtt_p95, 0, 0, 0), 0);
}

/* A limit is the lowest one that a worker has met; 0 is not known. */
static void test_limits_are_the_lowest(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(TOTAL(learnt_idle, 30, 10, 20), 10);
	assert_int_equal(TOTAL(learnt_idle, 0, 0, 20), 20);
	assert_int_equal(TOTAL(learnt_limit, 100, 0, 50), 50);
	assert_int_equal(TOTAL(learnt_limit, 0, 0, 0), 0);
	assert_int_equal(TOTAL(cert_not_after, 9, 7, 8), 7);
}

static void test_flags_are_any(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(TOTAL(up, 1, 0, 1), 1);
	assert_int_equal(TOTAL(up, 0, 0, 0), 0);
	assert_int_equal(TOTAL(backup_pin, 0, 1, 1), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	    TEST(test_counters_are_added),
	    TEST(test_delays_are_the_slowest),
	    TEST(test_limits_are_the_lowest),
	    TEST(test_flags_are_any),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
