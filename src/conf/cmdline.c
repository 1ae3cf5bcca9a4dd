/* cmdline: the command line, taken apart. */
#include "conf/cmdline.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/place.h"
#include "conf/policy.h"
#include "conf/route.h"
#include "conf/suggest.h"

/* In the order of enum command. */
static const char *const commands[] = {"run",	  "check",   "health", "help",
				       "options", "version", "cache",  "status"};
#define COMMANDS (sizeof commands / sizeof commands[0])

/* What is being read, and how far. */
struct reader {
	struct cmdline *line;
	char **argv;
	int argc, next;
	bool words_only; /* after -- */
	bool done;	 /* help or version: the rest does not matter */
	char *error;
};

static int set_command(struct reader *r, enum command command)
{
	struct cmdline *l = r->line;

	if (l->command_given && l->invocation.command != command)
		return place_error(r->error, NULL, "two commands: '%s' and '%s'",
				   commands[l->invocation.command], commands[command]);
	l->command_given = true;
	l->invocation.command = command;
	r->done = command == COMMAND_HELP || command == COMMAND_OPTIONS ||
		  command == COMMAND_VERSION;
	return 0;
}

/* A word behind a command that takes some. */
static int add_word(struct reader *r, const char *word)
{
	struct invocation *i = &r->line->invocation;

	if (i->word_count == WORDS_MAX)
		return place_error(r->error, NULL, "one word too many: '%.4095s'", word);
	i->words[i->word_count++] = word;
	return 0;
}

static bool takes_words(const struct reader *r)
{
	enum command c = r->line->invocation.command;

	return r->line->command_given && (c == COMMAND_CACHE || c == COMMAND_STATUS);
}

/* The number of the command WORD; COMMANDS: it is none. */
static size_t find_command(const char *word)
{
	size_t i = 0;

	while (i < COMMANDS && strcmp(word, commands[i]) != 0)
		i++;
	return i;
}

static int read_command(struct reader *r, const char *word)
{
	char hint[SUGGEST_TEXT_MAX];
	size_t i;

	if (takes_words(r))
		return add_word(r, word);
	i = find_command(word);
	if (i < COMMANDS)
		return set_command(r, (enum command)i);
	if (strpbrk(word, ".:"))
		return place_error(
		    r->error, NULL,
		    "unexpected argument '%.4095s': write --upstream before an "
		    "upstream",
		    word);
	return place_error(r->error, NULL, "unknown command '%.4095s'%s", word,
			   suggest_text(span_of(word), commands, COMMANDS, hint));
}

static int take_switch(struct reader *r, const struct option *o)
{
	switch (o->letter) {
	case 'v':
		r->line->verbose++;
		return 0;
	case 't':
		return set_command(r, COMMAND_CHECK);
	case 'T':
		r->line->invocation.print = true;
		return 0;
	case 'V':
		r->line->command_given = false;
		return set_command(r, COMMAND_VERSION);
	case 'h':
		r->line->command_given = false;
		return set_command(r, COMMAND_HELP);
	default:
		return -EINVAL;
	}
}

static bool has_blank(const char *text)
{
	return strpbrk(text, " \t") != NULL;
}

/* KEY=VALUE, as it stands behind an upstream. */
static bool is_parameter(const char *word)
{
	size_t n = strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789-");

	return n > 0 && word[n] == '=';
}

/* True if NEXT belongs to the value of O that has begun with BEGUN. */
static bool goes_on(const struct option *o, const char *begun, const char *next)
{
	bool upstream = o->kind == &value_upstream || o->kind == &value_bootstrap;
	bool route = o->kind == &value_route;

	if (!begun[0] || next[0] == '-')
		return false;
	if (route && !has_blank(begun))
		return find_command(next) == COMMANDS;
	if (route || upstream)
		return is_parameter(next);
	return o->kind == &value_policy && strcmp(begun, "race") == 0 && next[0] >= '0' &&
	       next[0] <= '9';
}

/* Takes the arguments that belong to the value of G as well. */
static int join_words(struct reader *r, struct given *g)
{
	while (r->next < r->argc && goes_on(g->option, g->value, r->argv[r->next])) {
		char *longer;

		if (asprintf(&longer, "%s %s", g->value, r->argv[r->next++]) < 0)
			return place_error(r->error, NULL, "out of memory");
		free(g->joined);
		g->value = g->joined = longer;
	}
	return 0;
}

static int take_value(struct reader *r, const struct option *o, const char *value)
{
	struct cmdline *l = r->line;

	if (!value)
		return place_error(r->error, NULL, "--%s needs a value: --%s %s", o->word,
				   o->word, o->argument);
	if (o == &option_table[OPTION_CONFIG]) {
		if (l->config)
			return place_error(r->error, NULL, "--config is given twice");
		l->config = value;
		return 0;
	}
	if (l->count == GIVEN_MAX)
		return place_error(r->error, NULL, "more than %d options", GIVEN_MAX);
	l->given[l->count] = (struct given){.option = o, .value = value};
	return join_words(r, &l->given[l->count++]);
}

/* The next argument, as the value of an option that has none in its own. */
static const char *next_argument(struct reader *r)
{
	return r->next < r->argc ? r->argv[r->next++] : NULL;
}

static int unknown_option(struct reader *r, struct span word)
{
	const struct option *nearest = option_nearest(word, ON_COMMAND_LINE);

	if (!nearest)
		return place_error(r->error, NULL,
				   "unknown option '--%.*s': see dotgate --help",
				   span_shown(word), word.at);
	return place_error(r->error, NULL,
			   "unknown option '--%.*s': did you mean '--%s'?",
			   span_shown(word), word.at, nearest->word);
}

static int read_long(struct reader *r, const char *text)
{
	struct span word = span_of(text);
	struct span value = {0};
	const struct option *o;

	span_cut(&word, '=', &value);
	o = option_find(word);
	if (!o)
		return unknown_option(r, word);
	if (o->argument)
		return take_value(r, o, value.at ? value.at : next_argument(r));
	if (value.at)
		return place_error(r->error, NULL, "--%s takes no value", o->word);
	return take_switch(r, o);
}

static int read_letters(struct reader *r, const char *letters)
{
	for (; *letters && !r->done; letters++) {
		const struct option *o = option_find_letter(*letters);

		if (!o)
			return place_error(r->error, NULL,
					   "unknown option '-%.1s': see dotgate --help",
					   letters);
		if (o->argument)
			return take_value(r, o,
					  letters[1] ? letters + 1 : next_argument(r));
		if (take_switch(r, o) != 0)
			return -EINVAL;
	}
	return 0;
}

static int read_argument(struct reader *r, const char *text)
{
	struct fault f = {.base = text};

	/* it may be shown on a terminal */
	if (fault_check_text(&f, text) != 0)
		return place_error(r->error, NULL, "argument %d: %s", r->next - 1,
				   f.text);
	if (r->words_only || text[0] != '-' || text[1] == 0)
		return read_command(r, text);
	if (takes_words(r) && strcmp(text, "--json") == 0)
		return add_word(r, text);
	if (strcmp(text, "--") == 0) {
		r->words_only = true;
		return 0;
	}
	return text[1] == '-' ? read_long(r, text + 2) : read_letters(r, text + 1);
}

void cmdline_free(struct cmdline *l)
{
	for (unsigned i = 0; i < l->count; i++)
		free(l->given[i].joined);
}

static int read_arguments(struct reader *r)
{
	const struct invocation *i = &r->line->invocation;

	while (r->next < r->argc && !r->done)
		if (read_argument(r, r->argv[r->next++]) != 0)
			return -EINVAL;
	if (i->print && i->command != COMMAND_CHECK && !r->done)
		return place_error(r->error, NULL,
				   "-T goes with check: dotgate check -T");
	return 0;
}

int cmdline_read(struct cmdline *out, int argc, char **argv, char error[CONF_ERROR_MAX])
{
	struct cmdline line = {0};
	struct reader r = {
	    .line = &line, .argv = argv, .argc = argc, .next = 1, .error = error};

	if (read_arguments(&r) != 0) {
		cmdline_free(&line);
		return -EINVAL;
	}
	*out = line;
	return 0;
}
