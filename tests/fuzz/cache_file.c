/* cache_file: the answers of a cache file, under a header and a checksum that are right. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "cache/file.h"

#define HEAD 32

/* The header as this machine writes it. */
static void put_head(uint8_t *file)
{
	const uint32_t numbers[2] = {1, 0x01020304};
	const int64_t wall = 1000;
	const uint64_t count = UINT64_MAX; /* until nothing is left */

	memcpy(file, "dotgateC", 8);
	memcpy(file + 8, numbers, sizeof numbers);
	memcpy(file + 16, &wall, sizeof wall);
	memcpy(file + 24, &count, sizeof count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct hash_key key = {1, 2};
	const struct cache_load o = {
	    .key = &key,
	    .limits = {.ttl_max = 86400, .negative_ttl_max = 3600, .failure_ttl = 5},
	    .clock = {1u << 30, 2000}};
	uint8_t *file = malloc(HEAD + len + 8);
	struct cache *c;
	uint64_t sum;
	FILE *in;

	CHECK(file && cache_new(&c, CACHE_SIZE_MIN) == 0);
	put_head(file);
	if (len)
		memcpy(file + HEAD, data, len);
	in = fmemopen(file, HEAD + len, "r");
	CHECK(in);
	sum = cache_file_sum(in, HEAD + len);
	fclose(in);
	memcpy(file + HEAD + len, &sum, sizeof sum);
	in = fmemopen(file, HEAD + len + 8, "r");
	CHECK(in);
	CHECK(cache_load_stream(c, in, HEAD + len + 8, &o) < 0); /* never so many */
	fclose(in);
	CHECK(cache_stats(c).bytes <= cache_stats(c).size);
	cache_free(c);
	free(file);
	return 0;
}
