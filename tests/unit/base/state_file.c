/* state_file: what is read, what is written, and what nobody else can have done to it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/state_file.h"

#define NOBODY 65534

static char folder[64], path[80], beside[96], other[80];

static int begin(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/dotgate-state-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/state", folder);
	snprintf(beside, sizeof beside, "%s.new", path);
	snprintf(other, sizeof other, "%s/other", folder);
	return 0;
}

static int end(void **state)
{
	(void)state;
	unlink(path);
	unlink(other);
	assert_int_equal(access(beside, F_OK), -1); /* nothing is left behind */
	return rmdir(folder);
}

static void put(const char *at, const char *text)
{
	FILE *f = fopen(at, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	chmod(at, 0600);
}

static void assert_holds(const char *at, const char *text)
{
	char line[64] = "";
	FILE *f = fopen(at, "r");

	assert_non_null(f);
	assert_true(fgets(line, sizeof line, f) || !*text);
	fclose(f);
	assert_string_equal(line, text);
}

static int64_t say(void *arg, FILE *out)
{
	fputs(arg, out);
	return 7;
}

static int64_t refuse(void *arg, FILE *out)
{
	fputs(arg, out);
	return -EXDEV;
}

static int64_t fill(void *arg, FILE *out)
{
	(void)arg;
	/* as on a full disk: what is written cannot be kept */
	assert_non_null(freopen("/dev/full", "w", out));
	fputs("x", out);
	return 0;
}

static int64_t write_(const char *text)
{
	return state_file_write(path, say, (void *)(uintptr_t)text);
}

static int open_(void)
{
	uint64_t size;
	int fd = state_file_open(path, &size);

	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

static void test_written_and_read(void **state)
{
	uint64_t size = 0;
	struct stat s;
	int fd;

	(void)state;
	assert_int_equal(open_(), -ENOENT);
	assert_int_equal(write_("one"), 7);
	assert_int_equal(write_("other"), 7);
	assert_holds(path, "other");
	assert_int_equal(stat(path, &s), 0);
	assert_int_equal(s.st_mode & 07777, 0600);
	fd = state_file_open(path, &size);
	assert_true(fd >= 0 && size == 5);
	close(fd);
}

static void test_a_failure_changes_nothing(void **state)
{
	(void)state;
	assert_int_equal(write_("old"), 7);
	assert_int_equal(state_file_write(path, refuse, (char[]){"new"}), -EXDEV);
	assert_int_equal(state_file_write(path, fill, NULL), -ENOSPC);
	assert_holds(path, "old");
	assert_int_equal(state_file_write("/proc/none/x", say, (char[]){"x"}), -ENOENT);
}

static void test_links_are_not_followed(void **state)
{
	(void)state;
	put(other, "precious");
	assert_int_equal(symlink(other, path), 0);
	assert_int_equal(open_(), -EPERM);
	assert_int_equal(write_("x"), -EPERM);
	/* nor in the place of the file beside it */
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink(other, beside), 0);
	assert_int_equal(write_("x"), 7);
	assert_holds(path, "x");
	assert_holds(other, "precious");
}

static void test_only_plain_files(void **state)
{
	(void)state;
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(open_(), -EPERM); /* and it does not wait for a writer */
	assert_int_equal(write_("x"), -EPERM);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(write_("x"), -EPERM);
	assert_int_equal(rmdir(path), 0);
}

static void test_only_files_of_our_own(void **state)
{
	(void)state;
	put(path, "theirs");
	assert_int_equal(chmod(path, 0620), 0);
	assert_int_equal(write_("x"), -EPERM);
	assert_int_equal(chmod(path, 0602), 0);
	assert_int_equal(open_(), -EPERM);
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(open_(), 0);
	if (geteuid() != 0)
		return;
	assert_int_equal(chown(path, NOBODY, NOBODY), 0);
	assert_int_equal(open_(), -EPERM);
	assert_int_equal(write_("x"), -EPERM);
	assert_holds(path, "theirs");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
	    TEST(test_written_and_read),       TEST(test_a_failure_changes_nothing),
	    TEST(test_links_are_not_followed), TEST(test_only_plain_files),
	    TEST(test_only_files_of_our_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
