/* census: who is counted with whom, and that every one who leaves is forgotten. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "front/census.h"

static struct address make(const char *ip)
{
	struct address a;

	assert_int_equal(address_parse_ip(&a, ip, strlen(ip), 0), 0);
	return a;
}

/* Counts one more for IP. Returns where. */
static uint32_t enter(struct census *c, const char *ip)
{
	struct address a = make(ip);
	uint32_t place;

	assert_int_equal(census_enter(c, &a, &place), 0);
	return place;
}

static void test_hosts(void **state)
{
	/* of one /56 */
	const char *same[] = {"2001:db8:1:2::1", "2001:db8:1:2:ffff::2",
			      "2001:db8:1:ff::1"};
	const char *others[] = {"2001:db8:1:100::1", "192.0.2.1", "192.0.2.2", "fe80::1",
				"fe80::2",	     "::1",	  "fd00::1"};
	struct census *c = census_new(10);
	struct address a = make("192.0.2.3");
	uint32_t places[10], refused;

	(void)state;
	assert_null(census_heaviest(c));
	for (unsigned i = 0; i < 3; i++) {
		places[i] = enter(c, same[i]);
		assert_int_equal(places[i], places[0]);
		assert_int_equal(census_holder(c, places[i])->count, i + 1);
	}
	for (unsigned i = 0; i < 7; i++) {
		places[3 + i] = enter(c, others[i]);
		assert_int_equal(census_holder(c, places[3 + i])->count, 1);
		assert_ptr_equal(census_heaviest(c), census_holder(c, places[0]));
	}
	/* places for more than count at a time are never needed */
	assert_int_equal(census_enter(c, &a, &refused), 0);
	census_leave(c, refused);
	for (unsigned i = 0; i < 10; i++)
		census_leave(c, places[i]);
	assert_null(census_heaviest(c));
	census_free(c);
	census_free(NULL);
}

static void test_all_places_taken(void **state)
{
	struct census *c = census_new(2);
	struct address a = make("192.0.2.3");
	uint32_t one = enter(c, "192.0.2.1"), two = enter(c, "192.0.2.2"), refused;

	(void)state;
	assert_int_equal(census_enter(c, &a, &refused), -EUSERS);
	census_leave(c, one);
	assert_int_equal(census_enter(c, &a, &one), 0);
	census_leave(c, one);
	census_leave(c, two);
	census_free(c);
}

/* The heaviest is known whatever comes and goes, and its lists are its own. */
static void test_heaviest(void **state)
{
	struct census *c = census_new(8);
	uint32_t a[4], b[3];

	(void)state;
	a[0] = enter(c, "192.0.2.1");
	b[0] = enter(c, "192.0.2.2");
	a[1] = enter(c, "192.0.2.1");
	assert_ptr_equal(census_heaviest(c), census_holder(c, a[0]));
	b[1] = enter(c, "192.0.2.2");
	b[2] = enter(c, "192.0.2.2");
	assert_ptr_equal(census_heaviest(c), census_holder(c, b[0]));
	census_leave(c, b[2]);
	assert_int_equal(census_heaviest(c)->count, 2);
	census_leave(c, b[1]);
	assert_ptr_equal(census_heaviest(c), census_holder(c, a[0]));
	census_leave(c, b[0]);
	census_leave(c, a[0]);
	assert_int_equal(census_heaviest(c)->count, 1);
	assert_true(list_empty(&census_heaviest(c)->quiet));
	assert_true(list_empty(&census_heaviest(c)->busy));
	census_leave(c, a[1]);
	assert_null(census_heaviest(c));
	census_free(c);
}

static unsigned highest(const unsigned *counts, unsigned n)
{
	unsigned most = 0;

	for (unsigned i = 0; i < n; i++)
		most = counts[i] > most ? counts[i] : most;
	return most;
}

/* Places are used again, and counts stay right, whatever comes and goes. */
static void test_churn(void **state)
{
	enum { MAX = 64, HOSTS = 40 };
	struct census *c = census_new(MAX);
	struct address a = make("192.0.2.0");
	uint32_t places[MAX];
	unsigned host[MAX], counts[HOSTS] = {0}, used = 0, seed = 1;

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		seed = seed * 1103515245 + 12345;
		unsigned h = seed >> 16 & 0xff, out;

		if ((h % 2 && used) || used == MAX) {
			out = h % used;
			census_leave(c, places[out]);
			counts[host[out]]--;
			host[out] = host[--used];
			places[out] = places[used];
		} else {
			h %= HOSTS;
			a.v4.sin_addr.s_addr = htonl(0xc0000200 + h);
			assert_int_equal(census_enter(c, &a, &places[used]), 0);
			counts[h]++;
			assert_int_equal(census_holder(c, places[used])->count,
					 counts[h]);
			host[used++] = h;
		}
		if (used)
			assert_int_equal(census_heaviest(c)->count,
					 highest(counts, HOSTS));
	}
	while (used)
		census_leave(c, places[--used]);
	census_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_hosts),
	    cmocka_unit_test(test_all_places_taken),
	    cmocka_unit_test(test_heaviest),
	    cmocka_unit_test(test_churn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
