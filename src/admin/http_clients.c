/* http_clients: a small table, looked through as a whole. */
#include "admin/http_clients.h"

#include <string.h>

#define PLACES (sizeof((struct http_clients *)0)->all / sizeof(struct http_client))

/* Octets of an IPv6 address that tell whose it is: one network has as many of the rest as it likes. */
#define IPV6_PREFIX_LEN 8

void http_clients_init(struct http_clients *t)
{
	for (size_t i = 0; i < PLACES; i++)
		t->all[i].fd = -1;
}

static void make_key(unsigned char key[HTTP_CLIENT_KEY_LEN], const struct sockaddr *a)
{
	memset(key, 0, HTTP_CLIENT_KEY_LEN);
	key[HTTP_CLIENT_KEY_LEN - 1] = a->sa_family == AF_INET6;
	if (a->sa_family == AF_INET6)
		memcpy(key, &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr,
		       IPV6_PREFIX_LEN);
	else if (a->sa_family == AF_INET)
		memcpy(key, &((const struct sockaddr_in *)(const void *)a)->sin_addr,
		       sizeof(struct in_addr));
}

struct http_client *http_clients_add(struct http_clients *t, int fd,
				     const struct sockaddr *a, uint64_t now_us)
{
	for (size_t i = 0; i < PLACES; i++) {
		struct http_client *k = &t->all[i];

		if (k->fd >= 0)
			continue;
		*k = (struct http_client){.fd = fd, .since_us = now_us};
		make_key(k->key, a);
		return k;
	}
	return NULL;
}

void http_clients_remove(struct http_client *k)
{
	if (k)
		k->fd = -1;
}

static bool stays(const struct http_client *k)
{
	return k->fd >= 0 && !k->leaving;
}

/* How many stay of the address of K. */
static unsigned count_of(const struct http_clients *t, const struct http_client *k)
{
	unsigned n = 0;

	for (size_t i = 0; i < PLACES; i++)
		n += stays(&t->all[i]) &&
		     memcmp(t->all[i].key, k->key, sizeof k->key) == 0;
	return n;
}

struct http_client *http_clients_pick(struct http_clients *t, uint64_t now_us)
{
	struct http_client *oldest = NULL;
	unsigned total = 0, most = 0;

	for (size_t i = 0; i < PLACES; i++) {
		struct http_client *k = &t->all[i];
		unsigned n;

		if (!stays(k))
			continue;
		total++;
		n = count_of(t, k);
		if (now_us - k->since_us >= HTTP_CLIENT_US) {
			k->leaving = true;
			return k;
		}
		if (n < most || (n == most && oldest->since_us <= k->since_us))
			continue;
		most = n;
		oldest = k;
	}
	if (total <= HTTP_CLIENTS_MAX && most <= HTTP_CLIENTS_PER_ADDRESS)
		return NULL;
	oldest->leaving = true;
	return oldest;
}

int http_clients_wait_ms(const struct http_clients *t, uint64_t now_us)
{
	int ms = -1;

	for (size_t i = 0; i < PLACES; i++) {
		const struct http_client *k = &t->all[i];
		uint64_t past = now_us - k->since_us;
		int left;

		if (!stays(k))
			continue;
		left =
		    past < HTTP_CLIENT_US ? (int)((HTTP_CLIENT_US - past) / 1000) + 1 : 0;
		if (ms < 0 || left < ms)
			ms = left;
	}
	return ms;
}
