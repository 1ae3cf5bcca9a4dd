/* random: random worlds, each made by its seed: any number of them, or one again. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "memory.h"
#include "random.h"

static const char usage[] =
    "random [-v] [-m CLASS,...] SEED             makes one world, and tells of it (-v)\n"
    "random [-j JOBS] [-m CLASS,...] -n COUNT [-s SEED]    so many, from SEED (1) on\n"
    "random [-j JOBS] [-m CLASS,...] -t SECONDS [-s SEED]  as many as there is time for\n"
    "  -k        goes on after a failure\n"
    "  -m CLASS  leaves out faults of these classes (the word before the colon)\n";

#define JOBS_MAX 64

/* Seconds of CPU time that a step may take; with sanitizers on a slow machine, too. */
#define STEP_SECONDS 20

/* How a world ends that broke a rule. */
#define EXIT_FAULT 3

/* What parent and children share. */
static struct shared {
	atomic_ulong next, worlds, steps;
	struct job {
		pid_t pid;
		unsigned long seed;
		atomic_ulong step;
	} jobs[JOBS_MAX];
} * shared;

static struct {
	const char *program;
	const char *muted;
	bool verbose, goes_on;
	unsigned jobs;
	unsigned long first, count;
	double seconds;
} options = {.muted = "", .jobs = 1, .first = 1};

static struct job *job; /* this process's own */

/* ---- the report ---- */

/* The time of the world, from its start; of the last one, if it has gone. */
static double world_seconds(void)
{
	static uint64_t last = 1000 * WORLD_S;

	if (world_exists())
		last = world_now();
	return (double)(last - 1000 * WORLD_S) / (double)WORLD_S;
}

static bool is_muted(const char *class)
{
	size_t n = strlen(class);

	for (const char *at = options.muted; *at; at += *at == ',') {
		if (strncmp(at, class, n) == 0 && (at[n] == ',' || !at[n]))
			return true;
		at += strcspn(at, ",");
	}
	return false;
}

void fault(const char *class, const char *format, ...)
{
	char text[256];
	va_list args;

	if (is_muted(class))
		return;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	printf("random: seed %lu, step %lu, at %.6f s: %s: %s\n", job->seed,
	       atomic_load(&job->step), world_seconds(), class, text);
	fflush(stdout);
	_exit(EXIT_FAULT);
}

void trace(const char *format, ...)
{
	va_list args;

	if (!options.verbose)
		return;
	printf("%10.6f ", world_seconds());
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
}

/* A step that does not end is a fault, too. */
static void on_tick(int number)
{
	static unsigned long last_step;
	static unsigned ticks;
	static const char text[] = "random: a step does not end\n";

	(void)number;
	ticks = atomic_load(&job->step) == last_step ? ticks + 1 : 0;
	last_step = atomic_load(&job->step);
	if (ticks < STEP_SECONDS)
		return;
	(void)!write(STDERR_FILENO, text, sizeof text - 1);
	abort();
}

static void watch_steps(void)
{
	const struct itimerval second = {.it_interval = {.tv_sec = 1},
					 .it_value = {.tv_sec = 1}};

	signal(SIGVTALRM, on_tick);
	setitimer(ITIMER_VIRTUAL, &second, NULL);
}

/* ---- one world ---- */

static void step_done(void)
{
	atomic_fetch_add(&job->step, 1);
	invariants_check();
}

static void run(uint64_t us)
{
	for (uint64_t t = 0; t < us; t += 100 * WORLD_MS) {
		world_run(100 * WORLD_MS);
		world_look_for_addresses();
		step_done();
	}
}

static unsigned ask_each_group(const char *prefix, unsigned n)
{
	unsigned groups = temper.plan.group_count ? temper.plan.group_count : 1;
	unsigned first = world_ask_count();
	char name[48], tail[16] = "example";

	for (unsigned i = 0; i < n * groups; i++) {
		if (i % groups)
			snprintf(tail, sizeof tail, "g%u", i % groups);
		else
			strcpy(tail, "example");
		snprintf(name, sizeof name, "%s%u.%s", prefix, i, tail);
		(void)client_ask_for(name);
		world_settle();
	}
	return first;
}

/* All is well but for one upstream, which answers with errors, or cannot be reached: it has others beside
 * it that do better. Or none knows EDNS. */
static unsigned spoilt = UPSTREAMS;

static void spoil_one(void)
{
	unsigned i = chance_below(temper.plan.upstreams);

	spoilt = UPSTREAMS;
	if (chance_percent(50))
		return;
	if (chance_percent(30)) {
		for (unsigned k = 0; k < temper.plan.upstreams; k++)
			moods[k].knows_no_edns = true;
		trace("no upstream knows EDNS");
		return;
	}
	spoilt = i;
	if (chance_percent(40)) {
		step_cut_off(i);
		return;
	}
	moods[i].error = 100;
	moods[i].bare = chance_percent(50) ? 100 : 0;
	trace("upstream %u answers with errors", i);
}

/* True if the group of the Nth query of ask_each_group() has no other upstream, or one may not be
 * asked instead. */
static bool is_spoilt(unsigned n)
{
	const struct world_plan *p = &temper.plan;
	const struct pool_group *g = &p->groups[p->group_count ? n % p->group_count : 0];
	bool is_member = !p->group_count;

	for (unsigned i = 0; i < g->count; i++)
		is_member |= g->upstream[i] == spoilt;
	return spoilt < UPSTREAMS && is_member &&
	       ((p->group_count ? g->count : p->upstreams) < 2 ||
		(p->policy == POLICY_SHARD && moods[spoilt].error));
}

/* All faults are lifted: who waits is answered, and then everybody at once. Answers that are just
 * lost are another matter: they are asked for again as far as there is credit for it. */
static void recover(void)
{
	unsigned late, first, last;

	server_lose_nothing();
	late = ask_each_group("late", 3);
	last = world_ask_count();
	trace("all faults are lifted");
	step_heal();
	run(4 * WORLD_S);
	for (unsigned i = late; i < last; i++)
		if (!world_told(i)->answers)
			fault("limbo",
			      "client %u still waits, with nothing wrong for 4 s", i);
	run(4 * WORLD_S);
	invariants_well();
	spoil_one();
	first = ask_each_group("well", 3);
	last = world_ask_count();
	run(2 * WORLD_S); /* a connection may be dead, and nobody has known it */
	for (unsigned i = first; i < last; i++)
		if (!client_is_good(i) && !is_spoilt(i - first))
			fault("unwell", "client %u, with nothing wrong for 8 s, %s", i,
			      world_told(i)->answers ? world_told(i)->text : "waits");
}

static void tell_plan(void)
{
	static const char *const policies[] = {
	    "fastest", "ordered", "round-robin", "random", "weighted", "race", "shard"};
	const struct world_plan *p = &temper.plan;

	trace("%u upstreams (plain: %#x) in %u groups, policy %s, race %u, hedge %u, "
	      "warm %d, cached %d, early %d, %u steps",
	      p->upstreams, p->plain, p->group_count, policies[p->policy], p->race,
	      p->hedge, p->keep_warm_us > 0, p->cached, p->early_data, temper.steps);
}

static void live(void)
{
	world_make(&temper.plan);
	tell_plan();
	if (options.verbose)
		log_set_level(LOG_DEBUG);
	world_on_query(server_receive);
	world_on_round(invariants_look);
	world_on_told(invariants_told);
	world_warm();
	for (unsigned i = 0; i < temper.steps; i++) {
		step_once();
		step_done();
	}
	if (temper.heals)
		recover();
}

static void end(void)
{
	world_on_told(NULL);
	world_abort();
	invariants_check();
	if (world_inflight())
		fault("abort", "%u flights outlive their end", world_inflight());
	client_end();
	(void)world_seconds();
	world_end();
	invariants_end();
	client_forget();
	world_free();
}

static void make_world(unsigned long seed)
{
	size_t before = memory_pieces();

	job->seed = seed;
	atomic_store(&job->step, 0);
	chance_seed(seed);
	server_forget();
	step_forget();
	invariants_forget();
	plan_world();
	live();
	end();
	if (memory_pieces() != before)
		fault("leak", "%zu pieces of memory are left", memory_pieces() - before);
	atomic_fetch_add(&shared->worlds, 1);
	atomic_fetch_add(&shared->steps, atomic_load(&job->step));
}

/* ---- many ---- */

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double deadline;

/* Makes worlds until there are enough, in a process of its own. */
static void work(unsigned number)
{
	pid_t pid = fork();

	if (pid < 0) {
		perror("random: fork");
		exit(1);
	}
	if (pid > 0) {
		shared->jobs[number].pid = pid;
		return;
	}
	job = &shared->jobs[number];
	watch_steps();
	while (deadline <= 0 || now() < deadline) {
		unsigned long seed = atomic_fetch_add(&shared->next, 1);

		if (options.count && seed >= options.first + options.count)
			break;
		make_world(seed);
	}
	fflush(stdout);
	_exit(0);
}

/* The job whose process PID was, which has ended with STATUS. Returns true if that was a failure. */
static bool has_failed(struct job *j, int status)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return false;
	if (WIFSIGNALED(status))
		printf("random: seed %lu, step %lu: crash: %s\n", j->seed,
		       atomic_load(&j->step), strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status) != EXIT_FAULT)
		printf("random: seed %lu, step %lu: crash: exit %d\n", j->seed,
		       atomic_load(&j->step), WEXITSTATUS(status));
	printf("    again: %s -v %lu\n", options.program, j->seed);
	fflush(stdout);
	return true;
}

static struct job *job_of(pid_t pid)
{
	struct job *j = shared->jobs;

	while (j->pid != pid)
		j++;
	return j;
}

static unsigned supervise(void)
{
	unsigned failures = 0;
	int status;
	pid_t pid;

	for (unsigned i = 0; i < options.jobs; i++)
		work(i);
	while ((pid = wait(&status)) > 0 || errno == EINTR) {
		struct job *j;

		if (pid < 0)
			continue;
		j = job_of(pid);
		if (!has_failed(j, status))
			continue;
		failures++;
		if (options.goes_on)
			work((unsigned)(j - shared->jobs));
		else
			options.count = 1, atomic_store(&shared->next, ULONG_MAX / 2);
	}
	return failures;
}

static int make_many(void)
{
	double start = now(), took;
	unsigned failures;

	atomic_store(&shared->next, options.first);
	deadline = options.seconds > 0 ? start + options.seconds : 0;
	failures = supervise();
	took = now() - start;
	printf("random worlds: %lu steps in %.1f s, %.0f a second; %u failures\n",
	       atomic_load(&shared->steps), took,
	       (double)atomic_load(&shared->steps) / took, failures);
	printf("random worlds: %lu inputs\n", atomic_load(&shared->worlds));
	return failures ? 1 : 0;
}

static int make_one(const char *seed)
{
	job = &shared->jobs[0];
	watch_steps();
	setvbuf(stdout, NULL, _IOLBF, 0);
	make_world(strtoul(seed, NULL, 10));
	printf("random: seed %s: %lu steps, no fault\n", seed,
	       atomic_load(&shared->steps));
	return 0;
}

static void read_options(int argc, char **argv)
{
	int c;

	options.program = argv[0];
	while ((c = getopt(argc, argv, "vkj:n:s:t:m:")) > 0)
		switch (c) {
		case 'v':
			options.verbose = true;
			break;
		case 'k':
			options.goes_on = true;
			break;
		case 'j':
			options.jobs = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'n':
			options.count = strtoul(optarg, NULL, 10);
			break;
		case 's':
			options.first = strtoul(optarg, NULL, 10);
			break;
		case 't':
			options.seconds = strtod(optarg, NULL);
			break;
		case 'm':
			options.muted = optarg;
			break;
		default:
			fputs(usage, stderr);
			exit(2);
		}
}

int main(int argc, char **argv)
{
	read_options(argc, argv);
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED || !options.jobs || options.jobs > JOBS_MAX ||
	    (optind == argc) != (options.count || options.seconds > 0)) {
		fputs(usage, stderr);
		return 2;
	}
	return optind < argc ? make_one(argv[optind]) : make_many();
}
