/* certwatch: one look at all files, again and again. */
#include "forwarding/certwatch.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/log.h"

#define LOOK_S 5

/* ca-file, ca-dir, cert, key */
#define FILES 4

/* What stat() said of each; zeros for a file that is not there. */
struct look {
	struct stat_part {
		dev_t device;
		ino_t number;
		off_t size;
		struct timespec changed;
	} file[FILES];
};

struct entry {
	const char *what;
	char *label;
	struct tls_peer *peer;
	const struct tls_trust *trust;
	struct look last;
};

struct reload {
	unsigned count;
	struct entry entries[RELOAD_MAX];
	bool runs, watches; /* some have files */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool all, ending;
};

static void look_at(struct stat_part *out, const char *path)
{
	struct stat st;

	if (path && stat(path, &st) == 0)
		*out = (struct stat_part){st.st_dev, st.st_ino, st.st_size, st.st_mtim};
}

static void look(struct look *out, const struct tls_trust *t)
{
	memset(out, 0, sizeof *out);
	look_at(&out->file[0], t->ca_file);
	look_at(&out->file[1], t->ca_dir);
	look_at(&out->file[2], t->cert_file);
	look_at(&out->file[3], t->key_file);
}

static bool has_files(const struct tls_trust *t)
{
	return t->ca_file || t->ca_dir || t->cert_file;
}

static void read_again(const struct entry *e)
{
	char error[TLS_ERROR_MAX];

	if (tls_peer_reload(e->peer, error) < 0)
		log_line(LOG_WARNING, "%s %s: what was read before stays in force: %s",
			 e->what, e->label, error);
	else
		log_line(LOG_NOTICE, "%s %s: certificate files were read again", e->what,
			 e->label);
}

static void look_at_all(struct reload *r, bool all)
{
	for (unsigned i = 0; i < r->count; i++) {
		struct entry *e = &r->entries[i];
		struct look now;

		look(&now, e->trust);
		if (!all && memcmp(&now, &e->last, sizeof now) == 0)
			continue;
		e->last = now;
		read_again(e);
	}
}

/* Waits until there is something to do. Under the lock. */
static void wait_a_while(struct reload *r)
{
	struct timespec until;

	if (r->all || r->ending)
		return;
	if (!r->watches) {
		pthread_cond_wait(&r->wake, &r->lock);
		return;
	}
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += LOOK_S;
	pthread_cond_timedwait(&r->wake, &r->lock, &until);
}

static void *run(void *arg)
{
	struct reload *r = arg;

	pthread_mutex_lock(&r->lock);
	for (;;) {
		bool all;

		wait_a_while(r);
		if (r->ending)
			break;
		all = r->all;
		r->all = false;
		pthread_mutex_unlock(&r->lock);
		look_at_all(r, all);
		pthread_mutex_lock(&r->lock);
	}
	pthread_mutex_unlock(&r->lock);
	return NULL;
}

struct reload *reload_new(void)
{
	struct reload *r = calloc(1, sizeof *r);
	pthread_condattr_t attr;

	if (!r)
		return NULL;
	pthread_mutex_init(&r->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&r->wake, &attr);
	pthread_condattr_destroy(&attr);
	return r;
}

void reload_add(struct reload *r, const char *what, const char *label,
		struct tls_peer *peer, const struct tls_trust *trust)
{
	struct entry *e;

	if (!r || !peer || r->count == RELOAD_MAX ||
	    (trust->auth != TLS_AUTH_NAME && !has_files(trust)))
		return;
	e = &r->entries[r->count];
	*e = (struct entry){
	    .what = what, .label = strdup(label), .peer = peer, .trust = trust};
	if (!e->label)
		return;
	look(&e->last, trust);
	r->watches |= has_files(trust);
	r->count++;
}

static void start_thread(struct reload *r)
{
	if (r->runs || !r->count)
		return;
	r->runs = pthread_create(&r->thread, NULL, run, r) == 0;
	if (!r->runs)
		log_line(
		    LOG_WARNING,
		    "no thread to watch certificate files: restart when they change");
}

void reload_start(struct reload *r)
{
	if (r && r->watches)
		start_thread(r);
}

static void tell(struct reload *r, bool *what)
{
	pthread_mutex_lock(&r->lock);
	*what = true;
	pthread_cond_signal(&r->wake);
	pthread_mutex_unlock(&r->lock);
}

void reload_now(struct reload *r)
{
	if (!r)
		return;
	start_thread(r); /* nobody has needed it before where no files are watched */
	tell(r, &r->all);
}

void reload_end(struct reload *r)
{
	if (!r)
		return;
	if (r->runs) {
		tell(r, &r->ending);
		pthread_join(r->thread, NULL);
	}
	pthread_cond_destroy(&r->wake);
	pthread_mutex_destroy(&r->lock);
	for (unsigned i = 0; i < r->count; i++)
		free(r->entries[i].label);
	free(r);
}
