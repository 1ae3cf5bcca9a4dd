/* environment: the variables that configure dotgate. */
#include "conf/environment.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/place.h"

#define PREFIX "DOTGATE_"
/* Of the first version of this proxy. */
#define OLD_UPSTREAM "DNSSERVER"

/* Longer than any option's word, with the end. */
#define WORD_MAX 64

struct reading {
	environment_value_fn *on_value;
	void *arg;
	char *error;
};

const char *environment_get(char **environ, const char *name)
{
	size_t n = strlen(name);

	for (; environ && *environ; environ++)
		if (strncmp(*environ, name, n) == 0 && (*environ)[n] == '=')
			return (*environ)[n + 1] ? *environ + n + 1 : NULL;
	return NULL;
}

/* TLS_MIN in a variable is tls-min in the table, and the other way round. */
static void change_case(char out[WORD_MAX], struct span in, int (*change)(int), char from,
			char to)
{
	size_t n = in.len < WORD_MAX ? in.len : WORD_MAX - 1;

	for (size_t i = 0; i < n; i++)
		out[i] = in.at[i] == from ? to : (char)change((unsigned char)in.at[i]);
	out[n] = 0;
}

/* A Service called dotgate, or dotgate-something, puts DOTGATE_SERVICE_HOST,
 * DOTGATE_SERVICE_PORT_DNS, DOTGATE_PORT=udp://... and DOTGATE_PORT_53_UDP_ADDR into
 * every pod of its namespace, ours among them. */
static bool is_service_link(const char *entry)
{
	struct span name = span_of(entry);
	struct span value;
	char word[WORD_MAX];

	if (!span_cut(&name, '=', &value) || !span_copy(word, sizeof word, name))
		return false;
	if (strstr(word, "_SERVICE_HOST") || strstr(word, "_SERVICE_PORT"))
		return true;
	if (strstr(word, "_PORT_"))
		return true;
	return name.len > 5 && strcmp(word + name.len - 5, "_PORT") == 0 &&
	       strstr(value.at, "://");
}

static int unknown_variable(struct reading *r, const struct place *place,
			    struct span word)
{
	const struct option *nearest = option_nearest(word, IN_ENVIRONMENT);
	char variable[WORD_MAX];

	if (!nearest)
		return place_error(r->error, place, "unknown variable");
	change_case(variable, span_of(nearest->word), toupper, '-', '_');
	return place_error(r->error, place, "unknown variable: did you mean '%s%s'?",
			   PREFIX, variable);
}

/* One value after the other, of those between ; in VALUES, without blanks around them. */
static int read_list(struct reading *r, const struct option *o, const char *entry,
		     char *values)
{
	char *rest = values;
	char *value = strsep(&rest, ";");
	int result = 0;

	for (; value && result == 0; value = strsep(&rest, ";")) {
		size_t n;

		value += strspn(value, " \t");
		n = strlen(value);
		while (n > 0 && strchr(" \t", value[n - 1]))
			n--;
		value[n] = 0;
		if (n > 0)
			result = r->on_value(r->arg, o, entry, value);
	}
	return result;
}

static int read_values(struct reading *r, const struct option *o, const char *entry,
		       const char *values)
{
	struct place place = {.kind = PLACE_ENVIRONMENT, .name = entry};
	struct fault f = {.base = values};
	char *copy;
	int result;

	if (fault_check_text(&f, values) != 0)
		return place_error(r->error, &place, "%s", f.text);
	if (strlen(values) >= VARIABLE_MAX)
		return place_error(r->error, &place, "longer than %d characters",
				   VARIABLE_MAX);
	if (!option_is_list(o))
		return r->on_value(r->arg, o, entry, values);
	copy = strdup(values);
	if (!copy)
		return place_error(r->error, &place, "out of memory");
	result = read_list(r, o, entry, copy);
	free(copy);
	return result;
}

static int read_entry(struct reading *r, const char *entry)
{
	struct place place = {.kind = PLACE_ENVIRONMENT, .name = entry};
	struct span name = span_of(entry);
	struct span value;
	struct span key;
	char word[WORD_MAX];
	const struct option *o;

	if (strncmp(entry, PREFIX, strlen(PREFIX)) != 0 ||
	    !span_cut(&name, '=', &value) || value.len == 0)
		return 0;
	key = (struct span){name.at + strlen(PREFIX), name.len - strlen(PREFIX)};
	change_case(word, key, tolower, '_', '-');
	o = option_find(span_of(word));
	if (o && o->where & IN_ENVIRONMENT)
		return o->kind ? read_values(r, o, entry, value.at) : 0;
	if (o)
		return place_error(r->error, &place, "'%s' is for the command line only",
				   word);
	return is_service_link(entry) ? 0 : unknown_variable(r, &place, span_of(word));
}

int environment_read(char **environ, environment_value_fn *on_value, void *arg,
		     char error[CONF_ERROR_MAX])
{
	struct reading r = {on_value, arg, error};
	const struct option *upstream = &option_table[OPTION_UPSTREAM];
	const char *old = environment_get(environ, OLD_UPSTREAM);
	int result = 0;

	if (old && !environment_get(environ, PREFIX "UPSTREAM"))
		result = read_values(&r, upstream, old - strlen(OLD_UPSTREAM "="), old);
	for (; environ && *environ && result == 0; environ++)
		result = read_entry(&r, *environ);
	return result;
}
