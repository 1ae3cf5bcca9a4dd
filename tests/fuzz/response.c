/* response: an upstream's message. */
#include "fuzz.h"

#include "dns/message.h"
#include "dns/response.h"

/* The records that are kept must be as good in a message of their own. */
static void check_kept(const struct response *r)
{
	static uint8_t out[DNS_MESSAGE_MAX];
	struct writer w = writer_make(out, sizeof out);
	struct response again;

	writer_u16(&w, r->id);
	writer_u16(&w, r->flags);
	writer_u16(&w, 1);
	writer_u16(&w, r->answers);
	writer_u16(&w, r->authorities);
	writer_u16(&w, r->additionals);
	writer_bytes(&w, r->wire + DNS_HEADER_LEN, r->body_end - DNS_HEADER_LEN);
	CHECK(!w.full);
	CHECK(response_read(&again, out, w.pos) == 0);
	CHECK(again.len == r->body_end && again.body_end == r->body_end);
	CHECK(again.additionals == r->additionals && !again.edns.present);
}

/* The same octets as an error without a question, which they cannot be besides. */
static void check_error(const uint8_t *data, size_t len)
{
	struct response r, whole;

	if (response_read_error(&r, data, len) < 0)
		return;
	CHECK(r.question.name_len == 0 && r.body_end == DNS_HEADER_LEN && r.len <= len);
	CHECK(rcode_is_error(r.rcode) && !r.answers && !r.authorities && !r.additionals);
	CHECK(response_read(&whole, data, len) < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct response r;

	check_error(data, len);

	if (len > DNS_MESSAGE_MAX || response_read(&r, data, len) < 0)
		return 0;
	CHECK(r.wire == data && r.len <= len && r.flags & DNS_QR);
	CHECK(r.question.name == data + DNS_HEADER_LEN);
	CHECK(r.question_end == DNS_HEADER_LEN + r.question.name_len + 4);
	CHECK(r.question_end <= r.body_end && r.body_end <= r.len);
	CHECK(r.edns.present || r.body_end == r.len);
	CHECK(r.rcode <= 0xfff && (r.rcode & 15) == DNS_RCODE(r.flags));
	CHECK(r.edns.ede_count <= EDE_KEPT_MAX);
	for (size_t i = 0; i < r.edns.ede_count; i++) {
		CHECK(r.edns.ede[i].text_len <= EDE_TEXT_MAX);
		CHECK(r.edns.ede[i].text + r.edns.ede[i].text_len <= data + r.len);
	}
	check_kept(&r);
	return 0;
}
