/* control: one request over the daemon's socket. */
#include "cli/control.h"

#include <errno.h>
#include <string.h>

#include "admin/control.h"
#include "os/control_path.h"

enum { EXIT_DONE = 0, EXIT_NOT_DONE = 1, EXIT_WORDS = 2 };

static const char usage[] =
    "usage: dotgate cache stats | show NAME | flush [NAME | all]\n"
    "  stats       how full it is and how much it helps\n"
    "  show NAME   what it has of this name\n"
    "  flush NAME  forgets this name and all below it; all: everything\n";

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
	int r;

	if (inv->word_count == 0 && inv->command == COMMAND_CACHE) {
		fputs(usage, stderr);
		return EXIT_WORDS;
	}
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
