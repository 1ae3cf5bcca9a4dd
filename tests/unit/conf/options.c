/* options: what is given where, and which place goes over which. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/options.h"

#define ARGS_MAX 200

static struct config config;
static struct invocation invocation;
static char error[CONF_ERROR_MAX];

/* Reads a command line and an environment, both ended by NULL. */
static int read_args(const char *const *args, const char *const *variables)
{
	char *argv[ARGS_MAX] = {strdup("dotgate")};
	char *environ_[8] = {NULL};
	int argc = 1;
	int n = 0;
	int result;

	while (args[argc - 1]) {
		argv[argc] = strdup(args[argc - 1]);
		argc++;
	}
	for (; variables && variables[n]; n++)
		environ_[n] = strdup(variables[n]);
	memset(&config, 0, sizeof config);
	error[0] = 0;
	result = options_read(&config, &invocation, argc, argv, environ_, error);
	while (argc > 0)
		free(argv[--argc]);
	while (n > 0)
		free(environ_[--n]);
	return result;
}

#define ARGS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define READ(...) read_args(ARGS("-c", "/dev/null", __VA_ARGS__), NULL)
#define READ_ENV(variables, ...)                                                         \
	read_args(ARGS("-c", "/dev/null", __VA_ARGS__), variables)

static void check_error(int result, const char *says)
{
	assert_int_equal(result, -EINVAL);
	if (strcmp(error, says) != 0)
		fail_msg("'%s' is not '%s'", error, says);
}

/* The whole configuration as text. */
static const char *printed(void)
{
	static char text[65536];
	FILE *out = fmemopen(text, sizeof text, "w");

	options_print_config(out, &config);
	fclose(out);
	return text;
}

static void check_printed(const char *line)
{
	if (!strstr(printed(), line))
		fail_msg("no '%s' in '%s'", line, printed());
}

#define DEFAULTS_REST                                                                    \
	"tls-min                  1.2\n"                                                 \
	"workers                  auto\n"                                                \
	"http                     off\n"                                                 \
	"log-level                notice\n"                                              \
	"query-timeout            5s\n"                                                  \
	"tcp-idle-timeout         30s\n"                                                 \
	"tcp-clients              16384\n"                                               \
	"tcp-clients-per-address  half\n"                                                \
	"upstream-idle-timeout    10s\n"                                                 \
	"keep-warm                5m\n"                                                  \
	"policy                   fastest\n"                                             \
	"hedge                    auto\n"                                                \
	"client-share             25\n"                                                  \
	"drain-timeout            5s\n"                                                  \
	"cache-size               64M\n"                                                 \
	"ttl-min                  0s\n"                                                  \
	"ttl-max                  1d\n"                                                  \
	"negative-ttl-max         1h\n"                                                  \
	"failure-ttl              5s\n"                                                  \
	"serve-stale              1d\n"                                                  \
	"stale-after              1800ms\n"                                              \
	"special-names            on\n"                                                  \
	"log-clients              off\n"                                                 \
	"ede-detail               off\n"

static void test_defaults(void **state)
{
	(void)state;
	assert_int_equal(READ("run"), 0);
	assert_int_equal(invocation.command, COMMAND_RUN);
	assert_string_equal(
	    printed(),
	    "listen                   127.0.0.1:9999\n"
	    "listen                   [::1]:9999\n"
	    "upstream                 tls://1.1.1.1#cloudflare-dns.com\n"
	    "upstream                 tls://1.0.0.1#cloudflare-dns.com\n" DEFAULTS_REST);
	assert_int_equal(config.workers, 0);
	assert_int_equal(config.query_timeout_us, 5000000);
	assert_int_equal(config.tcp_idle_us, 30000000);
	assert_int_equal(config.upstream_idle_us, 10000000);
	assert_int_equal(config.drain_us, 5000000);
	assert_int_equal(config.tcp_clients, 16384);
	assert_int_equal(config.tcp_clients_per_address, 0);
	assert_int_equal(config.log_level, LOG_NOTICE);
	assert_false(config.http_set);
	assert_false(config.tls13_only);
	assert_false(config.ede_detail);
}

static void test_commands(void **state)
{
	(void)state;
	assert_int_equal(read_args(ARGS("-c/dev/null"), NULL), 0);
	assert_int_equal(invocation.command, COMMAND_RUN);
	assert_int_equal(READ("check", "-T"), 0);
	assert_int_equal(invocation.command, COMMAND_CHECK);
	assert_true(invocation.print);
	assert_int_equal(READ("-t"), 0);
	assert_int_equal(invocation.command, COMMAND_CHECK);
	assert_false(invocation.print);
	assert_int_equal(READ("-tvT"), 0);
	assert_true(invocation.print);
	assert_int_equal(READ("--", "health"), 0);
	assert_int_equal(invocation.command, COMMAND_HEALTH);
	assert_int_equal(READ("check", "--check"), 0);
	check_error(READ("run", "check"), "two commands: 'run' and 'check'");
	check_error(READ("chekc"), "unknown command 'chekc': did you mean 'check'?");
	check_error(READ("zzzzzz"), "unknown command 'zzzzzz'");
	check_error(READ("8.8.8.8"),
		    "unexpected argument '8.8.8.8': write --upstream before "
		    "an upstream");
	check_error(READ("-T"), "-T goes with check: dotgate check -T");
	check_error(READ(""), "unknown command ''");
	check_error(READ("a\x1b[2J"), "argument 3: control character 0x1b");
}

static void test_help_reads_nothing_else(void **state)
{
	(void)state;
	assert_int_equal(read_args(ARGS("-c", "/nonexistent", "-h", "--bogus"), NULL), 0);
	assert_int_equal(invocation.command, COMMAND_HELP);
	assert_int_equal(
	    read_args(ARGS("version", "x"), (const char *[]){"DOTGATE_X=1", NULL}), 0);
	assert_int_equal(invocation.command, COMMAND_VERSION);
	assert_int_equal(READ("check", "--version"), 0);
	assert_int_equal(invocation.command, COMMAND_VERSION);
	assert_int_equal(READ("-vV", "-T"), 0);
	assert_int_equal(invocation.command, COMMAND_VERSION);
}

static void test_option_forms(void **state)
{
	(void)state;
	assert_int_equal(READ("--workers", "3"), 0);
	assert_int_equal(config.workers, 3);
	assert_int_equal(READ("--workers=4"), 0);
	assert_int_equal(config.workers, 4);
	assert_int_equal(READ("-l127.0.0.2"), 0);
	check_printed("listen                   127.0.0.2:53\n"
		      "upstream ");
	assert_int_equal(READ("-vl", "127.0.0.2", "-u", "9.9.9.9"), 0);
	assert_int_equal(config.log_level, LOG_INFO);
	assert_int_equal(config.listen_count, 1);
	assert_int_equal(config.upstream_count, 1);
	check_error(READ("--lissten", "x"),
		    "unknown option '--lissten': did you mean '--listen'?");
	check_error(READ("--LISTEN=x"),
		    "unknown option '--LISTEN': did you mean '--listen'?");
	check_error(READ("--tls_min", "1.3"),
		    "unknown option '--tls_min': did you mean '--tls-min'?");
	check_error(READ("--frobnicate"),
		    "unknown option '--frobnicate': see dotgate --help");
	check_error(READ("-x"), "unknown option '-x': see dotgate --help");
	check_error(READ("--workers"), "--workers needs a value: --workers COUNT");
	check_error(READ("-l"), "--listen needs a value: --listen ADDR[:PORT]");
	check_error(READ("--help=1"), "--help takes no value");
	check_error(READ("--workers=1", "--workers=1"),
		    "--workers: workers is given twice (first in --workers)");
	check_error(READ("-c", "/dev/null"), "--config is given twice");
}

/* What a file has in several words may be several arguments. */
static void test_values_of_several_arguments(void **state)
{
	(void)state;
	assert_int_equal(READ("--route", "corp.example", "9.9.9.9#a", "tls-min=1.3",
			      "--route=b.example", "9.9.9.8", "check"),
			 0);
	assert_int_equal(invocation.command, COMMAND_CHECK);
	check_printed(
	    "route                    corp.example. tls://9.9.9.9#a tls-min=1.3\n"
	    "route                    b.example. tls://9.9.9.8\n");
	assert_int_equal(READ("-u", "9.9.9.9#a", "tls-min=1.3", "0rtt=on", "run"), 0);
	check_printed("upstream                 tls://9.9.9.9#a 0rtt=on tls-min=1.3\n");
	assert_int_equal(READ("-u9.9.9.9#a auth=none", "tls-min=1.3"), 0);
	check_printed("upstream                 tls://9.9.9.9#a auth=none tls-min=1.3\n");
	assert_int_equal(READ("--bootstrap", "9.9.9.9#a", "tls-min=1.3"), 0);
	check_printed("bootstrap                tls://9.9.9.9#a tls-min=1.3\n");
	assert_int_equal(READ("--policy", "race", "3"), 0);
	check_printed("policy                   race 3\n");
	assert_int_equal(READ("--policy=race", "check"), 0);
	check_printed("policy                   race 2\n");
	check_error(READ("--policy", "race", "1"),
		    "--policy: race is followed by a number from 2 to 32");
	check_error(READ("--policy", "ordered", "3"), "unknown command '3'");
	check_error(READ("-u", "9.9.9.9#a", "tls-mim=1.3"),
		    "--upstream: unknown parameter 'tls-mim': did you mean 'tls-min'?");
	check_error(
	    READ("--route", "corp.example", "check"),
	    "--route: an upstream is missing behind the domain: route corp.example "
	    "tls://ADDRESS#NAME");
	check_error(
	    READ("--route", "corp.example"),
	    "--route: an upstream is missing behind the domain: route corp.example "
	    "tls://ADDRESS#NAME");
	check_error(READ("--route", "corp.example", "9.9.9.9", "tls-min=1.3", "9.9.9.8"),
		    "unexpected argument '9.9.9.8': write --upstream before an upstream");
	check_error(READ("-u", "9.9.9.9 #a"),
		    "--upstream: '#a': write the name without a blank in front: "
		    "tls://ADDRESS#NAME");
}

static void test_verbose(void **state)
{
	(void)state;
	assert_int_equal(READ("-v"), 0);
	assert_int_equal(config.log_level, LOG_INFO);
	assert_int_equal(READ("-vv"), 0);
	assert_int_equal(config.log_level, LOG_DEBUG);
	assert_int_equal(READ("--verbose", "-vv", "--log-level=error"), 0);
	assert_int_equal(config.log_level, LOG_DEBUG);
	assert_int_equal(READ("--log-level=error"), 0);
	assert_int_equal(config.log_level, LOG_ERROR);
	check_error(READ("--log-level=warn"),
		    "--log-level: 'warn' is no level (error, warning, "
		    "notice, info, debug)");
	check_error(READ("--log-level=debgu"),
		    "--log-level: 'debgu' is no level (error, warning, "
		    "notice, info, debug): did you mean 'debug'?");
}

static void check_listen(const char *text, const char *lines)
{
	char want[256];

	assert_int_equal(READ("-l", text), 0);
	snprintf(want, sizeof want, "%supstream ", lines);
	assert_memory_equal(printed(), want, strlen(want));
}

static void test_listen(void **state)
{
	(void)state;
	check_listen("192.0.2.1", "listen                   192.0.2.1:53\n");
	check_listen("192.0.2.1:5353", "listen                   192.0.2.1:5353\n");
	check_listen("192.0.2.1@5353", "listen                   192.0.2.1:5353\n");
	check_listen("2001:db8::1", "listen                   [2001:db8::1]:53\n");
	check_listen("[2001:db8::1]:99", "listen                   [2001:db8::1]:99\n");
	check_listen("fe80::1%lo", "listen                   [fe80::1%lo]:53\n");
	check_listen("[fe80::1%lo]:99", "listen                   [fe80::1%lo]:99\n");
	check_listen("0.0.0.0:53", "listen                   0.0.0.0:53\n");
	check_listen("[::]:53", "listen                   [::]:53\n");
	check_listen("5353", "listen                   127.0.0.1:5353\n"
			     "listen                   [::1]:5353\n");
	check_listen(":5353", "listen                   127.0.0.1:5353\n"
			      "listen                   [::1]:5353\n");
	check_listen("*:5353", "listen                   0.0.0.0:5353\n"
			       "listen                   [::]:5353\n");
	check_listen("*", "listen                   0.0.0.0:53\n"
			  "listen                   [::]:53\n");
}

static void test_bad_listen(void **state)
{
	const char *many[ARGS_MAX] = {"-c", "/dev/null"};
	char text[LISTEN_MAX + 1][24];

	(void)state;
	check_error(READ("-l", "localhost"), "--listen: 'localhost' is no IP address");
	check_error(READ("-l", ""), "--listen: '' is no IP address");
	check_error(READ("-l", "1.1.1.1:0"),
		    "--listen: bad port '0': a number from 1 to 65535");
	check_error(READ("-l", ":"), "--listen: bad port '': a number from 1 to 65535");
	check_error(READ("-l", "65536"),
		    "--listen: bad port '65536': a number from 1 to 65535");
	check_error(READ("-l", "1.1.1.1%lo"),
		    "--listen: only link-local addresses (fe80::...) take an interface");
	check_error(READ("-l", "fe80::1"),
		    "--listen: a link-local address needs its interface: fe80::1%eth0");
	check_error(READ("-l", "224.0.0.1"), "--listen: a multicast address");
	check_error(READ("-l", "::ffff:1.2.3.4"), "--listen: no address to listen at");
	check_error(READ("-l", "53", "-l", "[::1]:53"),
		    "--listen: '[::1]:53' is there already (in --listen)");
	for (unsigned i = 0; i <= LISTEN_MAX; i++) {
		snprintf(text[i], sizeof text[i], "-l127.0.0.1:%u", 1000 + i);
		many[2 + i] = text[i];
	}
	check_error(read_args(many, NULL), "--listen: more than 64 listen addresses");
	many[2 + LISTEN_MAX] = NULL;
	assert_int_equal(read_args(many, NULL), 0);
	assert_int_equal(config.listen_count, 64);
	many[2 + LISTEN_MAX - 1] = "-l5353"; /* two at once */
	check_error(read_args(many, NULL), "--listen: more than 64 listen addresses");
}

static void test_conflicts(void **state)
{
	(void)state;
	check_error(
	    READ("-l", "0.0.0.0:53", "-l", "127.0.0.1:53"),
	    "--listen: listen 127.0.0.1:53 is part of listen 0.0.0.0:53: leave out "
	    "one of them");
	check_error(READ("-l", "[2001:db8::1]:53", "-l", "*:53"),
		    "--listen: listen [2001:db8::1]:53 is part of listen [::]:53: leave "
		    "out one of them");
	assert_int_equal(READ("-l", "*:53", "-l", "127.0.0.1:54", "-l", "127.0.0.2:54"),
			 0);
	assert_int_equal(READ("-l", "[::]:53", "-l", "127.0.0.1:53"), 0);
	check_error(READ("-l", "*:53", "--http", "127.0.0.1:53"),
		    "--http: http 127.0.0.1:53 and listen 0.0.0.0:53 want the same port: "
		    "give http another one");
	check_error(READ("--http", "[::1]:9999"),
		    "--http: http [::1]:9999 and listen [::1]:9999 want the same port: "
		    "give http another one");
	check_error(READ("--ttl-min=1h", "--ttl-max=30m"),
		    "--ttl-min: ttl-min 1h is above ttl-max 30m");
	assert_int_equal(READ("--ttl-min=1h", "--ttl-max=1h"), 0);
	check_error(READ("--cache-file=/v/x", "--control=/v/x"),
		    "--control: cache-file and control are the same file: /v/x");
	assert_int_equal(READ("--cache-file=/v/x", "--control=off"), 0);
}

static void test_stars(void **state)
{
	(void)state;
	check_error(
	    READ("--route", "*.corp.example 9.9.9.9"),
	    "--route: '*.corp.example': write corp.example, which is also for all "
	    "names below it");
	check_error(READ("--route", "* 9.9.9.9"),
		    "--route: '*' is no domain: write . for all names");
	check_error(
	    READ("--route", "a.*.example 9.9.9.9"),
	    "--route: 'a.*.example': a star stands for nothing: write the domain, "
	    "which is also for all names below it");
	check_error(
	    READ("--route", "*. 9.9.9.9"),
	    "--route: '*.': a star stands for nothing: write the domain, which is "
	    "also for all names below it");
	check_error(READ("--route", "a\\042. 9.9.9.9"),
		    "--route: 'a\\042.': a star stands for nothing: write the domain, "
		    "which is also for all names below it");
	check_error(READ("--time-grace", "*.ntp.org"),
		    "--time-grace: '*.ntp.org': write ntp.org, which is also for all "
		    "names below it");
}

static void test_upstreams(void **state)
{
	const char *many[ARGS_MAX] = {"-c", "/dev/null"};
	char text[UPSTREAMS_MAX + 1][24];

	(void)state;
	assert_int_equal(READ("-u", "1.1.1.1#a", "-u", "1.1.1.1#b", "-u", "1.1.1.1:99#a"),
			 0);
	assert_int_equal(config.upstream_count, 3);
	check_error(READ("-u", "1.1.1.1#a", "-u", "tls://1.1.1.1:853#A auth=none"),
		    "--upstream: 'tls://1.1.1.1:853#A auth=none' is there already (in "
		    "--upstream)");
	check_error(READ("-u", "udp://1.1.1.1"),
		    "--upstream: 'udp' is plain DNS, which is sent only "
		    "where plain:// is written: write tls://ADDRESS#NAME");
	for (unsigned i = 0; i <= UPSTREAMS_MAX; i++) {
		snprintf(text[i], sizeof text[i], "-u192.0.2.%u", i);
		many[2 + i] = text[i];
	}
	check_error(read_args(many, NULL), "--upstream: more than 32 upstreams");
	many[2 + UPSTREAMS_MAX] = NULL;
	assert_int_equal(read_args(many, NULL), 0);
	assert_int_equal(config.upstream_count, 32);
}

static void check_time(const char *text, uint64_t us)
{
	assert_int_equal(READ("--tcp-idle-timeout", text), 0);
	assert_int_equal(config.tcp_idle_us, us);
}

static void test_times(void **state)
{
	(void)state;
	check_time("1000ms", 1000000);
	check_time("90s", 90000000);
	check_printed("tcp-idle-timeout         90s\n");
	check_time("2m", 120000000);
	check_printed("tcp-idle-timeout         2m\n");
	check_time("1h", 3600000000);
	check_printed("tcp-idle-timeout         1h\n");
	check_time("1500ms", 1500000);
	check_printed("tcp-idle-timeout         1500ms\n");
	check_time("20", 20000000);
	assert_int_equal(READ("--drain-timeout=0"), 0);
	assert_int_equal(config.drain_us, 0);
	check_printed("drain-timeout            0s\n");
	assert_int_equal(READ("--keep-warm=off"), 0);
	assert_int_equal(config.keep_warm_us, 0);
	check_error(READ("--query-timeout=99ms"),
		    "--query-timeout: '99ms' is not from 100ms to 1m");
	check_error(READ("--query-timeout=500"),
		    "--query-timeout: '500' is not from 100ms to 1m "
		    "(without a unit it is seconds)");
	check_error(READ("--query-timeout=999999999999d"),
		    "--query-timeout: '999999999999d' is not from 100ms to 1m");
	check_error(READ("--query-timeout=213503983d"),
		    "--query-timeout: '213503983d' is not from 100ms to 1m");
	check_error(READ("--query-timeout=1234567890123"),
		    "--query-timeout: '1234567890123' is no time: write 500ms, 5s or 1m");
	check_error(READ("--query-timeout=off"),
		    "--query-timeout: 'off' is no time: write 500ms, 5s or 1m");
	check_error(READ("--query-timeout=1.5s"),
		    "--query-timeout: '.5s' is no unit: write ms, s, m, h or d");
	check_error(READ("--query-timeout=-1s"),
		    "--query-timeout: '-1s' is no time: write 500ms, 5s or 1m");
	check_error(READ("--query-timeout=5S"),
		    "--query-timeout: 'S' is no unit: write ms, s, m, h or d");
}

static void test_other_values(void **state)
{
	(void)state;
	assert_int_equal(READ("--workers=auto"), 0);
	assert_int_equal(config.workers, 0);
	assert_int_equal(READ("--workers=64"), 0);
	check_printed("workers                  64\n");
	check_error(READ("--workers=65"),
		    "--workers: '65' is neither auto nor a number from 1 to 64");
	check_error(READ("--workers=0"),
		    "--workers: '0' is neither auto nor a number from 1 to 64");
	check_error(READ("--tcp-clients=0"),
		    "--tcp-clients: '0' is not a number from 1 to 1000000");
	check_error(READ("--tcp-clients=10x"),
		    "--tcp-clients: '10x' is not a number from 1 to 1000000");
	assert_int_equal(READ("--tls-min=1.3", "--ca-file=/a/b.pem", "--ca-dir=/c"), 0);
	assert_true(config.tls13_only);
	check_printed("ca-file                  /a/b.pem\n"
		      "ca-dir                   /c\n"
		      "tls-min                  1.3\n");
	check_error(READ("--tls-min=1"), "--tls-min: tls-min is 1.2 or 1.3, not '1'");
	check_error(READ("--ca-file=/a b"),
		    "--ca-file: a path with a blank, or with # in front");
	check_error(READ("--ca-file="), "--ca-file: the path is missing");
	assert_int_equal(READ("--http=127.0.0.1:9153"), 0);
	assert_true(config.http_set);
	check_printed("http                     127.0.0.1:9153\n");
	assert_int_equal(READ("--http=off"), 0);
	assert_false(config.http_set);
	check_error(
	    READ("--http=9153"),
	    "--http: '9153' is no ADDRESS:PORT: write 127.0.0.1:9153 for this machine "
	    "only, 0.0.0.0:9153 or [::]:9153 for all");
	check_error(READ("--http=1.2.3.4"),
		    "--http: '1.2.3.4' is no ADDRESS:PORT: write 127.0.0.1:9153 for this "
		    "machine only, 0.0.0.0:9153 or [::]:9153 for all");
}

#define ENV(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_environment(void **state)
{
	(void)state;
	assert_int_equal(READ_ENV(ENV("DOTGATE_LISTEN=127.0.0.2; 127.0.0.3:99 ;;",
				      "DOTGATE_UPSTREAM=9.9.9.9#a tls-min=1.3;9.9.9.10#b",
				      "DOTGATE_TCP_CLIENTS_PER_ADDRESS=5",
				      "DOTGATE_WORKERS=", "OTHER=1"),
				  "run"),
			 0);
	assert_memory_equal(printed(),
			    "listen                   127.0.0.2:53\n"
			    "listen                   127.0.0.3:99\n"
			    "upstream                 tls://9.9.9.9#a tls-min=1.3\n"
			    "upstream                 tls://9.9.9.10#b\n",
			    150);
	assert_int_equal(config.tcp_clients_per_address, 5);
	assert_int_equal(config.workers, 0);
	assert_int_equal(read_args(ARGS("run"), ENV("DOTGATE_CONFIG=/dev/null")), 0);
	check_error(read_args(ARGS("run"), ENV("DOTGATE_CONFIG=/nonexistent/x")),
		    "cannot read /nonexistent/x: No such file or directory");
}

static void test_bad_environment(void **state)
{
	(void)state;
	check_error(READ_ENV(ENV("DOTGATE_LISSTEN=x"), "run"),
		    "DOTGATE_LISSTEN: unknown variable: did you mean 'DOTGATE_LISTEN'?");
	check_error(READ_ENV(ENV("DOTGATE_TLSMIN=x"), "run"),
		    "DOTGATE_TLSMIN: unknown variable: did you mean 'DOTGATE_TLS_MIN'?");
	check_error(READ_ENV(ENV("DOTGATE_FROBNICATE=x"), "run"),
		    "DOTGATE_FROBNICATE: unknown variable");
	check_error(READ_ENV(ENV("DOTGATE_PORT=53"), "run"),
		    "DOTGATE_PORT: unknown variable");
	check_error(READ_ENV(ENV("DOTGATE_VERBOSE=1"), "run"),
		    "DOTGATE_VERBOSE: 'verbose' is for the command line only");
	check_error(
	    READ_ENV(ENV("DOTGATE_LISTEN=127.0.0.1;127.0.0.1:53"), "run"),
	    "DOTGATE_LISTEN: '127.0.0.1:53' is there already (in DOTGATE_LISTEN)");
	check_error(READ_ENV(ENV("DOTGATE_LISTEN=a\nb"), "run"),
		    "DOTGATE_LISTEN: control character 0x0a");
	check_error(READ_ENV(ENV("DOTGATE_WORKERS=1", "DOTGATE_WORKERS=1"), "run"),
		    "DOTGATE_WORKERS: workers is given twice (first in DOTGATE_WORKERS)");
}

/* What Kubernetes puts into the pods beside a Service called dotgate. */
static void test_service_links(void **state)
{
	(void)state;
	assert_int_equal(
	    READ_ENV(ENV("DOTGATE_SERVICE_HOST=10.0.0.1", "DOTGATE_SERVICE_PORT=53",
			 "DOTGATE_SERVICE_PORT_DNS=53", "DOTGATE_PORT=udp://10.0.0.1:53",
			 "DOTGATE_PORT_53_UDP_ADDR=10.0.0.1",
			 "DOTGATE_METRICS_SERVICE_HOST=10.0.0.2",
			 "DOTGATE_METRICS_PORT=tcp://10.0.0.2:9153"),
		     "run"),
	    0);
	assert_int_equal(config.listen_count, 2);
}

static void test_old_variable(void **state)
{
	(void)state;
	assert_int_equal(READ_ENV(ENV("DNSSERVER=8.8.8.8"), "run"), 0);
	check_printed("upstream                 tls://8.8.8.8\ntls-min ");
	assert_int_equal(config.upstream_count, 1);
	assert_int_equal(READ_ENV(ENV("DNSSERVER="), "run"), 0);
	assert_int_equal(config.upstream_count, 2);
	assert_int_equal(
	    READ_ENV(ENV("DNSSERVER=8.8.8.8", "DOTGATE_UPSTREAM=9.9.9.9"), "run"), 0);
	check_printed("upstream                 tls://9.9.9.9\ntls-min ");
	assert_int_equal(READ_ENV(ENV("DNSSERVER=8.8.8.8", "DOTGATE_UPSTREAM="), "run"),
			 0);
	check_printed("upstream                 tls://8.8.8.8\ntls-min ");
	assert_int_equal(READ_ENV(ENV("DNSSERVER=8.8.8.8"), "-u", "1.1.1.1"), 0);
	check_printed("upstream                 tls://1.1.1.1\ntls-min ");
	assert_int_equal(READ_ENV(ENV("DNSSERVER=dns.google"), "run"), 0);
	check_printed("upstream                 tls://dns.google\ntls-min ");
}

static void test_help_is_one_screen(void **state)
{
	char text[8192];
	FILE *out = fmemopen(text, sizeof text, "w");
	unsigned lines = 0;

	(void)state;
	options_print_help(out);
	fclose(out);
	for (const char *p = text; *p; lines++) {
		size_t n = strcspn(p, "\n");

		if (n > 80)
			fail_msg("%zu columns: %.*s", n, (int)n, p);
		p += n + 1;
	}
	assert_in_range(lines, 20, 24);
	assert_non_null(strstr(text, "\n  -l, --listen ADDR[:PORT] "));
	assert_non_null(strstr(text, "\n      --query-timeout TIME  "));
	assert_null(strstr(text, "--drain-timeout"));
	assert_non_null(strstr(text, " [5s]\n"));
}

static void test_trust(void **state)
{
	struct tls_trust t;

	(void)state;
	assert_int_equal(READ("-u", "1.1.1.1#a", "-u", "1.1.1.2 ca-dir=/d tls-min=1.3",
			      "--ca-file=/f", "-u", "1.1.1.3 auth=none"),
			 0);
	config_trust(&config, &config.upstream[0], &t);
	assert_string_equal(t.name, "a");
	assert_string_equal(t.ca_file, "/f");
	assert_null(t.ca_dir);
	assert_false(t.tls13_only);
	assert_int_equal(t.auth, TLS_AUTH_NAME);
	assert_ptr_equal(t.address, &config.upstream[0].addresses[0]);
	config_trust(&config, &config.upstream[1], &t);
	assert_null(t.name);
	assert_null(t.ca_file);
	assert_string_equal(t.ca_dir, "/d");
	assert_true(t.tls13_only);
	config_trust(&config, &config.upstream[2], &t);
	assert_int_equal(t.auth, TLS_AUTH_NONE);
	assert_int_equal(READ("--tls-min=1.3"), 0);
	config_trust(&config, &config.upstream[0], &t);
	assert_true(t.tls13_only);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_defaults),
	    cmocka_unit_test(test_commands),
	    cmocka_unit_test(test_help_reads_nothing_else),
	    cmocka_unit_test(test_option_forms),
	    cmocka_unit_test(test_values_of_several_arguments),
	    cmocka_unit_test(test_verbose),
	    cmocka_unit_test(test_listen),
	    cmocka_unit_test(test_bad_listen),
	    cmocka_unit_test(test_conflicts),
	    cmocka_unit_test(test_stars),
	    cmocka_unit_test(test_upstreams),
	    cmocka_unit_test(test_times),
	    cmocka_unit_test(test_other_values),
	    cmocka_unit_test(test_environment),
	    cmocka_unit_test(test_bad_environment),
	    cmocka_unit_test(test_service_links),
	    cmocka_unit_test(test_old_variable),
	    cmocka_unit_test(test_help_is_one_screen),
	    cmocka_unit_test(test_trust),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
