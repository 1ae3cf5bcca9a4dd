/* svcb: the input is the data of a record. */
#include "fuzz.h"

#include "dns/svcb.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct record r = {.data = data, .len = len};
	struct svcb s;

	if (svcb_read(&s, &r)) {
		CHECK(s.target_len >= 1 && s.target_len <= NAME_MAX_LEN);
		CHECK(s.target[s.target_len - 1] == 0);
		CHECK(s.v4_count <= SVCB_HINTS_MAX && s.v6_count <= SVCB_HINTS_MAX);
		CHECK(!s.dot || len > 3 + s.target_len);
	}
	return 0;
}
