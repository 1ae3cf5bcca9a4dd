/* options: defaults, file, environment and command line, one over the other. */
#include "conf/options.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/cmdline.h"
#include "conf/comment.h"
#include "conf/conflict.h"
#include "conf/effect.h"
#include "conf/environment.h"
#include "conf/file.h"
#include "conf/place.h"
#include "conf/table.h"

#define DEFAULT_FILE "/etc/dotgate/dotgate.conf"

/* Entries of the longest list. */
#define LIST_MAX LISTEN_MAX
static_assert(UPSTREAMS_MAX <= LIST_MAX && ROUTES_CONF_MAX <= LIST_MAX,
	      "every list is at most this long");

/* A configuration that is being put together. */
struct build {
	struct config *config;
	struct place last[OPTIONS];	       /* where each option was given last */
	struct place entry[OPTIONS][LIST_MAX]; /* where each entry of a list comes from */
	struct files *files;
	char *error;
};

static unsigned *list_count(struct build *b, const struct option *o)
{
	return option_field(b->config, o);
}

/* The entry of a list that means the same as entry I, which is behind it; I: none does.
 */
static unsigned find_same(const struct build *b, const struct option *o, unsigned i)
{
	unsigned j = 0;

	while (j < i && !o->kind->same(b->config, j, i))
		j++;
	return j;
}

/* Checks the entries from FIRST on against those before them, and notes their place. */
static int check_entries(struct build *b, const struct option *o, unsigned first,
			 const char *value, const struct place *place)
{
	struct place *entry = b->entry[o - option_table];
	char where[PLACE_TEXT_MAX];

	for (unsigned i = first; i < *list_count(b, o); i++) {
		unsigned j = find_same(b, o, i);

		if (j < i)
			return place_error(b->error, place,
					   "'%.4095s' is there already (in %s)", value,
					   place_text(&entry[j], where));
		entry[i] = *place;
	}
	return 0;
}

/* Sets option O to VALUE, or appends that to its list. COLUMN is that of the value. */
static int apply(struct build *b, const struct option *o, const char *value,
		 struct place place, size_t column)
{
	struct place *last = &b->last[o - option_table];
	struct fault fault = {.base = value};
	char where[PLACE_TEXT_MAX];
	unsigned first = 0;

	if (last->kind == place.kind && !option_is_list(o))
		return place_error(b->error, &place, "%s is given twice (first in %s)",
				   o->word, place_text(last, where));
	if (option_is_list(o) && last->kind != place.kind)
		*list_count(b, o) = 0; /* goes over what an earlier place said */
	if (option_is_list(o))
		first = *list_count(b, o);
	*last = place;
	place.column = column;
	if (fault_check_text(&fault, value) != 0 ||
	    o->kind->read(b->config, o, value, &fault) != 0) {
		place.column += fault.column;
		return place_error(b->error, &place, "%s", fault.text);
	}
	return option_is_list(o) ? check_entries(b, o, first, value, &place) : 0;
}

static int apply_default(struct build *b, const struct option *o)
{
	const struct place place = {.kind = PLACE_DEFAULT};
	char text[VALUE_TEXT_MAX];
	char *rest = text;
	int result = 0;

	snprintf(text, sizeof text, "%s", o->standard);
	while (rest && result == 0)
		result = apply(b, o, strsep(&rest, ";"), place, 0);
	return result;
}

static int apply_defaults(struct build *b)
{
	for (unsigned i = 0; i < OPTIONS; i++)
		if (option_table[i].standard && apply_default(b, &option_table[i]) != 0)
			return -EINVAL;
	return 0;
}

static int on_directive(void *arg, const struct directive *d)
{
	struct build *b = arg;
	struct span word = span_of(d->word);
	const struct option *o = option_find(word);
	const struct option *nearest;

	if (!o) {
		nearest = option_nearest(word, IN_FILE);
		return place_error(b->error, &d->place, "unknown word '%.255s'%s%s%s",
				   d->word, nearest ? ": did you mean '" : "",
				   nearest ? nearest->word : "", nearest ? "'?" : "");
	}
	if (!(o->where & IN_FILE))
		return place_error(b->error, &d->place,
				   "'%s' is for the command line only", o->word);
	if (!d->value[0])
		return place_error(b->error, &d->place, "%s needs a value: %s %s",
				   o->word, o->word, o->argument);
	if (apply(b, o, d->value, d->place, d->value_column) != 0)
		return -EINVAL;
	comment_warn(b->config, o, d);
	return 0;
}

static int on_variable(void *arg, const struct option *o, const char *entry,
		       const char *value)
{
	const struct place place = {.kind = PLACE_ENVIRONMENT, .name = entry};

	return apply(arg, o, value, place, 0);
}

/* The file: the named one, or that of the system, which need not exist. */
static int apply_file(struct build *b, const struct cmdline *line, char **environ)
{
	const char *named =
	    line->config ? line->config : environment_get(environ, "DOTGATE_CONFIG");
	int result =
	    file_read(&b->files, named ? named : DEFAULT_FILE, on_directive, b, b->error);

	if (result == -ENOENT)
		return named ? -EINVAL : 0;
	return result;
}

static int apply_cmdline(struct build *b, const struct cmdline *line)
{
	for (unsigned i = 0; i < line->count; i++) {
		const struct given *g = &line->given[i];
		struct place place = {.kind = PLACE_COMMAND_LINE,
				      .name = g->option->word};

		if (apply(b, g->option, g->value, place, 0) != 0)
			return -EINVAL;
	}
	for (unsigned i = 0; i < line->verbose && b->config->log_level < LOG_DEBUG; i++)
		b->config->log_level =
		    b->config->log_level < LOG_INFO ? LOG_INFO : LOG_DEBUG;
	return 0;
}

static int check_conflicts(struct build *b)
{
	struct conflict found;
	size_t row;

	if (!conflict_find(b->config, &found))
		return 0;
	row = (size_t)(option_find(span_of(found.word)) - option_table);
	return place_error(b->error,
			   option_is_list(&option_table[row])
			       ? &b->entry[row][found.entry]
			       : &b->last[row],
			   "%s", found.text);
}

static int read_all(struct build *b, const struct cmdline *line, char **environ)
{
	enum command command = line->invocation.command;

	memset(&b->config->warnings, 0, sizeof b->config->warnings);
	if (apply_defaults(b) != 0)
		return -EINVAL;
	/* a broken file must not keep anybody from the help */
	if (command == COMMAND_HELP || command == COMMAND_OPTIONS ||
	    command == COMMAND_VERSION)
		return 0;
	if (apply_file(b, line, environ) != 0 ||
	    environment_read(environ, on_variable, b, b->error) != 0)
		return -EINVAL;
	if (apply_cmdline(b, line) != 0)
		return -EINVAL;
	return check_conflicts(b);
}

int options_read(struct config *c, struct invocation *inv, int argc, char **argv,
		 char **environ, char error[CONF_ERROR_MAX])
{
	struct build *b;
	struct cmdline line;
	int result;

	if (cmdline_read(&line, argc, argv, error) != 0)
		return -EINVAL;
	b = calloc(1, sizeof *b);
	if (!b) {
		cmdline_free(&line);
		return place_error(error, NULL, "out of memory");
	}
	b->error = error;
	b->config = c;
	result = read_all(b, &line, environ);
	if (result == 0) {
		c->upstream_is_default = b->last[OPTION_UPSTREAM].kind == PLACE_DEFAULT;
		c->listen_is_argument = b->last[OPTION_LISTEN].kind == PLACE_COMMAND_LINE;
		effect_warn(c);
		*inv = line.invocation;
	}
	file_free(b->files);
	cmdline_free(&line);
	free(b);
	return result;
}

/* True if what C says of O is asked of nobody, as a route has its place. */
static bool is_replaced(const struct config *c, const struct option *o)
{
	if (o->kind == &value_upstream)
		return !config_upstreams(c);
	return o->kind == &value_discover && config_has_root(c);
}

void options_print_config(FILE *out, const struct config *c)
{
	char text[VALUE_TEXT_MAX];

	for (unsigned i = 0; i < OPTIONS; i++) {
		const struct option *o = &option_table[i];

		if (is_replaced(c, o))
			continue;
		for (unsigned n = 0; o->kind && o->kind->text(c, o, n, text); n++)
			fprintf(out, "%-24s %s\n", o->word, text);
	}
}

/* The default, where the help's own words do not tell it. */
static void print_default(FILE *out, const struct option *o)
{
	if (o->standard && !option_is_list(o))
		fprintf(out, " [%s]", o->standard);
	fputc('\n', out);
}

static void print_option(FILE *out, const struct option *o)
{
	char letter[] = {o->letter ? '-' : ' ', o->letter ? o->letter : ' ',
			 o->letter ? ',' : ' ', 0};
	char word[64];

	snprintf(word, sizeof word, "--%s%s%s", o->word, o->argument ? " " : "",
		 o->argument ? o->argument : "");
	fprintf(out, "  %s %-31s %s", letter, word, o->help);
	print_default(out, o);
}

void options_print_help(FILE *out)
{
	fputs("Usage: dotgate [run|check [-T]|health|cache|status|version] "
	      "[OPTION...]\n"
	      "Forwards DNS over TLS. In the file --listen is the word listen, in the\n"
	      "environment DOTGATE_LISTEN. [Defaults] All options: dotgate options\n",
	      out);
	for (unsigned i = 0; i < OPTIONS; i++)
		if (!(option_table[i].where & RARE))
			print_option(out, &option_table[i]);
}

void options_print_all(FILE *out)
{
	for (unsigned i = 0; i < OPTIONS; i++)
		print_option(out, &option_table[i]);
}
