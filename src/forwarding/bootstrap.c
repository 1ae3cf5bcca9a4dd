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
#include "forwarding/ddr.h"
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

struct bootstrap {
	struct forwarding *forwarding;
	const struct config *config;
	pthread_t thread;
	int alarm; /* eventfd: all addresses of an upstream have failed */
	struct stub stub;
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

static void choose_servers(struct bootstrap *b, struct job *j)
{
	j->server_count = name_servers_choose(&b->servers, b->forwarding, j->name,
					      j->name_len, j->servers);
}

/* Asks the server at this place of the job's. */
static bool ask(struct bootstrap *b, struct job *j, unsigned place, uint16_t port,
		struct address_lookup *r)
{
	uint8_t server = j->servers[place];

	if (!address_lookup_ask(&b->stub, &b->servers.all[server], j->name, j->name_len,
				port, r))
		return false;
	b->servers.all[server].is_silent = false; /* though it may be about AAAA */
	memmove(j->servers + 1, j->servers, place);
	j->servers[0] = server;
	return true;
}

/* Those that were silent when they were asked last, whoever's address it was about, are asked last:
 * else each upstream's job would wait for them. */
static bool look_up(struct bootstrap *b, struct job *j, uint16_t port,
		    struct address_lookup *r)
{
	uint64_t silent = 0;

	for (unsigned i = 0; i < j->server_count; i++) {
		const struct stub_server *s = &b->servers.all[j->servers[i]];

		if (j->is_discovery && !s->peer)
			continue; /* in the clear _dns.resolver.arpa is asked for alone */
		if (s->is_silent)
			silent |= UINT64_C(1) << i;
		else if (ask(b, j, i, port, r))
			return true;
	}
	for (unsigned i = 0; i < j->server_count; i++)
		if (silent >> i & 1 && ask(b, j, i, port, r))
			return true;
	return false;
}

/* Where a designated resolver is whose address did not come with its name: who else is asked is
 * asked over TLS. If nobody knows, it may be the plain resolver itself. */
static void look_up_target(struct bootstrap *b, struct job *j, struct ddr *d)
{
	struct address_lookup r;

	memcpy(j->name, d->target, d->target_len);
	j->name_len = d->target_len;
	choose_servers(b, j);
	if (d->target_len > 1 && look_up(b, j, d->port, &r)) {
		r.ttl = r.ttl < d->at.ttl ? r.ttl : d->at.ttl;
		d->at = r;
	} else {
		ddr_itself(d, &b->forwarding->conf[j->upstream]->addresses[0]);
	}
}

static bool discover(struct bootstrap *b, struct job *j, struct address_lookup *r)
{
	const struct forwarding *f = b->forwarding;
	struct ddr d;

	if (!ddr_ask(&b->stub, &f->conf[j->upstream]->addresses[0], &d))
		return false;
	if (!d.at.count)
		look_up_target(b, j, &d);
	/* also of a copy (time-grace), which shares the addresses */
	for (unsigned i = 0; i < f->count; i++)
		if (f->pool[i].addresses == &f->addresses[j->upstream])
			tls_peer_set_sni(f->pool[i].peer, d.sni);
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

static void not_found(struct bootstrap *b, struct job *j)
{
	uint32_t wait;

	if (j->failures++ == 0)
		log_line(LOG_WARNING, "upstream %s: no address found: %s",
			 b->forwarding->labels[j->upstream], b->stub.error);
	wait = RETRY_MIN_S << (j->failures < 6 ? j->failures - 1 : 5);
	j->due_s = now_s() + (wait < RETRY_MAX_S ? wait : RETRY_MAX_S);
}

/* Returns true if the addresses are others than before. */
static bool take(struct bootstrap *b, struct job *j, const struct address_lookup *f)
{
	struct addresses *a = &b->forwarding->addresses[j->upstream];
	uint32_t wait = f->ttl < AGAIN_MIN_S   ? AGAIN_MIN_S
			: f->ttl < AGAIN_MAX_S ? f->ttl
					       : AGAIN_MAX_S;

	j->failures = 0;
	/* spread, so that many do not ask at once */
	j->due_s = now_s() + wait + random_below(&b->stub.random, wait / 10 + 1);
	if (!addresses_set(a, f->all, f->count))
		return false;
	say(b->forwarding->labels[j->upstream], a);
	if (b->config->addresses_file[0])
		address_file_write(b->config->addresses_file, b->forwarding);
	return true;
}

static void do_job(struct bootstrap *b, struct job *j)
{
	struct address_lookup f;
	uint16_t port = b->forwarding->conf[j->upstream]->port;
	bool found = j->is_discovery ? discover(b, j, &f) : look_up(b, j, port, &f);

	j->asked_s = now_s();
	if (!found)
		not_found(b, j);
	else if (take(b, j, &f) || !j->is_hurried)
		j->gap_s = FAILED_MIN_S;
	else
		j->gap_s = 2 * j->gap_s < FAILED_MAX_S ? 2 * j->gap_s : FAILED_MAX_S;
	j->is_hurried = false;
}

/* ---- the thread ---- */

static int64_t next_due(const struct bootstrap *b)
{
	int64_t due = INT64_MAX;

	for (unsigned i = 0; i < b->job_count; i++)
		if (b->jobs[i].due_s < due)
			due = b->jobs[i].due_s;
	return due;
}

/* Some upstream can be had at none of its addresses. */
static void hurry(struct bootstrap *b)
{
	uint64_t count;

	if (read(b->alarm, &count, sizeof count) < 0)
		return;
	for (unsigned i = 0; i < b->job_count; i++) {
		struct job *j = &b->jobs[i];

		if (addresses_have_failed(&b->forwarding->addresses[j->upstream]) &&
		    j->asked_s + j->gap_s < j->due_s) {
			j->due_s = j->asked_s + j->gap_s;
			j->is_hurried = true;
		}
	}
}

static void *run(void *arg)
{
	struct bootstrap *b = arg;
	struct pollfd p[] = {{.fd = b->stub.stop, .events = POLLIN},
			     {.fd = b->alarm, .events = POLLIN}};

	for (;;) {
		int64_t left = next_due(b) - now_s();
		int ready = poll(p, 2, left > 0 ? (int)left * 1000 : 0);

		if (ready > 0 && p[0].revents)
			return NULL;
		if (ready > 0)
			hurry(b);
		for (unsigned i = 0; i < b->job_count; i++)
			if (b->jobs[i].due_s <= now_s())
				do_job(b, &b->jobs[i]);
	}
}

/* ---- all ---- */

static bool has_no_address(const struct forwarding *f, unsigned i)
{
	return !forwarding_is_copy(f, i) &&
	       (f->conf[i]->discover || !f->conf[i]->address_count);
}

static int add_job(struct bootstrap *b, unsigned upstream, char *error)
{
	const struct upstream_conf *conf = b->forwarding->conf[upstream];
	struct job *j = &b->jobs[b->job_count++];

	*j = (struct job){
	    .upstream = upstream, .is_discovery = conf->discover, .gap_s = FAILED_MIN_S};
	if (conf->discover)
		return 0;
	j->name_len = name_parse(j->name, conf->name);
	choose_servers(b, j);
	if (j->server_count)
		return 0;
	snprintf(error, FORWARDING_ERROR_MAX,
		 "upstream %s: nobody is asked for the address of this name: write "
		 "tls://ADDRESS#%s, add addr=ADDRESS, or name with bootstrap an upstream "
		 "that has "
		 "an address",
		 b->forwarding->labels[upstream], conf->name);
	return -EINVAL;
}

static int make(struct bootstrap *b, char *error)
{
	int r = name_servers_make(&b->servers, b->forwarding, b->config, error);

	for (unsigned i = 0; i < b->forwarding->count && r == 0; i++)
		if (has_no_address(b->forwarding, i))
			r = add_job(b, i, error);
	return r;
}

static int start(struct bootstrap *b, char *error)
{
	snprintf(error, FORWARDING_ERROR_MAX, "no thread to look up names");
	b->stub.stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	b->alarm = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (b->stub.stop < 0 || b->alarm < 0)
		return -errno;
	for (unsigned i = 0; i < b->job_count; i++)
		addresses_watch(&b->forwarding->addresses[b->jobs[i].upstream], b->alarm);
	random_init(&b->stub.random);
	if (b->config->addresses_file[0])
		address_file_read(b->config->addresses_file, b->forwarding);
	return -pthread_create(&b->thread, NULL, run, b);
}

static void release(struct bootstrap *b)
{
	for (unsigned i = 0; i < b->job_count; i++)
		addresses_watch(&b->forwarding->addresses[b->jobs[i].upstream], -1);
	if (b->stub.stop >= 0)
		close(b->stub.stop);
	if (b->alarm >= 0)
		close(b->alarm);
	name_servers_free(&b->servers);
	free(b);
}

/* NULL in *OUT: there is nothing to find. */
static int prepare(struct bootstrap **out, struct forwarding *f, const struct config *c,
		   char *error)
{
	struct bootstrap *b;
	bool any = false;
	int r;

	*out = NULL;
	for (unsigned i = 0; i < f->count; i++)
		any |= has_no_address(f, i);
	b = any ? calloc(1, sizeof *b) : NULL;
	if (!b)
		return any ? -ENOMEM : 0;
	b->forwarding = f;
	b->config = c;
	b->stub.stop = b->alarm = -1;
	r = make(b, error);
	if (r < 0)
		release(b);
	else
		*out = b;
	return r;
}

int bootstrap_check(struct forwarding *f, const struct config *c,
		    char error[FORWARDING_ERROR_MAX])
{
	struct bootstrap *b;
	int r = prepare(&b, f, c, error);

	if (b)
		release(b);
	return r;
}

int bootstrap_begin(struct bootstrap **out, struct forwarding *f, const struct config *c,
		    char error[FORWARDING_ERROR_MAX])
{
	struct bootstrap *b;
	int r = prepare(&b, f, c, error);

	*out = NULL;
	if (r < 0 || !b)
		return r;
	r = start(b, error);
	if (r < 0)
		release(b);
	else
		*out = b;
	return r;
}

void bootstrap_watch_certs(struct bootstrap *b, struct certwatch *w)
{
	char text[UPSTREAM_TEXT_MAX];

	for (unsigned i = 0; b && i < b->config->bootstrap_count; i++)
		certwatch_add(w, "bootstrap",
			      upstream_text(&b->config->bootstrap[i], false, text),
			      b->servers.peers[i], &b->servers.trust[i]);
}

void bootstrap_end(struct bootstrap *b)
{
	uint64_t one = 1;

	if (!b)
		return;
	if (write(b->stub.stop, &one, sizeof one) == sizeof one)
		pthread_join(b->thread, NULL);
	release(b);
}
