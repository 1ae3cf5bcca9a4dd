/* health: does the daemon on this machine live? */
#include "cli/health.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "dns/wire.h"

enum { EXIT_ALIVE = 0, EXIT_DEAD = 1 };

/* A busy daemon may lose a datagram: it is sent again until the time is over. */
#define TRIES 4
#define TRY_MS 500

#define HEADER_LEN 12
#define FLAG_QR 0x8000
#define RCODE_MASK 0x000f
#define RCODE_FORMERR 1

static struct address target_of(const struct config *c)
{
	struct address a = c->listen[0];

	if (!address_is_wildcard(&a))
		return a;
	if (a.any.sa_family == AF_INET6)
		a.v6.sin6_addr = in6addr_loopback;
	else
		a.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return a;
}

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

/* Waits for the answer until DEADLINE. Returns 0, -ETIMEDOUT or -errno. */
static int await(int fd, uint16_t id, int64_t deadline)
{
	uint8_t data[512];

	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		int64_t left = deadline - now_ms();
		ssize_t n;

		if (left <= 0)
			return -ETIMEDOUT;
		if (poll(&p, 1, (int)left) <= 0)
			continue;
		n = recv(fd, data, sizeof data, MSG_DONTWAIT);
		if (n >= 0 && is_answer(data, (size_t)n, id))
			return 0;
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
	}
}

static int ask(int fd, uint16_t id)
{
	uint8_t query[HEADER_LEN] = {0};
	struct writer w = writer_make(query, sizeof query);
	int result = -ETIMEDOUT;

	writer_u16(&w, id);
	for (int i = 0; i < TRIES && result == -ETIMEDOUT; i++) {
		if (send(fd, query, sizeof query, 0) < 0)
			return -errno;
		result = await(fd, id, now_ms() + TRY_MS);
	}
	return result;
}

static int ask_at(const struct address *a)
{
	int fd = socket(a->any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint16_t id = 0;
	int result;

	if (fd < 0)
		return -errno;
	if (connect(fd, &a->any, address_len(a)) != 0 ||
	    getrandom(&id, sizeof id, 0) != sizeof id)
		result = -errno;
	else
		result = ask(fd, id);
	close(fd);
	return result;
}

int cli_health(const struct config *c)
{
	struct address a = target_of(c);
	char text[ADDRESS_TEXT_MAX];
	int result = ask_at(&a);

	address_text(&a, text);
	if (result == 0) {
		printf("dotgate: %s answers\n", text);
		return EXIT_ALIVE;
	}
	fprintf(stderr, "dotgate: %s %s\n", text,
		result == -ETIMEDOUT	  ? "does not answer"
		: result == -ECONNREFUSED ? "is not served: nothing listens there"
					  : strerror(-result));
	return EXIT_DEAD;
}
