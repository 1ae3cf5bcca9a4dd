/* liveness: workers that stand still, and upstreams that never were of use. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "telemetry/liveness.h"

#define WORKERS 2

struct fixture {
	struct metrics *workers[WORKERS];
	uint64_t beats[WORKERS];
	uint64_t *heartbeats[WORKERS];
	struct sources sources;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	assert_non_null(f);
	for (unsigned w = 0; w < WORKERS; w++) {
		f->workers[w] = calloc(1, sizeof *f->workers[w]);
		assert_non_null(f->workers[w]);
		f->workers[w]->upstream[0].up = f->workers[w]->upstream[1].up = 1;
		f->heartbeats[w] = &f->beats[w];
	}
	f->sources = (struct sources){.worker_count = WORKERS,
				      .workers = f->workers,
				      .upstream_count = 2,
				      .heartbeats = f->heartbeats};
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

static void test_stuck_worker_is_named(void **state)
{
	struct fixture *f = *state;
	struct liveness *l = liveness_new(&f->sources, 1000);

	assert_non_null(l);
	assert_int_equal(liveness_stuck(l, 1000 + LIVENESS_STUCK_US - 1), -1);
	metric_set(&f->beats[0], 1);
	assert_int_equal(liveness_stuck(l, 1000 + LIVENESS_STUCK_US), 1);
	metric_set(&f->beats[1], 1);
	assert_int_equal(liveness_stuck(l, 1000 + LIVENESS_STUCK_US + 1), -1);
	/* a worker that stands still counts from when it was last seen to move */
	assert_int_equal(liveness_stuck(l, 1000 + 2 * LIVENESS_STUCK_US - 1), -1);
	assert_int_equal(liveness_stuck(l, 1000 + 2 * LIVENESS_STUCK_US), 0);
	liveness_free(l);
}

/* One upstream that has not been found failing is enough, and so is an answer of long ago. */
static void test_useful_until_all_upstreams_have_failed(void **state)
{
	struct fixture *f = *state;
	struct liveness *l = liveness_new(&f->sources, 1000);

	assert_true(liveness_useful(l));
	metric_set(&f->workers[0]->upstream[0].up, 0);
	assert_true(liveness_useful(l));
	metric_set(&f->workers[1]->upstream[1].up, 0);
	assert_false(liveness_useful(l));
	metric_set(&f->workers[1]->upstream[0].requests[REASON_NONE], 1);
	assert_true(liveness_useful(l));
	liveness_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	    TEST(test_stuck_worker_is_named),
	    TEST(test_useful_until_all_upstreams_have_failed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
