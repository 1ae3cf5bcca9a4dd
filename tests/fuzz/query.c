/* query: the first octet chooses TCP and keepalive; a client's message follows. */
#include "fuzz.h"

#include "dns/message.h"
#include "dns/reply.h"
#include "proxy/check.h"

static void check_encoded(const struct query *q, bool keepalive)
{
	uint8_t out[QUERY_ENCODED_MAX];
	size_t n = query_encode(out, q, 0x1234, keepalive);
	struct query up;

	CHECK(n <= sizeof out && n % QUERY_PAD_BLOCK == 0);
	CHECK(query_read(&up, out, n) == 0);
	CHECK(up.id == 0x1234);
	CHECK(up.flags == ((q->flags & (DNS_RD | DNS_CD)) | DNS_AD));
	CHECK(up.question.name_len == q->question.name_len);
	CHECK(memcmp(up.question.name, q->question.name, q->question.name_len) == 0);
	CHECK(up.question.type == q->question.type);
	CHECK(up.question.class == q->question.class);
	CHECK(up.edns.present && up.edns.padding && up.edns.keepalive == keepalive);
	CHECK(up.edns.do_bit == q->edns.do_bit);
	CHECK(up.edns.ede_count == 0 && up.edns.version == 0);
}

static void check_error(const struct query *q, unsigned rcode)
{
	uint8_t out[REPLY_ERROR_MAX];
	size_t n = reply_error(out, q, rcode, 23, "a text", 5);
	struct response r;

	CHECK(n >= DNS_HEADER_LEN && n <= sizeof out && n <= q->limit);
	if (q->question.name_len == 0 || DNS_OPCODE(q->flags) != 0)
		return;
	CHECK(response_read(&r, out, n) == 0);
	CHECK(r.len == n && r.id == q->id && r.edns.present == q->edns.present);
	CHECK(r.rcode == rcode);
	CHECK(memcmp(r.question.name, q->question.name, q->question.name_len) == 0);
}

static void check_edns(const struct edns *e)
{
	CHECK(e->ede_count <= EDE_KEPT_MAX);
	for (size_t i = 0; i < e->ede_count; i++)
		CHECK(e->ede[i].text_len <= EDE_TEXT_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct query q;
	unsigned rcode = 99;
	enum reason why = REASON_NONE;
	uint8_t key[QUESTION_KEY_MAX];
	bool tcp, keepalive;

	if (len < 1)
		return 0;
	tcp = data[0] & 1;
	keepalive = data[0] & 2;
	switch (check_message(&q, data + 1, len - 1, tcp, &rcode, &why)) {
	case VERDICT_DROP:
		CHECK(why == REASON_SHORT_MESSAGE || why == REASON_NOT_A_QUERY);
		return 0;
	case VERDICT_REPLY:
		CHECK(rcode > 0 && rcode <= RCODE_BADVERS);
		CHECK(rcode != RCODE_BADVERS || q.edns.present);
		check_error(&q, rcode);
		break;
	case VERDICT_FORWARD:
		CHECK(q.question.name_len >= 1 && q.question.name_len <= NAME_MAX_LEN);
		CHECK(question_key(&q.question, key) == q.question.name_len + 4);
		check_encoded(&q, keepalive);
		check_error(&q, RCODE_SERVFAIL);
		break;
	}
	CHECK(tcp ? q.limit == 65535 : q.limit >= 512 && q.limit <= 1232);
	check_edns(&q.edns);
	return 0;
}
