/* log: what a line looks like, and that nobody waits for its reader. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

/* More than the ring holds. */
#define MANY 2000

#define THREADS 4

/* stderr is a pipe that the test reads. */
struct fixture {
	int saved, reader, writer;
	char *text; /* what was read so far */
	size_t len, size;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	int ends[2];

	unsetenv("JOURNAL_STREAM");
	f->size = 1 << 20;
	f->text = calloc(1, f->size);
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	f->reader = ends[0];
	f->writer = ends[1];
	fcntl(f->reader, F_SETFL, O_NONBLOCK);
	f->saved = dup(STDERR_FILENO);
	dup2(f->writer, STDERR_FILENO);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	log_set_level(LOG_INFO);
	dup2(f->saved, STDERR_FILENO);
	close(f->saved);
	if (f->reader >= 0)
		close(f->reader);
	close(f->writer);
	free(f->text);
	free(f);
	return 0;
}

/* Reads what is in the pipe. Returns all that was read so far. */
static const char *read_all(struct fixture *f)
{
	ssize_t n;

	while ((n = read(f->reader, f->text + f->len, f->size - 1 - f->len)) > 0)
		f->len += (size_t)n;
	f->text[f->len] = 0;
	return f->text;
}

static void forget(struct fixture *f)
{
	f->len = 0;
}

static void check_match(const char *text, const char *pattern)
{
	regex_t re;

	assert_int_equal(regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB), 0);
	if (regexec(&re, text, 0, NULL, 0) != 0)
		fail_msg("\"%s\" does not match \"%s\"", text, pattern);
	regfree(&re);
}

/* The text of the only line. */
static const char *line_text(struct fixture *f)
{
	char *text = (char *)(uintptr_t)read_all(f);
	char *space = strchr(text, ' ');

	assert_true(f->len > 0);
	assert_ptr_equal(strchr(text, '\n'), text + f->len - 1);
	text[f->len - 1] = 0;
	assert_non_null(space);
	space = strchr(space + 1, ' ');
	assert_non_null(space);
	forget(f);
	return space + 1;
}

static void test_line(void **state)
{
	struct fixture *f = *state;

	log_line(LOG_WARNING, "upstream %s: %d", "192.0.2.1", 42);
	check_match(read_all(f),
		    "^20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:"
		    "[0-6][0-9]\\.[0-9]{3}Z warning upstream 192\\.0\\.2\\.1: 42\n$");
}

static void test_time_is_utc(void **state)
{
	struct fixture *f = *state;
	char expected[32];
	time_t now;

	setenv("TZ", "UTC-11", 1);
	tzset();
	do { /* again when the minute ends in between */
		forget(f);
		now = time(NULL);
		log_line(LOG_INFO, "x");
	} while (now / 60 != time(NULL) / 60);
	strftime(expected, sizeof expected, "^%Y-%m-%dT%H:%M:", gmtime(&now));
	check_match(read_all(f), expected);
	unsetenv("TZ");
	tzset();
}

static void test_levels(void **state)
{
	static const char *const words[] = {"error", "warning", "notice", "info",
					    "debug"};
	struct fixture *f = *state;

	for (unsigned set = LOG_ERROR; set <= LOG_DEBUG; set++) {
		log_set_level((enum log_level)set);
		for (unsigned level = LOG_ERROR; level <= LOG_DEBUG; level++) {
			char pattern[32];

			assert_string_equal(log_level_word((enum log_level)level),
					    words[level]);
			assert_int_equal(log_enabled((enum log_level)level),
					 level <= set);
			forget(f);
			log_line((enum log_level)level, "text");
			snprintf(pattern, sizeof pattern, "Z %s text\n$", words[level]);
			if (level <= set)
				check_match(read_all(f), pattern);
			else
				assert_string_equal(read_all(f), "");
		}
	}
}

/* Among them what stands next to something that must not be shown: to the C1 characters,
 * the surrogates, the ends of lines, the marks of direction, the first and the last code
 * point of each length. */
static void test_shown_as_it_is(void **state)
{
	char texts[] =
	    "~ \xc3\xa9 \xc2\xa0 \xe0\xa0\x80 \xed\x9f\xbf \xe2\x80\xa7 \xe2\x80\xaf "
	    "\xe2\x81\xa5 \xe2\x81\xaa \xef\xbf\xbd \xf0\x90\x80\x80 \xf4\x8f\xbf\xbf";
	char *rest = NULL;
	struct fixture *f = *state;

	for (char *text = strtok_r(texts, " ", &rest); text;
	     text = strtok_r(NULL, " ", &rest)) {
		log_line(LOG_INFO, "%s", text);
		assert_string_equal(line_text(f), text);
	}
}

/* Each octet becomes a question mark: of control characters (also C1), ends of lines,
 * marks of direction, octets that begin nothing, forms that are too long, surrogates,
 * what is beyond the last code point, and characters that are cut. */
static void test_nothing_can_be_forged(void **state)
{
	char texts[] =
	    "\n \r \x1b \x7f \t \x01 \x1f \xc2\x80 \xc2\x9b \xc2\x9f \xe2\x80\xa8 "
	    "\xe2\x80\xa9 \xe2\x80\xaa \xe2\x80\xae \xe2\x81\xa6 \xe2\x81\xa9 \x80 \x9b "
	    "\xbf \xff \xfe \xc0\x8a \xc1\xbf \xe0\x80\x8a \xe0\x9f\xbf \xf0\x80\x80\x8a "
	    "\xf0\x8f\xbf\xbf \xed\xa0\x80 \xed\xbf\xbf \xf4\x90\x80\x80 "
	    "\xf5\x80\x80\x80 \xc3 \xe2\x82 \xf0\x9f\x98";
	char *rest = NULL;
	struct fixture *f = *state;

	for (char *text = strtok_r(texts, " ", &rest); text;
	     text = strtok_r(NULL, " ", &rest)) {
		char expected[16] = "<";

		memset(expected + 1, '?', strlen(text));
		strcat(expected, ">");
		log_line(LOG_INFO, "<%s>", text);
		assert_string_equal(line_text(f), expected);
	}
}

static void test_a_forged_line(void **state)
{
	struct fixture *f = *state;

	log_line(LOG_INFO, "name %s", "x\n2026-01-01T00:00:00.000Z error all is lost");
	assert_string_equal(line_text(f),
			    "name x?2026-01-01T00:00:00.000Z error all is lost");
}

static void test_long_line_is_cut(void **state)
{
	struct fixture *f = *state;
	char text[2 * LOG_LINE_MAX];

	memset(text, 'x', sizeof text);
	text[sizeof text - 1] = 0;
	for (unsigned queued = 0; queued < 2; queued++) {
		if (queued)
			assert_int_equal(log_start(), 0);
		log_line(LOG_INFO, "%s", text);
		log_stop();
		check_match(read_all(f), "^[^ ]+Z info x+\n$");
		assert_int_equal(f->len, LOG_LINE_MAX);
		forget(f);
	}
}

static void test_cut_within_a_character(void **state)
{
	struct fixture *f = *state;
	char text[2 * LOG_LINE_MAX] = "";

	for (size_t i = 0; i + 2 < sizeof text; i += 2)
		memcpy(text + i, "\xc3\xa9", 3);
	/* one of the two is cut within a character */
	for (unsigned shift = 0; shift < 2; shift++) {
		log_line(LOG_INFO, "%s%s", shift ? "x" : "", text);
		check_match(read_all(f), "^[^ ]+Z info x?(\xc3\xa9)+[?]?\n$");
		assert_int_equal(f->len, LOG_LINE_MAX);
		forget(f);
	}
}

static void test_queued_lines_in_order(void **state)
{
	struct fixture *f = *state;
	const char *text;

	assert_int_equal(log_start(), 0);
	assert_int_equal(log_start(), -EBUSY);
	for (unsigned i = 0; i < 100; i++)
		log_line(LOG_INFO, "line %u.", i);
	log_stop();
	text = read_all(f);
	for (unsigned i = 0; i < 100; i++) {
		char word[16];

		snprintf(word, sizeof word, "line %u.", i);
		text = strstr(text, word);
		assert_non_null(text);
	}
	assert_null(strstr(f->text, "dropped"));
}

static void test_start_and_stop_again(void **state)
{
	struct fixture *f = *state;

	log_stop();			     /* not started */
	for (unsigned i = 0; i < 700; i++) { /* more than two laps of the ring */
		char pattern[32];

		assert_int_equal(log_start(), 0);
		log_line(LOG_INFO, "line %u", i);
		log_stop();
		snprintf(pattern, sizeof pattern, "^[^ ]+Z info line %u\n$", i);
		check_match(read_all(f), pattern);
		forget(f);
	}
	log_stop();
	log_line(LOG_INFO, "by the caller");
	check_match(read_all(f), "Z info by the caller\n$");
}

/* Sums up "N log lines were dropped", and checks that the lines "thread T line N" of each
 * thread are whole and in order. Returns how many there are. */
static uint64_t count_lines(char *text, uint64_t *dropped)
{
	unsigned next[THREADS] = {0}, lines = 0;
	char *rest = NULL;

	*dropped = 0;
	for (char *line = strtok_r(text, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		unsigned thread, number, n;

		if (sscanf(line, "%*s warning %u log lines were dropped", &n) == 1) {
			*dropped += n;
			continue;
		}
		assert_int_equal(
		    sscanf(line, "%*s info thread %u line %u.", &thread, &number), 2);
		assert_int_equal(line[strlen(line) - 1], '.');
		assert_true(thread < THREADS);
		assert_true(number >= next[thread]);
		next[thread] = number + 1;
		lines++;
	}
	return lines;
}

static void *log_many(void *arg)
{
	for (unsigned i = 0; i < MANY; i++)
		log_line(LOG_INFO, "thread %u line %u.", *(const unsigned *)arg, i);
	return NULL;
}

/* Reads all along, so that the writer gets on. */
static void *reads(void *arg)
{
	struct fixture *f = arg;
	ssize_t n;

	fcntl(f->reader, F_SETFL, 0);
	while ((n = read(f->reader, f->text + f->len, f->size - 1 - f->len)) > 0) {
		f->len += (size_t)n;
		if (f->text[f->len - 1] == '\n' && f->len >= 5 &&
		    memcmp(f->text + f->len - 5, "end.\n", 5) == 0)
			break;
	}
	return NULL;
}

static void start_reader(struct fixture *f, pthread_t *thread)
{
	assert_int_equal(pthread_create(thread, NULL, reads, f), 0);
}

/* Ends the reader with a line that is written by the caller. */
static void stop_reader(struct fixture *f, pthread_t thread)
{
	log_line(LOG_INFO, "end.");
	pthread_join(thread, NULL);
	fcntl(f->reader, F_SETFL, O_NONBLOCK);
	f->text[f->len] = 0;
	*strstr(f->text, " info end.") = 0;
	*(strrchr(f->text, '\n') ? strrchr(f->text, '\n') + 1 : f->text) = 0;
}

static void test_many_threads(void **state)
{
	struct fixture *f = *state;
	uint64_t before = log_dropped(), told, lines;
	unsigned numbers[THREADS];
	pthread_t threads[THREADS], reader;

	start_reader(f, &reader);
	assert_int_equal(log_start(), 0);
	for (unsigned i = 0; i < THREADS; i++) {
		numbers[i] = i;
		assert_int_equal(pthread_create(&threads[i], NULL, log_many, &numbers[i]),
				 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	log_stop();
	stop_reader(f, reader);
	lines = count_lines(f->text, &told);
	assert_true(lines > 0);
	assert_int_equal(told, log_dropped() - before);
	assert_int_equal(lines + told, THREADS * MANY);
}

/* Until nothing more goes in. */
static void fill_pipe(struct fixture *f)
{
	static const char line[] = "filling\n";

	fcntl(f->writer, F_SETFL, O_NONBLOCK);
	while (write(f->writer, line, 1) == 1)
		;
	fcntl(f->writer, F_SETFL, 0);
}

/* A thread that log_stop() gave up on ends once it gets on. */
static void await_restart(struct fixture *f)
{
	while (log_start() == -EBUSY) {
		read_all(f);
		usleep(1000);
	}
}

static void test_reader_that_does_not_read(void **state)
{
	struct fixture *f = *state;
	uint64_t before = log_dropped(), dropped;
	char expected[64];

	fill_pipe(f);
	assert_int_equal(log_start(), 0);
	for (unsigned i = 0; i < MANY; i++)
		log_line(LOG_INFO, "line %u.", i);
	dropped = log_dropped() - before;
	/* the ring holds 256 of them */
	assert_int_equal(dropped, MANY - 256);
	log_stop();
	log_line(LOG_INFO, "nobody waits for this one either");
	assert_int_equal(log_dropped() - before, dropped + 1);
	await_restart(f);
	log_line(LOG_INFO, "all is well");
	log_stop();
	read_all(f);
	snprintf(expected, sizeof expected, "warning %ju log lines were dropped\n",
		 (uintmax_t)(dropped + 1));
	assert_non_null(strstr(f->text, "info line 0.\n"));
	assert_non_null(strstr(f->text, "info line 255.\n"));
	assert_null(strstr(f->text, "line 256."));
	assert_non_null(strstr(f->text, expected));
	assert_null(strstr(f->text, "either"));
	check_match(f->text, "info all is well\n$");
}

/* Some supervisors hand out a non-blocking stderr: lines still arrive whole. */
static void test_non_blocking_stderr(void **state)
{
	struct fixture *f = *state;
	pthread_t reader;
	uint64_t told;

	fill_pipe(f);
	fcntl(f->writer, F_SETFL, O_NONBLOCK);
	assert_int_equal(log_start(), 0);
	for (unsigned i = 0; i < 200; i++)
		log_line(LOG_INFO, "thread 0 line %u.", i);
	start_reader(f, &reader);
	log_stop();
	stop_reader(f, reader);

	char *text = f->text + strspn(f->text, "f");

	assert_int_equal(count_lines(text, &told), 200);
	assert_int_equal(told, 0);
}

static void test_reader_that_is_gone(void **state)
{
	struct fixture *f = *state;
	void (*before)(int) = signal(SIGPIPE, SIG_IGN);

	close(f->reader);
	f->reader = -1;
	log_line(LOG_INFO, "by the caller");
	assert_int_equal(log_start(), 0);
	for (unsigned i = 0; i < MANY; i++)
		log_line(LOG_INFO, "by the thread");
	log_stop();
	signal(SIGPIPE, before);
}

static void set_journal(const struct fixture *f, unsigned offset)
{
	char name[64];
	struct stat st;

	assert_int_equal(fstat(f->writer, &st), 0);
	snprintf(name, sizeof name, "%ju:%ju", (uintmax_t)st.st_dev,
		 (uintmax_t)st.st_ino + offset);
	setenv("JOURNAL_STREAM", name, 1);
}

static void test_journal(void **state)
{
	struct fixture *f = *state;

	set_journal(f, 0);
	log_set_level(LOG_DEBUG);
	for (unsigned queued = 0; queued < 2; queued++) {
		if (queued)
			assert_int_equal(log_start(), 0);
		for (unsigned level = LOG_ERROR; level <= LOG_DEBUG; level++)
			log_line((enum log_level)level, "text");
		log_stop();
		assert_string_equal(read_all(f),
				    "<3>text\n<4>text\n<5>text\n<6>text\n<7>text\n");
		forget(f);
	}
}

/* JOURNAL_STREAM is inherited also by those whose stderr was turned elsewhere. */
static void test_another_journal(void **state)
{
	struct fixture *f = *state;

	set_journal(f, 1);
	log_line(LOG_INFO, "text");
	check_match(read_all(f), "Z info text\n$");
	forget(f);
	setenv("JOURNAL_STREAM", "", 1);
	log_line(LOG_INFO, "text");
	check_match(read_all(f), "Z info text\n$");
}

/* Signals that the thread with this id blocks. */
static uint64_t blocked_signals(const char *id)
{
	unsigned long long blocked = 0;
	char path[300], line[256];
	FILE *file;

	snprintf(path, sizeof path, "/proc/self/task/%s/status", id);
	file = fopen(path, "r");
	while (file && fgets(line, sizeof line, file))
		if (sscanf(line, "SigBlk: %llx", &blocked) == 1)
			break;
	if (file)
		fclose(file);
	return blocked;
}

/* Signals are for the main thread: one that asks to leave must not end up here. */
static void test_thread_blocks_signals(void **state)
{
	static const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGPIPE};
	struct fixture *f = *state;
	uint64_t expected = 0;
	unsigned found = 0;
	struct dirent *e;
	DIR *tasks;

	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		expected |= (uint64_t)1 << (numbers[i] - 1);
	assert_int_equal(log_start(), 0);
	/* while it starts, a thread blocks them anyway */
	log_line(LOG_INFO, "it runs");
	while (!strstr(read_all(f), "it runs"))
		usleep(1000);
	tasks = opendir("/proc/self/task");
	while (tasks && (e = readdir(tasks)))
		if (e->d_name[0] != '.' &&
		    (blocked_signals(e->d_name) & expected) == expected)
			found++;
	if (tasks)
		closedir(tasks);
	log_stop();
	assert_true(found >= 1);
}

static void test_limit(void **state)
{
	struct log_limit l = {0};
	uint64_t suppressed = 99;

	(void)state;
	assert_true(log_allow(&l, 1000, 500, &suppressed));
	assert_int_equal(suppressed, 0);
	suppressed = 99;
	assert_false(log_allow(&l, 1000, 500, &suppressed));
	assert_false(log_allow(&l, 1499, 500, &suppressed));
	assert_int_equal(suppressed, 99);
	assert_true(log_allow(&l, 1500, 500, &suppressed));
	assert_int_equal(suppressed, 2);
	assert_false(log_allow(&l, 1999, 500, &suppressed));
	assert_true(log_allow(&l, 9000, 500, &suppressed));
	assert_int_equal(suppressed, 1);
	assert_true(log_allow(&l, 9500, 500, &suppressed));
	assert_int_equal(suppressed, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_line),
	    TEST(test_time_is_utc),
	    TEST(test_levels),
	    TEST(test_shown_as_it_is),
	    TEST(test_nothing_can_be_forged),
	    TEST(test_a_forged_line),
	    TEST(test_long_line_is_cut),
	    TEST(test_cut_within_a_character),
	    TEST(test_queued_lines_in_order),
	    TEST(test_start_and_stop_again),
	    TEST(test_many_threads),
	    TEST(test_reader_that_does_not_read),
	    TEST(test_non_blocking_stderr),
	    TEST(test_reader_that_is_gone),
	    TEST(test_journal),
	    TEST(test_another_journal),
	    TEST(test_thread_blocks_signals),
	    cmocka_unit_test(test_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
