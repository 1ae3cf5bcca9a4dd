/* log: a bounded queue between the threads that make lines and the one that writes. */
#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Lines waiting for the writer: a burst while it waits for a slow reader. */
#define SLOTS 256

/* For one line and the C library; the default of 8 MiB would count against limits. */
#define STACK_SIZE (64 * 1024)

/* What log_stop() gives a reader that does not read. */
#define FLUSH_SECONDS 1

/* Syslog's number for an error (RFC 5424 6.2.1); the levels below it follow in order. */
#define SYSLOG_ERROR 3

enum mode {
	MODE_DIRECT, /* no thread: callers write */
	MODE_QUEUE,  /* callers queue, the thread writes */
	MODE_STUCK   /* log_stop() gave up on the thread: lines are dropped */
};

/* Lap L of the ring, counted from 0, may fill the slot when `turn` is 2L and read it when
 * it is 2L + 1. */
struct slot {
	atomic_uint turn;
	enum log_level level;
	struct timespec time;
	char text[LOG_LINE_MAX];
};

/* stderr is one for the whole process, and so are this and the ring. */
static struct {
	_Atomic enum log_level level;
	_Atomic enum mode mode;
	atomic_bool stopping;
	atomic_bool woken;	    /* posted to `wake` and not taken up yet */
	atomic_uint_least64_t tail; /* the next place to fill */
	atomic_uint_least64_t dropped;
	uint64_t head, dropped_told; /* the writer's alone: the next place to read */
	bool journal;
	sem_t wake, done;
	pthread_t thread;
} state = {.level = LOG_INFO};

/* Zero-filled it is empty; memory that was never queued to is never touched. */
static struct slot ring[SLOTS];

const char *log_level_word(enum log_level level)
{
	static const char *const words[] = {"error", "warning", "notice", "info",
					    "debug"};

	return words[level];
}

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&state.level, level, memory_order_relaxed);
}

bool log_enabled(enum log_level level)
{
	return level <= atomic_load_explicit(&state.level, memory_order_relaxed);
}

uint64_t log_dropped(void)
{
	return atomic_load_explicit(&state.dropped, memory_order_relaxed);
}

/* ---- a line ---- */

/* systemd.exec(5): the journal's end of stderr is named by device and inode. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char expected[2 * 20 + 2];
	struct stat st;

	if (!stream || fstat(STDERR_FILENO, &st) < 0)
		return false;
	snprintf(expected, sizeof expected, "%ju:%ju", (uintmax_t)st.st_dev,
		 (uintmax_t)st.st_ino);
	return strcmp(stream, expected) == 0;
}

static bool continues(const char *s, size_t n)
{
	for (size_t i = 1; i <= n; i++)
		if (((unsigned char)s[i] & 0xc0) != 0x80)
			return false;
	return true;
}

/*
 * Octets of the character at S, 0 if it must not be shown: a control character (C0, DEL,
 * C1), one that ends a line or turns the direction of text (U+2028 to 202E, U+2066 to
 * 2069), or octets that are not UTF-8 (RFC 3629).
 */
static size_t printable(const char *s)
{
	unsigned char c = (unsigned char)s[0], next = (unsigned char)s[1];

	if (c < 0x80)
		return c >= 0x20 && c != 0x7f;
	if (c >= 0xc2 && c <= 0xdf)
		return continues(s, 1) && !(c == 0xc2 && next < 0xa0) ? 2 : 0;
	if (c >= 0xe0 && c <= 0xef) {
		if (!continues(s, 2) || (c == 0xe0 && next < 0xa0) ||
		    (c == 0xed && next > 0x9f))
			return 0;

		unsigned char last = (unsigned char)s[2];

		if (c == 0xe2 && next == 0x80 && last >= 0xa8 && last <= 0xae)
			return 0;
		return c == 0xe2 && next == 0x81 && last >= 0xa6 && last <= 0xa9 ? 0 : 3;
	}
	if (c >= 0xf0 && c <= 0xf4 && continues(s, 3))
		return (c == 0xf0 && next < 0x90) || (c == 0xf4 && next > 0x8f) ? 0 : 4;
	return 0;
}

/* Replaces what a remote could forge a line or move the cursor with. */
static void clean(char *text)
{
	while (*text) {
		size_t n = printable(text);

		if (n == 0)
			*text = '?';
		text += n > 0 ? n : 1;
	}
}

/* Returns the length of what it wrote; RFC 3339 in UTC. */
static size_t put_prefix(char line[LOG_LINE_MAX], bool journal, enum log_level level,
			 const struct timespec *time)
{
	struct tm tm = {0};

	if (journal)
		return (size_t)sprintf(line, "<%d>", SYSLOG_ERROR + (int)level);
	gmtime_r(&time->tv_sec, &tm);
	return (size_t)sprintf(line, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ %s ",
			       tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
			       tm.tm_min, tm.tm_sec, (int)(time->tv_nsec / 1000000),
			       log_level_word(level));
}

/* Waits for a reader that is slow; gives up on one that is gone. */
static void write_all(const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(STDERR_FILENO, data, len);

		if (n >= 0) {
			data += n;
			len -= (size_t)n;
		} else if (errno == EAGAIN) {
			struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};

			(void)poll(&p, 1, -1);
		} else if (errno != EINTR) {
			return;
		}
	}
}

/* One write, so that lines of several writers stay whole. */
static void write_line(bool journal, enum log_level level, const struct timespec *time,
		       const char *text)
{
	char line[LOG_LINE_MAX];
	size_t n = put_prefix(line, journal, level, time);

	snprintf(line + n, LOG_LINE_MAX - n, "%s", text);
	clean(line + n);
	n += strlen(line + n);
	line[n++] = '\n';
	write_all(line, n);
}

/* ---- the queue ---- */

static void wake_writer(void)
{
	if (!atomic_exchange_explicit(&state.woken, true, memory_order_acq_rel))
		sem_post(&state.wake);
}

/* A turn wraps, and so does what it is compared with. */
static unsigned fill_turn(uint64_t place)
{
	return (unsigned)(place / SLOTS * 2);
}

/* Claims the next place for the caller alone; NULL when the ring is full. */
static struct slot *claim(uint64_t *place)
{
	uint64_t at = atomic_load_explicit(&state.tail, memory_order_relaxed);

	for (;;) {
		struct slot *s = &ring[at % SLOTS];
		unsigned turn = atomic_load_explicit(&s->turn, memory_order_acquire);

		if (turn == fill_turn(at)) {
			if (atomic_compare_exchange_weak_explicit(
				&state.tail, &at, at + 1, memory_order_relaxed,
				memory_order_relaxed)) {
				*place = at;
				return s;
			}
			continue;
		}

		/* another caller was faster, or the last lap's line is still there */
		uint64_t now = atomic_load_explicit(&state.tail, memory_order_relaxed);

		if (now == at)
			return NULL;
		at = now;
	}
}

__attribute__((format(printf, 2, 0))) static void
queue_line(enum log_level level, const char *format, va_list args)
{
	uint64_t place = 0;
	struct slot *s = claim(&place);

	if (!s) {
		atomic_fetch_add_explicit(&state.dropped, 1, memory_order_relaxed);
		wake_writer();
		return;
	}
	s->level = level;
	clock_gettime(CLOCK_REALTIME, &s->time);
	vsnprintf(s->text, sizeof s->text, format, args);
	atomic_store_explicit(&s->turn, fill_turn(place) + 1, memory_order_release);
	wake_writer();
}

/* Writes the oldest queued line; false if there is none. */
static bool write_next(void)
{
	struct slot *s = &ring[state.head % SLOTS];
	unsigned turn = fill_turn(state.head) + 1;

	if (atomic_load_explicit(&s->turn, memory_order_acquire) != turn)
		return false;
	write_line(state.journal, s->level, &s->time, s->text);
	atomic_store_explicit(&s->turn, turn + 1, memory_order_release);
	state.head++;
	return true;
}

static void tell_dropped(void)
{
	uint64_t dropped = log_dropped();
	struct timespec time;
	char text[64];

	if (dropped == state.dropped_told)
		return;
	snprintf(text, sizeof text, "%ju log lines were dropped",
		 (uintmax_t)(dropped - state.dropped_told));
	state.dropped_told = dropped;
	clock_gettime(CLOCK_REALTIME, &time);
	write_line(state.journal, LOG_WARNING, &time, text);
}

/* A full ring at a time, so that drops are told also while lines keep coming. */
static void drain(void)
{
	unsigned n;

	do {
		n = 0;
		while (n < SLOTS && write_next())
			n++;
		tell_dropped();
	} while (n > 0);
}

static void *run(void *arg)
{
	while (!atomic_load_explicit(&state.stopping, memory_order_acquire)) {
		while (sem_wait(&state.wake) < 0 && errno == EINTR)
			;
		atomic_exchange_explicit(&state.woken, false, memory_order_acq_rel);
		drain();
	}
	drain();
	sem_post(&state.done);
	atomic_store_explicit(&state.mode, MODE_DIRECT, memory_order_release);
	return arg;
}

/* ---- start, lines, stop ---- */

/* The thread inherits that all signals are blocked. An attribute could say so too, but the
 * address sanitizer of clang 19 does not heed it. */
static int start_thread(void)
{
	pthread_attr_t attr;
	sigset_t all, before;
	int error = pthread_attr_init(&attr);

	if (error != 0)
		return -error;
	error = pthread_attr_setstacksize(&attr, STACK_SIZE);
	if (error == 0) {
		sigfillset(&all);
		pthread_sigmask(SIG_SETMASK, &all, &before);
		error = pthread_create(&state.thread, &attr, run, NULL);
		pthread_sigmask(SIG_SETMASK, &before, NULL);
	}
	pthread_attr_destroy(&attr);
	return -error;
}

int log_start(void)
{
	if (atomic_load_explicit(&state.mode, memory_order_acquire) != MODE_DIRECT)
		return -EBUSY;
	atomic_store(&state.stopping, false);
	atomic_store(&state.woken, false);
	state.journal = stderr_is_journal();
	/* gmtime_r() reads the zone's file once: better now than in a sandbox */
	tzset();
	sem_init(&state.wake, 0, 0);
	sem_init(&state.done, 0, 0);
	atomic_store(&state.mode, MODE_QUEUE);

	int error = start_thread();

	if (error < 0)
		atomic_store(&state.mode, MODE_DIRECT);
	return error;
}

/* True if the thread was done in time. */
static bool wait_done(void)
{
	struct timespec until;
	int error;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += FLUSH_SECONDS;
	do
		error =
		    sem_clockwait(&state.done, CLOCK_MONOTONIC, &until) < 0 ? errno : 0;
	while (error == EINTR);
	return error == 0;
}

void log_stop(void)
{
	enum mode queue = MODE_QUEUE;

	if (atomic_load_explicit(&state.mode, memory_order_acquire) != MODE_QUEUE)
		return;
	atomic_store_explicit(&state.stopping, true, memory_order_release);
	wake_writer();
	if (!wait_done() &&
	    atomic_compare_exchange_strong(&state.mode, &queue, MODE_STUCK)) {
		pthread_detach(state.thread);
		return;
	}
	pthread_join(state.thread, NULL);
	/* what another thread queued in the meantime */
	drain();
}

__attribute__((format(printf, 2, 0))) static void
write_direct(enum log_level level, const char *format, va_list args)
{
	char text[LOG_LINE_MAX];
	struct timespec time;

	clock_gettime(CLOCK_REALTIME, &time);
	vsnprintf(text, sizeof text, format, args);
	write_line(stderr_is_journal(), level, &time, text);
}

void log_line(enum log_level level, const char *format, ...)
{
	va_list args;

	if (!log_enabled(level))
		return;
	va_start(args, format);
	switch (atomic_load_explicit(&state.mode, memory_order_acquire)) {
	case MODE_QUEUE:
		queue_line(level, format, args);
		break;
	case MODE_STUCK:
		atomic_fetch_add_explicit(&state.dropped, 1, memory_order_relaxed);
		break;
	case MODE_DIRECT:
		write_direct(level, format, args);
		break;
	}
	va_end(args);
}

bool log_allow(struct log_limit *l, uint64_t now_us, uint64_t period_us,
	       uint64_t *suppressed)
{
	if (l->last_us != 0 && now_us - l->last_us < period_us) {
		l->suppressed++;
		return false;
	}
	*suppressed = l->suppressed;
	l->suppressed = 0;
	l->last_us = now_us;
	return true;
}
