/* health: does the daemon on this machine live? */
#include "cli/health.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "admin/control.h"
#include "conf/table.h"
#include "dns/wire.h"
#include "os/control_path.h"

enum { EXIT_ALIVE = 0, EXIT_DEAD = 1 };

/* A busy daemon may lose a datagram: it is sent again until the time is over. */
#define TRIES 4
#define TRY_MS 500

/* The daemon answers over its control socket at once, unless it is in the middle of a long command. */
#define CONTROL_MS 2000

#define HEADER_LEN 12
#define FLAG_QR 0x8000
#define RCODE_MASK 0x000f
#define RCODE_FORMERR 1

/* ---- where to ask ---- */

/* Reads the lines of TEXT as listen addresses. */
static bool read_listeners(struct config *out, char *text)
{
	const struct option *o = &option_table[OPTION_LISTEN];

	out->listen_count = 0;
	for (char *line; (line = strsep(&text, "\n"));) {
		struct fault f = {.base = line};

		if (*line && o->kind->read(out, o, line, &f) != 0)
			return false;
	}
	return out->listen_count > 0;
}

/* Asks the running daemon, and sets OUT's listeners to its. Returns 1; 0: it is not well, and said why on
 * stderr; or -errno: it cannot be asked. */
static int ask_daemon(const struct config *c, struct config *out)
{
	const char *const words[] = {"health"};
	char path[CONF_PATH_MAX], *text = NULL;
	size_t len = 0;
	FILE *response;
	int r;

	if (c->listen_is_argument || !control_path(c, false, path))
		return -ENOENT;
	response = open_memstream(&text, &len);
	if (!response)
		return -ENOMEM;
	r = control_ask_within(path, CONTROL_MS, 1, words, response, response);
	if (fclose(response) != 0)
		r = -ENOMEM;
	if (r == 0)
		fprintf(stderr, "dotgate: %s", text);
	if (r == 1 && !read_listeners(out, text))
		r = -EBADMSG;
	free(text);
	return r;
}

static struct address target_of(struct address a)
{
	if (!address_is_wildcard(&a))
		return a;
	if (a.any.sa_family == AF_INET6)
		a.v6.sin6_addr = in6addr_loopback;
	else
		a.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return a;
}

/* ---- asking ---- */

/* One listener. `result`: 0: it has answered; -EINPROGRESS: not yet; else -errno. */
struct probe {
	struct address to;
	int fd, result;
};

struct probes {
	unsigned count;
	uint16_t id;
	struct probe all[LISTEN_MAX];
};

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool is_answer(const uint8_t *data, size_t len, uint16_t id)
{
	struct cursor c = cursor_make(data, len);
	bool same_id = cursor_u16(&c) == id;
	uint16_t flags = cursor_u16(&c);

	return len >= HEADER_LEN && same_id && flags & FLAG_QR &&
	       (flags & RCODE_MASK) == RCODE_FORMERR;
}

static void open_probe(struct probe *p, const struct address *listener)
{
	p->to = target_of(*listener);
	p->result = -EINPROGRESS;
	p->fd = socket(p->to.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (p->fd < 0 || connect(p->fd, &p->to.any, address_len(&p->to)) != 0)
		p->result = -errno;
}

static void send_query(struct probe *p, uint16_t id)
{
	uint8_t query[HEADER_LEN] = {0};
	struct writer w = writer_make(query, sizeof query);

	writer_u16(&w, id);
	if (send(p->fd, query, sizeof query, 0) < 0)
		p->result = -errno;
}

static void hear(struct probe *p, uint16_t id)
{
	uint8_t data[512];
	ssize_t n = recv(p->fd, data, sizeof data, MSG_DONTWAIT);

	if (n >= 0 && is_answer(data, (size_t)n, id))
		p->result = 0;
	else if (n < 0 && errno != EAGAIN && errno != EINTR)
		p->result = -errno;
}

/* Waits for answers until DEADLINE. False: that is over. */
static bool await(struct probes *p, int64_t deadline)
{
	struct pollfd fds[LISTEN_MAX];
	int64_t left = deadline - now_ms();
	bool waits = false;

	for (unsigned i = 0; i < p->count; i++) {
		bool open = p->all[i].result == -EINPROGRESS;

		waits |= open;
		fds[i] =
		    (struct pollfd){.fd = open ? p->all[i].fd : -1, .events = POLLIN};
	}
	if (!waits || left <= 0)
		return false;
	if (poll(fds, p->count, (int)left) > 0)
		for (unsigned i = 0; i < p->count; i++)
			if (fds[i].revents)
				hear(&p->all[i], p->id);
	return true;
}

static void ask_all(struct probes *p, const struct config *c)
{
	p->count = c->listen_count;
	if (getrandom(&p->id, sizeof p->id, 0) != sizeof p->id)
		p->id = 1;
	for (unsigned i = 0; i < p->count; i++)
		open_probe(&p->all[i], &c->listen[i]);
	for (int n = 0; n < TRIES; n++) {
		int64_t deadline = now_ms() + TRY_MS;

		for (unsigned i = 0; i < p->count; i++)
			if (p->all[i].result == -EINPROGRESS)
				send_query(&p->all[i], p->id);
		while (await(p, deadline))
			continue;
	}
	for (unsigned i = 0; i < p->count; i++)
		if (p->all[i].fd >= 0)
			close(p->all[i].fd);
}

/* ---- what to say ---- */

/* The daemon does without IPv6 where the machine has none. */
static bool is_missing_ipv6(const struct probe *p)
{
	return p->to.any.sa_family == AF_INET6 &&
	       IN6_IS_ADDR_LOOPBACK(&p->to.v6.sin6_addr) &&
	       (p->result == -EAFNOSUPPORT || p->result == -EADDRNOTAVAIL ||
		p->result == -ENETUNREACH);
}

static const char *why(int result)
{
	return result == -EINPROGRESS	 ? "does not answer"
	       : result == -ECONNREFUSED ? "is not served: nothing listens there"
					 : strerror(-result);
}

static int report(const struct probes *p)
{
	unsigned answered = 0, failed = 0;

	for (unsigned i = 0; i < p->count; i++) {
		const struct probe *one = &p->all[i];
		char text[ADDRESS_TEXT_MAX];

		address_text(&one->to, text);
		answered += one->result == 0;
		if (one->result == 0) {
			printf("dotgate: %s answers\n", text);
		} else if (!is_missing_ipv6(one) || (i == p->count - 1 && !answered)) {
			fprintf(stderr, "dotgate: %s: %s\n", text, why(one->result));
			failed++;
		}
	}
	return failed ? EXIT_DEAD : EXIT_ALIVE;
}

int cli_health(const struct config *c)
{
	struct config *daemon = malloc(sizeof *daemon);
	struct probes *p = calloc(1, sizeof *p);
	int r, exit_code = EXIT_DEAD;

	r = daemon && p ? ask_daemon(c, daemon) : 0;
	if (r != 0) {
		ask_all(p, r == 1 ? daemon : c);
		exit_code = report(p);
	}
	free(daemon);
	free(p);
	return exit_code;
}
