/* route: the longest match, by whole labels. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/route.h"

static struct routes routes;

static void add(const char *domain, unsigned group)
{
	struct route *r = &routes.all[routes.count++];

	r->len = name_parse(r->domain, domain);
	r->group = group;
}

/* The group of NAME; 0: none. */
static unsigned find(const char *name)
{
	uint8_t wire[NAME_MAX_LEN];
	size_t len = name_parse(wire, name);
	const struct route *r = routes_find(&routes, wire, len);

	return r ? r->group : 0;
}

static int set_up(void **state)
{
	(void)state;
	routes.count = 0;
	return 0;
}

static void without_routes_there_is_none(void **state)
{
	(void)state;
	assert_int_equal(find("example.com"), 0);
	assert_int_equal(find("."), 0);
}

static void whole_labels_count(void **state)
{
	(void)state;
	add("corp.example", 1);
	assert_int_equal(find("corp.example"), 1);
	assert_int_equal(find("a.b.corp.example"), 1);
	assert_int_equal(find("notcorp.example"), 0);
	assert_int_equal(find("example"), 0);
	assert_int_equal(find("corp.example.com"), 0);
	/* octets that look like the domain, but begin within a label */
	assert_int_equal(find("x\\004corp\\007example"), 0);
}

static void the_longest_wins_in_any_order(void **state)
{
	(void)state;
	add("example", 1);
	add("b.example", 2);
	add("a.b.example", 3);
	assert_int_equal(find("x.example"), 1);
	assert_int_equal(find("x.b.example"), 2);
	assert_int_equal(find("a.b.example"), 3);
	routes.count = 0;
	add("a.b.example", 3);
	add("example", 1);
	assert_int_equal(find("z.a.b.example"), 3);
}

static void a_full_table_works(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ROUTES_MAX; i++) {
		char domain[] = "d00.example";

		domain[1] = (char)('0' + i / 10);
		domain[2] = (char)('0' + i % 10);
		add(domain, i + 1);
	}
	assert_int_equal(find("www.d00.example"), 1);
	assert_int_equal(find("www.d71.example"), 72);
	assert_int_equal(find("www.d72.example"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(without_routes_there_is_none, set_up),
	    cmocka_unit_test_setup(whole_labels_count, set_up),
	    cmocka_unit_test_setup(the_longest_wins_in_any_order, set_up),
	    cmocka_unit_test_setup(a_full_table_works, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
