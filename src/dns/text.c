/* text: numbers, strings, addresses and times for people to read. */
#include "dns/text.h"

#include "base/address.h"
#include "base/base64.h"

/* Octets that base64_encode() gets at once: a multiple of three, so that only the last have padding. */
#define BASE64_PART 48

void text_put(struct writer *w, const char *text)
{
	writer_bytes(w, text, strlen(text));
}

/* N with zeros in front, to have DIGITS. */
static void put_digits(struct writer *w, uint32_t n, unsigned digits)
{
	char text[10];

	for (unsigned i = digits; i-- > 0; n /= 10)
		text[i] = (char)('0' + n % 10);
	writer_bytes(w, text, digits);
}

void text_number(struct writer *w, uint32_t n)
{
	unsigned digits = 1;

	for (uint32_t rest = n; rest >= 10; rest /= 10)
		digits++;
	put_digits(w, n, digits);
}

void text_octet(struct writer *w, uint8_t octet)
{
	if (octet < ' ' || octet >= 0x7f) {
		writer_u8(w, '\\');
		put_digits(w, octet, 3);
		return;
	}
	if (octet == '"' || octet == '\\')
		writer_u8(w, '\\');
	writer_u8(w, octet);
}

void text_quoted(struct writer *w, const uint8_t *data, size_t len)
{
	writer_u8(w, '"');
	for (size_t i = 0; data && i < len; i++)
		text_octet(w, data[i]);
	writer_u8(w, '"');
}

void text_hex(struct writer *w, const uint8_t *data, size_t len)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; data && i < len; i++) {
		writer_u8(w, (uint8_t)digits[data[i] >> 4]);
		writer_u8(w, (uint8_t)digits[data[i] & 15]);
	}
}

void text_base64(struct writer *w, const uint8_t *data, size_t len)
{
	char text[BASE64_PART / 3 * 4 + 1];

	for (size_t i = 0, n; data && i < len; i += n) {
		n = len - i < BASE64_PART ? len - i : BASE64_PART;
		base64_encode(text, data + i, n);
		text_put(w, text);
	}
}

void text_base32(struct writer *w, const uint8_t *data, size_t len)
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuv";
	unsigned bits = 0, have = 0;

	for (size_t i = 0; data && i < len; i++) {
		bits = (bits << 8 | data[i]) & 0xfff;
		have += 8;
		for (; have >= 5; have -= 5)
			writer_u8(w, (uint8_t)digits[bits >> (have - 5) & 31]);
	}
	if (have)
		writer_u8(w, (uint8_t)digits[bits << (5 - have) & 31]);
}

static bool is_leap(uint32_t year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

void text_time(struct writer *w, uint32_t seconds)
{
	static const uint8_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	uint32_t day = seconds / 86400, second = seconds % 86400;
	uint32_t year = 1970, month = 0, length;

	for (; day >= (length = is_leap(year) ? 366 : 365); year++)
		day -= length;
	for (;; month++) {
		length = lengths[month] + (month == 1 && is_leap(year) ? 1u : 0u);
		if (day < length)
			break;
		day -= length;
	}
	put_digits(w, year, 4);
	put_digits(w, month + 1, 2);
	put_digits(w, day + 1, 2);
	put_digits(w, second / 3600, 2);
	put_digits(w, second / 60 % 60, 2);
	put_digits(w, second % 60, 2);
}

void text_ipv4(struct writer *w, const uint8_t address[4])
{
	struct address a = {.v4 = {.sin_family = AF_INET}};
	char text[ADDRESS_TEXT_MAX];

	memcpy(&a.v4.sin_addr, address, 4);
	text_put(w, address_ip_text(&a, text));
}

void text_ipv6(struct writer *w, const uint8_t address[16])
{
	struct address a = {.v6 = {.sin6_family = AF_INET6}};
	char text[ADDRESS_TEXT_MAX];

	memcpy(&a.v6.sin6_addr, address, 16);
	text_put(w, address_ip_text(&a, text));
}
