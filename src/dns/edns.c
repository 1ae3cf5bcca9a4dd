/* edns: the OPT record. */
#include "dns/edns.h"

#include "dns/message.h"
#include "dns/octets.h"

/* Class, TTL and length of an OPT: what stands between its type and its options. */
#define OPT_FIXED 8

#define DO_BIT 0x80

/* An empty keepalive option: what a client sends (RFC 7828 3.2.1). */
#define KEEPALIVE_EMPTY 0xffff

static void keepalive_read(struct edns *e, const uint8_t *data, size_t len)
{
	if (len != 0 && len != 2)
		return;
	e->keepalive = true;
	e->keepalive_value = len ? load16(data) : KEEPALIVE_EMPTY;
}

static void ede_read(struct edns *e, const uint8_t *data, size_t len)
{
	struct ede *ede = &e->ede[e->ede_count];

	if (len < 2 || e->ede_count == EDE_KEPT_MAX)
		return;
	ede->code = load16(data);
	ede->text = data + 2;
	ede->text_len = (uint16_t)utf8_cut(data + 2, len - 2, EDE_TEXT_MAX);
	e->ede_count++;
}

static void options_read(struct cursor *c, struct edns *e)
{
	while (!c->bad && cursor_left(c) > 0) {
		uint16_t code = cursor_u16(c);
		uint16_t len = cursor_u16(c);
		const uint8_t *data = cursor_bytes(c, len);

		if (!data)
			return;
		if (code == OPTION_KEEPALIVE)
			keepalive_read(e, data, len);
		else if (code == OPTION_PADDING)
			e->padding = true;
		else if (code == OPTION_EDE)
			ede_read(e, data, len);
	}
}

void edns_read(struct cursor *c, struct edns *e)
{
	const uint8_t *fixed = cursor_bytes(c, OPT_FIXED);
	const uint8_t *data = fixed ? cursor_bytes(c, load16(fixed + 6)) : NULL;
	struct cursor options;

	if (!data)
		return;
	options = cursor_make(data, load16(fixed + 6));
	*e = (struct edns){
	    .present = true,
	    .udp_size = load16(fixed),
	    .extended_rcode = fixed[2],
	    .version = fixed[3],
	    .do_bit = fixed[4] & DO_BIT,
	};
	options_read(&options, e);
	if (options.bad) {
		*e = (struct edns){0};
		c->bad = true;
	}
}
