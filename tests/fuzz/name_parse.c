/* name_parse: what is read as a name is written as a text that reads as the same name. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "dns/name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t name[NAME_MAX_LEN], again[NAME_MAX_LEN];
	char text[NAME_TEXT_MAX], *input = malloc(len + 1);
	size_t n;

	if (!input)
		return 0;
	memcpy(input, data, len);
	input[len] = 0;
	n = name_parse(name, input);
	CHECK(n <= NAME_MAX_LEN);
	if (n > 0) {
		struct cursor c = cursor_make(name, n);

		CHECK(name_read_plain(&c) == n && !c.bad);
		name_text(name, n, text);
		CHECK(name_parse(again, text) == n);
		CHECK(memcmp(name, again, n) == 0);
	}
	free(input);
	return 0;
}
