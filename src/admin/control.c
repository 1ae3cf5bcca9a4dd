/* control: one thread, one client at a time. */
#include "admin/control.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* Until a client has asked, and for each part of the response that it takes. */
#define CLIENT_MS 5000

struct control {
	struct control_options options;
	int listener, end;
	pthread_t thread;
};

/* ---- one client ---- */

static bool is_allowed(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof peer;

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
	       (peer.uid == 0 || peer.uid == geteuid());
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Reads up to the end of the line, which is cut off. False: none came, or it is too long. */
static bool read_line(int fd, char line[CONTROL_LINE_MAX])
{
	int64_t end = now_ms() + CLIENT_MS;
	size_t len = 0;

	while (len < CONTROL_LINE_MAX) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		int64_t left = end - now_ms();
		char *stop;
		ssize_t n;

		if (left <= 0 || poll(&p, 1, (int)left) <= 0)
			return false;
		n = recv(fd, line + len, CONTROL_LINE_MAX - len, 0);
		if (n <= 0)
			return false;
		stop = memchr(line + len, '\n', (size_t)n);
		if (stop) {
			*stop = 0;
			return strlen(line) == (size_t)(stop - line);
		}
		len += (size_t)n;
	}
	return false;
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

/* Runs the words of LINE. Returns the text, to be freed; NULL: no memory. */
static char *run(const struct control *c, char *line, bool *ok, size_t *len)
{
	char *words[CONTROL_WORDS_MAX], *rest = line, *text = NULL;
	unsigned count = 0;
	FILE *out = open_memstream(&text, len);

	if (!out)
		return NULL;
	while (count < CONTROL_WORDS_MAX && (words[count] = strsep(&rest, " ")))
		count++;
	*ok = c->options.fn(c->options.arg, count, words, out);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

static void serve(const struct control *c, int fd)
{
	const struct timeval patience = {.tv_sec = CLIENT_MS / 1000};
	char line[CONTROL_LINE_MAX];
	bool ok = false;
	size_t len = 0;
	char *text;

	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	if (!is_allowed(fd) || !read_line(fd, line))
		return;
	text = run(c, line, &ok, &len);
	if (text && send_all(fd, ok ? "ok\n" : "error\n", ok ? 3 : 6))
		(void)send_all(fd, text, len);
	free(text);
}

static void *serve_all(void *arg)
{
	const struct control *c = arg;
	struct pollfd p[] = {{.fd = c->listener, .events = POLLIN},
			     {.fd = c->end, .events = POLLIN}};

	for (;;) {
		int fd;

		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return NULL;
		if (p[1].revents)
			return NULL;
		fd = accept4(c->listener, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0)
			continue;
		serve(c, fd);
		close(fd);
	}
}

/* ---- the socket ---- */

static int address_of(struct sockaddr_un *a, const char *path)
{
	*a = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof a->sun_path)
		return -ENAMETOOLONG;
	strcpy(a->sun_path, path);
	return 0;
}

static int dial(const char *path)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un a;
	int r = address_of(&a, path);

	if (fd < 0)
		return -errno;
	if (r == 0 && connect(fd, (struct sockaddr *)&a, sizeof a) < 0)
		r = -errno;
	if (r == 0)
		return fd;
	close(fd);
	return r;
}

/* Takes the file of a daemon that is gone out of the way, but no other file. */
static int clear_path(const char *path)
{
	struct stat s;
	int fd;

	if (lstat(path, &s) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(s.st_mode))
		return -EEXIST;
	fd = dial(path);
	if (fd >= 0) {
		close(fd);
		return -EADDRINUSE;
	}
	return unlink(path) < 0 ? -errno : 0;
}

static int open_listener(struct control *c)
{
	struct sockaddr_un a;
	int r = address_of(&a, c->options.path);
	mode_t mask;

	if (r == 0)
		r = clear_path(c->options.path);
	if (r < 0)
		return r;
	c->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->listener < 0)
		return -errno;
	mask = umask(0177);
	r = bind(c->listener, (struct sockaddr *)&a, sizeof a) < 0 ? -errno : 0;
	umask(mask);
	if (r == 0 && listen(c->listener, 8) < 0)
		r = -errno;
	return r;
}

static void free_control(struct control *c)
{
	if (c->listener >= 0)
		close(c->listener);
	if (c->end >= 0)
		close(c->end);
	free(c);
}

int control_start(struct control **out, const struct control_options *o)
{
	struct control *c = calloc(1, sizeof *c);
	int r;

	if (!c)
		return -ENOMEM;
	c->options = *o;
	c->listener = -1;
	c->end = eventfd(0, EFD_CLOEXEC);
	r = c->end < 0 ? -errno : open_listener(c);
	if (r == 0)
		r = -pthread_create(&c->thread, NULL, serve_all, c);
	if (r < 0) {
		free_control(c);
		return r;
	}
	*out = c;
	return 0;
}

void control_stop(struct control *c)
{
	uint64_t one = 1;

	if (!c)
		return;
	while (write(c->end, &one, sizeof one) < 0 && errno == EINTR)
		continue;
	pthread_join(c->thread, NULL);
	(void)unlink(c->options.path);
	free_control(c);
}

/* ---- the other end ---- */

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

int control_ask(const char *path, unsigned count, const char *const *words, FILE *out,
		FILE *err)
{
	int fd = dial(path), r;
	char verdict[16], part[4096];
	FILE *in, *to;
	size_t n;

	if (fd < 0)
		return fd;
	r = send_words(fd, count, words);
	in = r == 0 ? fdopen(fd, "r") : NULL;
	if (!in) {
		close(fd);
		return r < 0 ? r : -ENOMEM;
	}
	if (!fgets(verdict, sizeof verdict, in)) {
		(void)fclose(in);
		return -EPIPE;
	}
	r = strcmp(verdict, "ok\n") == 0;
	to = r ? out : err;
	while ((n = fread(part, 1, sizeof part, in)) > 0)
		(void)fwrite(part, 1, n, to);
	(void)fclose(in);
	return r;
}
