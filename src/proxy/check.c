/* check: the verdict on a client's message. */
#include "proxy/check.h"

#include "dns/message.h"

static uint16_t client_limit(const struct edns *e, bool tcp)
{
	if (tcp)
		return DNS_MESSAGE_MAX;
	if (!e->present || e->udp_size < UDP_ANSWER_PLAIN)
		return UDP_ANSWER_PLAIN;
	return e->udp_size < UDP_ANSWER_MAX ? e->udp_size : UDP_ANSWER_MAX;
}

/* What a query for TYPE is answered with instead of being forwarded; NOERROR: nothing. */
static unsigned type_rcode(uint16_t type)
{
	switch (type) {
	case 0: /* reserved */
	case TYPE_OPT:
	case TYPE_NXNAME: /* RFC 9824 3.5 */
	case TYPE_TSIG:
		return RCODE_FORMERR;
	case TYPE_TKEY:
	case TYPE_MAILA:
	case TYPE_MAILB:
		return RCODE_NOTIMP;
	case TYPE_AXFR:
	case TYPE_IXFR:
		return RCODE_REFUSED;
	default:
		return RCODE_NOERROR;
	}
}

static unsigned query_rcode(const struct query *q)
{
	if (q->edns.version > 0)
		return RCODE_BADVERS;
	if (q->question.class == 0 || q->question.class == CLASS_NONE)
		return RCODE_FORMERR;
	return type_rcode(q->question.type);
}

enum verdict check_message(struct query *q, const uint8_t *message, size_t len, bool tcp,
			   unsigned *rcode, enum reason *why)
{
	struct cursor c = cursor_make(message, len);
	uint16_t id = cursor_u16(&c);
	uint16_t flags = cursor_u16(&c);
	unsigned error;

	if (len < DNS_HEADER_LEN || flags & DNS_QR) {
		*q = (struct query){.id = id};
		*why = len < DNS_HEADER_LEN ? REASON_SHORT_MESSAGE : REASON_NOT_A_QUERY;
		return VERDICT_DROP;
	}
	if (DNS_OPCODE(flags) != 0) {
		*q = (struct query){.id = id, .flags = flags};
		error = RCODE_NOTIMP;
	} else if (query_read(q, message, len) < 0) {
		error = RCODE_FORMERR;
	} else {
		error = query_rcode(q);
	}
	q->limit = client_limit(&q->edns, tcp);
	if (error == RCODE_NOERROR)
		return VERDICT_FORWARD;
	*rcode = error;
	return VERDICT_REPLY;
}
