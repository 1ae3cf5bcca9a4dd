/* started: the age of the process, taken from the present time. */
#include "telemetry/started.h"

#include <time.h>

/* Two clocks that are read in whole seconds, one after the other, differ by so much at most. */
#define ROUNDING_S 2

static uint64_t seconds_of(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec > 0 ? (uint64_t)t.tv_sec : 0;
}

struct moment moment_now(void)
{
	return (struct moment){seconds_of(CLOCK_REALTIME), seconds_of(CLOCK_BOOTTIME)};
}

uint64_t started_unix(struct moment start, struct moment now)
{
	uint64_t age = now.boot_s - start.boot_s;
	uint64_t by_now = now.unix_s > age ? now.unix_s - age : 0;
	uint64_t apart =
	    by_now > start.unix_s ? by_now - start.unix_s : start.unix_s - by_now;

	return apart <= ROUNDING_S ? start.unix_s : by_now;
}
