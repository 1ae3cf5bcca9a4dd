/* http: /metrics, /healthz and /readyz on a thread of their own (libmicrohttpd). */
#ifndef DOTGATE_ADMIN_HTTP_H
#define DOTGATE_ADMIN_HTTP_H

#include <stdbool.h>

#include "base/address.h"
#include "telemetry/sources.h"

struct http;

struct http_options {
	struct address listen;
	const struct sources *sources; /* what the pages show; outlives the http */
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
