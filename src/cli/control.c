/* control: one request over the daemon's socket. */
#include "cli/control.h"

#include <errno.h>
#include <string.h>

#include "admin/control.h"
#include "conf/suggest.h"
#include "dns/name.h"
#include "os/control_path.h"

enum { EXIT_DONE = 0, EXIT_NOT_DONE = 1, EXIT_WORDS = 2 };

static const char usage[] =
    "usage: dotgate cache stats | show NAME | flush [NAME | all]\n"
    "  stats       how full it is and how much it helps\n"
    "  show NAME   what it has of this name\n"
    "  flush NAME  forgets this name and all below it; all: everything\n";

enum { CACHE_STATS, CACHE_SHOW, CACHE_FLUSH, CACHE_WORDS };
static const char *const cache_words[CACHE_WORDS] = {"stats", "show", "flush"};

static int refuse(const char *what, const char *word, const char *hint)
{
	fprintf(stderr, "dotgate: %s '%s'%s\n", what, word, hint);
	return EXIT_WORDS;
}

/* An empty name, as of a variable that is not set, must not become all names. */
static int check_name(const char *name)
{
	uint8_t octets[NAME_MAX_LEN];

	if (name_parse(octets, name) == 0 || strpbrk(name, " \t"))
		return refuse("no domain name:", name, "");
	return EXIT_DONE;
}

static int check_cache(const struct invocation *inv)
{
	const char *word = inv->word_count ? inv->words[0] : NULL;
	char hint[SUGGEST_TEXT_MAX];
	unsigned i = 0;

	while (word && i < CACHE_WORDS && strcmp(word, cache_words[i]) != 0)
		i++;
	if (word && i == CACHE_WORDS)
		return refuse(
		    "unknown word", word,
		    suggest_text(span_of(word), cache_words, CACHE_WORDS, hint));
	if (!word || inv->word_count > (i == CACHE_STATS ? 1 : 2) ||
	    (i == CACHE_SHOW && inv->word_count == 1)) {
		fputs(usage, stderr);
		return EXIT_WORDS;
	}
	if (inv->word_count == 2)
		return check_name(inv->words[1]);
	return EXIT_DONE;
}

static int check_status(const struct invocation *inv)
{
	if (inv->word_count > 1 ||
	    (inv->word_count == 1 && strcmp(inv->words[0], "--json") != 0)) {
		fputs("usage: dotgate status [--json]\n", stderr);
		return EXIT_WORDS;
	}
	return EXIT_DONE;
}

static int explain(const char *path, int error)
{
	if (error == -ENOENT || error == -ECONNREFUSED)
		fprintf(stderr,
			"dotgate: no daemon answers at %s: is it running, and is its "
			"option control the same?\n",
			path);
	else if (error == -EACCES || error == -EPERM || error == -EPIPE)
		fprintf(stderr,
			"dotgate: %s: not allowed: run this as root or as the "
			"daemon's user\n",
			path);
	else
		fprintf(stderr, "dotgate: %s: %s\n", path, strerror(-error));
	return EXIT_NOT_DONE;
}

int cli_control(const struct config *c, const char *command, const struct invocation *inv)
{
	const char *words[WORDS_MAX + 1] = {command};
	char path[CONF_PATH_MAX];
	int r = inv->command == COMMAND_CACHE ? check_cache(inv) : check_status(inv);

	if (r != EXIT_DONE)
		return r;
	for (unsigned i = 0; i < inv->word_count; i++)
		words[i + 1] = inv->words[i];
	if (!control_path(c, false, path)) {
		fputs("dotgate: there is no control socket: set the option control\n",
		      stderr);
		return EXIT_NOT_DONE;
	}
	r = control_ask(path, inv->word_count + 1, words, stdout, stderr);
	if (r < 0)
		return explain(path, r);
	return r ? EXIT_DONE : EXIT_NOT_DONE;
}
