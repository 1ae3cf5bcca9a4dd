/* random: a pool of octets from getrandom(2); what was given out is wiped. */
#include "base/random.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* Without flags getrandom() waits, at the start of the machine, until the kernel's
 * generator is seeded. What else fails (a kernel or a filter without the call) leaves no
 * safe way on. */
static void refill(struct random *r)
{
	size_t got = 0;

	while (got < sizeof r->pool) {
		ssize_t n = getrandom(r->pool + got, sizeof r->pool - got, 0);

		if (n > 0)
			got += (size_t)n;
		else if (n < 0 && errno != EINTR)
			abort();
	}
	r->used = 0;
}

static void take(struct random *r, void *out, size_t n)
{
	if (sizeof r->pool - r->used < n)
		refill(r);
	memcpy(out, r->pool + r->used, n);
	memset(r->pool + r->used, 0, n);
	r->used += n;
}

void random_init(struct random *r)
{
	refill(r);
}

uint16_t random_u16(struct random *r)
{
	uint16_t x;

	take(r, &x, sizeof x);
	return x;
}

uint32_t random_u32(struct random *r)
{
	uint32_t x;

	take(r, &x, sizeof x);
	return x;
}

uint64_t random_u64(struct random *r)
{
	uint64_t x;

	take(r, &x, sizeof x);
	return x;
}

/* The high half of a product is even over [0, below) once the first 2^32 mod BELOW low
 * halves, which fall short of a full turn, are drawn again. */
uint32_t random_below(struct random *r, uint32_t below)
{
	uint32_t uneven = (0 - below) % below;
	uint64_t product;

	do
		product = (uint64_t)random_u32(r) * below;
	while ((uint32_t)product < uneven);
	return (uint32_t)(product >> 32);
}
