/* name: the first octet is where a name starts in the message that follows. */
#include "fuzz.h"

#include "dns/message.h"
#include "dns/name.h"

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

/* Follows labels and pointers as RFC 1035 tells it, with no bound but the name's length
 * and that each pointer leads backward. Returns the name's length, or 0. */
static size_t decompress(const uint8_t *data, size_t len, size_t pos, uint8_t name[255])
{
	size_t got = 0;

	while (pos < len) {
		uint8_t label = data[pos];

		if (label >= 0xc0) {
			size_t target;

			if (pos + 1 >= len)
				return 0;
			target = (label & 63u) << 8 | data[pos + 1];
			if (target >= pos)
				return 0;
			pos = target;
			continue;
		}
		if (label > 63 || label >= len - pos || got + label + 1 > 255)
			return 0;
		memcpy(name + got, data + pos, label + 1u);
		got += label + 1u;
		pos += label + 1u;
		if (label == 0)
			return got;
	}
	return 0;
}

static void check_skip(const uint8_t *data, size_t len, size_t start)
{
	struct cursor c = cursor_make(data, len);
	uint8_t name[255];

	c.pos = start;
	name_skip(&c);
	if (c.bad) {
		CHECK(c.pos == start);
		return;
	}
	CHECK(c.pos > start && c.pos <= len && c.pos - start <= NAME_MAX_LEN + 1);
	CHECK(decompress(data, len, start, name) > 0);
}

static void check_letters(const uint8_t *name, size_t len)
{
	uint8_t low[NAME_MAX_LEN];
	bool same = true;

	name_lower(low, name, len);
	for (size_t i = 0; i < len; i++)
		CHECK(low[i] == lower(name[i]));
	CHECK(name_equal(low, name, len));
	for (size_t i = 0; i < len; i++)
		same = same && low[i] == lower(name[len - 1 - i]);
	for (size_t i = 0; i < len; i++)
		low[i] = name[len - 1 - i];
	CHECK(name_equal(low, name, len) == same);
}

static void check_plain(const uint8_t *data, size_t len, size_t start)
{
	struct cursor c = cursor_make(data, len);
	char text[NAME_TEXT_MAX];
	uint8_t name[255];
	size_t got;

	c.pos = start;
	got = name_read_plain(&c);
	if (c.bad) {
		CHECK(got == 0 && c.pos == start);
		return;
	}
	CHECK(got >= 1 && got <= NAME_MAX_LEN && c.pos == start + got);
	CHECK(decompress(data, c.pos, start, name) == got);
	CHECK(memcmp(name, data + start, got) == 0);
	CHECK(strlen(name_text(data + start, got, text)) < NAME_TEXT_MAX);
	check_letters(data + start, got);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	size_t start;

	if (len < 2)
		return 0;
	start = data[0];
	data++;
	len--;
	if (start > len)
		return 0;
	check_plain(data, len, start);
	check_skip(data, len, start);
	return 0;
}
