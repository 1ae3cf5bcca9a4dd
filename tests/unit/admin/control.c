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
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "admin/control.h"

#define NOBODY 65534

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

static struct sockaddr_un address(const char *at)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	strcpy(a.sun_path, at);
	return a;
}

static int dial(void)
{
	const struct sockaddr_un a = address(path);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, (const struct sockaddr *)&a, sizeof a), 0);
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

/* What another daemon has put in the place of the file meanwhile is its own. */
static void test_only_our_file_is_removed(void **state)
{
	unsigned calls;
	struct control *c = start(&calls);
	struct control_options o = {.path = path, .fn = answer, .arg = &calls};
	struct control *other;
	char *text;

	(void)state;
	assert_int_equal(unlink(path), 0);
	assert_int_equal(control_start(&other, &o), 0);
	control_stop(c);
	assert_int_equal(ask(&text, 1, (const char *const[]){"a"}), 1);
	free(text);
	stop(other);
}

/* A socket that is served by somebody who has no time: its queue is full. */
static int busy_socket(int *waits)
{
	struct sockaddr_un a;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(path, "/tmp/dotgate-control-XXXXXX");
	assert_non_null(mkdtemp(path));
	strcat(path, "/c");
	a = address(path);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(listen(fd, 0), 0);
	*waits = dial();
	return fd;
}

static void test_a_busy_daemon_keeps_its_place(void **state)
{
	struct control_options o = {.path = path, .fn = answer};
	struct control *c;
	int waits, fd = busy_socket(&waits);

	(void)state;
	assert_int_equal(control_start(&c, &o), -EADDRINUSE);
	assert_int_equal(access(path, F_OK), 0);
	close(waits);
	close(fd);
	assert_int_equal(unlink(path), 0);
	*strrchr(path, '/') = 0;
	rmdir(path);
}

static void test_a_silent_daemon(void **state)
{
	int waits, fd = busy_socket(&waits);
	const char *const words[] = {"a"};

	(void)state;
	assert_int_equal(control_ask_within(path, 50, 1, words, stdout, stderr),
			 -ETIMEDOUT);
	close(waits);
	close(accept(fd, NULL, NULL)); /* now there is room, but no response */
	assert_int_equal(control_ask_within(path, 50, 1, words, stdout, stderr),
			 -ETIMEDOUT);
	close(fd);
	assert_int_equal(unlink(path), 0);
	*strrchr(path, '/') = 0;
	rmdir(path);
}

/* Asks as NOBODY, in a process of its own. Returns 0: it heard nothing; 1: it heard something. */
static int ask_as_nobody(void)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		char byte;
		int fd;

		if (setgid(NOBODY) < 0 || setuid(NOBODY) < 0)
			_exit(2);
		fd = dial();
		(void)send(fd, "a\n", 2, MSG_NOSIGNAL);
		_exit(recv(fd, &byte, 1, 0) == 1 ? 1 : 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* Even where the file's mode lets everybody in, only root and our own user are heard. */
static void test_other_users_are_not_heard(void **state)
{
	unsigned calls;
	struct control *c;

	(void)state;
	if (geteuid() != 0)
		skip();
	c = start(&calls);
	assert_int_equal(chmod(path, 0666), 0);
	*strrchr(path, '/') = 0;
	assert_int_equal(chmod(path, 0755), 0);
	path[strlen(path)] = '/';
	assert_int_equal(ask_as_nobody(), 0);
	assert_int_equal(calls, 0);
	stop(c);
}

#define MANY 6

/* Some that say nothing, and one that does not take what it asked for: the next is served, and the end
 * waits for none of them. */
static void test_nobody_waits_for_silent_clients(void **state)
{
	unsigned calls;
	struct control *c = start(&calls);
	int silent[MANY], lazy;
	time_t began = time(NULL);
	char *text;

	(void)state;
	for (unsigned i = 0; i < MANY; i++)
		silent[i] = dial();
	lazy = dial();
	assert_int_equal(send(lazy, "long\n", 5, MSG_NOSIGNAL), 5);
	assert_int_equal(ask(&text, 1, (const char *const[]){"a"}), 1);
	assert_string_equal(text, "[a]");
	free(text);
	stop(c);
	assert_true(time(NULL) - began < 4); /* one of them would cost 5 s */
	for (unsigned i = 0; i < MANY; i++)
		close(silent[i]);
	close(lazy);
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
	    cmocka_unit_test(test_only_our_file_is_removed),
	    cmocka_unit_test(test_a_busy_daemon_keeps_its_place),
	    cmocka_unit_test(test_a_silent_daemon),
	    cmocka_unit_test(test_other_users_are_not_heard),
	    cmocka_unit_test(test_nobody_waits_for_silent_clients),
	    cmocka_unit_test(test_no_other_file_is_taken_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
