/* main: from the configuration to running workers, and their end. */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "admin/commands.h"
#include "admin/control.h"
#include "admin/http.h"
#include "admin/state.h"
#include "base/log.h"
#include "base/random.h"
#include "base/version.h"
#include "cache/file.h"
#include "cli/check.h"
#include "cli/control.h"
#include "cli/health.h"
#include "cli/version.h"
#include "conf/options.h"
#include "daemon/cache_persist.h"
#include "daemon/listeners.h"
#include "daemon/preflight.h"
#include "daemon/worker.h"
#include "forwarding/bootstrap.h"
#include "forwarding/certwatch.h"
#include "forwarding/forwarding.h"
#include "os/control_path.h"
#include "os/cpu.h"
#include "os/descriptors.h"

#define EXIT_RUNTIME 1
#define EXIT_USAGE 2

/* The running program. */
struct daemon {
	struct config config;
	unsigned worker_count;
	struct worker *workers[WORKERS_MAX];
	struct metrics *metrics[WORKERS_MAX];
	uint64_t *heartbeats[WORKERS_MAX];
	struct hash_key hash_key;
	struct cache *cache; /* NULL: off */
	struct cache_persist *cache_persist;
	struct certwatch *certwatch;
	struct bootstrap *bootstrap;
	struct domains *domains; /* for the policy shard; else NULL */
	struct control *control;
	char control_path[CONF_PATH_MAX];
	struct commands commands;
	struct forwarding forwarding;
	struct sources sources;
	struct http *http;
};

static int complain(int exit_code, const char *text)
{
	fprintf(stderr, "%s: %s\n", DOTGATE_NAME, text);
	return exit_code;
}

static void say_error(const char *text)
{
	(void)complain(EXIT_USAGE, text);
}

static void say_warning(const char *text)
{
	log_line(LOG_WARNING, "%s", text);
}

/* ---- cache ---- */

static int make_cache(struct daemon *d)
{
	int r = d->config.cache_size ? cache_new(&d->cache, d->config.cache_size) : 0;

	if (r < 0)
		return complain(EXIT_RUNTIME,
				"no memory for the cache: lower cache-size");
	if (d->cache && d->config.cache_file[0])
		d->cache_persist =
		    cache_persist_begin(d->cache, &d->config, &d->hash_key);
	return 0;
}

static void make_hash_key(struct daemon *d)
{
	struct random random;

	random_init(&random);
	d->hash_key = (struct hash_key){random_u64(&random), random_u64(&random)};
}

/* ---- workers ---- */

static int make_workers(struct daemon *d)
{
	struct worker_options o = {.config = &d->config,
				   .share = d->worker_count,
				   .hash_key = &d->hash_key,
				   .forwarding = &d->forwarding,
				   .domains = d->domains,
				   .cache = d->cache};

	for (unsigned i = 0; i < d->worker_count; i++) {
		int r = worker_new(&d->workers[i], &o);

		if (r < 0)
			return complain(EXIT_RUNTIME, strerror(-r));
		d->metrics[i] = worker_metrics(d->workers[i]);
		d->heartbeats[i] = worker_heartbeat(d->workers[i]);
	}
	return 0;
}

static int start_workers(struct daemon *d)
{
	for (unsigned i = 0; i < d->worker_count; i++) {
		int r = worker_start(d->workers[i]);

		if (r < 0)
			return complain(EXIT_RUNTIME, strerror(-r));
	}
	return 0;
}

static void free_workers(struct daemon *d)
{
	for (unsigned i = 0; i < d->worker_count; i++)
		worker_free(d->workers[i]);
}

/* ---- the admin's door ---- */

static void set_sources(struct daemon *d)
{
	d->sources =
	    (struct sources){.worker_count = d->worker_count,
			     .workers = d->metrics,
			     .upstream_count = d->forwarding.count,
			     .upstreams = d->forwarding.labels,
			     .unauthenticated = d->forwarding.unauthenticated,
			     .heartbeats = d->heartbeats,
			     .cache_numbers = d->cache ? commands_cache_numbers : NULL,
			     .cache_arg = d->cache,
			     .started = moment_now()};
}

static int start_http(struct daemon *d)
{
	const struct http_options o = {.listen = d->config.http, .sources = &d->sources};
	char address[ADDRESS_TEXT_MAX];
	int r;

	set_sources(d);
	if (!d->config.http_set)
		return 0;
	r = http_start(&d->http, &o);
	if (r == 0)
		return 0;
	fprintf(stderr, "%s: http %s: %s\n", DOTGATE_NAME,
		address_text(&d->config.http, address), strerror(-r));
	return r == -ENOMEM || r == -EMFILE || r == -EAGAIN ? EXIT_RUNTIME : EXIT_USAGE;
}

static bool make_commands(struct daemon *d)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	d->commands = (struct commands){
	    .cache = d->cache,
	    .sources = &d->sources,
	    .forwarding = &d->forwarding,
	    .config = &d->config,
	    .liveness = liveness_new(&d->sources, (uint64_t)now.tv_sec * 1000000)};
	return d->commands.liveness != NULL;
}

/* Without a place of its own choice the daemon does without; one that was asked for must be
 * there. */
static int start_control(struct daemon *d)
{
	const struct control_options o = {
	    .path = d->control_path, .fn = commands_run, .arg = &d->commands};
	bool asked = d->config.control[0] != 0;
	int r;

	if (!control_path(&d->config, true, d->control_path))
		return 0;
	if (!make_commands(d))
		return complain(EXIT_RUNTIME, "out of memory");
	r = control_start(&d->control, &o);
	if (r == 0)
		return 0;
	if (!asked) {
		log_line(LOG_INFO, "no control socket at %s: %s", d->control_path,
			 r == -EADDRINUSE ? "another dotgate has it" : strerror(-r));
		return 0;
	}
	fprintf(stderr, "%s: control %s: %s\n", DOTGATE_NAME, d->control_path,
		r == -EADDRINUSE ? "another dotgate has it" : strerror(-r));
	return EXIT_USAGE;
}

/* ---- running ---- */

static void block_signals(sigset_t *set)
{
	static const int handled[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1};

	sigemptyset(set);
	for (size_t i = 0; i < sizeof handled / sizeof *handled; i++)
		sigaddset(set, handled[i]);
	pthread_sigmask(SIG_BLOCK, set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static void announce(const struct daemon *d)
{
	char text[ADDRESS_TEXT_MAX];

	for (unsigned i = 0; i < d->config.listen_count; i++)
		log_line(LOG_NOTICE, "listening on %s",
			 address_text(&d->config.listen[i], text));
	for (unsigned i = 0; i < d->forwarding.count; i++)
		log_line(LOG_NOTICE, "forwarding to %s", d->forwarding.labels[i]);
	log_line(LOG_NOTICE, DOTGATE_NAME " " DOTGATE_VERSION " is ready: %u worker%s",
		 d->worker_count, d->worker_count == 1 ? "" : "s");
}

static void drain(struct daemon *d)
{
	for (unsigned i = 0; i < d->worker_count; i++)
		worker_drain(d->workers[i]);
}

static bool have_ended(const struct daemon *d)
{
	for (unsigned i = 0; i < d->worker_count; i++)
		if (!worker_has_ended(d->workers[i]))
			return false;
	return true;
}

/* A second TERM or INT while draining ends the workers at once. */
static void wait_for_workers(struct daemon *d, const sigset_t *set)
{
	const struct timespec step = {.tv_nsec = 10000000};

	while (!have_ended(d)) {
		int sig = sigtimedwait(set, NULL, &step);

		if (sig == SIGTERM || sig == SIGINT)
			drain(d);
	}
	for (unsigned i = 0; i < d->worker_count; i++)
		worker_join(d->workers[i]);
}

static void hang_up(struct daemon *d)
{
	certwatch_read(d->certwatch);
	log_line(LOG_NOTICE,
		 "SIGHUP: certificate files are read again; restart to apply a changed "
		 "configuration");
}

static void wait_for_end(struct daemon *d, const sigset_t *set)
{
	int sig;

	while (sigwait(set, &sig) == 0 && sig != SIGTERM && sig != SIGINT) {
		if (sig == SIGUSR1)
			state_log(&d->sources);
		else
			hang_up(d);
	}
	log_line(LOG_NOTICE, "ending: answering what is in flight");
	if (d->http)
		http_draining(d->http);
	drain(d);
	wait_for_workers(d, set);
}

static void share_descriptors(struct daemon *d)
{
	unsigned plain = forwarding_plain(&d->forwarding);
	const struct descriptor_users users = {.workers = d->worker_count,
					       .listeners = d->config.listen_count,
					       .tls = d->forwarding.count - plain,
					       .plain = plain,
					       .http = d->config.http_set};

	descriptors_fit(&d->config, &users);
}

/* Everything up to the first query. Returns 0 or the exit code. */
static int set_up(struct daemon *d)
{
	char error[FORWARDING_ERROR_MAX];
	int r;

	d->worker_count = d->config.workers ? d->config.workers : cpu_count("");
	if (d->worker_count > WORKERS_MAX)
		d->worker_count = WORKERS_MAX;
	if (!preflight_libraries(&d->config, say_error))
		return EXIT_USAGE;
	/* the daemon can do without: to serve is more than to keep */
	(void)preflight_files(&d->config, say_warning);
	r = forwarding_make(&d->forwarding, &d->config, error);
	if (r < 0)
		return complain(r == -ENOMEM ? EXIT_RUNTIME : EXIT_USAGE, error);
	share_descriptors(d);
	r = bootstrap_begin(&d->bootstrap, &d->forwarding, &d->config, error);
	if (r < 0)
		return complain(r == -EINVAL ? EXIT_USAGE : EXIT_RUNTIME, error);
	if (d->config.policy == POLICY_SHARD && domains_new(&d->domains) < 0)
		return complain(EXIT_RUNTIME, "no memory for policy shard");
	make_hash_key(d);
	if (r == 0)
		r = make_cache(d);
	if (r == 0)
		r = make_workers(d);
	if (r == 0)
		r = listeners_bind(&d->config, d->workers, d->worker_count);
	if (r == 0)
		r = start_http(d);
	if (r == 0)
		r = start_control(d);
	if (r == 0)
		r = start_workers(d);
	return r;
}

static void start_certwatch(struct daemon *d)
{
	struct forwarding *f = &d->forwarding;

	d->certwatch = certwatch_new();
	for (unsigned i = 0; i < f->count; i++)
		certwatch_add(d->certwatch, "upstream", f->labels[i], f->pool[i].peer,
			      &f->trust[i]);
	bootstrap_watch_certs(d->bootstrap, d->certwatch);
	certwatch_start(d->certwatch);
}

static int serve(struct daemon *d)
{
	sigset_t set;
	int r;

	block_signals(&set);
	warnings_each(&d->config.warnings, say_warning);
	r = set_up(d);
	if (r == 0 && log_start() < 0)
		log_line(LOG_WARNING,
			 "no log thread: log lines are written by the workers");
	if (r == 0) {
		announce(d);
		start_certwatch(d);
		wait_for_end(d, &set);
		/* first: whatever holds up the rest must not cost the cache */
		cache_persist_save(d->cache_persist);
		log_line(LOG_NOTICE, "ended");
	}
	certwatch_end(d->certwatch);
	bootstrap_end(d->bootstrap);
	http_stop(d->http);
	control_stop(d->control);
	liveness_free(d->commands.liveness);
	free_workers(d);
	cache_persist_end(d->cache_persist);
	cache_free(d->cache);
	forwarding_free(&d->forwarding);
	domains_free(d->domains);
	log_stop();
	return r;
}

static int dispatch(struct daemon *d, const struct invocation *inv)
{
	switch (inv->command) {
	case COMMAND_HELP:
		options_print_help(stdout);
		return EXIT_SUCCESS;
	case COMMAND_CACHE:
		return cli_control(&d->config, "cache", inv);
	case COMMAND_STATUS:
		return cli_control(&d->config, "status", inv);
	case COMMAND_OPTIONS:
		options_print_all(stdout);
		return EXIT_SUCCESS;
	case COMMAND_VERSION:
		return cli_version(stdout);
	case COMMAND_CHECK:
		return cli_check(&d->config, inv->print);
	case COMMAND_HEALTH:
		return cli_health(&d->config);
	case COMMAND_RUN:
		log_set_level(d->config.log_level);
		return serve(d);
	}
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	struct daemon *d = calloc(1, sizeof *d);
	struct invocation inv = {.command = COMMAND_RUN};
	char error[CONF_ERROR_MAX];
	int r;

	if (!d)
		return complain(EXIT_RUNTIME, "out of memory");
	if (options_read(&d->config, &inv, argc, argv, environ, error) < 0)
		r = complain(EXIT_USAGE, error);
	else
		r = dispatch(d, &inv);
	free(d);
	return r;
}
