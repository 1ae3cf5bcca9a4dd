/* file: configuration files: lines, includes, and errors that say where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/options.h"

static char folder[32];
static struct config config;
static char error[CONF_ERROR_MAX];

static int enter_folder(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/unit-conf-XXXXXX");
	return mkdtemp(folder) && chdir(folder) == 0 && mkdir("d", 0700) == 0 ? 0 : -1;
}

static int leave_folder(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return chdir("/") == 0 && system(command) == 0 ? 0 : -1;
}

static void write_octets(const char *name, const void *data, size_t len)
{
	FILE *f = fopen(name, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, len, f), len);
	fclose(f);
}

static void write_text(const char *name, const char *text)
{
	write_octets(name, text, strlen(text));
}

/* Reads the file x.conf, with WORDS behind it on the command line. */
static int read_file(const char *word, const char *variable)
{
	char *environ_[] = {variable ? strdup(variable) : NULL, NULL};
	char *argv[] = {strdup("dotgate"), strdup("-cx.conf"), word ? strdup(word) : NULL,
			NULL};
	struct invocation invocation;
	int result;

	error[0] = 0;
	result = options_read(&config, &invocation, word ? 3 : 2, argv, environ_, error);
	free(environ_[0]);
	for (int i = 0; i < 3; i++)
		free(argv[i]);
	return result;
}

static void check_good(const char *text)
{
	write_text("x.conf", text);
	if (read_file(NULL, NULL) != 0)
		fail_msg("'%s': %s", text, error);
}

static void check_error(const char *text, const char *says)
{
	write_text("x.conf", text);
	assert_int_equal(read_file(NULL, NULL), -EINVAL);
	if (strcmp(error, says) != 0)
		fail_msg("'%s' is not '%s'", error, says);
}

static void check_upstreams(const char *names)
{
	char all[512] = "";

	for (unsigned i = 0; i < config.upstream_count; i++) {
		strcat(all, config.upstream[i].name);
		strcat(all, " ");
	}
	assert_string_equal(all, names);
}

static void test_lines(void **state)
{
	(void)state;
	check_good("# a comment\n"
		   "\n"
		   "  \t # another\n"
		   "workers 3\r\n"
		   "\ttls-min\t 1.3 \t# more\n"
		   "upstream tls://1.1.1.1#a # not the name\n"
		   "upstream 1.1.1.2#b\tauth=none #\n"
		   "log-level debug"); /* no newline at the end */
	assert_int_equal(config.workers, 3);
	assert_true(config.tls13_only);
	assert_int_equal(config.log_level, LOG_DEBUG);
	check_upstreams("a b ");
	assert_int_equal(config.upstream[1].auth, TLS_AUTH_NONE);
	assert_int_equal(config.listen_count, 2);
	check_good("\xef\xbb\xbfworkers 4\n# b\xc3\xbc\n");
	assert_int_equal(config.workers, 4);
	check_good("");
	check_good("\n\r\n\n");
	check_good("#");
}

static void test_errors_say_where(void **state)
{
	(void)state;
	check_error("lissten 53\n",
		    "x.conf:1:1: unknown word 'lissten': did you mean 'listen'?");
	check_error("\n\n  frobnicate\n", "x.conf:3:3: unknown word 'frobnicate'");
	check_error("listen 53\nlisten\t 1.1.1.1:x\n",
		    "x.conf:2:17: bad port 'x': a number from 1 to 65535");
	check_error("\nupstream tls://1.1.1.1 auth=x",
		    "x.conf:2:29: auth is name, pin or none, not 'x'");
	check_error(" listen # 53\n",
		    "x.conf:1:2: listen needs a value: listen ADDR[:PORT]");
	check_error("verbose 1\n", "x.conf:1:1: 'verbose' is for the command line only");
	check_error("config x\n", "x.conf:1:1: 'config' is for the command line only");
	check_error("listen 127.0.0.1:53\n\n listen 0.0.0.0:53\n",
		    "x.conf:3:9: listen 127.0.0.1:53 is part of listen 0.0.0.0:53: leave "
		    "out one of them");
	check_error("ttl-max 1m\nttl-min 2m\nworkers 1\n",
		    "x.conf:2:1: ttl-min 2m is above ttl-max 1m");
	check_error("workers 1\nworkers 1\n",
		    "x.conf:2:1: workers is given twice (first in x.conf:1:1)");
	check_error("listen 53\n#\n  listen [::1]\n",
		    "x.conf:3:10: '[::1]' is there already (in x.conf:1:8)");
	check_error("upstream 1.1.1.1#a\nupstream tls://1.1.1.1#A tls-min=1.3\n",
		    "x.conf:2:10: 'tls://1.1.1.1#A tls-min=1.3' is there already (in "
		    "x.conf:1:10)");
}

static void test_hostile_octets(void **state)
{
	(void)state;
	write_octets("x.conf", "workers 1\nworkers\0 2\n", 21);
	assert_int_equal(read_file(NULL, NULL), -EINVAL);
	assert_string_equal(error, "x.conf:2:8: control character 0x00");
	check_error("# \x1b[2J\n", "x.conf:1:3: control character 0x1b");
	check_error("workers 1\r\r\n", "x.conf:1:10: control character 0x0d");
	check_error("workers 1\x7f", "x.conf:1:10: control character 0x7f");
}

static void test_limits(void **state)
{
	char *text = malloc(300000);

	(void)state;
	memset(text, ' ', 4097);
	memcpy(text, "workers 7", 9);
	text[4096] = 0;
	check_good(text);
	assert_int_equal(config.workers, 7);
	text[4096] = ' ';
	text[4097] = 0;
	check_error(text, "x.conf:1:1: a line of more than 4096 characters");
	for (int i = 0; i < 300000; i++)
		text[i] = '\n';
	text[256 * 1024] = 0;
	check_good(text);
	text[256 * 1024] = '\n';
	text[256 * 1024 + 1] = 0;
	check_error(text, "x.conf is larger than 256 KiB");
	free(text);
}

static void test_include(void **state)
{
	(void)state;
	write_text("d/b.conf", "upstream 1.0.0.3#c\n");
	write_text("d/a.conf",
		   "upstream 1.0.0.2#b\ninclude e/*.conf\n"); /* relative to d */
	write_text("d/c.txt", "nonsense\n");
	check_good("upstream 1.0.0.1#a\ninclude d/*.conf\nupstream 1.0.0.4#d\n");
	check_upstreams("a b c d ");
	check_good("include d/b.conf\ninclude none*/*.conf");
	check_upstreams("c ");
	check_error("\ninclude d/z.conf\n",
		    "x.conf:2:9: cannot read d/z.conf: No such file or directory");
	check_error("include d\n", "x.conf:1:9: cannot read d: Is a directory");
	check_error("include\n", "x.conf:1:1: include needs a file: include FILE");
	check_error("upstream 1.0.0.3#c\ninclude d/b.conf\n",
		    "d/b.conf:1:10: '1.0.0.3#c' is there already (in x.conf:1:10)");
	write_text("d/b.conf", "workers 1\nbad\n");
	check_error("include d/b.conf\n", "d/b.conf:2:1: unknown word 'bad'");
}

static void test_include_loops(void **state)
{
	char name[32], text[64];

	(void)state;
	check_error("include x.conf\n", "x.conf:1:9: x.conf includes itself");
	write_text("d/l.conf", "\n include ../x.conf\n");
	check_error("include d/l.conf\n", "d/l.conf:2:10: d/../x.conf includes itself");
	for (int i = 1; i <= 9; i++) {
		snprintf(name, sizeof name, "n%d", i);
		snprintf(text, sizeof text, i < 9 ? "include n%d\n" : "workers 9\n",
			 i + 1);
		write_text(name, text);
	}
	check_good("include n2\n"); /* eight below x.conf */
	assert_int_equal(config.workers, 9);
	check_error("include n1\n", "n8:1:9: more than 8 files inside one another");
}

static void test_too_many_files(void **state)
{
	char text[300 * 12] = "";

	(void)state;
	write_text("e", "");
	for (int i = 0; i < 256; i++)
		strcat(text, "include e\n");
	check_error(text, "x.conf:256:9: more than 256 files");
}

static void test_places_go_over_each_other(void **state)
{
	(void)state;
	write_text("x.conf", "workers 2\ntcp-clients 2\nquery-timeout 2s\n"
			     "upstream 1.1.1.1#a\nupstream 1.1.1.2#b\n");
	assert_int_equal(read_file(NULL, NULL), 0);
	check_upstreams("a b ");
	assert_int_equal(read_file("--workers=4", "DOTGATE_TCP_CLIENTS=3"), 0);
	assert_int_equal(config.query_timeout_us, 2000000);
	assert_int_equal(config.tcp_clients, 3);
	assert_int_equal(config.workers, 4);
	assert_int_equal(read_file("-u9.9.9.9#c", "DOTGATE_WORKERS=3"), 0);
	check_upstreams("c ");
	assert_int_equal(config.workers, 3);
	/* the same as in the file is no duplicate: it is said in another place */
	assert_int_equal(read_file("-u1.1.1.1#a", "DOTGATE_UPSTREAM=1.1.1.1#a;1.1.1.1#z"),
			 0);
	check_upstreams("a ");
	assert_int_equal(read_file("--workers=4", "DNSSERVER=8.8.8.8"), 0);
	assert_int_equal(config.upstream_count, 1);
	check_upstreams(" ");
	/* but what goes under is checked all the same */
	assert_int_equal(read_file("--workers=4", "DOTGATE_WORKERS=x"), -EINVAL);
}

/* What check -T prints gives itself when it is read again. */
static void test_print_round_trip(void **state)
{
	char first[16384] = "", second[16384] = "";
	FILE *out = fmemopen(first, sizeof first, "w");

	(void)state;
	check_good(
	    "listen *:53\nlisten [fe80::1%lo]:54\n"
	    "upstream tls://[2606:4700::1111]:99#a.test ca=/x#y ca-dir=/z tls-min=1.3\n"
	    "upstream 1.1.1.1 auth=pin "
	    "pin=sha256/AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
	    "upstream 1.1.1.2#b auth=none\n"
	    "ca-file /a/b.pem\nca-dir /c\ntls-min 1.3\nworkers 7\nhttp [::1]:9153\n"
	    "log-level debug\nquery-timeout 1500ms\ntcp-idle-timeout 1m\n"
	    "tcp-clients 7\ntcp-clients-per-address 6\nupstream-idle-timeout 1h\n"
	    "drain-timeout 0s\n");
	options_print_config(out, &config);
	fclose(out);
	check_good(first);
	out = fmemopen(second, sizeof second, "w");
	options_print_config(out, &config);
	fclose(out);
	assert_string_equal(first, second);
	assert_non_null(strstr(first, "pin=sha256/AQAA"));
	assert_non_null(strstr(first, "drain-timeout            0s\n"));
	assert_int_equal(config.upstream_count, 3);
	assert_int_equal(config.listen_count, 3);
	assert_int_equal(config.drain_us, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lines),
	    cmocka_unit_test(test_errors_say_where),
	    cmocka_unit_test(test_hostile_octets),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_include),
	    cmocka_unit_test(test_include_loops),
	    cmocka_unit_test(test_too_many_files),
	    cmocka_unit_test(test_places_go_over_each_other),
	    cmocka_unit_test(test_print_round_trip),
	};

	return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
