/* effect: each word that changes nothing is told of, and none that does something. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf/options.h"

static struct config config;

/* Reads the configuration file of this text. */
static void read_text(const char *text)
{
	char path[] = "/tmp/unit-effect-XXXXXX", error[CONF_ERROR_MAX] = "", name[] = "x",
	     file[] = "-c", *environ_[] = {NULL}, *argv[] = {name, file, path, NULL};
	struct invocation invocation;
	int fd = mkstemp(path), r;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	memset(&config, 0, sizeof config);
	r = options_read(&config, &invocation, 3, argv, environ_, error);
	unlink(path);
	if (r != 0)
		fail_msg("'%s': %s", text, error);
}

/* TEXT is told of by exactly one warning, which holds SAYS. */
static void check_warned(const char *text, const char *says)
{
	read_text(text);
	if (config.warnings.count != 1)
		fail_msg("'%s': %u warnings: %s", text, config.warnings.count,
			 config.warnings.text[0]);
	if (!strstr(config.warnings.text[0], says))
		fail_msg("'%s': '%s' is not '%s'", text, config.warnings.text[0], says);
}

static void check_silent(const char *text)
{
	read_text(text);
	if (config.warnings.count)
		fail_msg("'%s': %s", text, config.warnings.text[0]);
}

#define TWO "upstream 1.1.1.1#a.test\nupstream 1.1.1.2#a.test\n"
#define NAMED "upstream tls://a.test\nupstream 1.1.1.1\n"

static void test_nothing_to_warn_of(void **state)
{
	(void)state;
	check_silent("");
	check_silent(TWO "policy race 2\nca-file /x\nca-dir /y\ntls-min 1.3\n");
	check_silent(
	    "upstream 1.1.1.1#a.test weight=2\nupstream 1.1.1.2\npolicy weighted\n");
	check_silent(NAMED "bootstrap 1.1.1.3#a.test\naddresses-file /x\n");
	check_silent("discover 192.0.2.1\naddresses-file /x\nbootstrap 1.1.1.3#a.test\n");
	check_silent("route a.test 1.1.1.1\nroute a.test 1.1.1.2\nupstream 1.1.1.3\n"
		     "policy ordered\n");
	check_silent("route . 1.1.1.1\nroute a.test 1.1.1.2\n");
	check_silent("route a.test 1.1.1.1\ndiscover 192.0.2.1\n");
	check_silent("cache-size off\n");
	check_silent("serve-stale off\n");
	check_silent("cache-file /x\nttl-min 1m\nttl-max 1h\nstale-after 1s\n");
	check_silent("tcp-clients 100\n");
}

static void test_cache(void **state)
{
	static const char *const words[] = {
	    "cache-file /x",  "ttl-min 1m",	"ttl-max 1h",	 "negative-ttl-max 1m",
	    "failure-ttl 1s", "serve-stale 1h", "stale-after 1s"};
	char text[128], says[128];

	(void)state;
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		snprintf(text, sizeof text, "cache-size off\n%s\n", words[i]);
		snprintf(says, sizeof says, "%.*s has no effect: the cache is off",
			 (int)strcspn(words[i], " "), words[i]);
		check_warned(text, says);
	}
	check_warned("serve-stale off\nstale-after 1s\n",
		     "stale-after has no effect: serve-stale is off");
}

static void test_upstreams(void **state)
{
	(void)state;
	check_warned(TWO "bootstrap 1.1.1.3#a.test\n", "bootstrap has no effect");
	check_warned(TWO "addresses-file /x\n", "addresses-file has no effect");
	check_warned("upstream 1.1.1.1 auth=none\nca-file /x\n", "ca-file has no effect");
	check_warned("upstream 1.1.1.1 ca-file=/y\nca-dir /x\n", "ca-dir has no effect");
	check_warned("upstream plain://1.1.1.1\ntls-min 1.3\n", "tls-min has no effect");
	check_warned("upstream 1.1.1.1\npolicy shard\n", "policy has no effect");
	check_warned("upstream 1.1.1.1\nupstream 1.1.1.2 weight=3\n",
		     "weight= has no effect: policy is not weighted");
	check_warned("tcp-clients 100\ntcp-clients-per-address 200\n",
		     "tcp-clients-per-address has no effect: it is above tcp-clients");
}

static void test_routes(void **state)
{
	(void)state;
	check_warned("route . 1.1.1.1\nupstream 1.1.1.2\n",
		     "upstream has no effect: route . takes its place");
	check_warned("route . 1.1.1.1\ndiscover 192.0.2.1\n",
		     "discover has no effect: route . takes its place");
	check_warned(
	    "route a.test 1.1.1.1\n",
	    "only routes are written: ALL OTHER NAMES GO TO THE DEFAULT UPSTREAMS "
	    "(tls://1.1.1.1#cloudflare-dns.com, "
	    "tls://1.0.0.1#cloudflare-dns.com): ");
}

static void test_names_that_are_comments(void **state)
{
	(void)state;
	check_warned("\nupstream tls://192.0.2.1 #a.test\n",
		     ":2:26: '#a.test' is a comment, as a blank is in front");
	check_warned(TWO "route x.test 192.0.2.1\t #a pin=x auth=y\n", ":3:25: '#a' is");
	check_warned(NAMED "bootstrap 192.0.2.1 #a.test\n", ":3:21: '#a.test' is");
	check_silent("upstream 192.0.2.1 # a.test\n");
	check_silent("upstream 192.0.2.1 #\n");
	check_silent("upstream 192.0.2.1 #the one upstairs\n");
	check_silent("upstream 192.0.2.1 #pin=x\n");
	check_silent("upstream 192.0.2.1#a.test #b.test\n");
	check_silent("upstream plain://192.0.2.1 #a.test\n");
	check_silent("upstream 192.0.2.1 auth=none #a.test\n");
	check_silent("workers 1 #a.test\n");
}

static unsigned said;

static void say(const char *text)
{
	assert_non_null(strstr(text, said < WARNINGS_MAX ? "line" : "and 3 more"));
	said++;
}

static void test_more_than_are_kept(void **state)
{
	static struct warnings w;

	(void)state;
	for (unsigned i = 0; i < WARNINGS_MAX + 3; i++)
		warnings_add(&w, "line %u", i);
	warnings_each(&w, say);
	assert_int_equal(said, WARNINGS_MAX + 1);
}

/* What is printed has no upstream whose place a route has taken, and reads as the same. */
static void test_printed(void **state)
{
	char first[8192] = "", again[8192] = "";
	FILE *out = fmemopen(first, sizeof first, "w");

	(void)state;
	read_text("route . 192.0.2.1\n");
	options_print_config(out, &config);
	fclose(out);
	assert_null(strstr(first, "\nupstream "));
	assert_null(strstr(first, "cloudflare"));
	check_silent(first);
	out = fmemopen(again, sizeof again, "w");
	options_print_config(out, &config);
	fclose(out);
	assert_string_equal(first, again);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_nothing_to_warn_of),
	    cmocka_unit_test(test_cache),
	    cmocka_unit_test(test_upstreams),
	    cmocka_unit_test(test_routes),
	    cmocka_unit_test(test_names_that_are_comments),
	    cmocka_unit_test(test_more_than_are_kept),
	    cmocka_unit_test(test_printed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
