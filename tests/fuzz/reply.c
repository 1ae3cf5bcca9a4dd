/* reply: six octets say who asked and how; an upstream's message follows. */
#include "fuzz.h"

#include <ctype.h>

#include "dns/message.h"
#include "dns/reply.h"

#define ASKED 6

/* The client asked what was answered, in another case. */
static struct query asked(const uint8_t *data, const struct response *r,
			  uint8_t name[255])
{
	struct query q = {
	    .id = (uint16_t)~r->id,
	    .flags = (uint16_t)(((unsigned)data[0] << 8 | data[1]) & 0x07ffu),
	    .limit = (uint16_t)(data[2] << 8 | data[3]),
	    .question = r->question,
	};

	if (q.limit < UDP_ANSWER_PLAIN)
		q.limit = UDP_ANSWER_PLAIN;
	for (size_t i = 0; i < r->question.name_len; i++)
		name[i] = (uint8_t)(data[4] & 1 ? toupper(r->question.name[i])
						: tolower(r->question.name[i]));
	q.question.name = name;
	q.edns.present = data[4] & 2;
	q.edns.do_bit = q.edns.present && data[4] & 4;
	return q;
}

static size_t check_size(uint8_t *out, const struct query *q, const struct response *r,
			 uint16_t keepalive)
{
	size_t most =
	    r->len + REPLY_OPT_MAX < q->limit ? r->len + REPLY_OPT_MAX : q->limit;
	size_t n = reply_from_response(out, most, q, r, keepalive);

	CHECK(n > 0 && n <= most);
	CHECK(reply_from_response(out, n - 1, q, r, keepalive) == 0);
	CHECK(reply_from_response(out, n, q, r, keepalive) == n);
	return n;
}

static void check_flags(const struct query *q, const struct response *r,
			const struct response *sent)
{
	unsigned same = DNS_RD | DNS_CD;
	bool ad = r->flags & DNS_AD && (q->flags & DNS_AD || q->edns.do_bit);

	CHECK((sent->flags & same) == (q->flags & same));
	CHECK((sent->flags & (DNS_QR | DNS_RA)) == (DNS_QR | DNS_RA));
	CHECK(!(sent->flags & (DNS_AA | 0x40)));
	CHECK(!!(sent->flags & DNS_AD) == ad);
	CHECK(!(r->flags & DNS_TC) || sent->flags & DNS_TC);
	if (r->rcode <= 15 || q->edns.present)
		CHECK(sent->rcode == r->rcode);
	else
		CHECK(sent->rcode == RCODE_SERVFAIL);
}

static void check_records(const struct query *q, const struct response *r,
			  const struct response *sent)
{
	size_t body = sent->body_end - sent->question_end;

	CHECK(sent->question_end == r->question_end);
	CHECK(memcmp(sent->question.name, q->question.name, q->question.name_len) == 0);
	CHECK(sent->question.type == q->question.type);
	CHECK(sent->question.class == q->question.class);
	if (body != r->body_end - r->question_end) {
		CHECK(body == 0 && sent->flags & DNS_TC);
		CHECK(sent->answers + sent->authorities + sent->additionals == 0);
		return;
	}
	CHECK(memcmp(sent->wire + r->question_end, r->wire + r->question_end, body) == 0);
}

static void check_edns(const struct query *q, const struct response *r,
		       const struct response *sent, uint16_t keepalive)
{
	CHECK(sent->edns.present == q->edns.present);
	CHECK(sent->edns.do_bit == q->edns.do_bit);
	CHECK(sent->edns.ede_count <= (q->edns.present ? r->edns.ede_count : 0));
	CHECK(sent->edns.keepalive == (q->edns.present && keepalive));
	CHECK(!sent->edns.padding && sent->edns.version == 0);
	CHECK(!sent->edns.keepalive || sent->edns.keepalive_value == keepalive);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static uint8_t out[DNS_MESSAGE_MAX];
	uint8_t name[NAME_MAX_LEN];
	struct response r, sent;
	struct query q;
	size_t n;

	if (len < ASKED || len - ASKED > DNS_MESSAGE_MAX ||
	    response_read(&r, data + ASKED, len - ASKED) < 0)
		return 0;
	q = asked(data, &r, name);
	n = check_size(out, &q, &r, data[5]);
	CHECK(response_read(&sent, out, n) == 0);
	CHECK(sent.len == n && sent.id == q.id);
	check_flags(&q, &r, &sent);
	check_records(&q, &r, &sent);
	check_edns(&q, &r, &sent, data[5]);
	return 0;
}
