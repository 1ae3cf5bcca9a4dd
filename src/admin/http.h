/* http: /metrics, /healthz and /readyz on a thread of their own (libmicrohttpd). */
#ifndef DOTGATE_ADMIN_HTTP_H
#define DOTGATE_ADMIN_HTTP_H

#include <stdbool.h>

#include "admin/started.h"
#include "base/address.h"
#include "base/metric.h"

struct http;

/* The numbers of the cache, which this room does not know. */
struct cache_numbers {
	uint64_t entries, bytes, size, evictions;
};

/* What the pages show. Pointers must outlive the http; the counters are only read. */
struct http_options {
	struct address listen;
	unsigned worker_count;
	struct metrics *const *workers; /* one for each worker */
	unsigned upstream_count;
	const char *const *upstreams; /* canonical spelling, the label of upstream i */
	const bool *unauthenticated;  /* auth=none, by upstream */
	/* A number that each worker's loop raises at least once a second, by worker. */
	uint64_t *const *heartbeats;
	/* NULL: there is no cache. */
	void (*cache_numbers)(void *arg, struct cache_numbers *out);
	void *cache_arg;
	struct moment started;
};

/* True if libmicrohttpd is installed. */
bool http_is_available(void);

/* Serves until http_stop(). Returns 0 or -errno (-ELIBACC: libmicrohttpd is not
 * installed). */
int http_start(struct http **out, const struct http_options *o);

/* No longer ready: /readyz says 503, the rest goes on. For the time of draining. */
void http_draining(struct http *h);

void http_stop(struct http *h);

#endif
