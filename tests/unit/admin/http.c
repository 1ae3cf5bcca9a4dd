/* http: pages, status codes, liveness and readiness, over a real socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin/http.h"
#include "admin/http_clients.h"

#define PAGE_MAX 65536

static const char *const labels[] = {"tls://192.0.2.1#a.test"};
static const bool unauthenticated[] = {false};

struct fixture {
	struct metrics *metrics[2];
	uint64_t beats[2];
	uint64_t *heartbeats[2];
	struct sources sources;
	struct http_options options;
	struct http *http;
	char page[PAGE_MAX];
};

/* A port that is free now. */
static struct address free_address(void)
{
	struct address a = {
	    .v4 = {.sin_family = AF_INET, .sin_addr = {htonl(0x7f000001)}}};
	socklen_t len = sizeof a.v4;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, &a.any, len), 0);
	assert_int_equal(getsockname(fd, &a.any, &len), 0);
	close(fd);
	return a;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	assert_non_null(f);
	for (unsigned w = 0; w < 2; w++) {
		f->metrics[w] = calloc(1, sizeof *f->metrics[w]);
		assert_non_null(f->metrics[w]);
		f->metrics[w]->upstream[0].up = 1;
		f->heartbeats[w] = &f->beats[w];
	}
	f->sources = (struct sources){
	    .worker_count = 2,
	    .workers = f->metrics,
	    .upstream_count = 1,
	    .upstreams = labels,
	    .unauthenticated = unauthenticated,
	    .heartbeats = f->heartbeats,
	};
	f->options =
	    (struct http_options){.listen = free_address(), .sources = &f->sources};
	assert_int_equal(http_start(&f->http, &f->options), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	http_stop(f->http);
	for (unsigned w = 0; w < 2; w++)
		free(f->metrics[w]);
	free(f);
	return 0;
}

/* Sends the request line and reads all of the response. Returns its status. */
static int ask(struct fixture *f, const char *method, const char *path)
{
	char request[256];
	int n = snprintf(request, sizeof request,
			 "%s %s HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n", method,
			 path);
	int fd = socket(AF_INET, SOCK_STREAM, 0), status = 0;
	size_t len = 0;
	ssize_t got;

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, &f->options.listen.any, sizeof f->options.listen.v4),
			 0);
	assert_int_equal(send(fd, request, (size_t)n, MSG_NOSIGNAL), n);
	while ((got = read(fd, f->page + len, sizeof f->page - 1 - len)) > 0)
		len += (size_t)got;
	close(fd);
	f->page[len] = '\0';
	assert_int_equal(sscanf(f->page, "HTTP/1.1 %d", &status), 1);
	return status;
}

static const char *body(const struct fixture *f)
{
	const char *end = strstr(f->page, "\r\n\r\n");

	assert_non_null(end);
	return end + 4;
}

static void test_metrics(void **state)
{
	struct fixture *f = *state;

	metric_set(&f->metrics[0]->joined, 20);
	metric_set(&f->metrics[1]->joined, 3);
	assert_int_equal(ask(f, "GET", "/metrics"), 200);
	assert_non_null(strstr(f->page, "text/plain; version=0.0.4"));
	assert_non_null(strstr(body(f), "\ndotgate_joined_total 23\n"));
	metric_set(&f->metrics[1]->joined, 4);
	assert_int_equal(ask(f, "GET", "/metrics"), 200);
	assert_non_null(strstr(body(f), "\ndotgate_joined_total 24\n"));
}

static void test_index_and_unknown_pages(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ask(f, "GET", "/"), 200);
	assert_non_null(strstr(body(f), "/metrics"));
	assert_int_equal(ask(f, "GET", "/metrics/"), 404);
	assert_non_null(strstr(body(f), "/healthz"));
	assert_int_equal(ask(f, "GET", "/../etc/passwd"), 404);
}

static void test_methods(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ask(f, "HEAD", "/metrics"), 200);
	assert_string_equal(body(f), "");
	assert_int_equal(ask(f, "POST", "/metrics"), 405);
	assert_non_null(strstr(f->page, "Allow: GET, HEAD"));
	assert_int_equal(ask(f, "DELETE", "/nowhere"), 405);
}

static void test_health_and_aliases(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ask(f, "GET", "/healthz"), 200);
	assert_string_equal(body(f), "ok\n");
	assert_int_equal(ask(f, "GET", "/health"), 200);
	assert_int_equal(ask(f, "GET", "/readyz"), 200);
	assert_int_equal(ask(f, "GET", "/ready"), 200);
}

static void test_ready_until_draining(void **state)
{
	struct fixture *f = *state;

	http_draining(f->http);
	assert_int_equal(ask(f, "GET", "/readyz"), 503);
	assert_string_equal(body(f), "draining\n");
	assert_int_equal(ask(f, "GET", "/healthz"), 200);
	assert_int_equal(ask(f, "GET", "/metrics"), 200);
}

static void test_not_ready_when_no_upstream_ever_worked(void **state)
{
	struct fixture *f = *state;

	metric_set(&f->metrics[1]->upstream[0].up, 0);
	assert_int_equal(ask(f, "GET", "/ready"), 503);
	/* an answer once had is enough: it may be a shared outage */
	metric_set(&f->metrics[0]->upstream[0].requests[REASON_NONE], 1);
	assert_int_equal(ask(f, "GET", "/ready"), 200);
}

static void test_port_in_use(void **state)
{
	struct fixture *f = *state;
	struct http *second = NULL;

	assert_int_equal(http_start(&second, &f->options), -EADDRINUSE);
	assert_null(second);
}

static void test_address_of_another_machine(void **state)
{
	struct fixture *f = *state;
	struct http_options o = f->options;
	struct http *other = NULL;

	o.listen.v4.sin_addr.s_addr = htonl(0xc0000201);
	assert_int_equal(http_start(&other, &o), -EADDRNOTAVAIL);
}

/* Signals are for the main thread, which waits for them. */
static void test_takes_no_signals(void **state)
{
	struct fixture *f = *state;
	sigset_t term, pending;

	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	assert_int_equal(pthread_sigmask(SIG_BLOCK, &term, NULL), 0);
	assert_int_equal(kill(getpid(), SIGTERM), 0);
	assert_int_equal(ask(f, "GET", "/healthz"), 200);
	assert_int_equal(sigpending(&pending), 0);
	assert_true(sigismember(&pending, SIGTERM));
	assert_int_equal(sigwaitinfo(&term, NULL), SIGTERM);
	assert_int_equal(pthread_sigmask(SIG_UNBLOCK, &term, NULL), 0);
}

/* ---- clients that ask for too much ---- */

#define HALF "GET /healthz HTTP/1.1\r\nHost: t\r\nX-"

/* A connection from 127.0.0.HOST that has sent TEXT. */
static int send_from(struct fixture *f, unsigned host, const char *text)
{
	const struct sockaddr_in from = {.sin_family = AF_INET,
					 .sin_addr = {htonl(0x7f000000 + host)}};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	ssize_t len = (ssize_t)strlen(text);

	assert_int_equal(bind(fd, (const struct sockaddr *)&from, sizeof from), 0);
	assert_int_equal(connect(fd, &f->options.listen.any, sizeof f->options.listen.v4),
			 0);
	assert_int_equal(send(fd, text, (size_t)len, MSG_NOSIGNAL), len);
	return fd;
}

/* How many of the N connections are still open once the others have been closed. */
static unsigned count_open(const int *fds, unsigned n, unsigned expected)
{
	unsigned open = n;

	for (unsigned tries = 0; tries < 1000 && open != expected; tries++) {
		char byte;

		open = 0;
		for (unsigned i = 0; i < n; i++)
			open += recv(fds[i], &byte, 1, MSG_DONTWAIT | MSG_PEEK) < 0 &&
				errno == EAGAIN;
		usleep(5000);
	}
	return open;
}

/* Half requests, from one address or from many: the next whole one is served. */
static void test_half_requests(void **state, unsigned addresses, unsigned stay)
{
	enum { MANY = 80 };
	struct fixture *f = *state;
	int fds[MANY];

	for (unsigned i = 0; i < MANY; i++)
		fds[i] = send_from(f, 1 + i % addresses, HALF);
	assert_int_equal(ask(f, "GET", "/healthz"), 200);
	assert_int_equal(ask(f, "GET", "/readyz"), 200);
	assert_int_equal(count_open(fds, MANY, stay), stay);
	for (unsigned i = 0; i < MANY; i++)
		close(fds[i]);
}

static void test_half_requests_of_one(void **state)
{
	/* one has given way to those that were served */
	test_half_requests(state, 1, HTTP_CLIENTS_PER_ADDRESS - 1);
}

static void test_half_requests_of_many(void **state)
{
	test_half_requests(state, 10, HTTP_CLIENTS_MAX - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	    TEST(test_metrics),
	    TEST(test_index_and_unknown_pages),
	    TEST(test_methods),
	    TEST(test_health_and_aliases),
	    TEST(test_ready_until_draining),
	    TEST(test_not_ready_when_no_upstream_ever_worked),
	    TEST(test_port_in_use),
	    TEST(test_address_of_another_machine),
	    TEST(test_takes_no_signals),
	    TEST(test_half_requests_of_one),
	    TEST(test_half_requests_of_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
