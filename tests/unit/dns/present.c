/* present: each kind of field, and data that is not what its type says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "dns/message.h"
#include "dns/present.h"

#define TEXT_MAX 4096

/* What stands in front of the data: a header, and the name a.test. at octet 12. */
static const uint8_t front[] = "\0\0\0\0\0\0\0\0\0\0\0\0\1a\4test";

struct row {
	uint16_t type;
	const char *data; /* octets, as many as `len` says */
	size_t len;
	const char *text;
};

#define ROW(type, data, text)                                                            \
	{                                                                                \
		type, data, sizeof(data) - 1, text                                       \
	}

static const struct row rows[] = {
    ROW(TYPE_A, "\300\0\2\1", "192.0.2.1"),
    ROW(TYPE_AAAA, "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1", "2001:db8::1"),
    ROW(TYPE_NS, "\2ns\xc0\x0c", "ns.a.test."),
    ROW(TYPE_CNAME, "\0", "."),
    ROW(TYPE_PTR, "\5a.b\"\x7f\1\\\1 \0", "a\\.b\\\"\\127.\\\\.\\032."),
    ROW(TYPE_MX, "\0\12\xc0\x0c", "10 a.test."),
    ROW(TYPE_SOA,
	"\xc0\x0c\1h\xc0\x0c\0\0\0\1\0\0\16\20\0\0\1\54\0\1\121\200\377\377\377\377",
	"a.test. h.a.test. 1 3600 300 86400 4294967295"),
    ROW(TYPE_TXT, "\3a b\0\4\"\\\n\xff", "\"a b\" \"\" \"\\\"\\\\\\010\\255\""),
    ROW(13, "\3x86\5Linux", "\"x86\" \"Linux\""),
    ROW(TYPE_SRV, "\0\1\0\2\24\351\1b\0", "1 2 5353 b."),
    ROW(TYPE_NAPTR, "\0\144\0\12\1u\7E2U+sip\4!.!!\0",
	"100 10 \"u\" \"E2U+sip\" \"!.!!\" ."),
    ROW(TYPE_CAA, "\200\5issueca.test", "128 issue \"ca.test\""),
    ROW(TYPE_CAA, "\0\5issue", "0 issue \"\""),
    ROW(256, "\0\12\0\1https://a/", "10 1 \"https://a/\""),
    ROW(TYPE_DS, "\60\71\15\2\xab\xcd\xef\1", "12345 13 2 abcdef01"),
    ROW(TYPE_DNSKEY, "\1\1\3\15\0\1\2\3", "257 3 13 AAECAw=="),
    ROW(TYPE_RRSIG,
	"\0\1\15\2\0\0\1\54\x5e\x0b\xe1\x00\x5d\xe3\x54\x80\60\71\1t\0\xff\xee",
	"A 13 2 300 20200101000000 20191201054952 12345 t. /+4="),
    ROW(TYPE_NSEC, "\1b\0\0\6\100\1\0\0\0\3\1\1\100", "b. A MX RRSIG NSEC CAA"),
    ROW(TYPE_NSEC, "\1b\0\377\1\1", "b. TYPE65287"),
    ROW(50, "\1\1\0\12\2\xaa\xbb\5\0\104\62\24\307\0\1\100", "1 1 10 aabb 01234567 A"),
    ROW(51, "\1\0\0\0\0", "1 0 0 -"),
    ROW(TYPE_TLSA, "\3\1\1\xfe\xdc", "3 1 1 fedc"),
    ROW(TYPE_HTTPS, "\0\1\0\0\1\0\6\2h2\2h3\0\3\0\2\1\273",
	"1 . alpn=\"h2,h3\" port=443"),
    ROW(TYPE_HTTPS, "\0\0\1t\0", "0 t."),
    ROW(TYPE_SVCB,
	"\0\1\0\0\0\0\4\0\1\0\7\0\1\0\5\4a,"
	"\\b\0\2\0\0\0\4\0\10\1\2\3\4\5\6\7\10\0\5\0\3xyz",
	"1 . mandatory=alpn,dohpath alpn=\"a\\\\,\\\\\\\\b\" no-default-alpn "
	"ipv4hint=1.2.3.4,5.6.7.8 ech=eHl6"),
    ROW(TYPE_SVCB,
	"\0\1\0\0\6\0\20\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\7\0\4/{?d\0\10\0\0\2\232\0\1 "
	"\2\233\0\0",
	"1 . ipv6hint=::1 dohpath=\"/{?d\" ohttp key666=\" \" key667"),
    /* what is not known, and what does not read as its type says */
    ROW(65280, "\1\xff", "\\# 2 01ff"),
    ROW(65280, "", "\\# 0"),
    ROW(TYPE_ANY, "", "\\# 0"),
    ROW(TYPE_A, "\1\2\3", "\\# 3 010203"),
    ROW(TYPE_A, "\1\2\3\4\5", "\\# 5 0102030405"),
    ROW(TYPE_TXT, "", "\\# 0"),
    ROW(TYPE_TXT, "\3ab", "\\# 3 036162"),
    ROW(TYPE_NS, "\xc0\x40", "\\# 2 c040"),
    ROW(TYPE_NS, "\1a", "\\# 2 0161"),
    ROW(TYPE_NS, "\77a", "\\# 2 3f61"),
    ROW(TYPE_NS, "\100a\0", "\\# 3 406100"),
    ROW(TYPE_CAA, "\0\1 x", "\\# 4 00012078"),
    ROW(TYPE_DS, "\0\1\2\3", "\\# 4 00010203"),
    ROW(TYPE_NSEC, "\0\0\0", "\\# 3 000000"),
    ROW(TYPE_NSEC, "\0\0\41\1", "\\# 4 00002101"),
    ROW(TYPE_HTTPS, "\0\1\0\0\3\0\1\1", "\\# 8 0001000003000101"),
    ROW(TYPE_HTTPS, "\0\1\0\0\3\0\0", "\\# 7 00010000030000"),
    ROW(TYPE_HTTPS, "\0\1\0\0\2\0\1\1", "\\# 8 0001000002000101"),
    ROW(TYPE_HTTPS, "\0\1\0\0\1\0\1\0", "\\# 8 0001000001000100"),
    ROW(TYPE_HTTPS, "\0\1\0\2\232\0\0\2\232\0\0", "\\# 11 000100029a0000029a0000"),
};

/* The text of R's data, cut to LEN octets, with ROOM characters for it. */
static void present(char *text, const struct row *r, size_t len, size_t room,
		    uint16_t class)
{
	uint8_t message[sizeof front + 256];
	struct writer w = writer_make(text, room);
	struct cursor c;

	memcpy(message, front, sizeof front);
	memcpy(message + sizeof front, r->data, len);
	c = cursor_make(message, sizeof front + len);
	c.pos = sizeof front;
	present_data(&w, &c, len, r->type, class);
	assert_true(!c.bad && c.pos == c.len);
	text[w.full ? 0 : w.pos] = 0;
}

static void test_all(void **state)
{
	char text[TEXT_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		present(text, &rows[i], rows[i].len, TEXT_MAX, CLASS_IN);
		assert_string_equal(text, rows[i].text);
	}
}

/* Whatever is cut off, and however little room there is: some text that is whole, or none. */
static void test_cut(void **state)
{
	char text[TEXT_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		for (size_t len = 0; len <= rows[i].len; len++) {
			present(text, &rows[i], len, TEXT_MAX, CLASS_IN);
			assert_true(text[0]);
		}
		for (size_t room = 0; room < strlen(rows[i].text); room++) {
			present(text, &rows[i], rows[i].len, room, CLASS_IN);
			assert_true(!text[0] || strncmp(text, "\\# ", 3) == 0);
		}
	}
}

static void test_other_classes(void **state)
{
	char text[TEXT_MAX + 1];

	(void)state;
	present(text, &rows[0], 4, TEXT_MAX, 3);
	assert_string_equal(text, "\\# 4 c0000201");
}

static void test_past_the_end(void **state)
{
	char text[TEXT_MAX];
	struct writer w = writer_make(text, sizeof text);
	struct cursor c = cursor_make(front, sizeof front);

	(void)state;
	c.pos = 12;
	present_data(&w, &c, sizeof front, TYPE_TXT, CLASS_IN);
	assert_true(c.bad && w.pos == 0);
}

static void test_types(void **state)
{
	static const struct {
		uint16_t type;
		const char *text;
	} words[] = {{TYPE_A, "A"},
		     {TYPE_HTTPS, "HTTPS"},
		     {TYPE_ANY, "ANY"},
		     {0, "TYPE0"},
		     {65535, "TYPE65535"}};
	char text[16];

	(void)state;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		struct writer w = writer_make(text, sizeof text);

		present_type(&w, words[i].type);
		text[w.pos] = 0;
		assert_string_equal(text, words[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_all),		  cmocka_unit_test(test_cut),
	    cmocka_unit_test(test_other_classes), cmocka_unit_test(test_past_the_end),
	    cmocka_unit_test(test_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
