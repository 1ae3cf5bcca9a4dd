/* present_svcb: the parameters of SVCB and HTTPS records. */
#include "dns/present.h"
#include "dns/text.h"

/*
 * By number (RFC 9460 14.3.2, 9461, 9540): the word, and how the value is written: k keys, l a list of
 * strings, 0 none, 2 a number, a and 6 addresses, b base 64, s a string.
 */
static const struct key {
	const char *word;
	char value;
} keys[] = {
    {"mandatory", 'k'}, {"alpn", 'l'},	   {"no-default-alpn", '0'},
    {"port", '2'},	{"ipv4hint", 'a'}, {"ech", 'b'},
    {"ipv6hint", '6'},	{"dohpath", 's'},  {"ohttp", '0'},
};

#define KEYS (sizeof keys / sizeof *keys)

static void put_key(struct writer *w, unsigned key)
{
	text_put(w, key < KEYS ? keys[key].word : "key");
	if (key >= KEYS)
		text_number(w, key);
}

static void put_keys(struct writer *w, struct cursor *c)
{
	do {
		put_key(w, cursor_u16(c));
		if (cursor_left(c))
			writer_u8(w, ',');
	} while (!c->bad && cursor_left(c));
}

/* An octet of a list's item: the list's own escapes are inside of those of strings (RFC 9460 A.1). */
static void put_item_octet(struct writer *w, uint8_t octet)
{
	if (octet == ',' || octet == '\\')
		text_put(w, "\\\\");
	text_octet(w, octet);
}

static void put_list(struct writer *w, struct cursor *c)
{
	writer_u8(w, '"');
	do {
		size_t len = cursor_u8(c);
		const uint8_t *item = cursor_bytes(c, len);

		c->bad |= len == 0;
		for (size_t i = 0; item && i < len; i++)
			put_item_octet(w, item[i]);
		if (cursor_left(c))
			writer_u8(w, ',');
	} while (!c->bad && cursor_left(c));
	writer_u8(w, '"');
}

static void put_addresses(struct writer *w, struct cursor *c, size_t len)
{
	do {
		const uint8_t *address = cursor_bytes(c, len);

		if (address && len == 4)
			text_ipv4(w, address);
		else if (address)
			text_ipv6(w, address);
		if (cursor_left(c))
			writer_u8(w, ',');
	} while (!c->bad && cursor_left(c));
}

static void put_octets(struct writer *w, struct cursor *c, bool base64)
{
	size_t len = cursor_left(c);
	const uint8_t *data = cursor_bytes(c, len);

	if (base64)
		text_base64(w, data, len);
	else
		text_quoted(w, data, len);
}

/* A value that is not empty, to the end of C. */
static void put_value(struct writer *w, struct cursor *c, char how)
{
	writer_u8(w, '=');
	switch (how) {
	case 'k':
		put_keys(w, c);
		break;
	case 'l':
		put_list(w, c);
		break;
	case '2':
		text_number(w, cursor_u16(c));
		break;
	case 'a':
		put_addresses(w, c, 4);
		break;
	case '6':
		put_addresses(w, c, 16);
		break;
	default:
		put_octets(w, c, how == 'b');
	}
}

void present_svcb(struct writer *w, struct cursor *c)
{
	int last = -1;

	while (!c->bad && cursor_left(c)) {
		unsigned key = cursor_u16(c);
		size_t len = cursor_u16(c);
		const uint8_t *data = cursor_bytes(c, len);
		struct cursor value = cursor_make(data, len);
		char how = key < KEYS ? keys[key].value : 's';

		/* each once, in ascending order; only some have no value */
		c->bad |= (int)key <= last || (how == '0') != (len == 0 && key < KEYS);
		last = (int)key;
		if (c->bad)
			return;
		writer_u8(w, ' ');
		put_key(w, key);
		if (len)
			put_value(w, &value, how);
		c->bad |= value.bad || cursor_left(&value) > 0;
	}
}
