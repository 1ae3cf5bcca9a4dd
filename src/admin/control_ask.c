/* control_ask: the client's end of the control socket. */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "admin/control.h"
#include "admin/control_dial.h"

int control_address(struct sockaddr_un *out, const char *path)
{
	*out = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof out->sun_path)
		return -ENAMETOOLONG;
	strcpy(out->sun_path, path);
	return 0;
}

static void set_timeout(int fd, unsigned ms)
{
	const struct timeval t = {.tv_sec = ms / 1000,
				  .tv_usec = (suseconds_t)(ms % 1000) * 1000};

	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
}

int control_dial(const char *path, int flags, unsigned timeout_ms)
{
	struct sockaddr_un a;
	int r = control_address(&a, path);
	int fd = r < 0 ? r : socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

	if (r < 0)
		return r;
	if (fd < 0)
		return -errno;
	if (timeout_ms)
		set_timeout(fd, timeout_ms);
	if (connect(fd, (struct sockaddr *)&a, sizeof a) == 0)
		return fd;
	r = -errno;
	close(fd);
	return r;
}

static bool send_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		text += n;
		len -= (size_t)n;
	}
	return true;
}

static int send_words(int fd, unsigned count, const char *const *words)
{
	char line[CONTROL_LINE_MAX] = "";
	size_t len = 0;

	for (unsigned i = 0; i < count; i++) {
		int n = snprintf(line + len, sizeof line - len, "%s%s", i ? " " : "",
				 words[i]);

		len += (size_t)n;
		if (len + 1 >= sizeof line || strpbrk(words[i], " \n"))
			return -EINVAL;
	}
	line[len] = '\n';
	return send_all(fd, line, len + 1) ? 0 : -EPIPE;
}

/* Copies the response from IN. Returns as control_ask(). */
static int copy_response(FILE *in, FILE *out, FILE *err)
{
	char verdict[16], part[4096];
	bool ok;
	size_t n;

	errno = 0;
	if (!fgets(verdict, sizeof verdict, in))
		return errno == EAGAIN ? -ETIMEDOUT : -EPIPE;
	ok = strcmp(verdict, "ok\n") == 0;
	while ((n = fread(part, 1, sizeof part, in)) > 0)
		(void)fwrite(part, 1, n, ok ? out : err);
	if (ferror(in))
		return errno == EAGAIN ? -ETIMEDOUT : -EPIPE;
	return ok;
}

int control_ask_within(const char *path, unsigned timeout_ms, unsigned count,
		       const char *const *words, FILE *out, FILE *err)
{
	int fd = control_dial(path, 0, timeout_ms), r;
	FILE *in;

	if (fd < 0)
		return fd == -EAGAIN ? -ETIMEDOUT : fd;
	r = send_words(fd, count, words);
	in = r == 0 ? fdopen(fd, "r") : NULL;
	if (!in) {
		close(fd);
		return r < 0 ? r : -ENOMEM;
	}
	r = copy_response(in, out, err);
	(void)fclose(in);
	return r;
}

int control_ask(const char *path, unsigned count, const char *const *words, FILE *out,
		FILE *err)
{
	return control_ask_within(path, 0, count, words, out, err);
}
