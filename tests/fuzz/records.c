/* records: the name that an answer is for, and what that owns. */
#include "fuzz.h"

#include "dns/message.h"
#include "dns/records.h"

/* As much as an answer to a look-up may have. */
#define INPUT_MAX 16384

static void check_section(const struct response *r, struct records it,
			  const uint8_t *name, size_t len, uint16_t type)
{
	unsigned n = 0, most = it.left;
	struct record x;

	while (records_next_of(&it, name, len, type, &x)) {
		CHECK(++n <= most);
		CHECK(x.owner >= r->question_end && x.owner < r->len);
		CHECK(x.data >= r->wire && x.data + x.len <= r->wire + r->len);
		CHECK(type != TYPE_A || x.len == 4);
		CHECK(type != TYPE_AAAA || x.len == 16);
	}
}

static void check(const struct response *r, const uint8_t *name, size_t len,
		  uint16_t type)
{
	check_section(r, records_of(r), name, len, type);
	check_section(r, records_additional(r), name, len, type);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t name[NAME_MAX_LEN];
	uint32_t ttl = UINT32_MAX;
	struct response r;
	size_t n;

	if (len > INPUT_MAX || response_read(&r, data, len) < 0)
		return 0;
	n = records_name(&r, name, &ttl);
	if (n == 0)
		return 0;
	CHECK(n <= NAME_MAX_LEN && name[n - 1] == 0);
	check(&r, name, n, TYPE_A);
	check(&r, name, n, TYPE_AAAA);
	check(&r, name, n, TYPE_SVCB);
	return 0;
}
