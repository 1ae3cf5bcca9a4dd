/* control: one thread, a few clients, none of which keeps the others or the end waiting. */
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
#include <time.h>
#include <unistd.h>

#include "admin/control_dial.h"

/* Until a client has asked, and for each part of the response that it takes. */
#define CLIENT_MS 5000

/* Clients at once: a person, a health check, a script. More wait in the listener's queue. */
#define CLIENTS_MAX 8

/* Connections that wait to be accepted. */
#define BACKLOG 8

/* In front of a response. The shorter one is written over the end of the longer one. */
#define VERDICT_ERROR "error\n"
#define VERDICT_OK "ok\n"
#define VERDICT_LEN (sizeof VERDICT_ERROR - 1)
#define VERDICT_OK_AT (sizeof VERDICT_ERROR - sizeof VERDICT_OK)

struct client {
	int fd; /* -1: the place is free */
	int64_t end_ms;
	size_t len; /* of what is in `line` */
	char line[CONTROL_LINE_MAX];
	char *text; /* the response; NULL: the request is not complete */
	size_t text_len, sent;
};

struct control {
	struct control_options options;
	int listener, end;
	bool bound; /* the file below is ours */
	dev_t device;
	ino_t number;
	pthread_t thread;
	struct client clients[CLIENTS_MAX];
};

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- one client ---- */

static bool is_allowed(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof peer;

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
	       (peer.uid == 0 || peer.uid == geteuid());
}

static void drop(struct client *k)
{
	close(k->fd);
	free(k->text);
	*k = (struct client){.fd = -1};
}

/* Runs the words of the line, and makes the response of what they write. */
static bool run(const struct control *c, struct client *k)
{
	char *words[CONTROL_WORDS_MAX], *rest = k->line;
	unsigned count = 0;
	FILE *out = open_memstream(&k->text, &k->text_len);
	bool ok;

	if (!out)
		return false;
	while (count < CONTROL_WORDS_MAX && (words[count] = strsep(&rest, " ")))
		count++;
	fputs(VERDICT_ERROR, out);
	ok = c->options.fn(c->options.arg, count, words, out);
	if (fclose(out) != 0)
		return false;
	if (ok) {
		memcpy(k->text + VERDICT_OK_AT, VERDICT_OK, sizeof VERDICT_OK - 1);
		k->sent = VERDICT_OK_AT;
	}
	return true;
}

/* Reads on to the end of the line, and runs it. False: the client is to be dropped. */
static bool hear(const struct control *c, struct client *k)
{
	ssize_t n = recv(k->fd, k->line + k->len, sizeof k->line - k->len, 0);
	char *stop;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n <= 0)
		return false;
	stop = memchr(k->line + k->len, '\n', (size_t)n);
	k->len += (size_t)n;
	if (!stop)
		return k->len < sizeof k->line;
	*stop = 0;
	return strlen(k->line) == (size_t)(stop - k->line) && run(c, k);
}

/* Sends on. False: all is sent, or the client is gone. */
static bool tell(struct client *k)
{
	ssize_t n = send(k->fd, k->text + k->sent, k->text_len - k->sent, MSG_NOSIGNAL);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	k->sent += (size_t)n;
	k->end_ms = now_ms() + CLIENT_MS;
	return k->sent < k->text_len;
}

/* ---- all clients ---- */

static struct client *free_place(struct control *c)
{
	for (unsigned i = 0; i < CLIENTS_MAX; i++)
		if (c->clients[i].fd < 0)
			return &c->clients[i];
	return NULL;
}

static void take_client(struct control *c)
{
	struct client *k = free_place(c);
	int fd = accept4(c->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	if (!k || !is_allowed(fd)) {
		close(fd);
		return;
	}
	k->fd = fd;
	k->end_ms = now_ms() + CLIENT_MS;
}

static void serve(const struct control *c, struct client *k, short events)
{
	bool goes_on = true;

	if (events && !k->text)
		goes_on = hear(c, k);
	else if (events)
		goes_on = tell(k);
	if (!goes_on || k->end_ms <= now_ms())
		drop(k);
}

/* Fills P for the clients. Returns the milliseconds until the first of them is out of time. */
static int watch_clients(const struct control *c, struct pollfd *p)
{
	int64_t now = now_ms(), left = -1;

	for (unsigned i = 0; i < CLIENTS_MAX; i++) {
		const struct client *k = &c->clients[i];

		/* poll() passes over a negative descriptor */
		p[i] = (struct pollfd){.fd = k->fd, .events = k->text ? POLLOUT : POLLIN};
		if (k->fd >= 0 && (left < 0 || k->end_ms - now < left))
			left = k->end_ms > now ? k->end_ms - now : 0;
	}
	return (int)left;
}

static void *serve_all(void *arg)
{
	struct control *c = arg;
	struct pollfd p[CLIENTS_MAX + 2];

	for (;;) {
		int timeout = watch_clients(c, p);

		p[CLIENTS_MAX] = (struct pollfd){.fd = c->end, .events = POLLIN};
		p[CLIENTS_MAX + 1] = (struct pollfd){
		    .fd = free_place(c) ? c->listener : -1, .events = POLLIN};
		if (poll(p, CLIENTS_MAX + 2, timeout) < 0 && errno != EINTR)
			return NULL;
		if (p[CLIENTS_MAX].revents)
			return NULL;
		for (unsigned i = 0; i < CLIENTS_MAX; i++)
			if (c->clients[i].fd >= 0)
				serve(c, &c->clients[i], p[i].revents);
		if (p[CLIENTS_MAX + 1].revents)
			take_client(c);
	}
}

/* ---- the socket ---- */

/* Takes the file of a daemon that is gone out of the way, but no other file. Only a refused
 * connection says that it is gone: one that has no time for us answers otherwise. */
static int clear_path(const char *path)
{
	struct stat s;
	int fd;

	if (lstat(path, &s) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(s.st_mode))
		return -EEXIST;
	fd = control_dial(path, SOCK_NONBLOCK, 0);
	if (fd >= 0)
		close(fd);
	if (fd >= 0 || fd == -EAGAIN)
		return -EADDRINUSE;
	if (fd != -ECONNREFUSED)
		return fd == -ENOENT ? 0 : fd;
	return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

static int bind_to(struct control *c, const struct sockaddr_un *a)
{
	struct stat s;

	/* Linux gives the file the mode that the socket has before */
	if (fchmod(c->listener, 0600) < 0 ||
	    bind(c->listener, (const struct sockaddr *)a, sizeof *a) < 0 ||
	    lstat(c->options.path, &s) < 0)
		return -errno;
	c->bound = true;
	c->device = s.st_dev;
	c->number = s.st_ino;
	return listen(c->listener, BACKLOG) < 0 ? -errno : 0;
}

static int open_listener(struct control *c)
{
	struct sockaddr_un a;
	int r = control_address(&a, c->options.path);

	if (r == 0)
		r = clear_path(c->options.path);
	if (r < 0)
		return r;
	c->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return c->listener < 0 ? -errno : bind_to(c, &a);
}

/* Another daemon may have its socket there by now. */
static void remove_file(const struct control *c)
{
	struct stat s;

	if (c->bound && lstat(c->options.path, &s) == 0 && s.st_dev == c->device &&
	    s.st_ino == c->number)
		(void)unlink(c->options.path);
}

static void free_control(struct control *c)
{
	for (unsigned i = 0; i < CLIENTS_MAX; i++)
		if (c->clients[i].fd >= 0)
			drop(&c->clients[i]);
	remove_file(c);
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
	for (unsigned i = 0; i < CLIENTS_MAX; i++)
		c->clients[i].fd = -1;
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
	free_control(c);
}
