/* control: clients that behave, and clients that do not. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "admin/control.h"

static char path[64];

static bool answer(void *arg, unsigned count, char *const *words, FILE *out)
{
	unsigned *calls = arg;

	++*calls;
	for (unsigned i = 0; i < count; i++)
		fprintf(out, "[%s]", words[i]);
	if (count == 1 && strcmp(words[0], "long") == 0)
		for (unsigned i = 0; i < 100000; i++)
			fputs("0123456789", out);
	return !(count && strcmp(words[0], "fail") == 0);
}

static struct control *start(unsigned *calls)
{
	const struct control_options o = {.path = path, .fn = answer, .arg = calls};
	struct control *c;

	*calls = 0;
	strcpy(path, "/tmp/dotgate-control-XXXXXX");
	assert_non_null(mkdtemp(path));
	strcat(path, "/c");
	assert_int_equal(control_start(&c, &o), 0);
	return c;
}

static void stop(struct control *c)
{
	control_stop(c);
	assert_int_equal(access(path, F_OK), -1);
	*strrchr(path, '/') = 0;
	rmdir(path);
}

/* What comes back, and on which stream: 1 out, 0 err. */
static int ask(char **text, unsigned count, const char *const *words)
{
	char *texts[2] = {NULL, NULL};
	size_t len;
	FILE *err = open_memstream(&texts[0], &len);
	FILE *out = open_memstream(&texts[1], &len);
	int r = control_ask(path, count, words, out, err);

	fclose(err);
	fclose(out);
	*text = r >= 0 ? texts[r] : NULL;
	if (r >= 0) {
		assert_string_equal(texts[!r], "");
		free(texts[!r]);
	} else {
		free(texts[0]);
		free(texts[1]);
	}
	return r;
}

static void test_words(void **state)
{
	unsigned calls;
	struct control *c = start(&calls);
	struct stat s;
	char *text;

	(void)state;
	assert_int_equal(stat(path, &s), 0);
	assert_int_equal(s.st_mode & 0777, 0600);
	assert_int_equal(ask(&text, 2, (const char *const[]){"a", "b.c"}), 1);
	assert_string_equal(text, "[a][b.c]");
	free(text);
	assert_int_equal(ask(&text, 1, (const char *const[]){"fail"}), 0);
	assert_string_equal(text, "[fail]");
	free(text);
	assert_int_equal(ask(&text, 1, (const char *const[]){"long"}), 1);
	assert_int_equal(strlen(text), 1000006);
	free(text);
	assert_int_equal(calls, 3);
	assert_int_equal(ask(&text, 1, (const char *const[]){"a\nb"}), -EINVAL);
	stop(c);
	assert_int_equal(ask(&text, 1, (const char *const[]){"a"}), -ENOENT);
}

static int dial(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(a.sun_path, path);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
	return fd;
}

/* Sends DATA and no more. Nothing comes back. */
static void assert_ignored(const char *data, size_t len)
{
	int fd = dial();
	char byte;

	assert_int_equal(send(fd, data, len, MSG_NOSIGNAL), (ssize_t)len);
	shutdown(fd, SHUT_WR);
	assert_true(recv(fd, &byte, 1, 0) <= 0);
	close(fd);
}

static void test_hostile_clients(void **state)
{
	static char line[4 * CONTROL_LINE_MAX];
	unsigned calls;
	struct control *c = start(&calls);
	char *text;

	(void)state;
	memset(line, 'a', sizeof line);
	assert_ignored("no end", 6);
	assert_ignored(line, CONTROL_LINE_MAX);
	assert_ignored("zero\0in it\n", 11);
	close(dial());
	assert_int_equal(calls, 0);
	assert_int_equal(ask(&text, 1, (const char *const[]){"a"}), 1);
	free(text);
	stop(c);
}

static void test_whose_place(void **state)
{
	unsigned calls;
	struct control *c = start(&calls), *other;
	struct control_options o = {.path = path, .fn = answer, .arg = &calls};
	char left[80];

	(void)state;
	assert_int_equal(control_start(&other, &o), -EADDRINUSE);
	/* a socket that nobody serves gives way */
	snprintf(left, sizeof left, "%s.left", path);
	assert_int_equal(rename(path, left), 0);
	control_stop(c);
	assert_int_equal(rename(left, path), 0);
	assert_int_equal(control_start(&c, &o), 0);
	stop(c);
}

static void test_no_other_file_is_taken_away(void **state)
{
	unsigned calls;
	struct control_options o = {.fn = answer, .arg = &calls};
	char file[] = "/tmp/dotgate-control-XXXXXX";
	struct control *c;

	(void)state;
	close(mkstemp(file));
	o.path = file;
	assert_int_equal(control_start(&c, &o), -EEXIST);
	assert_int_equal(unlink(file), 0);
	o.path = "/proc/none/control";
	assert_true(control_start(&c, &o) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_words),
	    cmocka_unit_test(test_hostile_clients),
	    cmocka_unit_test(test_whose_place),
	    cmocka_unit_test(test_no_other_file_is_taken_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
