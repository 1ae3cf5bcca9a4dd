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
#include "resolve.h"

/* Addresses are asked for again after their TTL, but not all the time, nor never. */
#define AGAIN_MIN_S 30
#define AGAIN_MAX_S 3600
/* After a failure: soon, then less and less. */
#define RETRY_MIN_S 1
#define RETRY_MAX_S 30

#define SERVERS_MAX (BOOTSTRAP_MAX + UPSTREAMS_MAX)

struct job {
	unsigned upstream;
	int64_t due_s;
	unsigned failures;
	uint8_t name[NAME_MAX_LEN]; /* to be looked up; of discovery: none */
	size_t name_len;
	unsigned server_count;
	uint8_t
	    servers[SERVERS_MAX]; /* who is asked: that one first which knew it last */
};

struct names {
	struct upstreams *upstreams;
	const struct config *config;
	pthread_t thread;
	struct lookup lookup;
	struct tls_peer *peers[BOOTSTRAP_MAX];
	struct tls_trust trust[BOOTSTRAP_MAX];
	unsigned server_count;
	struct lookup_server servers[SERVERS_MAX];
	int upstreams_of[SERVERS_MAX]; /* negative: it is a bootstrap */
	unsigned job_count;
	struct job jobs[UPSTREAMS_MAX];
};

static int64_t now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return t.tv_sec;
}

/* ---- one job ---- */

static bool look_up(struct names *n, struct job *j, struct resolved *r)
{
	uint16_t port = n->upstreams->conf[j->upstream]->port;

	for (unsigned i = 0; i < j->server_count; i++) {
		uint8_t server = j->servers[i];

		if (!resolve_name(&n->lookup, &n->servers[server], j->name, j->name_len,
				  port, r))
			continue;
		memmove(j->servers + 1, j->servers, i);
		j->servers[0] = server;
		return true;
	}
	return false;
}

static bool discover(struct names *n, const struct job *j, struct resolved *r)
{
	const struct upstreams *u = n->upstreams;

	if (!resolve_designated(&n->lookup, &u->conf[j->upstream]->addresses[0], r))
		return false;
	/* also of a copy (time-grace), which shares the addresses */
	for (unsigned i = 0; i < u->count; i++)
		if (u->pool[i].addresses == &u->addresses[j->upstream])
			tls_peer_set_sni(u->pool[i].peer, r->sni);
	return true;
}

static void say(const char *label, struct addresses *a)
{
	struct address all[ADDRESSES_MAX];
	unsigned n = addresses_get(a, all);
	char text[ADDRESS_TEXT_MAX];

	for (unsigned i = 0; i < n; i++)
		log_line(LOG_NOTICE, "upstream %s is at %s", label,
			 address_text(&all[i], text));
}

static void do_job(struct names *n, struct job *j)
{
	const char *label = n->upstreams->labels[j->upstream];
	struct addresses *a = &n->upstreams->addresses[j->upstream];
	struct resolved f;
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
	say(label, a);
	if (n->config->addresses_file[0])
		addresses_file_write(n->config->addresses_file, n->upstreams);
}

/* ---- the thread ---- */

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

/* A copy (time-grace) shares the addresses of its original. */
static bool is_copy(const struct upstreams *u, unsigned i)
{
	return u->pool[i].addresses != &u->addresses[i];
}

static bool has_no_address(const struct upstreams *u, unsigned i)
{
	return !is_copy(u, i) && (u->conf[i]->discover || !u->conf[i]->address_count);
}

static void add_server(struct names *n, const struct upstream_conf *conf,
		       struct tls_peer *peer, int upstream)
{
	n->upstreams_of[n->server_count] = upstream;
	n->servers[n->server_count++] = (struct lookup_server){
	    .addresses = conf->addresses, .count = conf->address_count, .peer = peer};
}

/* What is found is only believed of who has the upstream's certificate: so with time-grace the dates
 * of a bootstrap's do not matter while the clock is wrong. */
static int add_bootstrap(struct names *n, unsigned i, char *error)
{
	const struct upstream_conf *conf = &n->config->bootstrap[i];
	char detail[TLS_DETAIL_MAX], text[UPSTREAM_TEXT_MAX];

	config_trust(n->config, conf, &n->trust[i]);
	n->trust[i].time_grace = n->config->time_grace_count > 0;
	if (!conf->plain && tls_peer_new(&n->peers[i], &n->trust[i], detail) < 0) {
		snprintf(error, UPSTREAMS_ERROR_MAX, "bootstrap %s: %s",
			 upstream_text(conf, false, text), detail);
		return -EINVAL;
	}
	add_server(n, conf, n->peers[i], -1);
	return 0;
}

/* That of an upstream, or of its copy for time-grace. */
static struct tls_peer *peer_of(const struct upstreams *u, unsigned i)
{
	struct tls_peer *peer = u->pool[i].peer;

	for (unsigned k = i + 1; k < u->count; k++)
		if (u->pool[k].addresses == &u->addresses[i])
			peer = u->pool[k].peer;
	return peer;
}

static int add_servers(struct names *n, char *error)
{
	const struct upstreams *u = n->upstreams;
	int r = 0;

	for (unsigned i = 0; i < n->config->bootstrap_count && r == 0; i++)
		r = add_bootstrap(n, i, error);
	for (unsigned i = 0; i < u->count && !n->config->bootstrap_count; i++)
		if (!is_copy(u, i) && u->conf[i]->address_count &&
		    !u->conf[i]->discover && !u->conf[i]->plain)
			add_server(n, u->conf[i], peer_of(u, i), (int)i);
	return r;
}

static bool is_of_group(const struct pool_group *g, int upstream)
{
	for (unsigned i = 0; i < g->count; i++)
		if (g->upstream[i] == upstream)
			return true;
	return false;
}

/* A name that is on a route is asked there, if there is somebody to ask. */
static void choose_servers(const struct names *n, struct job *j)
{
	const struct upstreams *u = n->upstreams;
	uint8_t lower[NAME_MAX_LEN];
	const struct route *route;

	name_lower(lower, j->name, j->name_len);
	route = routes_find(&u->routes, lower, j->name_len);
	for (unsigned i = 0; i < n->server_count; i++)
		if (is_of_group(&u->groups[route ? route->group : 0], n->upstreams_of[i]))
			j->servers[j->server_count++] = (uint8_t)i;
	if (j->server_count)
		return;
	while (j->server_count < n->server_count) {
		j->servers[j->server_count] = (uint8_t)j->server_count;
		j->server_count++;
	}
}

static int add_job(struct names *n, unsigned upstream, char *error)
{
	const struct upstream_conf *conf = n->upstreams->conf[upstream];
	struct job *j = &n->jobs[n->job_count++];

	*j = (struct job){.upstream = upstream};
	if (conf->discover)
		return 0;
	j->name_len = name_parse(j->name, conf->name);
	choose_servers(n, j);
	if (j->server_count)
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

void names_reload(struct names *n, struct reload *r)
{
	char text[UPSTREAM_TEXT_MAX];

	for (unsigned i = 0; n && i < n->config->bootstrap_count; i++)
		reload_add(r, "bootstrap",
			   upstream_text(&n->config->bootstrap[i], false, text),
			   n->peers[i], &n->trust[i]);
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
