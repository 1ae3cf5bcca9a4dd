/* present: a table of types, and for each the fields of its data. */
#include "dns/present.h"

#include "dns/message.h"
#include "dns/name.h"
#include "dns/text.h"

/*
 * The fields in order, a letter each:
 *   1 2 4  a number of so many octets     t  a type          T  a time
 *   n      a name                         a  an IPv4 address 6  an IPv6 address
 *   s      a string                       S  all strings to the end, one at least
 *   g      a string without quotes        q  the rest as one string
 *   x b    the rest in hex, in base 64    h  hex, - for none, behind its length
 *   H      base 32 behind its length      m  types that exist, to the end
 *   p      parameters of a service
 */
static const struct format {
	uint16_t type;
	const char *word, *fields;
} formats[] = {
    {TYPE_A, "A", "a"},		{TYPE_NS, "NS", "n"},
    {TYPE_MD, "MD", "n"},	{TYPE_MF, "MF", "n"},
    {TYPE_CNAME, "CNAME", "n"}, {TYPE_SOA, "SOA", "nn44444"},
    {TYPE_MB, "MB", "n"},	{TYPE_MG, "MG", "n"},
    {TYPE_MR, "MR", "n"},	{TYPE_PTR, "PTR", "n"},
    {13, "HINFO", "ss"},	{TYPE_MINFO, "MINFO", "nn"},
    {TYPE_MX, "MX", "2n"},	{TYPE_TXT, "TXT", "S"},
    {TYPE_RP, "RP", "nn"},	{TYPE_AFSDB, "AFSDB", "2n"},
    {TYPE_RT, "RT", "2n"},	{TYPE_AAAA, "AAAA", "6"},
    {TYPE_SRV, "SRV", "222n"},	{TYPE_NAPTR, "NAPTR", "22sssn"},
    {36, "KX", "2n"},		{37, "CERT", "221b"},
    {TYPE_DNAME, "DNAME", "n"}, {TYPE_DS, "DS", "211x"},
    {44, "SSHFP", "11x"},	{TYPE_RRSIG, "RRSIG", "t114TT2nb"},
    {TYPE_NSEC, "NSEC", "nm"},	{TYPE_DNSKEY, "DNSKEY", "211b"},
    {49, "DHCID", "b"},		{50, "NSEC3", "112hHm"},
    {51, "NSEC3PARAM", "112h"}, {TYPE_TLSA, "TLSA", "111x"},
    {53, "SMIMEA", "111x"},	{59, "CDS", "211x"},
    {60, "CDNSKEY", "211b"},	{61, "OPENPGPKEY", "b"},
    {62, "CSYNC", "42m"},	{63, "ZONEMD", "411x"},
    {TYPE_SVCB, "SVCB", "2np"}, {TYPE_HTTPS, "HTTPS", "2np"},
    {99, "SPF", "S"},		{TYPE_ANY, "ANY", ""}, /* asked for, but no record's */
    {256, "URI", "22q"},	{TYPE_CAA, "CAA", "1gq"},
};

static const struct format *find(uint16_t type)
{
	for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
		if (formats[i].type == type)
			return &formats[i];
	return NULL;
}

void present_type(struct writer *w, uint16_t type)
{
	const struct format *f = find(type);

	text_put(w, f ? f->word : "TYPE");
	if (!f)
		text_number(w, type);
}

/* ---- fields ---- */

static void put_name(struct writer *w, struct cursor *c)
{
	uint8_t name[NAME_MAX_LEN];
	char text[NAME_TEXT_MAX];
	size_t len = name_expand(c, name);

	if (len)
		text_put(w, name_text(name, len, text));
}

static void put_string(struct writer *w, struct cursor *c)
{
	size_t len = cursor_u8(c);

	text_quoted(w, cursor_bytes(c, len), len);
}

static void put_strings(struct writer *w, struct cursor *c)
{
	put_string(w, c);
	while (!c->bad && cursor_left(c)) {
		writer_u8(w, ' ');
		put_string(w, c);
	}
}

/* Letters and digits, as the tag of a CAA record is (RFC 8659 4.1). */
static void put_tag(struct writer *w, struct cursor *c)
{
	size_t len = cursor_u8(c);
	const uint8_t *tag = cursor_bytes(c, len);

	c->bad |= len == 0;
	for (size_t i = 0; tag && i < len; i++) {
		uint8_t small = tag[i] | 0x20;

		c->bad |=
		    !(small >= 'a' && small <= 'z') && !(tag[i] >= '0' && tag[i] <= '9');
	}
	writer_bytes(w, tag, tag ? len : 0);
}

static void put_salt(struct writer *w, struct cursor *c)
{
	size_t len = cursor_u8(c);

	if (len)
		text_hex(w, cursor_bytes(c, len), len);
	else
		writer_u8(w, '-');
}

static void put_hash(struct writer *w, struct cursor *c)
{
	size_t len = cursor_u8(c);

	c->bad |= len == 0;
	text_base32(w, cursor_bytes(c, len), len);
}

/* Windows of 256 types (RFC 4034 4.1.2). The blank in front of the first one is there already. */
static void put_types(struct writer *w, struct cursor *c)
{
	bool first = true;

	while (!c->bad && cursor_left(c)) {
		unsigned window = cursor_u8(c), len = cursor_u8(c);
		const uint8_t *bits = cursor_bytes(c, len);

		c->bad |= len == 0 || len > 32;
		for (unsigned i = 0; bits && i < 8 * len; i++) {
			if (!(bits[i / 8] & 0x80 >> i % 8))
				continue;
			if (!first)
				writer_u8(w, ' ');
			first = false;
			present_type(w, (uint16_t)(window << 8 | i));
		}
	}
}

/* What is left, at least one octet. */
static void put_rest(struct writer *w, struct cursor *c,
		     void (*put)(struct writer *, const uint8_t *, size_t))
{
	size_t len = cursor_left(c);

	c->bad |= len == 0;
	put(w, cursor_bytes(c, len), len);
}

static void put_value(struct writer *w, struct cursor *c)
{
	size_t len = cursor_left(c);

	text_quoted(w, cursor_bytes(c, len), len);
}

static void put_address(struct writer *w, struct cursor *c, size_t len)
{
	const uint8_t *address = cursor_bytes(c, len);

	if (address && len == 4)
		text_ipv4(w, address);
	else if (address)
		text_ipv6(w, address);
}

static void put_number(struct writer *w, struct cursor *c, char field)
{
	text_number(w, field == '1'   ? cursor_u8(c)
		       : field == '2' ? cursor_u16(c)
				      : cursor_u32(c));
}

static void put_field(struct writer *w, struct cursor *c, char field)
{
	switch (field) {
	case 't':
		present_type(w, cursor_u16(c));
		break;
	case 'T':
		text_time(w, cursor_u32(c));
		break;
	case 'n':
		put_name(w, c);
		break;
	case 'a':
		put_address(w, c, 4);
		break;
	case '6':
		put_address(w, c, 16);
		break;
	case 's':
		put_string(w, c);
		break;
	case 'S':
		put_strings(w, c);
		break;
	default:
		put_number(w, c, field);
	}
}

/* Fields of special records. False: it is one of the others. */
static bool put_special(struct writer *w, struct cursor *c, char field)
{
	switch (field) {
	case 'g':
		put_tag(w, c);
		return true;
	case 'q':
		put_value(w, c);
		return true;
	case 'x':
		put_rest(w, c, text_hex);
		return true;
	case 'b':
		put_rest(w, c, text_base64);
		return true;
	case 'h':
		put_salt(w, c);
		return true;
	case 'H':
		put_hash(w, c);
		return true;
	case 'm':
		put_types(w, c);
		return true;
	case 'p':
		present_svcb(w, c);
		return true;
	default:
		return false;
	}
}

/* ---- all ---- */

static void put_unknown(struct writer *w, const uint8_t *data, size_t len)
{
	text_put(w, "\\# ");
	text_number(w, (uint32_t)len);
	if (len)
		writer_u8(w, ' ');
	text_hex(w, data, len);
}

/* Writes the data in C, to its end, by FIELDS. False: it is not like that, or has no room. */
static bool put_known(struct writer *w, struct cursor *c, const char *fields)
{
	for (const char *f = fields; *f; f++) {
		/* parameters bring their own blanks, and there may be no types */
		if (f > fields && *f != 'p' && (*f != 'm' || cursor_left(c)))
			writer_u8(w, ' ');
		if (!put_special(w, c, *f))
			put_field(w, c, *f);
	}
	return !c->bad && !w->full && cursor_left(c) == 0;
}

void present_data(struct writer *w, struct cursor *c, size_t len, uint16_t type,
		  uint16_t class)
{
	const struct format *f = class == CLASS_IN ? find(type) : NULL;
	const struct writer before = *w;
	struct cursor data = *c;
	const uint8_t *octets = cursor_bytes(c, len);

	if (!octets)
		return;
	data.len =
	    c->pos; /* names lead backward: nothing behind the data is of any use */
	if (f && *f->fields && put_known(w, &data, f->fields))
		return;
	*w = before;
	put_unknown(w, octets, len);
}
