/* place: where somebody wrote a word, and errors that say so. */
#include "conf/place.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *place_text(const struct place *p, char out[PLACE_TEXT_MAX])
{
	switch (p->kind) {
	case PLACE_FILE:
		snprintf(out, PLACE_TEXT_MAX, "%.4095s:%u:%zu", p->name, p->line,
			 p->column);
		break;
	case PLACE_COMMAND_LINE:
		snprintf(out, PLACE_TEXT_MAX, "--%.220s", p->name);
		break;
	case PLACE_ENVIRONMENT:
		snprintf(out, PLACE_TEXT_MAX, "%.*s", (int)strcspn(p->name, "="),
			 p->name);
		break;
	case PLACE_DEFAULT:
	case PLACE_NONE:
		strcpy(out, "the defaults");
		break;
	}
	return out;
}

int place_error(char error[CONF_ERROR_MAX], const struct place *p, const char *format,
		...)
{
	char where[PLACE_TEXT_MAX];
	va_list args;
	int n = 0;

	if (p)
		n = snprintf(error, CONF_ERROR_MAX, "%s: ", place_text(p, where));
	va_start(args, format);
	vsnprintf(error + n, CONF_ERROR_MAX - (size_t)n, format, args);
	va_end(args);
	return -EINVAL;
}
