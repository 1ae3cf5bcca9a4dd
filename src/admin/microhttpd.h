/* microhttpd: libmicrohttpd, opened at run time. */
#ifndef DOTGATE_ADMIN_MICROHTTPD_H
#define DOTGATE_ADMIN_MICROHTTPD_H

#include <microhttpd.h>

/*
 * The functions that are used. The library is not linked, because it brings GnuTLS into
 * the process: memory and start-up time that a dotgate without `http` shall not pay
 * (docs/dependencies.md).
 */
#define MICROHTTPD_FUNCTIONS(X)                                                          \
	X(MHD_start_daemon)                                                              \
	X(MHD_run)                                                                       \
	X(MHD_get_timeout)                                                               \
	X(MHD_get_daemon_info)                                                           \
	X(MHD_get_connection_info)                                                       \
	X(MHD_stop_daemon)                                                               \
	X(MHD_create_response_from_buffer)                                               \
	X(MHD_add_response_header)                                                       \
	X(MHD_queue_response)                                                            \
	X(MHD_destroy_response)

struct microhttpd {
/* NOLINTNEXTLINE(bugprone-macro-parentheses): it is a member's name */
#define X(name) __typeof__(name) *name;
	MICROHTTPD_FUNCTIONS(X)
#undef X
};

/* Opens the library, for the rest of the process's life. Returns 0 or -ELIBACC. */
int microhttpd_open(struct microhttpd *m);

#endif
