/* conf: what is read from a file, variable or argument prints as a file that gives it. */
#include "fuzz.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "conf/options.h"

/* A file with every option at its longest. */
#define PRINTED_MAX (256 * 1024)

/* Reads the file of this content, one variable, and one argument behind those that name
 * it. */
static int read_conf(struct config *c, const void *file, size_t len, char *variable,
		     char *argument)
{
	char name[] = "dotgate", error[CONF_ERROR_MAX], path[40];
	char *argv[] = {name, path, argument, NULL};
	char *environ_[] = {variable, NULL};
	int fd = memfd_create("conf", MFD_CLOEXEC);
	struct invocation invocation;
	int result;

	CHECK(fd >= 0 && write(fd, file, len) == (ssize_t)len);
	snprintf(path, sizeof path, "-c/proc/self/fd/%d", fd);
	error[0] = 0;
	result = options_read(c, &invocation, argument ? 3 : 2, argv, environ_, error);
	CHECK(result == 0 || (error[0] && memchr(error, 0, sizeof error)));
	close(fd);
	return result;
}

static size_t print(const struct config *c, char *out)
{
	FILE *f = fmemopen(out, PRINTED_MAX, "w");
	long n;

	CHECK(f != NULL);
	options_print_config(f, c);
	n = ftell(f);
	fclose(f);
	return (size_t)n;
}

static void check_round_trip(const struct config *c)
{
	static char first[PRINTED_MAX], second[PRINTED_MAX];
	static struct config again;
	size_t len = print(c, first);

	CHECK(read_conf(&again, first, len, NULL, NULL) == 0);
	CHECK(print(&again, second) == len && memcmp(first, second, len) == 0);
}

/* The first octet says what the others are. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct config c;
	char *text;
	int result;

	if (len == 0)
		return 0;
	/* other files of this machine are no part of the input */
	if (memmem(data, len, "include", 7) || memmem(data, len, "-c", 2))
		return 0;
	text = malloc(len);
	CHECK(text != NULL);
	memcpy(text, data + 1, len - 1);
	text[len - 1] = 0;
	if (data[0] == 'v')
		result = read_conf(&c, "", 0, text, NULL);
	else if (data[0] == 'a')
		result = read_conf(&c, "", 0, NULL, text);
	else
		result = read_conf(&c, text, len - 1, NULL, NULL);
	free(text);
	if (result == 0)
		check_round_trip(&c);
	return 0;
}
