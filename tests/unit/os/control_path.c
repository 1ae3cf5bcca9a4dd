/* control_path: whose socket is where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/control_path.h"

#define NOBODY 65534

static struct config config;

static const char *path(void)
{
	static char out[CONF_PATH_MAX];

	return control_path(&config, false, out) ? out : "none";
}

static void test_what_is_said_counts(void **state)
{
	(void)state;
	setenv("XDG_RUNTIME_DIR", "/run/user/1000", 1);
	strcpy(config.control, "/a/b");
	assert_string_equal(path(), "/a/b");
	strcpy(config.control, "off");
	assert_string_equal(path(), "none");
	config.control[0] = 0;
}

static void test_root(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	setenv("XDG_RUNTIME_DIR", "/run/user/0", 1);
	assert_string_equal(path(), "/run/dotgate/control");
}

/* A user of a service or of a container has no folder of the session. */
static void test_others(void **state)
{
	uid_t before = geteuid();

	(void)state;
	if (before == 0)
		assert_int_equal(seteuid(NOBODY), 0);
	setenv("XDG_RUNTIME_DIR", "/run/user/1000", 1);
	assert_string_equal(path(), "/run/user/1000/dotgate-control");
	setenv("XDG_RUNTIME_DIR", "", 1);
	assert_string_equal(path(), "/run/dotgate/control");
	unsetenv("XDG_RUNTIME_DIR");
	assert_string_equal(path(), "/run/dotgate/control");
	if (before == 0)
		assert_int_equal(seteuid(0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_is_said_counts),
	    cmocka_unit_test(test_root),
	    cmocka_unit_test(test_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
