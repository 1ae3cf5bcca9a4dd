/* base64: RFC 4648 sections 4 and 5. */
#include "base/base64.h"

#include <errno.h>
#include <limits.h>

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* The six bits of C, or -1. */
static int value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+' || c == '-')
		return 62;
	if (c == '/' || c == '_')
		return 63;
	return -1;
}

/* The characters before the padding, or -EINVAL. Bits that make up no octet must be zero:
 * so that a pin has one spelling, and a cut one is noticed. */
static int check(const char *text, size_t len)
{
	size_t n = len;

	if (len > INT_MAX)
		return -EINVAL;
	while (n > 0 && len - n < 2 && text[n - 1] == '=')
		n--;
	if (n % 4 == 1 || (n != len && len % 4 != 0))
		return -EINVAL;
	for (size_t i = 0; i < n; i++)
		if (value(text[i]) < 0)
			return -EINVAL;
	if ((n % 4 == 2 && value(text[n - 1]) & 0x0f) ||
	    (n % 4 == 3 && value(text[n - 1]) & 0x03))
		return -EINVAL;
	return (int)n;
}

int base64_decode(uint8_t *out, size_t cap, const char *text, size_t len)
{
	int n = check(text, len);
	uint32_t bits = 0;
	size_t octets = 0;

	if (n < 0)
		return n;
	if ((size_t)n * 3 / 4 > cap)
		return -ENOSPC;
	for (int i = 0; i < n; i++) {
		bits = bits << 6 | (uint32_t)value(text[i]);
		if (i % 4 != 0)
			out[octets++] = (uint8_t)(bits >> (6 - 2 * (i % 4)));
	}
	return (int)octets;
}

void base64_encode(char *out, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i += 3) {
		uint32_t bits = (uint32_t)data[i] << 16;

		if (len - i > 1)
			bits |= (uint32_t)data[i + 1] << 8;
		if (len - i > 2)
			bits |= data[i + 2];
		*out++ = alphabet[bits >> 18];
		*out++ = alphabet[bits >> 12 & 63];
		*out++ = len - i > 1 ? alphabet[bits >> 6 & 63] : '=';
		*out++ = len - i > 2 ? alphabet[bits & 63] : '=';
	}
	*out = 0;
}
