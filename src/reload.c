/* reload: one look at all files, again and again. */
#include "reload.h"

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

struct reload {
	struct upstreams *upstreams;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool all, ending;
	struct look last[UPSTREAMS_MAX];
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

static bool has_files(const struct upstreams *u, unsigned i)
{
	const struct tls_trust *t = &u->trust[i];

	return u->pool[i].peer && (t->ca_file || t->ca_dir || t->cert_file);
}

static void read_again(struct upstreams *u, unsigned i)
{
	char error[TLS_ERROR_MAX];

	if (tls_peer_reload(u->pool[i].peer, error) < 0)
		log_line(LOG_WARNING,
			 "upstream %s: what was read before stays in force: %s",
			 u->labels[i], error);
	else
		log_line(LOG_NOTICE, "upstream %s: certificate files were read again",
			 u->labels[i]);
}

static void look_at_all(struct reload *r, bool all)
{
	for (unsigned i = 0; i < r->upstreams->count; i++) {
		struct look now;

		if (!has_files(r->upstreams, i))
			continue;
		look(&now, &r->upstreams->trust[i]);
		if (!all && memcmp(&now, &r->last[i], sizeof now) == 0)
			continue;
		r->last[i] = now;
		read_again(r->upstreams, i);
	}
}

static void *run(void *arg)
{
	struct reload *r = arg;

	pthread_mutex_lock(&r->lock);
	while (!r->ending) {
		struct timespec until;
		bool all;

		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += LOOK_S;
		if (!r->all)
			pthread_cond_timedwait(&r->wake, &r->lock, &until);
		all = r->all;
		r->all = false;
		if (r->ending)
			break;
		pthread_mutex_unlock(&r->lock);
		look_at_all(r, all);
		pthread_mutex_lock(&r->lock);
	}
	pthread_mutex_unlock(&r->lock);
	return NULL;
}

static bool any_files(const struct upstreams *u)
{
	for (unsigned i = 0; i < u->count; i++)
		if (has_files(u, i))
			return true;
	return false;
}

struct reload *reload_begin(struct upstreams *u)
{
	struct reload *r = any_files(u) ? calloc(1, sizeof *r) : NULL;
	pthread_condattr_t attr;

	if (!r)
		return NULL;
	r->upstreams = u;
	for (unsigned i = 0; i < u->count; i++)
		look(&r->last[i], &u->trust[i]);
	pthread_mutex_init(&r->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&r->wake, &attr);
	pthread_condattr_destroy(&attr);
	if (pthread_create(&r->thread, NULL, run, r) == 0)
		return r;
	log_line(LOG_WARNING,
		 "no thread to watch certificate files: restart when they change");
	free(r);
	return NULL;
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
	if (r)
		tell(r, &r->all);
}

void reload_end(struct reload *r)
{
	if (!r)
		return;
	tell(r, &r->ending);
	pthread_join(r->thread, NULL);
	pthread_cond_destroy(&r->wake);
	pthread_mutex_destroy(&r->lock);
	free(r);
}
