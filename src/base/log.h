/* log: lines to stderr, written by a thread of its own so that no worker ever waits for
 * one. */
#ifndef DOTGATE_BASE_LOG_H
#define DOTGATE_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG };

/* Bytes of one line, the end cut off beyond. An upstream, a path of 511 octets and what is
 * wrong with it fit. */
#define LOG_LINE_MAX 1024

/* Starts the thread. Lines logged before this, or after log_stop(), are written by the
 * caller itself. Returns 0 or -errno. */
int log_start(void);

/* Writes what is queued and ends the thread. */
void log_stop(void);

/* Lines above LEVEL are not made. Call before threads start. */
void log_set_level(enum log_level level);
bool log_enabled(enum log_level level);

/* "debug", "info", "notice", "warning", "error". */
const char *log_level_word(enum log_level level);

/*
 * Queues one line (no newline needed). Never blocks: when the ring is full the line is
 * dropped and counted, and the count is written as a line once there is room.
 * Line: UTC time, level, text; with systemd's journal (JOURNAL_STREAM) "<N>text" instead.
 */
void log_line(enum log_level level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Lines dropped so far. */
uint64_t log_dropped(void);

/* A limit for lines that a remote can provoke: at most one per PERIOD_US for each of
 * these. */
struct log_limit {
	uint64_t last_us, suppressed;
};

/* True if a line may be logged at NOW_US; *SUPPRESSED is then the number that were not
 * since. */
bool log_allow(struct log_limit *l, uint64_t now_us, uint64_t period_us,
	       uint64_t *suppressed);

#endif
