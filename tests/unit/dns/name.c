/* name: lengths, pointers and letters at and beyond their bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "build.h"
#include "dns/name.h"

/* Names start behind a header, as in a message. */
#define AT DNS_HEADER_LEN

struct skip {
	size_t end; /* where the cursor came to */
	bool bad;
};

/* Steps over the name at START of a message: a zero header and BODY. */
static struct skip skip_at(const uint8_t *body, size_t len, size_t start)
{
	uint8_t message[1024] = {0};
	struct cursor c;

	assert_true(AT + len <= sizeof message);
	memcpy(message + AT, body, len);
	c = cursor_make(message, AT + len);
	c.pos = start;
	name_skip(&c);
	return (struct skip){c.pos, c.bad};
}

static void assert_good(struct skip s, size_t end)
{
	assert_false(s.bad);
	assert_int_equal(s.end, end);
}

/* Labels of one octet each, and the root: LEN octets, which must be odd. */
static void short_labels(uint8_t *out, size_t len)
{
	for (size_t i = 0; i + 1 < len; i += 2) {
		out[i] = 1;
		out[i + 1] = 'a';
	}
	out[len - 1] = 0;
}

/* ---- name_read_plain ---- */

static size_t plain(const uint8_t *name, size_t len, bool *bad)
{
	struct cursor c = cursor_make(name, len);
	size_t got = name_read_plain(&c);

	*bad = c.bad;
	assert_int_equal(c.pos, got);
	return got;
}

static void plain_reads_root_and_labels(void **state)
{
	bool bad;

	(void)state;
	assert_int_equal(plain(LITERAL("\0"), &bad), 1);
	assert_false(bad);
	assert_int_equal(plain(LITERAL("\3www\7example\3com\0more"), &bad), 17);
	assert_false(bad);
}

static void plain_takes_255_octets_not_257(void **state)
{
	uint8_t name[257];
	bool bad;

	(void)state;
	short_labels(name, 255);
	assert_int_equal(plain(name, 255, &bad), 255);
	assert_false(bad);
	short_labels(name, 257);
	assert_int_equal(plain(name, 257, &bad), 0);
	assert_true(bad);
}

static void plain_refuses_256_octets(void **state)
{
	uint8_t name[256];
	bool bad;

	(void)state;
	memset(name, 'a', sizeof name);
	name[0] = name[64] = name[128] = 63;
	name[192] = 62; /* 64 + 64 + 64 + 63, and the root: 256 */
	name[255] = 0;
	assert_int_equal(plain(name, sizeof name, &bad), 0);
	assert_true(bad);
	name[192] = 61;
	name[254] = 0;
	assert_int_equal(plain(name, sizeof name, &bad), 255);
	assert_false(bad);
}

static void plain_takes_labels_of_63_not_64(void **state)
{
	uint8_t name[66] = {63};
	bool bad;

	(void)state;
	assert_int_equal(plain(name, 65, &bad), 65);
	assert_false(bad);
	name[0] = 64;
	assert_int_equal(plain(name, 66, &bad), 0);
	assert_true(bad);
}

static void plain_refuses_pointers_and_short_names(void **state)
{
	bool bad;

	(void)state;
	assert_int_equal(plain(LITERAL("\300\0"), &bad), 0);
	assert_true(bad);
	assert_int_equal(plain(LITERAL("\1a\300\14\0"), &bad), 0);
	assert_true(bad);
	assert_int_equal(plain(LITERAL("\3www"), &bad), 0);
	assert_true(bad);
	assert_int_equal(plain(LITERAL("\3ww"), &bad), 0);
	assert_true(bad);
	assert_int_equal(plain(LITERAL("\200"), &bad), 0);
	assert_true(bad);
	assert_int_equal(plain(NULL, 0, &bad), 0);
	assert_true(bad);
}

static void plain_does_nothing_behind_an_error(void **state)
{
	struct cursor c = cursor_make("\0", 1);

	(void)state;
	c.bad = true;
	assert_int_equal(name_read_plain(&c), 0);
	assert_int_equal(c.pos, 0);
}

/* ---- name_skip ---- */

static void skip_passes_plain_names(void **state)
{
	(void)state;
	assert_good(skip_at(LITERAL("\0"), AT), AT + 1);
	assert_good(skip_at(LITERAL("\3www\3com\0x"), AT), AT + 9);
}

static void skip_passes_pointers_and_stops_behind_the_first(void **state)
{
	(void)state;
	/* com. at 12; www.com. at 17; a pointer to that at 23 */
	assert_good(skip_at(LITERAL("\3com\0\3www\300\14\300\21x"), 23), 25);
	assert_good(skip_at(LITERAL("\3com\0\3www\300\14\300\21x"), 17), 23);
}

static void skip_refuses_pointers_that_lead_on_or_to_themselves(void **state)
{
	(void)state;
	assert_true(skip_at(LITERAL("\300\14"), AT).bad);
	assert_true(skip_at(LITERAL("\1a\300\14"), AT).bad);
	assert_true(skip_at(LITERAL("\1a\300\16"), AT).bad);
	assert_true(skip_at(LITERAL("\300\16\0"), AT).bad);
	assert_true(skip_at(LITERAL("\300\377\0"), AT).bad);
	assert_true(skip_at(LITERAL("\377\377\0"), AT).bad);
}

static void skip_refuses_pointers_into_the_header(void **state)
{
	(void)state;
	assert_true(skip_at(LITERAL("\0\300\13"), AT + 1).bad);
	assert_true(skip_at(LITERAL("\0\300\0"), AT + 1).bad);
	assert_good(skip_at(LITERAL("\0\300\14"), AT + 1), AT + 3);
}

static void skip_refuses_names_that_run_into_what_leads_to_them(void **state)
{
	(void)state;
	/* at 12 a label that ends where the pointer is, at 14, or goes over it */
	assert_true(skip_at(LITERAL("\1a\300\14\0"), AT + 2).bad);
	assert_true(skip_at(LITERAL("\5a\300\14aa\0"), AT + 2).bad);
	/* the pointer at 17 leads to one at 15 and that to 12, whose label is too long */
	assert_true(skip_at(LITERAL("\3aa\300\14\300\17"), 17).bad);
}

static void skip_refuses_the_reserved_labels_and_half_pointers(void **state)
{
	(void)state;
	for (unsigned label = 64; label < 192; label++) {
		uint8_t body[256] = {0, (uint8_t)label};

		assert_true(skip_at(body, sizeof body, AT + 1).bad);
	}
	assert_true(skip_at(LITERAL("\0\300"), AT + 1).bad);
	assert_true(skip_at(LITERAL("\3com"), AT).bad);
	assert_true(skip_at(LITERAL("\3co"), AT).bad);
	assert_true(skip_at(LITERAL(""), AT).bad);
}

static void skip_counts_labels_behind_pointers(void **state)
{
	uint8_t body[300];

	(void)state;
	/* 253 octets, then two more and a pointer to them: 255 */
	short_labels(body, 253);
	memcpy(body + 253, "\1a\300\14", 4);
	assert_good(skip_at(body, 257, AT + 253), AT + 257);
	/* three more: 256 */
	memcpy(body + 253, "\2aa\300\14", 5);
	assert_true(skip_at(body, 258, AT + 253).bad);
	short_labels(body, 255);
	memcpy(body + 255, "\300\14", 2);
	assert_good(skip_at(body, 257, AT + 255), AT + 257);
	memcpy(body + 255, "\1a\300\14", 4);
	assert_true(skip_at(body, 259, AT + 255).bad);
}

static void skip_bounds_the_pointers(void **state)
{
	uint8_t body[300] = {0};

	(void)state;
	/* the root at 12, a pointer to it at 13, and each further one to the one before
	 */
	for (size_t i = 0; i < 128; i++) {
		body[1 + 2 * i] = 0xc0 | (uint8_t)((i ? 11 + 2 * i : 12) >> 8);
		body[2 + 2 * i] = (uint8_t)(i ? 11 + 2 * i : 12);
	}
	assert_good(skip_at(body, sizeof body, 13 + 2 * 126), 13 + 2 * 127);
	assert_true(skip_at(body, sizeof body, 13 + 2 * 127).bad);
}

static void skip_passes_the_most_that_compression_can_make(void **state)
{
	uint8_t body[600] = {0};
	size_t last = 0, pos = 1;

	(void)state;
	for (unsigned i = 0; i < 127; i++) {
		body[pos] = 1;
		body[pos + 1] = 'a';
		body[pos + 2] = 0xc0 | (uint8_t)((AT + last) >> 8);
		body[pos + 3] = (uint8_t)(AT + last);
		last = pos;
		pos += 4;
	}
	assert_good(skip_at(body, pos, AT + last), AT + pos);
}

static void skip_does_nothing_behind_an_error(void **state)
{
	const uint8_t message[AT + 1] = {0};
	struct cursor c = cursor_make(message, sizeof message);

	(void)state;
	c.pos = AT;
	c.bad = true;
	name_skip(&c);
	assert_int_equal(c.pos, AT);
	assert_true(c.bad);
}

/* ---- letters ---- */

static uint8_t lower_one(unsigned c)
{
	return (uint8_t)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

/* Every octet at every place of every short length: words of eight must not differ. */
static void lower_changes_letters_only(void **state)
{
	uint8_t in[40], out[41];

	(void)state;
	for (size_t len = 1; len <= sizeof in; len++) {
		for (unsigned c = 0; c < 256; c++) {
			for (size_t i = 0; i < len; i++)
				in[i] = (uint8_t)(c + i);
			out[len] = 0xee;
			name_lower(out, in, len);
			for (size_t i = 0; i < len; i++)
				assert_int_equal(out[i], lower_one((c + i) & 0xff));
			assert_int_equal(out[len], 0xee);
		}
	}
}

static void lower_of_nothing_writes_nothing(void **state)
{
	uint8_t out = 0xee;

	(void)state;
	name_lower(&out, &out, 0);
	assert_int_equal(out, 0xee);
}

static void equal_ignores_case_and_nothing_else(void **state)
{
	uint8_t a[40], b[40];

	(void)state;
	for (size_t len = 1; len <= sizeof a; len++) {
		for (size_t i = 0; i < len; i++) {
			memset(a, 'M', len);
			memset(b, 'm', len);
			assert_true(name_equal(a, b, len));
			b[i] = 'n';
			assert_false(name_equal(a, b, len));
			a[i] = '@'; /* '@' and '`', '[' and '{' part like letters do */
			b[i] = '`';
			assert_false(name_equal(a, b, len));
			a[i] = '[';
			b[i] = '{';
			assert_false(name_equal(a, b, len));
			a[i] = 'A' | 0x80;
			b[i] = 'a' | 0x80;
			assert_false(name_equal(a, b, len));
		}
	}
	assert_true(name_equal(a, b, 0));
}

static void equal_sees_where_labels_end(void **state)
{
	(void)state;
	assert_false(
	    name_equal((const uint8_t *)"\3aaa\1a", (const uint8_t *)"\1a\3aaa", 7));
}

/* ---- text ---- */

static void assert_text(const uint8_t *name, size_t len, const char *expected)
{
	char out[NAME_TEXT_MAX];

	assert_ptr_equal(name_text(name, len, out), out);
	assert_string_equal(out, expected);
}

static void text_spells_names(void **state)
{
	(void)state;
	assert_text(LITERAL("\0"), ".");
	assert_text(LITERAL("\3wWw\7example\3com\0"), "wWw.example.com.");
	assert_text(LITERAL("\4_tcp\2-a\0"), "_tcp.-a.");
}

static void text_escapes_what_is_special(void **state)
{
	(void)state;
	assert_text(LITERAL("\3a.b\0"), "a\\.b.");
	assert_text(LITERAL("\1\\\0"), "\\\\.");
	assert_text(LITERAL("\7\";()@$~\0"), "\\\"\\;\\(\\)\\@\\$~.");
	assert_text(LITERAL("\5\0 \n\177\377\0"), "\\000\\032\\010\\127\\255.");
}

static void text_has_room_for_the_longest(void **state)
{
	uint8_t name[255];
	char out[NAME_TEXT_MAX];

	(void)state;
	memset(name, 0xff, sizeof name);
	name[0] = name[64] = name[128] = 63;
	name[192] = 61;
	name[254] = 0;
	assert_int_equal(strlen(name_text(name, sizeof name, out)), 250 * 4 + 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(plain_reads_root_and_labels),
	    cmocka_unit_test(plain_takes_255_octets_not_257),
	    cmocka_unit_test(plain_refuses_256_octets),
	    cmocka_unit_test(plain_takes_labels_of_63_not_64),
	    cmocka_unit_test(plain_refuses_pointers_and_short_names),
	    cmocka_unit_test(plain_does_nothing_behind_an_error),
	    cmocka_unit_test(skip_passes_plain_names),
	    cmocka_unit_test(skip_passes_pointers_and_stops_behind_the_first),
	    cmocka_unit_test(skip_refuses_pointers_that_lead_on_or_to_themselves),
	    cmocka_unit_test(skip_refuses_pointers_into_the_header),
	    cmocka_unit_test(skip_refuses_names_that_run_into_what_leads_to_them),
	    cmocka_unit_test(skip_refuses_the_reserved_labels_and_half_pointers),
	    cmocka_unit_test(skip_counts_labels_behind_pointers),
	    cmocka_unit_test(skip_bounds_the_pointers),
	    cmocka_unit_test(skip_passes_the_most_that_compression_can_make),
	    cmocka_unit_test(skip_does_nothing_behind_an_error),
	    cmocka_unit_test(lower_changes_letters_only),
	    cmocka_unit_test(lower_of_nothing_writes_nothing),
	    cmocka_unit_test(equal_ignores_case_and_nothing_else),
	    cmocka_unit_test(equal_sees_where_labels_end),
	    cmocka_unit_test(text_spells_names),
	    cmocka_unit_test(text_escapes_what_is_special),
	    cmocka_unit_test(text_has_room_for_the_longest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
