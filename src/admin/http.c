/* http: the pages, and the server that gives them out. */
#include "admin/http.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "admin/http_clients.h"
#include "admin/microhttpd.h"
#include "telemetry/liveness.h"
#include "telemetry/prometheus.h"

/* Octets for one connection's request and response headers. */
#define CONNECTION_MEMORY ((size_t)16 * 1024)
#define BACKLOG 64
/* Octets of the texts made here. */
#define TEXT_MAX 256

#define PLAIN "text/plain; charset=utf-8"
#define EXPOSITION "text/plain; version=0.0.4; charset=utf-8"

struct http {
	struct http_options options;
	struct microhttpd api;
	struct MHD_Daemon *daemon;
	struct http_clients clients; /* of the thread alone */
	pthread_t thread;
	int end; /* readable: the thread is to end */
	struct liveness *liveness;
	bool draining; /* set by another thread */
};

static uint64_t monotonic_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* ---- pages ---- */

/* What is sent. The body is the page's to give away: made by malloc(). */
struct page {
	unsigned status;
	const char *type;
	char *body;
	size_t len;
};

typedef void page_fn(struct http *h, struct page *p);

static void page_text(struct page *p, unsigned status, const char *text)
{
	p->status = status;
	p->type = PLAIN;
	p->body = strdup(text);
	p->len = strlen(text);
}

static void page_metrics(struct http *h, struct page *p)
{
	p->status = MHD_HTTP_OK;
	p->type = EXPOSITION;
	p->body = prometheus_make(h->options.sources, &p->len);
}

static void page_health(struct http *h, struct page *p)
{
	char text[TEXT_MAX];
	int stuck = liveness_stuck(h->liveness, monotonic_us());

	if (stuck < 0) {
		page_text(p, MHD_HTTP_OK, "ok\n");
		return;
	}
	snprintf(text, sizeof text, "worker %d has not moved for %d s or more\n", stuck,
		 LIVENESS_STUCK_US / 1000000);
	page_text(p, MHD_HTTP_SERVICE_UNAVAILABLE, text);
}

static void page_ready(struct http *h, struct page *p)
{
	if (__atomic_load_n(&h->draining, __ATOMIC_RELAXED))
		page_text(p, MHD_HTTP_SERVICE_UNAVAILABLE, "draining\n");
	else if (!liveness_useful(h->liveness))
		page_text(
		    p, MHD_HTTP_SERVICE_UNAVAILABLE,
		    "no upstream has answered yet, and all have failed: see the log\n");
	else
		page_text(p, MHD_HTTP_OK, "ok\n");
}

static void page_index(struct http *h, struct page *p);

static const struct {
	const char *path;
	page_fn *make;
	const char *help; /* NULL: an alias, not listed */
} pages[] = {
    {"/", page_index, NULL},
    {"/metrics", page_metrics, "counters, in Prometheus text format"},
    {"/healthz", page_health, "200 while all workers move"},
    {"/health", page_health, NULL},
    {"/readyz", page_ready, "200 while queries can be served"},
    {"/ready", page_ready, NULL},
};

#define PAGES (sizeof pages / sizeof pages[0])

static void page_list(struct page *p, unsigned status, const char *title)
{
	char text[TEXT_MAX];
	int n = snprintf(text, sizeof text, "%s\n", title);

	for (size_t i = 0; i < PAGES; i++) {
		if (pages[i].help)
			n += snprintf(text + n, sizeof text - (size_t)n, "%-9s %s\n",
				      pages[i].path, pages[i].help);
	}
	page_text(p, status, text);
}

static void page_index(struct http *h, struct page *p)
{
	(void)h;
	page_list(p, MHD_HTTP_OK, "dotgate");
}

static void page_make(struct http *h, const char *method, const char *path,
		      struct page *p)
{
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 &&
	    strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
		page_text(p, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n");
		return;
	}
	for (size_t i = 0; i < PAGES; i++) {
		if (strcmp(path, pages[i].path) == 0) {
			pages[i].make(h, p);
			return;
		}
	}
	page_list(p, MHD_HTTP_NOT_FOUND, "no such page; there are:");
}

/* ---- the server ---- */

/* Sends P and owns its body. MHD_NO closes the connection. */
static enum MHD_Result page_send(struct http *h, struct MHD_Connection *c, struct page *p)
{
	struct MHD_Response *r;
	enum MHD_Result result;

	if (!p->body)
		return MHD_NO;
	r = h->api.MHD_create_response_from_buffer(p->len, p->body,
						   MHD_RESPMEM_MUST_FREE);
	if (!r) {
		free(p->body);
		return MHD_NO;
	}
	h->api.MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, p->type);
	h->api.MHD_add_response_header(r, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	h->api.MHD_add_response_header(r, MHD_HTTP_HEADER_CONNECTION, "close");
	if (p->status == MHD_HTTP_METHOD_NOT_ALLOWED)
		h->api.MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	result = h->api.MHD_queue_response(c, p->status, r);
	h->api.MHD_destroy_response(r);
	return result;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *c, const char *path,
				  const char *method, const char *version,
				  const char *body, size_t *body_len, void **state)
{
	struct http *h = arg;
	struct page p = {.body = NULL};

	(void)version, (void)body, (void)body_len, (void)state;
	page_make(h, method, path, &p);
	return page_send(h, c, &p);
}

/* A listening socket of our own: unlike the library's it says why it cannot be had, and
 * unlike those of the workers the port is not shared with a second dotgate. */
static int listen_on(const struct address *a)
{
	const int on = 1;
	int fd = socket(a->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int error;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (a->any.sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
	if (bind(fd, &a->any, address_len(a)) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	error = -errno;
	close(fd);
	return error;
}

/* ---- connections ---- */

/* A connection begins or ends. */
static void on_connection(void *arg, struct MHD_Connection *c, void **place,
			  enum MHD_ConnectionNotificationCode what)
{
	struct http *h = arg;
	int fd;

	if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
		http_clients_remove(*place);
		return;
	}
	fd = h->api.MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD)
		 ->connect_fd;
	*place = http_clients_add(
	    &h->clients, fd,
	    h->api.MHD_get_connection_info(c, MHD_CONNECTION_INFO_CLIENT_ADDRESS)
		->client_addr,
	    monotonic_us());
	if (!*place)
		(void)shutdown(fd, SHUT_RDWR);
}

/* The library finds those connections ended, and closes them. */
static void end_some(struct http *h)
{
	struct http_client *k;

	while ((k = http_clients_pick(&h->clients, monotonic_us())))
		(void)shutdown(k->fd, SHUT_RDWR);
}

/* Until when poll() may wait, in milliseconds; -1: for ever. */
static int wait_ms(struct http *h)
{
	int ours = http_clients_wait_ms(&h->clients, monotonic_us());
	MHD_UNSIGNED_LONG_LONG theirs;

	if (h->api.MHD_get_timeout(h->daemon, &theirs) != MHD_YES ||
	    theirs > HTTP_CLIENT_US / 1000)
		return ours;
	return ours >= 0 && ours < (int)theirs ? ours : (int)theirs;
}

static void *serve(void *arg)
{
	struct http *h = arg;
	struct pollfd p[] = {
	    {.fd = h->api.MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD)
		       ->epoll_fd,
	     .events = POLLIN},
	    {.fd = h->end, .events = POLLIN}};

	while (!p[1].revents) {
		(void)poll(p, 2, wait_ms(h));
		h->api.MHD_run(h->daemon);
		end_some(h);
	}
	return NULL;
}

/* Signals are for the main thread: this one has none of them. */
static int start_thread(struct http *h)
{
	sigset_t all, before;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&h->thread, NULL, serve, h);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -r;
}

/* The library without a thread of its own: the one that runs it also looks after its clients. */
static int start_daemon(struct http *h, int fd)
{
	http_clients_init(&h->clients);
	h->end = eventfd(0, EFD_CLOEXEC);
	if (h->end < 0)
		return -errno;
	h->daemon = h->api.MHD_start_daemon(
	    MHD_USE_EPOLL, 0, NULL, NULL, on_request, h, MHD_OPTION_LISTEN_SOCKET, fd,
	    MHD_OPTION_CONNECTION_LIMIT,
	    (unsigned)(HTTP_CLIENTS_MAX + HTTP_CLIENTS_SPARE),
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY,
	    MHD_OPTION_NOTIFY_CONNECTION, on_connection, h, MHD_OPTION_END);
	return h->daemon ? start_thread(h) : -EAGAIN;
}

static void free_http(struct http *h)
{
	if (h->daemon)
		h->api.MHD_stop_daemon(h->daemon);
	if (h->end >= 0)
		close(h->end);
	liveness_free(h->liveness);
	free(h);
}

bool http_is_available(void)
{
	struct microhttpd ignored;

	return microhttpd_open(&ignored) == 0;
}

int http_start(struct http **out, const struct http_options *o)
{
	struct http *h = calloc(1, sizeof *h);
	int fd, error = -ENOMEM;

	if (!h)
		return -ENOMEM;
	h->options = *o;
	h->end = -1;
	h->liveness = liveness_new(h->options.sources, monotonic_us());
	if (!h->liveness)
		goto failed;
	error = microhttpd_open(&h->api);
	if (error)
		goto failed;
	fd = error = listen_on(&o->listen);
	if (fd < 0)
		goto failed;
	/* Whether the library closes the socket when it cannot start depends on how far
	 * it came. It is left alone: one more descriptor is better than one closed twice.
	 */
	error = start_daemon(h, fd);
	if (error)
		goto failed;
	*out = h;
	return 0;

failed:
	free_http(h);
	return error;
}

void http_draining(struct http *h)
{
	__atomic_store_n(&h->draining, true, __ATOMIC_RELAXED);
}

void http_stop(struct http *h)
{
	const uint64_t one = 1;

	if (!h)
		return;
	while (write(h->end, &one, sizeof one) < 0 && errno == EINTR)
		continue;
	pthread_join(h->thread, NULL);
	free_http(h);
}
