/* answer: a response that is packed, unpacked at an age, and read again is still the same. The
 * first two octets are the age. */
#include "fuzz.h"

#include <string.h>

#include "cache/answer.h"
#include "dns/message.h"
#include "dns/records.h"
#include "dns/reply.h"

static uint8_t room[ANSWER_HEADROOM + ANSWER_MAX];
static uint8_t reply[DNS_MESSAGE_MAX];

/* Each TTL is lower by AGE, or 0; types and data are the same. */
static void compare(const struct response *before, const struct response *after,
		    uint32_t age, const struct answer_limits *l)
{
	struct records a = records_of(before), b = records_of(after);
	struct record x, y;

	while (records_next(&a, &x)) {
		CHECK(records_next(&b, &y));
		CHECK(x.type == y.type && x.class == y.class && x.len == y.len);
		CHECK(memcmp(x.data, y.data, x.len) == 0);
		CHECK(y.ttl <= l->ttl_max);
		CHECK(y.ttl == 0 || y.ttl + age <= l->ttl_max);
	}
	CHECK(!records_next(&b, &y));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct answer_limits l = {
	    .ttl_max = 86400, .negative_ttl_max = 3600, .failure_ttl = 5};
	struct query q = {
	    .flags = DNS_RD, .limit = DNS_MESSAGE_MAX, .edns = {.present = true}};
	struct response r, kept, again;
	struct answer_life life;
	uint8_t *packed = room + ANSWER_HEADROOM;
	uint32_t age;
	size_t n;

	if (len < 2 || response_read(&r, data + 2, len - 2) < 0)
		return 0;
	age = (uint32_t)(data[0] << 8 | data[1]);
	n = answer_pack(packed, &r, &l, &life);
	if (n == 0)
		return 0;
	CHECK(n <= ANSWER_MAX);
	CHECK(!life.keep || (life.ttl > 0 && life.ttl <= l.ttl_max));
	CHECK(answer_unpack(&kept, packed, n, &r.question, age, false) == 0);
	q.question = r.question;
	n = reply_from_response(reply, sizeof reply, &q, &kept, 0);
	CHECK(n > 0);
	CHECK(response_read(&again, reply, n) == 0);
	CHECK(again.rcode == r.rcode);
	if (!(again.flags & DNS_TC))
		compare(&r, &again, age, &l);
	return 0;
}
