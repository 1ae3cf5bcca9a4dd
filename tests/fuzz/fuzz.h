/* fuzz: what all targets share. */
#ifndef DOTGATE_TESTS_FUZZ_H
#define DOTGATE_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* An assertion that no build type leaves out. */
#define CHECK(condition)                                                                 \
	do {                                                                             \
		if (!(condition)) {                                                      \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);  \
			abort();                                                         \
		}                                                                        \
	} while (0)

/* The target: runs one input. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#endif
