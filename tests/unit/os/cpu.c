/* cpu: quotas of cgroups v1 and v2, in folders made up for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "os/cpu.h"

static char root[32];

static int make_root(void **state)
{
	(void)state;
	strcpy(root, "/tmp/unit-cpu-XXXXXX");
	return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof command, "rm -rf %s", root);
	return system(command) == 0 ? 0 : -1;
}

/* Writes ROOT/PATH, and the folders on the way to it. */
static void put(const char *path, const char *text)
{
	char full[256];
	FILE *f;

	snprintf(full, sizeof full, "%s%s", root, path);
	for (char *p = full + strlen(root) + 1; (p = strchr(p, '/')); p++) {
		*p = 0;
		mkdir(full, 0700);
		*p = '/';
	}
	f = fopen(full, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void test_nothing_there(void **state)
{
	(void)state;
	assert_int_equal(cpu_quota(root), 0);
	put("/proc/self/cgroup", "");
	assert_int_equal(cpu_quota(root), 0);
	put("/proc/self/cgroup", "nonsense\n::\n0::\n0:\n:::/\n");
	assert_int_equal(cpu_quota(root), 0);
	put("/proc/self/cgroup", "0::/a/b\n");
	assert_int_equal(cpu_quota(root), 0);
}

static void test_v2(void **state)
{
	(void)state;
	put("/proc/self/cgroup", "0::/a/b\n");
	put("/sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
	assert_int_equal(cpu_quota(root), 0);
	put("/sys/fs/cgroup/a/b/cpu.max", "350000 100000\n");
	assert_int_equal(cpu_quota(root), 4);
	put("/sys/fs/cgroup/a/cpu.max", "300000 100000\n");
	assert_int_equal(cpu_quota(root), 3);
	put("/sys/fs/cgroup/cpu.max", "200001 100000\n");
	assert_int_equal(cpu_quota(root), 3);
	put("/sys/fs/cgroup/cpu.max", "200000 100000\n");
	assert_int_equal(cpu_quota(root), 2);
	put("/sys/fs/cgroup/a/b/cpu.max", "1000 100000\n");
	assert_int_equal(cpu_quota(root), 1);
	assert_int_equal(cpu_count(root), 1);
}

/* A container sees its own cgroup as the mount, whatever path the host calls it by. */
static void test_v2_container(void **state)
{
	(void)state;
	put("/sys/fs/cgroup/cpu.max", "200000 100000\n");
	put("/proc/self/cgroup", "0::/\n");
	assert_int_equal(cpu_quota(root), 2);
	put("/proc/self/cgroup", "0::/kubepods/pod1/x\n");
	assert_int_equal(cpu_quota(root), 2);
	put("/proc/self/cgroup", "0::/../../a\n");
	assert_int_equal(cpu_quota(root), 2);
}

static void test_v1(void **state)
{
	(void)state;
	put("/proc/self/cgroup",
	    "9:name=systemd:/a\n5:cpuacct:/a\n4:cpuset,cpu:/a\n0::/\n");
	put("/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "-1\n");
	put("/sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "100000\n");
	assert_int_equal(cpu_quota(root), 0);
	put("/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "450000\n");
	assert_int_equal(cpu_quota(root), 5);
	put("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "400000\n");
	put("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
	assert_int_equal(cpu_quota(root), 4);
	/* cpuacct and cpuset have no quota of their own */
	put("/proc/self/cgroup", "5:cpuacct:/a\n4:cpuset:/a\n");
	assert_int_equal(cpu_quota(root), 0);
}

static void test_odd_quotas(void **state)
{
	const char *const odd[] = {"",	      "\n",	     "0 100000\n",
				   "5 0\n",   "-5 100000\n", "9999999999999999999 1\n",
				   "x 100\n", "100000\n"};

	(void)state;
	put("/proc/self/cgroup", "0::/\n");
	for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
		put("/sys/fs/cgroup/cpu.max", odd[i]);
		assert_int_equal(cpu_quota(root), 0);
	}
}

static void test_affinity(void **state)
{
	cpu_set_t all, one;
	unsigned expected;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
	expected = (unsigned)CPU_COUNT(&all);
	assert_int_equal(cpu_count(root), expected);
	CPU_ZERO(&one);
	for (size_t i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++)
		if (CPU_ISSET(i, &all))
			CPU_SET(i, &one);
	assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
	assert_int_equal(cpu_count(root), 1);
	assert_int_equal(sched_setaffinity(0, sizeof all, &all), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_nothing_there, make_root, remove_root),
	    cmocka_unit_test_setup_teardown(test_v2, make_root, remove_root),
	    cmocka_unit_test_setup_teardown(test_v2_container, make_root, remove_root),
	    cmocka_unit_test_setup_teardown(test_v1, make_root, remove_root),
	    cmocka_unit_test_setup_teardown(test_odd_quotas, make_root, remove_root),
	    cmocka_unit_test_setup_teardown(test_affinity, make_root, remove_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
