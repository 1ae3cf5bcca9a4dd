/* bootstrap: a job for each upstream that is to be found, done again and again. */
#include "forwarding/bootstrap.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "forwarding/address_file.h"
#include "forwarding/address_lookup.h"
#include "forwarding/name_servers.h"

/* Addresses are asked for again after their TTL, but not all the time, nor never. */
#define AGAIN_MIN_S 30
#define AGAIN_MAX_S 3600
/* After a failure: soon, then less and less. */
#define RETRY_MIN_S 1
#define RETRY_MAX_S 30

/* When an upstream can be had at none of its addresses they are asked for again, since it may have
 * moved: so long after they were asked for last, and less and less often while they stay the same. */
#define FAILED_MIN_S 5
#define FAILED_MAX_S 60

struct job {
	unsigned upstream;
	int64_t due_s, asked_s;
	unsigned failures;
	bool is_hurried; /* it is due because the addresses have failed */
	unsigned gap_s;	 /* the next time this has to lie between */
	bool is_discovery;
	uint8_t name[NAME_MAX_LEN]; /* to be looked up; of discovery: its target */
	size_t name_len;
	unsigned server_count;
	uint8_t
	    servers[NAME_SERVERS_MAX]; /* who is asked: that first which knew it last */
};

struct names {
	struct upstreams *upstreams;
	const struct config *config;
	pthread_t thread;
	int alarm; /* eventfd: all addresses of an upstream have failed */
	struct lookup lookup;
	struct name_servers servers;
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

_Static_assert(NAME_SERVERS_MAX <= 64, "look_up() has a bit for each");

static void choose_servers(struct names *n, struct job *j)
{
	j->server_count = name_servers_choose(&n->servers, n->upstreams, j->name,
					      j->name_len, j->servers);
}

/* Asks the server at this place of the job's. */
static bool ask(struct names *n, struct job *j, unsigned place, uint16_t port,
		struct resolved *r)
{
	uint8_t server = j->servers[place];

	if (!resolve_name(&n->lookup, &n->servers.all[server], j->name, j->name_len, port,
			  r))
		return false;
	n->servers.all[server].is_silent = false; /* though it may be about AAAA */
	memmove(j->servers + 1, j->servers, place);
	j->servers[0] = server;
	return true;
}

/* Those that were silent when they were asked last, whoever's address it was about, are asked last:
 * else each upstream's job would wait for them. */
static bool look_up(struct names *n, struct job *j, uint16_t port, struct resolved *r)
{
	uint64_t silent = 0;

	for (unsigned i = 0; i < j->server_count; i++) {
		const struct lookup_server *s = &n->servers.all[j->servers[i]];

		if (j->is_discovery && !s->peer)
			continue; /* in the clear _dns.resolver.arpa is asked for alone */
		if (s->is_silent)
			silent |= UINT64_C(1) << i;
		else if (ask(n, j, i, port, r))
			return true;
	}
	for (unsigned i = 0; i < j->server_count; i++)
		if (silent >> i & 1 && ask(n, j, i, port, r))
			return true;
	return false;
}

/* Where a designated resolver is whose address did not come with its name: who else is asked is
 * asked over TLS. If nobody knows, it may be the plain resolver itself. */
static void look_up_target(struct names *n, struct job *j, struct designated *d)
{
	struct resolved r;

	memcpy(j->name, d->target, d->target_len);
	j->name_len = d->target_len;
	choose_servers(n, j);
	if (d->target_len > 1 && look_up(n, j, d->port, &r)) {
		r.ttl = r.ttl < d->at.ttl ? r.ttl : d->at.ttl;
		d->at = r;
	} else {
		resolve_itself(d, &n->upstreams->conf[j->upstream]->addresses[0]);
	}
}

static bool discover(struct names *n, struct job *j, struct resolved *r)
{
	const struct upstreams *u = n->upstreams;
	struct designated d;

	if (!resolve_designated(&n->lookup, &u->conf[j->upstream]->addresses[0], &d))
		return false;
	if (!d.at.count)
		look_up_target(n, j, &d);
	/* also of a copy (time-grace), which shares the addresses */
	for (unsigned i = 0; i < u->count; i++)
		if (u->pool[i].addresses == &u->addresses[j->upstream])
			tls_peer_set_sni(u->pool[i].peer, d.sni);
	*r = d.at;
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

static void not_found(struct names *n, struct job *j)
{
	uint32_t wait;

	if (j->failures++ == 0)
		log_line(LOG_WARNING, "upstream %s: no address found: %s",
			 n->upstreams->labels[j->upstream], n->lookup.error);
	wait = RETRY_MIN_S << (j->failures < 6 ? j->failures - 1 : 5);
	j->due_s = now_s() + (wait < RETRY_MAX_S ? wait : RETRY_MAX_S);
}

/* Returns true if the addresses are others than before. */
static bool take(struct names *n, struct job *j, const struct resolved *f)
{
	struct addresses *a = &n->upstreams->addresses[j->upstream];
	uint32_t wait = f->ttl < AGAIN_MIN_S   ? AGAIN_MIN_S
			: f->ttl < AGAIN_MAX_S ? f->ttl
					       : AGAIN_MAX_S;

	j->failures = 0;
	/* spread, so that many do not ask at once */
	j->due_s = now_s() + wait + random_below(&n->lookup.random, wait / 10 + 1);
	if (!addresses_set(a, f->all, f->count))
		return false;
	say(n->upstreams->labels[j->upstream], a);
	if (n->config->addresses_file[0])
		addresses_file_write(n->config->addresses_file, n->upstreams);
	return true;
}

static void do_job(struct names *n, struct job *j)
{
	struct resolved f;
	uint16_t port = n->upstreams->conf[j->upstream]->port;
	bool found = j->is_discovery ? discover(n, j, &f) : look_up(n, j, port, &f);

	j->asked_s = now_s();
	if (!found)
		not_found(n, j);
	else if (take(n, j, &f) || !j->is_hurried)
		j->gap_s = FAILED_MIN_S;
	else
		j->gap_s = 2 * j->gap_s < FAILED_MAX_S ? 2 * j->gap_s : FAILED_MAX_S;
	j->is_hurried = false;
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

/* Some upstream can be had at none of its addresses. */
static void hurry(struct names *n)
{
	uint64_t count;

	if (read(n->alarm, &count, sizeof count) < 0)
		return;
	for (unsigned i = 0; i < n->job_count; i++) {
		struct job *j = &n->jobs[i];

		if (addresses_have_failed(&n->upstreams->addresses[j->upstream]) &&
		    j->asked_s + j->gap_s < j->due_s) {
			j->due_s = j->asked_s + j->gap_s;
			j->is_hurried = true;
		}
	}
}

static void *run(void *arg)
{
	struct names *n = arg;
	struct pollfd p[] = {{.fd = n->lookup.stop, .events = POLLIN},
			     {.fd = n->alarm, .events = POLLIN}};

	for (;;) {
		int64_t left = next_due(n) - now_s();
		int ready = poll(p, 2, left > 0 ? (int)left * 1000 : 0);

		if (ready > 0 && p[0].revents)
			return NULL;
		if (ready > 0)
			hurry(n);
		for (unsigned i = 0; i < n->job_count; i++)
			if (n->jobs[i].due_s <= now_s())
				do_job(n, &n->jobs[i]);
	}
}

/* ---- all ---- */

static bool has_no_address(const struct upstreams *u, unsigned i)
{
	return !upstreams_is_copy(u, i) &&
	       (u->conf[i]->discover || !u->conf[i]->address_count);
}

static int add_job(struct names *n, unsigned upstream, char *error)
{
	const struct upstream_conf *conf = n->upstreams->conf[upstream];
	struct job *j = &n->jobs[n->job_count++];

	*j = (struct job){
	    .upstream = upstream, .is_discovery = conf->discover, .gap_s = FAILED_MIN_S};
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
	int r = name_servers_make(&n->servers, n->upstreams, n->config, error);

	for (unsigned i = 0; i < n->upstreams->count && r == 0; i++)
		if (has_no_address(n->upstreams, i))
			r = add_job(n, i, error);
	return r;
}

static int start(struct names *n, char *error)
{
	snprintf(error, UPSTREAMS_ERROR_MAX, "no thread to look up names");
	n->lookup.stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	n->alarm = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (n->lookup.stop < 0 || n->alarm < 0)
		return -errno;
	for (unsigned i = 0; i < n->job_count; i++)
		addresses_watch(&n->upstreams->addresses[n->jobs[i].upstream], n->alarm);
	random_init(&n->lookup.random);
	if (n->config->addresses_file[0])
		addresses_file_read(n->config->addresses_file, n->upstreams);
	return -pthread_create(&n->thread, NULL, run, n);
}

static void release(struct names *n)
{
	for (unsigned i = 0; i < n->job_count; i++)
		addresses_watch(&n->upstreams->addresses[n->jobs[i].upstream], -1);
	if (n->lookup.stop >= 0)
		close(n->lookup.stop);
	if (n->alarm >= 0)
		close(n->alarm);
	name_servers_free(&n->servers);
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
	n->lookup.stop = n->alarm = -1;
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
			   n->servers.peers[i], &n->servers.trust[i]);
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
