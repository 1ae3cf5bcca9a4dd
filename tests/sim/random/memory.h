/* memory: what is allocated, counted; and none left when a world says so. */
#ifndef DOTGATE_TESTS_SIM_RANDOM_MEMORY_H
#define DOTGATE_TESTS_SIM_RANDOM_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* Pieces that are allocated and not freed. */
size_t memory_pieces(void);

/* From now on one allocation of N fails, the fake network's excepted; 0: none. */
void memory_short(unsigned n);

#endif
