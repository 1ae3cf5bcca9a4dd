/* warnings: what is allowed in a configuration, but hardly meant. */
#include "conf/warnings.h"

#include <stdarg.h>
#include <stdio.h>

void warnings_add(struct warnings *w, const char *format, ...)
{
	va_list args;

	if (w->count == WARNINGS_MAX) {
		w->left_out++;
		return;
	}
	va_start(args, format);
	vsnprintf(w->text[w->count++], WARNING_TEXT_MAX, format, args);
	va_end(args);
}

void warnings_each(const struct warnings *w, void (*say)(const char *text))
{
	char more[64];

	for (unsigned i = 0; i < w->count; i++)
		say(w->text[i]);
	snprintf(more, sizeof more, "and %u more warnings", w->left_out);
	if (w->left_out)
		say(more);
}
