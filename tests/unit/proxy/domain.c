/* domain: names of one domain have one hash, and others another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dns/name.h"
#include "proxy/domain.h"

static struct domains *d;

static int set_up(void **state)
{
	(void)state;
	(void)domains_new(&d);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	domains_free(d);
	return 0;
}

static uint64_t hash(const char *text)
{
	uint8_t name[NAME_MAX_LEN];

	return domains_hash(d, name, name_parse(name, text));
}

static void names_of_one_domain_are_alike(void **state)
{
	(void)state;
	if (!d)
		skip(); /* libpsl is not installed */
	assert_true(hash("example.com") == hash("www.example.com"));
	assert_true(hash("a.b.example.co.uk") == hash("example.co.uk"));
	assert_true(hash("example.com") != hash("example.org"));
	assert_true(hash("a.co.uk") != hash("b.co.uk"));
}

static void suffixes_stand_for_themselves(void **state)
{
	(void)state;
	if (!d)
		skip();
	assert_true(hash("com") != hash("org"));
	assert_true(hash("co.uk") != hash("uk"));
	assert_true(hash(".") == hash("."));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(names_of_one_domain_are_alike, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(suffixes_stand_for_themselves, set_up,
					    tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
