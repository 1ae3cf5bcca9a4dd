/* names: a job for each upstream that is to be found, done again and again. */
#include "names.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "addresses_file.h"
#include "base/log.h"
#include "dns/message.h"
#include "dns/records.h"
#include "dns/svcb.h"
#include "lookup.h"

/* Addresses are asked for again after their TTL, but not all the time, nor never. */
#define AGAIN_MIN_S 30
#define AGAIN_MAX_S 3600
/* After a failure: soon, then less and less. */
#define RETRY_MIN_S 1
#define RETRY_MAX_S 30

struct job {
	unsigned upstream;
	int64_t due_s;
	unsigned failures;
	uint8_t name[NAME_MAX_LEN]; /* to be looked up; of discovery: none */
	size_t name_len;
};

struct names {
	struct upstreams *upstreams;
	const struct config *config;
	pthread_t thread;
	struct lookup lookup;
	struct tls_peer *peers[BOOTSTRAP_MAX];
	struct tls_trust trust[BOOTSTRAP_MAX];
	unsigned server_count;
	struct lookup_server servers[BOOTSTRAP_MAX + UPSTREAMS_MAX];
	unsigned job_count;
	struct job jobs[UPSTREAMS_MAX];
};

/* What was found for one job. */
struct found {
	unsigned count;
	struct address all[ADDRESSES_MAX];
	uint32_t ttl;
	uint16_t port;
};

static int64_t now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return t.tv_sec;
}

/* ---- addresses of a name ---- */

static void add_address(struct found *f, unsigned type, const uint8_t *data)
{
	struct address a = {0};

	if (f->count == ADDRESSES_MAX)
		return;
	if (type == TYPE_AAAA) {
		a.v6.sin6_family = AF_INET6;
		a.v6.sin6_port = htons(f->port);
		memcpy(&a.v6.sin6_addr, data, 16);
	} else {
		a.v4.sin_family = AF_INET;
		a.v4.sin_port = htons(f->port);
		memcpy(&a.v4.sin_addr, data, 4);
	}
	f->all[f->count++] = a;
}

static void shorten(struct found *f, uint32_t ttl)
{
	if (ttl < f->ttl)
		f->ttl = ttl;
}

/* Asks S for the addresses of one TYPE. False: it gave no answer at all. */
static bool find_type(struct names *n, const struct lookup_server *s, const uint8_t *name,
		      size_t len, uint16_t type, struct found *f)
{
	const struct question q = {
	    .name = name, .name_len = len, .type = type, .class = CLASS_IN};
	struct records it;
	struct response r;
	struct record x;

	if (!lookup_ask(&n->lookup, s, &q, &r))
		return false;
	it = records_of(&r);
	while (records_next(&it, &x)) {
		shorten(f, x.ttl);
		if (x.type == type && x.class == CLASS_IN &&
		    x.len == (type == TYPE_AAAA ? 16u : 4u))
			add_address(f, type, x.data);
	}
	return true;
}

/* Both kinds, of one server. */
static bool find_addresses(struct names *n, const struct lookup_server *s,
			   const uint8_t *name, size_t len, struct found *f)
{
	if (!find_type(n, s, name, len, TYPE_A, f) ||
	    !find_type(n, s, name, len, TYPE_AAAA, f))
		return false;
	if (f->count == 0)
		snprintf(n->lookup.error, sizeof n->lookup.error, "it has no address");
	return f->count > 0;
}

static bool look_up(struct names *n, const struct job *j, struct found *f)
{
	f->port = n->upstreams->conf[j->upstream]->port;
	for (unsigned i = 0; i < n->server_count; i++) {
		f->count = 0;
		f->ttl = AGAIN_MAX_S;
		if (find_addresses(n, &n->servers[i], j->name, j->name_len, f))
			return true;
	}
	return false;
}

/* ---- designated resolvers (RFC 9462) ---- */

static const uint8_t ddr_name[] = "\4_dns\10resolver\4arpa";

/* The record of the highest priority that names a DNS-over-TLS resolver. */
static bool choose_designated(const struct response *r, struct svcb *best,
			      struct found *f)
{
	struct records it = records_of(r);
	struct record x;
	struct svcb s;

	best->priority = 0;
	while (records_next(&it, &x)) {
		shorten(f, x.ttl);
		if (x.type == TYPE_SVCB && x.class == CLASS_IN && svcb_read(&s, &x) &&
		    s.dot && s.priority &&
		    (!best->priority || s.priority < best->priority))
			*best = s;
	}
	return best->priority > 0;
}

/* Where the designated resolver is: by hints, by its name, or where the question went. */
static void find_designated(struct names *n, const struct lookup_server *plain,
			    const struct svcb *s, struct found *f)
{
	f->port = s->port ? s->port : 853;
	for (unsigned i = 0; i < s->v6_count; i++)
		add_address(f, TYPE_AAAA, s->v6[i]);
	for (unsigned i = 0; i < s->v4_count; i++)
		add_address(f, TYPE_A, s->v4[i]);
	if (f->count == 0 && s->target_len > 1)
		(void)find_addresses(n, plain, s->target, s->target_len, f);
	if (f->count > 0)
		return;
	f->all[f->count++] = *plain->address;
	if (plain->address->any.sa_family == AF_INET6)
		f->all[0].v6.sin6_port = htons(f->port);
	else
		f->all[0].v4.sin_port = htons(f->port);
}

static bool discover(struct names *n, const struct job *j, struct found *f)
{
	const struct question q = {.name = ddr_name,
				   .name_len = sizeof ddr_name,
				   .type = TYPE_SVCB,
				   .class = CLASS_IN};
	const struct lookup_server plain = {
	    .address = &n->upstreams->conf[j->upstream]->addresses[0]};
	char name[NAME_TEXT_MAX];
	struct response r;
	struct svcb s;

	f->ttl = AGAIN_MAX_S;
	if (!lookup_ask(&n->lookup, &plain, &q, &r))
		return false;
	if (!choose_designated(&r, &s, f)) {
		snprintf(n->lookup.error, sizeof n->lookup.error,
			 "it designates no DNS-over-TLS resolver");
		return false;
	}
	find_designated(n, &plain, &s, f);
	name_text(s.target, s.target_len, name);
	name[strlen(name) - 1] = 0; /* the final dot; "." is no name */
	tls_peer_set_sni(n->upstreams->pool[j->upstream].peer, name);
	return true;
}

/* ---- the thread ---- */

static void say(const char *label, const struct found *f)
{
	char text[ADDRESS_TEXT_MAX];

	for (unsigned i = 0; i < f->count; i++)
		log_line(LOG_NOTICE, "upstream %s is at %s", label,
			 address_text(&f->all[i], text));
}

static void do_job(struct names *n, struct job *j)
{
	const char *label = n->upstreams->labels[j->upstream];
	struct addresses *a = &n->upstreams->addresses[j->upstream];
	struct found f = {.ttl = AGAIN_MAX_S};
	bool found = j->name_len ? look_up(n, j, &f) : discover(n, j, &f);
	uint32_t wait;

	if (!found) {
		if (j->failures++ == 0)
			log_line(LOG_WARNING, "upstream %s: no address found: %s", label,
				 n->lookup.error);
		wait = RETRY_MIN_S << (j->failures < 6 ? j->failures - 1 : 5);
		j->due_s = now_s() + (wait < RETRY_MAX_S ? wait : RETRY_MAX_S);
		return;
	}
	j->failures = 0;
	wait = f.ttl < AGAIN_MIN_S   ? AGAIN_MIN_S
	       : f.ttl < AGAIN_MAX_S ? f.ttl
				     : AGAIN_MAX_S;
	/* spread, so that many do not ask at once */
	j->due_s = now_s() + wait + random_below(&n->lookup.random, wait / 10 + 1);
	if (!addresses_set(a, f.all, f.count))
		return;
	say(label, &f);
	if (n->config->addresses_file[0])
		addresses_file_write(n->config->addresses_file, n->upstreams);
}

static int64_t next_due(const struct names *n)
{
	int64_t due = INT64_MAX;

	for (unsigned i = 0; i < n->job_count; i++)
		if (n->jobs[i].due_s < due)
			due = n->jobs[i].due_s;
	return due;
}

static void *run(void *arg)
{
	struct names *n = arg;
	struct pollfd stop = {.fd = n->lookup.stop, .events = POLLIN};

	for (;;) {
		int64_t left = next_due(n) - now_s();

		if (poll(&stop, 1, left > 0 ? (int)left * 1000 : 0) > 0)
			return NULL;
		for (unsigned i = 0; i < n->job_count; i++)
			if (n->jobs[i].due_s <= now_s())
				do_job(n, &n->jobs[i]);
	}
}

/* ---- all ---- */

static bool has_no_address(const struct upstreams *u, unsigned i)
{
	/* a copy (time-grace) shares the addresses of its original */
	return u->pool[i].addresses == &u->addresses[i] &&
	       (u->conf[i]->discover || !u->conf[i]->address_count);
}

static void add_server(struct names *n, const struct upstream_conf *conf,
		       struct tls_peer *peer)
{
	n->servers[n->server_count++] =
	    (struct lookup_server){.address = &conf->addresses[0], .peer = peer};
}

static int add_servers(struct names *n, char *error)
{
	const struct config *c = n->config;
	const struct upstreams *u = n->upstreams;

	for (unsigned i = 0; i < c->bootstrap_count; i++) {
		char detail[TLS_DETAIL_MAX], text[UPSTREAM_TEXT_MAX];

		config_trust(c, &c->bootstrap[i], &n->trust[i]);
		if (!c->bootstrap[i].plain &&
		    tls_peer_new(&n->peers[i], &n->trust[i], detail) < 0) {
			snprintf(error, UPSTREAMS_ERROR_MAX, "bootstrap %s: %s",
				 upstream_text(&c->bootstrap[i], false, text), detail);
			return -EINVAL;
		}
		add_server(n, &c->bootstrap[i], n->peers[i]);
	}
	for (unsigned i = 0; i < u->count && !c->bootstrap_count; i++)
		if (u->conf[i]->address_count && !u->conf[i]->discover &&
		    !u->conf[i]->plain)
			add_server(n, u->conf[i], u->pool[i].peer);
	return 0;
}

static int add_job(struct names *n, unsigned upstream, char *error)
{
	const struct upstream_conf *conf = n->upstreams->conf[upstream];
	struct job *j = &n->jobs[n->job_count++];

	*j = (struct job){.upstream = upstream};
	if (conf->discover)
		return 0;
	j->name_len = name_parse(j->name, conf->name);
	if (n->server_count)
		return 0;
	snprintf(error, UPSTREAMS_ERROR_MAX,
		 "upstream %s: nobody is asked for the address of this name: write "
		 "tls://ADDRESS#%s, add addr=ADDRESS, or name with bootstrap an upstream "
		 "that has "
		 "an address",
		 n->upstreams->labels[upstream], conf->name);
	return -EINVAL;
}

static int make(struct names *n, char *error)
{
	int r = add_servers(n, error);

	for (unsigned i = 0; i < n->upstreams->count && r == 0; i++)
		if (has_no_address(n->upstreams, i))
			r = add_job(n, i, error);
	return r;
}

static int start(struct names *n, char *error)
{
	snprintf(error, UPSTREAMS_ERROR_MAX, "no thread to look up names");
	n->lookup.stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (n->lookup.stop < 0)
		return -errno;
	random_init(&n->lookup.random);
	if (n->config->addresses_file[0])
		addresses_file_read(n->config->addresses_file, n->upstreams);
	return -pthread_create(&n->thread, NULL, run, n);
}

static void release(struct names *n)
{
	if (n->lookup.stop >= 0)
		close(n->lookup.stop);
	for (unsigned i = 0; i < BOOTSTRAP_MAX; i++)
		tls_peer_free(n->peers[i]);
	free(n);
}

/* NULL in *OUT: there is nothing to find. */
static int prepare(struct names **out, struct upstreams *u, const struct config *c,
		   char *error)
{
	struct names *n;
	bool any = false;
	int r;

	*out = NULL;
	for (unsigned i = 0; i < u->count; i++)
		any |= has_no_address(u, i);
	n = any ? calloc(1, sizeof *n) : NULL;
	if (!n)
		return any ? -ENOMEM : 0;
	n->upstreams = u;
	n->config = c;
	n->lookup.stop = -1;
	r = make(n, error);
	if (r < 0)
		release(n);
	else
		*out = n;
	return r;
}

int names_check(struct upstreams *u, const struct config *c,
		char error[UPSTREAMS_ERROR_MAX])
{
	struct names *n;
	int r = prepare(&n, u, c, error);

	if (n)
		release(n);
	return r;
}

int names_begin(struct names **out, struct upstreams *u, const struct config *c,
		char error[UPSTREAMS_ERROR_MAX])
{
	struct names *n;
	int r = prepare(&n, u, c, error);

	*out = NULL;
	if (r < 0 || !n)
		return r;
	r = start(n, error);
	if (r < 0)
		release(n);
	else
		*out = n;
	return r;
}

void names_end(struct names *n)
{
	uint64_t one = 1;

	if (!n)
		return;
	if (write(n->lookup.stop, &one, sizeof one) == sizeof one)
		pthread_join(n->thread, NULL);
	release(n);
}
