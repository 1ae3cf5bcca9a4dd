/* clockwatch: tells when the clock was set, or the machine has slept. */
#ifndef DOTGATE_OS_CLOCKWATCH_H
#define DOTGATE_OS_CLOCKWATCH_H

#include <stdint.h>

/* How the three clocks stand to each other. Zero-filled at first. */
struct clockwatch {
	int64_t slept_us; /* CLOCK_BOOTTIME, which counts sleep, less CLOCK_MONOTONIC */
	int64_t set_us;	  /* CLOCK_REALTIME less CLOCK_BOOTTIME */
};

enum clock_change { CLOCK_SAME, CLOCK_SET, CLOCK_SLEPT };

/* Compares with the call before; a change is one of more than a second. To be called every second
 * or so. */
enum clock_change clockwatch_look(struct clockwatch *w);

/* The same, of these readings in microseconds. */
enum clock_change clockwatch_compare(struct clockwatch *w, int64_t mono, int64_t boot,
				     int64_t real);

#endif
