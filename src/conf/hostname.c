/* hostname: the name that an upstream's certificate must carry. */
#include "conf/hostname.h"

#include <errno.h>
#include <string.h>

/* RFC 1035 section 2.3.4, as text. */
#define HOSTNAME_MAX 253
#define LABEL_MAX 63

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* What is wrong with one label, or NULL. */
static const char *label_fault(struct span label)
{
	if (label.len == 0)
		return "an empty label";
	if (label.len > LABEL_MAX)
		return "a label of more than 63 characters";
	if (label.at[0] == '-' || label.at[label.len - 1] == '-')
		return "a hyphen at the edge of a label";
	for (size_t i = 0; i < label.len; i++) {
		char c = label.at[i];

		if (c == '*')
			return "a wildcard; write the server's own name";
		if ((unsigned char)c >= 0x80)
			return "a letter outside ASCII; write the name in its xn-- form";
		if (!is_letter(c) && !is_digit(c) && c != '-' && c != '_')
			return "a character that no host name has";
	}
	return NULL;
}

static bool all_digits(struct span label)
{
	for (size_t i = 0; i < label.len; i++)
		if (!is_digit(label.at[i]))
			return false;
	return true;
}

int hostname_read(char out[CONF_NAME_MAX], struct span text, struct fault *f)
{
	struct span rest = text;
	struct span label, next;

	if (rest.len > 1 && rest.at[rest.len - 1] == '.')
		rest.len--;
	if (rest.len > HOSTNAME_MAX)
		return fault_set(f, text.at, "a host name of more than 253 characters");
	for (bool more = true; more; rest = next) {
		const char *what;

		label = rest;
		more = span_cut(&label, '.', &next);
		what = label_fault(label);
		/* no top-level domain is a number: it is an IP address gone wrong */
		if (!what && !more && all_digits(label))
			what = "a number at its end: neither an IP address nor a name";
		if (what)
			return fault_set(f, label.at, "bad host name '%.*s': %s",
					 span_shown(text), text.at, what);
		if (!more)
			break;
	}
	memset(out, 0, CONF_NAME_MAX);
	for (const char *p = text.at; p < label.at + label.len; p++)
		*out++ = *p >= 'A' && *p <= 'Z' ? (char)(*p + 32) : *p;
	return 0;
}
