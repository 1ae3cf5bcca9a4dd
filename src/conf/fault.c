/* fault: what is wrong with a text, and the parts of texts. */
#include "conf/fault.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Characters of a user's text that an error message quotes. */
#define SHOWN_MAX 255

int fault_set(struct fault *f, const char *at, const char *format, ...)
{
	va_list args;

	f->column = (size_t)(at - f->base);
	va_start(args, format);
	vsnprintf(f->text, sizeof f->text, format, args);
	va_end(args);
	return -EINVAL;
}

int fault_check_text(struct fault *f, const char *text)
{
	for (const char *p = text; *p; p++) {
		unsigned char c = (unsigned char)*p;

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return fault_set(f, p, "control character 0x%02x", c);
	}
	return 0;
}

int span_shown(struct span s)
{
	return s.len < SHOWN_MAX ? (int)s.len : SHOWN_MAX;
}

struct span span_of(const char *text)
{
	return (struct span){text, strlen(text)};
}

bool span_cut(struct span *s, char c, struct span *after)
{
	const char *p = s->len ? memchr(s->at, c, s->len) : NULL;

	if (!p)
		return false;
	*after = (struct span){p + 1, s->len - (size_t)(p + 1 - s->at)};
	s->len = (size_t)(p - s->at);
	return true;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

struct span span_word(struct span *rest)
{
	struct span word;

	while (rest->len > 0 && is_blank(*rest->at)) {
		rest->at++;
		rest->len--;
	}
	if (rest->len == 0)
		return (struct span){0};
	word = (struct span){rest->at, 0};
	while (rest->len > 0 && !is_blank(*rest->at)) {
		rest->at++;
		rest->len--;
		word.len++;
	}
	return word;
}

bool span_is(struct span s, const char *text)
{
	return s.len == strlen(text) && memcmp(s.at, text, s.len) == 0;
}

bool span_is_nocase(struct span s, const char *text)
{
	return s.len == strlen(text) && strncasecmp(s.at, text, s.len) == 0;
}

bool span_copy(char *out, size_t cap, struct span s)
{
	if (s.len >= cap)
		return false;
	memcpy(out, s.at, s.len);
	out[s.len] = 0;
	return true;
}
