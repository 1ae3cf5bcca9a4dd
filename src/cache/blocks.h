/* blocks: fixed-size blocks of memory, chained to hold octet strings of any length. */
#ifndef DOTGATE_CACHE_BLOCKS_H
#define DOTGATE_CACHE_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Octets of a block: the small answer of a usual name fits one; two cache lines. */
#define BLOCK_SIZE 128
#define BLOCK_DATA (BLOCK_SIZE - 4)

struct blocks;

/* COUNT blocks, numbered from 1. Memory that is not used yet is not touched. NULL: there is
 * not so much memory. */
struct blocks *blocks_new(uint32_t count);
void blocks_free(struct blocks *b);

/* Takes a chain that holds LEN octets. Returns its first block; 0: there are not so many
 * free. Thread safe, as blocks_give(). */
uint32_t blocks_take(struct blocks *b, size_t len);

/* Gives a chain back. */
void blocks_give(struct blocks *b, uint32_t first);

/* Blocks that are in chains now. */
uint32_t blocks_used(struct blocks *b);

/* A place in a chain. Reading and writing never leave the chain. */
struct place {
	struct blocks *blocks;
	uint32_t block; /* 0: at the end */
	size_t at;
};

static inline struct place blocks_start(struct blocks *b, uint32_t first)
{
	return (struct place){.blocks = b, .block = first};
}

/* Copies LEN octets from or to the place, which moves behind them. False: the chain ended. */
bool blocks_read(struct place *p, void *out, size_t len);
bool blocks_write(struct place *p, const void *data, size_t len);

/* True if the next LEN octets are those of DATA; the place moves behind them. */
bool blocks_equal(struct place *p, const void *data, size_t len);

/* Fetches the first block for a later read. */
void blocks_prefetch(const struct blocks *b, uint32_t first);

#endif
