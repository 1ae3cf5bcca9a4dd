/* ids: random, never twice at once, found again, in order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>

#include "upstream/ids.h"

static struct ids *t;
static struct random r;

static int set_up(void **state)
{
	(void)state;
	random_init(&r);
	t = ids_new();
	return t ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	ids_free(t);
	return 0;
}

static void is_found_by_id(void **state)
{
	int id = ids_take(t, &r, 7, 8, 9);
	struct sent *s;

	(void)state;
	assert_in_range(id, 0, 65535);
	s = ids_find(t, (uint16_t)id);
	assert_non_null(s);
	assert_int_equal(s->flight, 7);
	assert_int_equal(s->question, 8);
	assert_int_equal(s->sent_us, 9);
	assert_int_equal(s->id, id);
	assert_null(ids_find(t, (uint16_t)(id + 1)));
	ids_release(t, s);
	assert_null(ids_find(t, (uint16_t)id));
	assert_int_equal(ids_taken_count(t), 0);
	assert_int_equal(ids_awaited_count(t), 0);
}

static void none_is_taken_twice(void **state)
{
	static bool taken[65536];

	(void)state;
	for (unsigned i = 0; i < IDS_MAX; i++) {
		int id = ids_take(t, &r, i + 1, i, 0);

		assert_in_range(id, 0, 65535);
		assert_false(taken[id]);
		taken[id] = true;
	}
	assert_int_equal(ids_take(t, &r, 1, 1, 1), -ENOSPC);
	for (unsigned id = 0; id < 65536; id++)
		assert_int_equal(ids_find(t, (uint16_t)id) != NULL, taken[id]);
}

/* Ids go round many times; a model that is plain to see says what must be there. */
static void a_long_life_keeps_the_index_right(void **state)
{
	static uint64_t model[65536];
	unsigned taken = 0;
	uint64_t flight = 0;

	(void)state;
	for (unsigned i = 0; i < 300000; i++) {
		uint16_t id = random_u16(&r);

		if (taken < 3000 && random_below(&r, 5) < 3) {
			int got = ids_take(t, &r, ++flight, 0, i);

			assert_true(got >= 0);
			assert_int_equal(model[got], 0);
			model[got] = flight;
			taken++;
		}
		if (model[id]) {
			struct sent *s = ids_find(t, id);

			assert_non_null(s);
			assert_int_equal(s->flight, model[id]);
			ids_release(t, s);
			model[id] = 0;
			taken--;
		} else {
			assert_null(ids_find(t, id));
		}
		assert_int_equal(ids_taken_count(t), taken);
	}
	for (unsigned id = 0; id < 65536; id++) {
		struct sent *s = ids_find(t, (uint16_t)id);

		assert_int_equal(s ? s->flight : 0, model[id]);
		model[id] = 0;
	}
}

static void the_oldest_comes_first(void **state)
{
	int id[4];

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		id[i] = ids_take(t, &r, i + 1, 0, i);
	assert_int_equal(ids_oldest(t)->id, id[0]);
	assert_int_equal(ids_next(t, ids_oldest(t))->id, id[1]);
	ids_release(t, ids_find(t, (uint16_t)id[1]));
	assert_int_equal(ids_next(t, ids_oldest(t))->id, id[2]);
	ids_release(t, ids_find(t, (uint16_t)id[0]));
	assert_int_equal(ids_oldest(t)->id, id[2]);
	ids_release(t, ids_find(t, (uint16_t)id[3]));
	assert_null(ids_next(t, ids_oldest(t)));
	ids_release(t, ids_find(t, (uint16_t)id[2]));
	assert_null(ids_oldest(t));
}

static void an_abandoned_id_stays_taken(void **state)
{
	int first = ids_take(t, &r, 1, 0, 0), second = ids_take(t, &r, 2, 0, 1);
	struct sent *s = ids_find(t, (uint16_t)first);

	(void)state;
	assert_true(ids_awaited(s));
	ids_abandon(t, s);
	assert_false(ids_awaited(s));
	assert_ptr_equal(ids_find(t, (uint16_t)first), s);
	assert_int_equal(ids_oldest(t)->id, second);
	assert_int_equal(ids_awaited_count(t), 1);
	assert_int_equal(ids_taken_count(t), 2);
	ids_release(t, s);
	assert_int_equal(ids_taken_count(t), 1);
	assert_int_equal(ids_awaited_count(t), 1);
}

static void marks_move_on(void **state)
{
	int id[4];

	(void)state;
	assert_null(ids_marked(t, MARK_LATE));
	for (unsigned i = 0; i < 3; i++)
		id[i] = ids_take(t, &r, i + 1, 0, i);
	assert_int_equal(ids_marked(t, MARK_LATE)->id, id[0]);
	ids_pass(t, MARK_LATE);
	assert_int_equal(ids_marked(t, MARK_LATE)->id, id[1]);
	assert_int_equal(ids_marked(t, MARK_FRESH)->id, id[0]); /* each by itself */
	/* what is awaited no more is passed over */
	ids_release(t, ids_find(t, (uint16_t)id[1]));
	assert_int_equal(ids_marked(t, MARK_LATE)->id, id[2]);
	ids_abandon(t, ids_find(t, (uint16_t)id[2]));
	assert_null(ids_marked(t, MARK_LATE));
	/* what comes next has not been passed */
	id[3] = ids_take(t, &r, 9, 0, 9);
	assert_int_equal(ids_marked(t, MARK_LATE)->id, id[3]);
	assert_int_equal(ids_marked(t, MARK_FRESH)->id, id[0]);
}

static void copies_are_not_sole(void **state)
{
	int first = ids_take(t, &r, 1, 0, 0), second = ids_take(t, &r, 2, 0, 1);

	(void)state;
	ids_note_copy(t, ids_find(t, (uint16_t)second));
	assert_int_equal(ids_sole_count(t), 1);
	ids_abandon(t, ids_find(t, (uint16_t)second));
	assert_int_equal(ids_sole_count(t), 1);
	ids_release(t, ids_find(t, (uint16_t)second));
	ids_release(t, ids_find(t, (uint16_t)first));
	assert_int_equal(ids_sole_count(t), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(is_found_by_id, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(none_is_taken_twice, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_long_life_keeps_the_index_right, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(the_oldest_comes_first, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(an_abandoned_id_stays_taken, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(marks_move_on, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(copies_are_not_sole, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
