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

struct certwatch {
	unsigned count;
	struct entry entries[CERTWATCH_MAX];
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

static void look_at_all(struct certwatch *w, bool all)
{
	for (unsigned i = 0; i < w->count; i++) {
		struct entry *e = &w->entries[i];
		struct look now;

		look(&now, e->trust);
		if (!all && memcmp(&now, &e->last, sizeof now) == 0)
			continue;
		e->last = now;
		read_again(e);
	}
}

/* Waits until there is something to do. Under the lock. */
static void wait_a_while(struct certwatch *w)
{
	struct timespec until;

	if (w->all || w->ending)
		return;
	if (!w->watches) {
		pthread_cond_wait(&w->wake, &w->lock);
		return;
	}
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += LOOK_S;
	pthread_cond_timedwait(&w->wake, &w->lock, &until);
}

static void *run(void *arg)
{
	struct certwatch *w = arg;

	pthread_mutex_lock(&w->lock);
	for (;;) {
		bool all;

		wait_a_while(w);
		if (w->ending)
			break;
		all = w->all;
		w->all = false;
		pthread_mutex_unlock(&w->lock);
		look_at_all(w, all);
		pthread_mutex_lock(&w->lock);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

struct certwatch *certwatch_new(void)
{
	struct certwatch *w = calloc(1, sizeof *w);
	pthread_condattr_t attr;

	if (!w)
		return NULL;
	pthread_mutex_init(&w->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w->wake, &attr);
	pthread_condattr_destroy(&attr);
	return w;
}

void certwatch_add(struct certwatch *w, const char *what, const char *label,
		   struct tls_peer *peer, const struct tls_trust *trust)
{
	struct entry *e;

	if (!w || !peer || w->count == CERTWATCH_MAX ||
	    (trust->auth != TLS_AUTH_NAME && !has_files(trust)))
		return;
	e = &w->entries[w->count];
	*e = (struct entry){
	    .what = what, .label = strdup(label), .peer = peer, .trust = trust};
	if (!e->label)
		return;
	look(&e->last, trust);
	w->watches |= has_files(trust);
	w->count++;
}

static void start_thread(struct certwatch *w)
{
	if (w->runs || !w->count)
		return;
	w->runs = pthread_create(&w->thread, NULL, run, w) == 0;
	if (!w->runs)
		log_line(
		    LOG_WARNING,
		    "no thread to watch certificate files: restart when they change");
}

void certwatch_start(struct certwatch *w)
{
	if (w && w->watches)
		start_thread(w);
}

static void tell(struct certwatch *w, bool *what)
{
	pthread_mutex_lock(&w->lock);
	*what = true;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
}

void certwatch_read(struct certwatch *w)
{
	if (!w)
		return;
	start_thread(w); /* nobody has needed it before where no files are watched */
	tell(w, &w->all);
}

void certwatch_end(struct certwatch *w)
{
	if (!w)
		return;
	if (w->runs) {
		tell(w, &w->ending);
		pthread_join(w->thread, NULL);
	}
	pthread_cond_destroy(&w->wake);
	pthread_mutex_destroy(&w->lock);
	for (unsigned i = 0; i < w->count; i++)
		free(w->entries[i].label);
	free(w);
}
