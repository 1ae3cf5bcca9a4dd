/* census: who is counted with whom, and that every one who leaves is forgotten. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "front/census.h"

static void test_hosts(void **state)
{
	const char *same[] = {"2001:db8:1:2::1", "2001:db8:1:2:ffff::2"};
	const char *others[] = {"2001:db8:1:3::1", "192.0.2.1", "192.0.2.2", "fe80::1",
				"fe80::2",	   "::1",	"fd00::1"};
	struct census *c = census_new(8);
	struct address a;
	uint32_t places[9], refused;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(address_parse_ip(&a, same[i], strlen(same[i]), 0), 0);
		assert_int_equal(census_enter(c, &a, 2, &places[i]), 0);
		assert_int_equal(places[i], places[0]);
	}
	assert_int_equal(census_enter(c, &a, 2, &refused), -EUSERS);
	assert_int_equal(census_enter(c, &a, 0, &refused), -EUSERS);
	for (unsigned i = 0; i < 7; i++) {
		address_parse_ip(&a, others[i], strlen(others[i]), (uint16_t)i);
		assert_int_equal(census_enter(c, &a, 1, &places[2 + i]), 0);
		assert_int_equal(census_enter(c, &a, 1, &refused), -EUSERS);
	}
	/* all places are taken */
	address_parse_ip(&a, "192.0.2.3", 9, 0);
	assert_int_equal(census_enter(c, &a, 1, &refused), -EUSERS);
	census_leave(c, places[0]);
	census_leave(c, places[1]);
	assert_int_equal(census_enter(c, &a, 1, &places[0]), 0);
	census_leave(c, places[0]);
	for (unsigned i = 2; i < 9; i++)
		census_leave(c, places[i]);
	census_free(c);
	census_free(NULL);
}

/* Places are used again, and counts stay right, whatever comes and goes. */
static void test_churn(void **state)
{
	enum { MAX = 64, HOSTS = 40 };
	struct census *c = census_new(MAX);
	struct address a;
	uint32_t places[MAX], refused;
	unsigned host[MAX], counts[HOSTS] = {0}, used = 0, seed = 1;

	(void)state;
	address_parse_ip(&a, "192.0.2.0", 9, 0);
	for (unsigned i = 0; i < 20000; i++) {
		seed = seed * 1103515245 + 12345;
		unsigned h = seed >> 16 & 0xff, out;

		if (h % 2 && used) {
			out = h % used;
			census_leave(c, places[out]);
			counts[host[out]]--;
			host[out] = host[--used];
			places[out] = places[used];
			continue;
		}
		h %= HOSTS;
		a.v4.sin_addr.s_addr = htonl(0xc0000200 + h);
		if (counts[h] == 3 || used == MAX) {
			if (counts[h] == 3)
				assert_int_equal(census_enter(c, &a, 3, &refused),
						 -EUSERS);
			continue;
		}
		assert_int_equal(census_enter(c, &a, 3, &places[used]), 0);
		counts[h]++;
		host[used++] = h;
	}
	census_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_hosts),
	    cmocka_unit_test(test_churn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
