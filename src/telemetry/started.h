/* started: when this process began, told by a clock that may have been set since. */
#ifndef DOTGATE_TELEMETRY_STARTED_H
#define DOTGATE_TELEMETRY_STARTED_H

#include <stdint.h>

/* One moment on two clocks: seconds of UNIX time, and of CLOCK_BOOTTIME, which nobody sets. */
struct moment {
	uint64_t unix_s, boot_s;
};

/* This moment. */
struct moment moment_now(void);

/*
 * The UNIX time of START as the clock has it NOW: a machine without a battery starts in 1970 and
 * learns better. What differs by rounding only does not change, so that a change of the value is
 * a restart (or a clock that was set).
 */
uint64_t started_unix(struct moment start, struct moment now);

#endif
