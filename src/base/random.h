/* random: unpredictable numbers from the kernel, fetched in batches. Not shared by
 * threads. */
#ifndef DOTGATE_BASE_RANDOM_H
#define DOTGATE_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct random {
	uint8_t pool[512];
	size_t used; /* bytes of the pool that were given out */
};

/* Must be called once before the others. */
void random_init(struct random *r);

uint16_t random_u16(struct random *r);
uint32_t random_u32(struct random *r);
uint64_t random_u64(struct random *r);

/* Even over [0, below); BELOW is at least 1. */
uint32_t random_below(struct random *r, uint32_t below);

#endif
