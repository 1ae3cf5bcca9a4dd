/* prometheus: names, rows, sums and escapes of the metrics page. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/version.h"
#include "net/tls.h"
#include "telemetry/prometheus.h"

#define WORKERS 2
#define LINE_MAX 512

static const char *const labels[] = {"tls://192.0.2.1#a.test", "tls://\"q\\\n"};
static const bool unauthenticated[] = {false, true};

struct fixture {
	struct metrics *workers[WORKERS];
	struct sources sources;
	char *page;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	assert_non_null(f);
	for (unsigned w = 0; w < WORKERS; w++) {
		f->workers[w] = calloc(1, sizeof *f->workers[w]);
		assert_non_null(f->workers[w]);
	}
	f->sources = (struct sources){
	    .worker_count = WORKERS,
	    .workers = f->workers,
	    .upstream_count = 2,
	    .upstreams = labels,
	    .unauthenticated = unauthenticated,
	};
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	for (unsigned w = 0; w < WORKERS; w++)
		free(f->workers[w]);
	free(f->page);
	free(f);
	return 0;
}

static void make(struct fixture *f)
{
	size_t len = 0;

	free(f->page);
	f->page = prometheus_make(&f->sources, &len);
	assert_non_null(f->page);
	assert_int_equal(len, strlen(f->page));
}

/* How often the line "LINE\n" is on the page. */
static unsigned count_lines(const struct fixture *f, const char *line)
{
	size_t len = strlen(line);
	unsigned n = 0;

	for (const char *p = f->page; *p; p = strchr(p, '\n') + 1)
		n += strncmp(p, line, len) == 0 && p[len] == '\n';
	return n;
}

#define assert_line(f, line) assert_int_equal(count_lines(f, line), 1)
#define assert_no_text(f, text) assert_null(strstr((f)->page, text))

static void test_sums_the_workers(void **state)
{
	struct fixture *f = *state;

	f->workers[0]->requests[METRIC_UDP][0] = 3;
	f->workers[1]->requests[METRIC_UDP][0] = 4;
	f->workers[0]->tcp_clients = 5;
	f->workers[1]->tcp_clients = 6;
	f->workers[0]->tcp_accepted = 100;
	f->workers[1]->flights = 9;
	f->workers[0]->joined = 1;
	f->workers[1]->joined = 1;
	f->workers[1]->replays = 8;
	f->workers[1]->upstream[1].inflight = 2;
	f->workers[0]->upstream[1].inflight = 3;
	make(f);
	assert_line(f, "dotgate_dns_requests_total{proto=\"udp\",type=\"A\"} 7");
	assert_line(f, "dotgate_tcp_clients 11");
	assert_line(f, "dotgate_tcp_accepted_total 100");
	assert_line(f, "dotgate_inflight 9");
	assert_line(f, "dotgate_joined_total 2");
	assert_line(f, "dotgate_replays_total 8");
	assert_line(f,
		    "dotgate_upstream_inflight{upstream=\"tls://192.0.2.1#a.test\"} 0");
	assert_line(f, "dotgate_upstream_inflight{upstream=\"tls://\\\"q\\\\\\n\"} 5");
}

static void test_shows_what_alerts_need_from_the_start(void **state)
{
	struct fixture *f = *state;

	make(f);
	assert_line(f, "dotgate_dns_requests_total{proto=\"udp\",type=\"A\"} 0");
	assert_line(f, "dotgate_dns_requests_total{proto=\"tcp\",type=\"AAAA\"} 0");
	assert_line(
	    f, "dotgate_dns_responses_total{rcode=\"NOERROR\",source=\"upstream\"} 0");
	assert_line(
	    f, "dotgate_dns_responses_total{rcode=\"NXDOMAIN\",source=\"upstream\"} 0");
	assert_line(f,
		    "dotgate_dns_responses_total{rcode=\"SERVFAIL\",source=\"error\"} 0");
	assert_line(f, "dotgate_dropped_total{reason=\"short_message\"} 0");
	assert_line(f, "dotgate_dropped_total{reason=\"send_failed\"} 0");
	assert_line(f, "dotgate_tcp_dropped_total{reason=\"client_limit\"} 0");
	assert_line(f, "dotgate_overload_total 0");
	assert_line(f,
		    "dotgate_dns_request_duration_seconds_count{source=\"upstream\"} 0");
	assert_line(f,
		    "dotgate_upstream_requests_total{upstream=\"tls://192.0.2.1#a.test\","
		    "result=\"answered\"} 0");
	assert_line(f,
		    "dotgate_upstream_requests_total{upstream=\"tls://192.0.2.1#a.test\","
		    "result=\"query_timeout\"} 0");
	assert_line(f, "dotgate_upstream_connections{upstream=\"tls://192.0.2.1#a.test\","
		       "state=\"connecting\"} 0");
	assert_line(f, "dotgate_upstream_connections_opened_total{"
		       "upstream=\"tls://192.0.2.1#a.test\",resumed=\"true\"} 0");
	assert_line(f, "dotgate_log_dropped_total 0");
	assert_no_text(f, "type=\"MX\"");
	assert_line(f,
		    "dotgate_dns_responses_total{rcode=\"NOERROR\",source=\"cache\"} 0");
	assert_line(f,
		    "dotgate_dns_responses_total{rcode=\"NOERROR\",source=\"stale\"} 0");
	assert_line(
	    f, "dotgate_dns_responses_total{rcode=\"REFUSED\",source=\"upstream\"} 0");
	assert_line(f, "dotgate_dns_request_duration_seconds_count{source=\"stale\"} 0");
	assert_line(f, "dotgate_upstream_connections_closed_total{"
		       "upstream=\"tls://192.0.2.1#a.test\",reason=\"tls_cert_expired\"} "
		       "0");
	assert_line(f, "dotgate_upstream_requests_total{"
		       "upstream=\"tls://192.0.2.1#a.test\",result=\"reset\"} 0");
	assert_line(f, "dotgate_udp_kernel_drops_total 0");
	assert_no_text(f, "reason=\"none\"");
}

static void test_shows_what_has_counted(void **state)
{
	struct fixture *f = *state;
	struct metrics *w = f->workers[1];

	w->requests[METRIC_TCP][METRIC_TYPES - 1] = 2;
	w->responses[5][SOURCE_LOCAL] = 4;
	w->dropped[REASON_CLIENT_GONE] = 6;
	w->tcp_dropped[REASON_CLIENT_GONE] = 7;
	w->overloads = 8;
	w->waiting = 9;
	w->waiting_max = 10;
	f->workers[0]->waiting_max = 10;
	w->tcp_clients_max = 11;
	w->flights_max = 12;
	w->udp_kernel_drops = 13;
	w->upstream[0].requests[REASON_NONE] = 41;
	w->upstream[0].requests[REASON_TLS_PIN] = 42;
	w->upstream[0].closed[REASON_TLS_CERT_EXPIRED] = 43;
	w->upstream[0].dropped[REASON_UNMATCHED] = 44;
	w->upstream[0].opened[0] = 45;
	w->upstream[0].opened[1] = 46;
	w->upstream[0].connections = 47;
	w->upstream[0].connecting = 48;
	w->upstream[0].writes = 10;
	w->upstream[0].written = 160;
	make(f);
	assert_line(f, "dotgate_dns_requests_total{proto=\"tcp\",type=\"other\"} 2");
	assert_line(f,
		    "dotgate_dns_responses_total{rcode=\"REFUSED\",source=\"local\"} 4");
	assert_line(f, "dotgate_dropped_total{reason=\"client_gone\"} 6");
	assert_line(f, "dotgate_tcp_dropped_total{reason=\"client_gone\"} 7");
	assert_line(f, "dotgate_overload_total 8");
	assert_line(f, "dotgate_waiting 9");
	assert_line(f, "dotgate_waiting_max 20");
	assert_line(f, "dotgate_tcp_clients_max 11");
	assert_line(f, "dotgate_inflight_max 12");
	assert_line(f, "dotgate_udp_kernel_drops_total 13");
#define UPSTREAM "{upstream=\"tls://192.0.2.1#a.test\""
	assert_line(f, "dotgate_upstream_requests_total" UPSTREAM
		       ",result=\"answered\"} 41");
	assert_line(f,
		    "dotgate_upstream_requests_total" UPSTREAM ",result=\"tls_pin\"} 42");
	assert_line(f, "dotgate_upstream_connections_closed_total" UPSTREAM
		       ",reason=\"tls_cert_expired\"} 43");
	assert_line(f, "dotgate_upstream_answers_dropped_total" UPSTREAM
		       ",reason=\"unmatched\"} 44");
	assert_line(f, "dotgate_upstream_connections_opened_total" UPSTREAM
		       ",resumed=\"false\"} 45");
	assert_line(f, "dotgate_upstream_connections_opened_total" UPSTREAM
		       ",resumed=\"true\"} 46");
	assert_line(f, "dotgate_upstream_connections" UPSTREAM ",state=\"ready\"} 47");
	assert_line(f,
		    "dotgate_upstream_connections" UPSTREAM ",state=\"connecting\"} 48");
	assert_line(f, "dotgate_upstream_queries_per_write_sum" UPSTREAM "} 160");
	assert_line(f, "dotgate_upstream_queries_per_write_count" UPSTREAM "} 10");
}

static void test_histogram_is_cumulative_and_in_seconds(void **state)
{
	struct fixture *f = *state;
	struct histogram *h = &f->workers[0]->request_duration[SOURCE_UPSTREAM];

	histogram_add(h, 64);
	histogram_add(h, 65);
	histogram_add(h, 8388608);
	histogram_add(h, 8388609);
	histogram_add(&f->workers[1]->request_duration[SOURCE_UPSTREAM], 1);
	make(f);
#define DURATION "dotgate_dns_request_duration_seconds"
	assert_line(f, DURATION "_bucket{source=\"upstream\",le=\"0.000064\"} 2");
	assert_line(f, DURATION "_bucket{source=\"upstream\",le=\"0.000128\"} 3");
	assert_line(f, DURATION "_bucket{source=\"upstream\",le=\"4.194304\"} 3");
	assert_line(f, DURATION "_bucket{source=\"upstream\",le=\"8.388608\"} 4");
	assert_line(f, DURATION "_bucket{source=\"upstream\",le=\"+Inf\"} 5");
	assert_line(f, DURATION "_sum{source=\"upstream\"} 16.777347");
	assert_line(f, DURATION "_count{source=\"upstream\"} 5");
}

static void test_handshakes_by_resumption(void **state)
{
	struct fixture *f = *state;

	histogram_add(&f->workers[0]->upstream[0].handshake_duration[1], 1000000);
	make(f);
	assert_line(f, "dotgate_upstream_handshake_duration_seconds_count" UPSTREAM
		       ",resumed=\"false\"} 0");
	assert_line(f, "dotgate_upstream_handshake_duration_seconds_sum" UPSTREAM
		       ",resumed=\"true\"} 1.000000");
	assert_line(f, "dotgate_upstream_handshake_duration_seconds_bucket" UPSTREAM
		       ",resumed=\"true\",le=\"1.048576\"} 1");
}

static void test_gauges_that_are_no_sums(void **state)
{
	struct fixture *f = *state;

	for (unsigned w = 0; w < WORKERS; w++)
		f->workers[w]->upstream[0].up = 1;
	f->workers[0]->upstream[0].cert_not_after = 2000000000;
	f->workers[1]->upstream[0].cert_not_after = 1900000000;
	f->workers[1]->upstream[1].up = 1;
	make(f);
	assert_line(f, "dotgate_upstream_up" UPSTREAM "} 1");
	assert_line(f, "dotgate_upstream_up{upstream=\"tls://\\\"q\\\\\\n\"} 1");
	assert_line(f, "dotgate_upstream_cert_expiry_timestamp_seconds" UPSTREAM
		       "} 1900000000");
	assert_no_text(f, "cert_expiry_timestamp_seconds{upstream=\"tls://\\\"q");
	f->workers[1]->upstream[1].up = 0;
	f->workers[1]->upstream[0].cert_not_after = 0;
	make(f);
	assert_line(f, "dotgate_upstream_up{upstream=\"tls://\\\"q\\\\\\n\"} 0");
	assert_line(f, "dotgate_upstream_cert_expiry_timestamp_seconds" UPSTREAM
		       "} 2000000000");
}

static void test_unauthenticated_upstreams_are_told(void **state)
{
	struct fixture *f = *state;

	make(f);
	assert_line(
	    f, "dotgate_upstream_unauthenticated{upstream=\"tls://\\\"q\\\\\\n\"} 1");
	assert_no_text(f, "dotgate_upstream_unauthenticated" UPSTREAM);
}

/* The value is the same from look to look, and right once the clock has been set. */
static void test_start_of_the_process(void **state)
{
	struct fixture *f = *state;
	const struct moment start = {1000000, 500};
	char line[LINE_MAX];

	assert_int_equal(started_unix(start, (struct moment){1000060, 560}), 1000000);
	assert_int_equal(started_unix(start, (struct moment){1000061, 560}), 1000000);
	assert_int_equal(started_unix(start, (struct moment){1000060, 561}), 1000000);
	assert_int_equal(started_unix(start, (struct moment){2000060, 560}), 2000000);
	assert_int_equal(started_unix(start, (struct moment){900060, 560}), 900000);
	assert_int_equal(started_unix(start, (struct moment){30, 560}), 0);
	f->sources.started = moment_now();
	snprintf(line, sizeof line, "process_start_time_seconds %llu",
		 (unsigned long long)f->sources.started.unix_s);
	make(f);
	assert_line(f, line);
}

static void test_build_info(void **state)
{
	struct fixture *f = *state;
	char line[LINE_MAX];

	snprintf(line, sizeof line, "dotgate_build_info{version=\"%s\",tls=\"%s\"} 1",
		 DOTGATE_VERSION, tls_library_version());
	make(f);
	assert_line(f, line);
}

/* Each row belongs to the metric whose HELP and TYPE stand above it, and each is there
 * once. */
static void test_every_row_stands_under_its_metric(void **state)
{
	struct fixture *f = *state;
	char metric[LINE_MAX] = "";
	unsigned metrics = 0;

	make(f);
	for (const char *p = f->page; *p; p = strchr(p, '\n') + 1) {
		char line[LINE_MAX], kind[8], name[LINE_MAX];

		snprintf(line, sizeof line, "%.*s", (int)strcspn(p, "\n"), p);
		assert_int_equal(count_lines(f, line), 1);
		if (sscanf(line, "# %7s %511s", kind, name) == 2) {
			if (strcmp(kind, "TYPE") == 0)
				assert_string_equal(name, metric);
			else
				snprintf(metric, sizeof metric, "%s", name), metrics++;
			continue;
		}
		assert_int_equal(strncmp(line, metric, strlen(metric)), 0);
		assert_non_null(strchr(line, ' '));
	}
	assert_int_equal(metrics, 35);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	    TEST(test_sums_the_workers),
	    TEST(test_shows_what_alerts_need_from_the_start),
	    TEST(test_shows_what_has_counted),
	    TEST(test_histogram_is_cumulative_and_in_seconds),
	    TEST(test_handshakes_by_resumption),
	    TEST(test_gauges_that_are_no_sums),
	    TEST(test_unauthenticated_upstreams_are_told),
	    TEST(test_start_of_the_process),
	    TEST(test_build_info),
	    TEST(test_every_row_stands_under_its_metric),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
