/* chance: numbers that a seed determines, for random worlds and for what runs in them. */
#ifndef DOTGATE_TESTS_SIM_RANDOM_CHANCE_H
#define DOTGATE_TESTS_SIM_RANDOM_CHANCE_H

#include <stdbool.h>
#include <stdint.h>

/* All that follows, getrandom(2) included, is determined by SEED. */
void chance_seed(uint64_t seed);

uint64_t chance_u64(void);

/* Even over [0, BELOW), but for a bias too small to matter; BELOW is at least 1. */
unsigned chance_below(unsigned below);

/* From LOW to HIGH, both included. */
unsigned chance_between(unsigned low, unsigned high);

/* True so many times of a hundred. */
bool chance_percent(unsigned percent);

/* From 0 to MOST, small ones as often as large ones: each number of bits is as likely. */
uint64_t chance_spread(uint64_t most);

#endif
