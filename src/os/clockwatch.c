/* clockwatch: differences of clocks change only when something happens. */
#include "os/clockwatch.h"

#include <time.h>

#define CHANGE_US 1000000

static int64_t read_clock(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

enum clock_change clockwatch_compare(struct clockwatch *w, int64_t mono, int64_t boot,
				     int64_t real)
{
	const struct clockwatch before = *w;
	int64_t set;

	*w = (struct clockwatch){.slept_us = boot - mono, .set_us = real - boot};
	if (before.set_us == 0)
		return CLOCK_SAME; /* the first look */
	if (w->slept_us - before.slept_us > CHANGE_US)
		return CLOCK_SLEPT;
	set = w->set_us - before.set_us;
	return set > CHANGE_US || set < -CHANGE_US ? CLOCK_SET : CLOCK_SAME;
}

enum clock_change clockwatch_look(struct clockwatch *w)
{
	return clockwatch_compare(w, read_clock(CLOCK_MONOTONIC),
				  read_clock(CLOCK_BOOTTIME), read_clock(CLOCK_REALTIME));
}
