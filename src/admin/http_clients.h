/* http_clients: who is connected to the HTTP port, and who gives way when that is too many or too long. */
#ifndef DOTGATE_ADMIN_HTTP_CLIENTS_H
#define DOTGATE_ADMIN_HTTP_CLIENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/address.h"

/* A scraper, a few probes and somebody with a browser need less; more would be abuse. */
#define HTTP_CLIENTS_MAX 32
/* Of them from one address (IPv6: from one /64). */
#define HTTP_CLIENTS_PER_ADDRESS 8
/* Those that give way are closed a moment later: so many more may be there for that long. */
#define HTTP_CLIENTS_SPARE 16
/* A connection carries one request: that has to be whole, and its response taken, in this time. */
#define HTTP_CLIENT_US 10000000u

#define HTTP_CLIENT_KEY_LEN 16

struct http_client {
	int fd; /* negative: the place is free */
	bool leaving;
	uint64_t since_us;
	unsigned char key[HTTP_CLIENT_KEY_LEN]; /* of the address */
};

struct http_clients {
	struct http_client all[HTTP_CLIENTS_MAX + HTTP_CLIENTS_SPARE];
};

void http_clients_init(struct http_clients *t);

/* Notes the connection FD from A. Returns its place, valid until http_clients_remove(); NULL: there is
 * none, and the connection is to be closed. */
struct http_client *http_clients_add(struct http_clients *t, int fd,
				     const struct sockaddr *a, uint64_t now_us);

/* NULL is right. */
void http_clients_remove(struct http_client *k);

/*
 * Who gives way now, one at each call, until NULL: those whose time is over; of an address with more
 * than its part, and when there are too many in all of the address with the most, the oldest. So a
 * newcomer is always served.
 */
struct http_client *http_clients_pick(struct http_clients *t, uint64_t now_us);

/* Milliseconds until somebody is late; -1: nobody is there. */
int http_clients_wait_ms(const struct http_clients *t, uint64_t now_us);

#endif
