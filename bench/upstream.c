/* upstream: a DNS-over-TLS server for benchmarks, whose answers follow from the name. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

/*
 * usage: upstream PORT CERTIFICATE KEY DELAY_MS CLOSE_AFTER TTL
 *
 * Answers come DELAY_MS after their queries; all that are due at once share a record. With
 * CLOSE_AFTER a connection is closed after so many answers. TTL 0: 1 s to 1 h, by the name. A name
 * whose first label starts with x does not exist.
 */
#define CONNECTIONS_MAX 256
#define IN_SIZE 65536
#define ANSWER_MAX 600

struct answer {
	struct answer *next;
	uint64_t due_us;
	int connection;
	unsigned generation;
	size_t len;
	uint8_t data[ANSWER_MAX];
};

struct connection {
	int fd;
	unsigned generation, answered, taken;
	SSL *ssl;
	bool ready;
	size_t in_len, out_len;
	uint8_t in[IN_SIZE];
	uint8_t *out;
	size_t out_size;
};

static struct connection connections[CONNECTIONS_MAX];
static struct answer *first, **last = &first, *spare;
static uint64_t delay_us;
static unsigned close_after, fixed_ttl;

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* ---- answers ---- */

static uint32_t hash_of(const uint8_t *name, size_t len)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (name[i] | 0x20)) * 16777619u;
	return h;
}

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static size_t put_record(uint8_t *p, unsigned type, uint32_t ttl, const void *data,
			 size_t len)
{
	put16(p, 0xc00c);
	put16(p + 2, type);
	put16(p + 4, 1);
	put16(p + 6, ttl >> 16);
	put16(p + 8, ttl & 0xffff);
	put16(p + 10, (unsigned)len);
	memcpy(p + 12, data, len);
	return 12 + len;
}

/* Makes the framed answer to a query of LEN octets. 0: it is none that we know. */
static size_t make_answer(uint8_t *out, const uint8_t *q, size_t len)
{
	static const uint8_t soa[22] = {0, 0, 0,  0, 0, 1, 0, 0, 0, 60, 0,
					0, 0, 60, 0, 0, 1, 0, 0, 0, 0,	60};
	static const uint8_t https[3] = {0, 1, 0};
	uint8_t data[16] = {192, 0, 2};
	size_t end = 12, n;
	uint32_t h, ttl;
	unsigned type;

	while (end < len && q[end])
		end += q[end] + 1u;
	end += 5;
	if (end > len || end > 300)
		return 0;
	h = hash_of(q + 12, end - 17);
	ttl = fixed_ttl ? fixed_ttl : 1 + h % 3600;
	type = (unsigned)q[end - 4] << 8 | q[end - 3];
	memcpy(out + 2, q, end);
	put16(out + 4, 0x8180);
	memcpy(out + 6, "\0\1\0\1\0\0\0\1", 8);
	n = 2 + end;
	memcpy(data + 12, &h, 4);
	if ((q[13] | 0x20) == 'x') {
		out[5] |= 3;
		out[9] = 0;
		out[11] = 1;
		n += put_record(out + n, 6, 60, soa, sizeof soa);
	} else if (type == 28) {
		n += put_record(out + n, 28, ttl, data, 16);
	} else if (type == 65) {
		n += put_record(out + n, 65, ttl, https, sizeof https);
	} else {
		memcpy(data, &h, 4);
		n += put_record(out + n, 1, ttl, data, 4);
	}
	memcpy(out + n, "\0\0\51\4\320\0\0\0\0\0\0", 11);
	n += 11;
	put16(out, (unsigned)(n - 2));
	return n;
}

/* ---- connections ---- */

static void end(struct connection *c)
{
	SSL_free(c->ssl);
	close(c->fd);
	free(c->out);
	c->out = NULL;
	c->ssl = NULL;
	c->fd = -1;
	c->generation++;
}

static void append(struct connection *c, const uint8_t *data, size_t len)
{
	if (c->out_len + len > c->out_size) {
		c->out_size = 2 * (c->out_len + len);
		c->out = realloc(c->out, c->out_size);
		if (!c->out)
			abort();
	}
	memcpy(c->out + c->out_len, data, len);
	c->out_len += len;
	c->answered++;
}

static void flush(struct connection *c)
{
	int n;

	if (!c->ssl || c->out_len == 0)
		return;
	n = SSL_write(c->ssl, c->out, (int)c->out_len);
	if (n <= 0) {
		if (SSL_get_error(c->ssl, n) != SSL_ERROR_WANT_WRITE)
			end(c);
		return;
	}
	c->out_len = 0;
	if (close_after && c->answered >= close_after) {
		SSL_shutdown(c->ssl);
		end(c);
	}
}

static void later(struct connection *c, const uint8_t *q, size_t len)
{
	struct answer *a = spare;

	if (a)
		spare = a->next;
	else if (!(a = malloc(sizeof *a)))
		abort();
	a->len = make_answer(a->data, q, len);
	a->due_us = now_us() + delay_us;
	a->connection = (int)(c - connections);
	a->generation = c->generation;
	a->next = NULL;
	*last = a;
	last = &a->next;
}

static void take_queries(struct connection *c)
{
	uint8_t data[ANSWER_MAX];
	size_t at = 0;

	while (c->in_len - at >= 2) {
		size_t len = (size_t)c->in[at] << 8 | c->in[at + 1];

		if (c->in_len - at - 2 < len)
			break;
		/* behind the last answer nothing is answered */
		if (!close_after || c->taken < close_after) {
			c->taken++;
			if (delay_us)
				later(c, c->in + at + 2, len);
			else
				append(c, data, make_answer(data, c->in + at + 2, len));
		}
		at += 2 + len;
	}
	memmove(c->in, c->in + at, c->in_len - at);
	c->in_len -= at;
}

static void serve(struct connection *c)
{
	int n;

	if (!c->ready) {
		n = SSL_accept(c->ssl);
		if (n != 1) {
			if (SSL_get_error(c->ssl, n) != SSL_ERROR_WANT_READ)
				end(c);
			return;
		}
		c->ready = true;
	}
	while ((n = SSL_read(c->ssl, c->in + c->in_len, (int)(IN_SIZE - c->in_len))) >
	       0) {
		c->in_len += (size_t)n;
		take_queries(c);
	}
	if (SSL_get_error(c->ssl, n) != SSL_ERROR_WANT_READ)
		end(c);
	else
		flush(c);
	ERR_clear_error();
}

static void answer_due(void)
{
	uint64_t now = now_us();

	while (first && first->due_us <= now) {
		struct answer *a = first;
		struct connection *c = &connections[a->connection];

		first = a->next;
		if (!first)
			last = &first;
		if (c->ssl && c->generation == a->generation)
			append(c, a->data, a->len);
		a->next = spare;
		spare = a;
	}
	for (unsigned i = 0; delay_us && i < CONNECTIONS_MAX; i++)
		flush(&connections[i]);
}

static void accept_one(int listener, int epoll, SSL_CTX *context)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), one = 1;
	unsigned i = 0;

	while (i < CONNECTIONS_MAX && connections[i].ssl)
		i++;
	if (fd < 0 || i == CONNECTIONS_MAX) {
		close(fd);
		return;
	}
	struct connection *c = &connections[i];
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	c->fd = fd;
	c->ssl = SSL_new(context);
	c->ready = false;
	c->answered = c->taken = 0;
	c->in_len = c->out_len = c->out_size = 0;
	SSL_set_fd(c->ssl, fd);
	SSL_set_accept_state(c->ssl);
	epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e);
}

static int wait_ms(void)
{
	uint64_t now = now_us();

	if (!first)
		return -1;
	return first->due_us <= now ? 0 : (int)((first->due_us - now + 999) / 1000);
}

int main(int argc, char **argv)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());
	struct sockaddr_in a = {.sin_family = AF_INET};
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int epoll = epoll_create1(EPOLL_CLOEXEC), one = 1;
	struct epoll_event e = {.events = EPOLLIN}, events[64];

	if (argc != 7 || SSL_CTX_use_certificate_chain_file(context, argv[2]) != 1 ||
	    SSL_CTX_use_PrivateKey_file(context, argv[3], SSL_FILETYPE_PEM) != 1) {
		fputs("usage: upstream PORT CERTIFICATE KEY DELAY_MS CLOSE_AFTER TTL\n",
		      stderr);
		return 2;
	}
	delay_us = strtoull(argv[4], NULL, 10) * 1000;
	close_after = (unsigned)strtoul(argv[5], NULL, 10);
	fixed_ttl = (unsigned)strtoul(argv[6], NULL, 10);
	SSL_CTX_set_read_ahead(context, 1);
	SSL_CTX_set_mode(context, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	a.sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10));
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(listener, (struct sockaddr *)&a, sizeof a) < 0 ||
	    listen(listener, 64) < 0) {
		perror("upstream");
		return 1;
	}
	epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &e);
	for (;;) {
		int n = epoll_wait(epoll, events, 64, wait_ms());

		for (int i = 0; i < n; i++) {
			if (!events[i].data.ptr)
				accept_one(listener, epoll, context);
			else
				serve(events[i].data.ptr);
		}
		answer_due();
	}
}
