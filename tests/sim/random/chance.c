/* chance: two streams of SplitMix64: one for the world, one in place of the kernel's. */
#include "chance.h"

#include <string.h>
#include <sys/types.h>

ssize_t __wrap_getrandom(void *out, size_t len, unsigned flags);

static uint64_t own, kernels;

static uint64_t next(uint64_t *state)
{
	uint64_t x = *state += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

void chance_seed(uint64_t seed)
{
	own = seed;
	own = next(&own);
	kernels = ~own;
}

uint64_t chance_u64(void)
{
	return next(&own);
}

unsigned chance_below(unsigned below)
{
	return (unsigned)((chance_u64() >> 32) * below >> 32);
}

unsigned chance_between(unsigned low, unsigned high)
{
	return low + chance_below(high - low + 1);
}

bool chance_percent(unsigned percent)
{
	return chance_below(100) < percent;
}

uint64_t chance_spread(uint64_t most)
{
	unsigned bits = 0;

	while (bits < 63 && most >> bits)
		bits++;
	return chance_u64() % ((most >> chance_below(bits + 1)) + 1);
}

ssize_t __wrap_getrandom(void *out, size_t len, unsigned flags)
{
	uint8_t *p = out;

	(void)flags;
	for (size_t i = 0; i < len; i += 8) {
		uint64_t x = next(&kernels);

		memcpy(p + i, &x, len - i < 8 ? len - i : 8);
	}
	return (ssize_t)len;
}
