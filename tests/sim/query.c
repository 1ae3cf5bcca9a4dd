/* query: joining, deadlines, overload, drain: what a client gets and when. */
#include "story.h"

#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "dns/name.h"
#include "proxy/flight.h"

static void a_query_is_answered(void **state)
{
	unsigned c;

	(void)state;
	world_new(1);
	c = world_ask("example.com");
	world_settle();
	assert_good(c);
	assert_int_equal(world_server(0)->dials, 1);
	assert_int_equal(world_inflight(), 0);
	assert_int_equal(world_metrics()->responses[0][SOURCE_UPSTREAM], 1);
	world_free();
}

static void queries_of_a_round_share_a_record(void **state)
{
	(void)state;
	world_new(1);
	world_ask("warm.example");
	world_settle();
	ask_many(100);
	world_settle();
	assert_int_equal(world_server(0)->queries, 101);
	assert_int_equal(world_server(0)->writes, 2);
	assert_int_equal(world_server(0)->dials,
			 2); /* so many depend on it that it has a spare */
	for (unsigned i = 0; i <= 100; i++)
		assert_good(i);
	world_free();
}

static void identical_questions_join(void **state)
{
	(void)state;
	world_new(1);
	world_server(0)->mute = true;
	for (unsigned i = 0; i < 100; i++)
		world_ask(i % 2 ? "EXAMPLE.com" : "example.COM");
	world_settle();
	assert_int_equal(world_received_count(0), 1);
	world_answer(world_received(0, 0));
	world_settle();
	for (unsigned i = 0; i < 100; i++) {
		assert_good(i);
		/* each in the case in which it was asked */
		assert_memory_equal(world_told(i)->message + 13,
				    i % 2 ? "EXAMPLE" : "example", 7);
	}
	assert_int_equal(world_metrics()->joined, 99);
	world_free();
}

static void what_differs_is_not_joined(void **state)
{
	(void)state;
	world_new(1);
	world_server(0)->mute = true;
	world_ask_as("example.com", TYPE_A, 0, false);
	world_ask_as("example.com", TYPE_AAAA, 0, false);
	world_ask_as("example.com", TYPE_A, DNS_CD, false);
	world_ask_as("example.com", TYPE_A, 0, true);
	world_ask_as("www.example.com", TYPE_A, 0, false);
	world_settle();
	assert_int_equal(world_received_count(0), 5);
	world_free();
}

/* What is logged while FN runs. The text is the caller's until the next call. */
static const char *logged(void (*fn)(void))
{
	static char text[4096];
	FILE *file = tmpfile();
	int before = dup(STDERR_FILENO);
	size_t n;

	assert_non_null(file);
	log_set_level(LOG_WARNING);
	dup2(fileno(file), STDERR_FILENO);
	fn();
	dup2(before, STDERR_FILENO);
	close(before);
	log_set_level(LOG_ERROR);
	rewind(file);
	n = fread(text, 1, sizeof text - 1, file);
	text[n] = '\0';
	fclose(file);
	return text;
}

static unsigned count_of(const char *text, const char *word)
{
	unsigned n = 0;

	while ((text = strstr(text, word))) {
		text += strlen(word);
		n++;
	}
	return n;
}

static void ask_too_much(void)
{
	for (unsigned i = 0; i < WAITERS_PER_FLIGHT + 30; i++)
		world_ask("example.com");
	world_settle();
}

static void refuse_for_two_seconds(void)
{
	ask_too_much();
	world_run(900 * WORLD_MS);
	world_ask("example.com");
	world_run(1100 * WORLD_MS);
}

static void refuse_some_more(void)
{
	for (unsigned i = 0; i < 20; i++) {
		world_ask("example.com");
		world_run(100 * WORLD_MS);
	}
}

static void pass_two_minutes(void)
{
	world_run(120 * WORLD_S);
}

/* A burst has a line, with all that it was; what goes on, a line a minute. */
static void overload_is_logged_once_a_burst(void **state)
{
	const char *text;

	(void)state;
	world_new(1);
	world_server(0)->mute = true;
	text = logged(refuse_for_two_seconds);
	assert_int_equal(count_of(text, "reason=overload"), 1);
	assert_non_null(strstr(text,
			       "reason=overload: 31 queries of clients were refused "
			       "within 1 s"));
	assert_non_null(strstr(text, "one client"));
	assert_int_equal(count_of(logged(refuse_some_more), "overload"), 0);
	text = logged(pass_two_minutes);
	assert_int_equal(count_of(text, "reason=overload"), 1);
	assert_non_null(strstr(text, "20 queries of clients were refused within 60 s"));
	/* the next burst is told soon again */
	assert_int_equal(count_of(logged(refuse_for_two_seconds), "reason=overload"), 1);
	world_free();
}

/* After each way in which a query ends. */
static void counters_add_up(void **state)
{
	static const uint8_t response[12] = {0, 0, 0x80};
	const struct metrics *m;

	(void)state;
	world_new(1);
	m = world_metrics();
	world_server(0)->mute = true;
	for (unsigned i = 0; i < 10; i++)
		world_ask("example.com");
	world_settle();
	assert_int_equal(m->waiting, 10);
	assert_true(world_adds_up());
	world_answer(world_received(0, 0));
	world_settle();
	assert_int_equal(m->waiting, 0);
	assert_true(world_adds_up());
	for (unsigned i = 0; i < WAITERS_PER_FLIGHT + 7; i++)
		world_ask("example.net");
	world_settle();
	assert_int_equal(m->overloads, 7);
	assert_int_equal(m->dropped[REASON_OVERLOAD], 0);
	assert_int_equal(m->waiting, WAITERS_PER_FLIGHT);
	assert_true(world_adds_up());
	world_run(6 * WORLD_S);
	assert_int_equal(m->waiting, 0);
	assert_true(world_adds_up());
	world_ask_raw(response, sizeof response);
	world_ask_raw(response, 11);
	assert_int_equal(m->dropped[REASON_NOT_A_QUERY], 1);
	assert_int_equal(m->dropped[REASON_SHORT_MESSAGE], 1);
	assert_true(world_adds_up());
	world_ask("example.org");
	world_abort();
	assert_int_equal(m->waiting, 0);
	world_free();
}

static void one_question_holds_a_bounded_number_of_clients(void **state)
{
	(void)state;
	world_new(1);
	world_server(0)->mute = true;
	for (unsigned i = 0; i <= WAITERS_PER_FLIGHT; i++)
		world_ask("example.com");
	world_settle();
	assert_int_equal(world_received_count(0), 1);
	assert_failed(WAITERS_PER_FLIGHT, 23, "overload");
	assert_int_equal(world_metrics()->overloads, 1);
	world_answer(world_received(0, 0));
	world_settle();
	assert_good(0);
	assert_good(WAITERS_PER_FLIGHT - 1);
	world_free();
}

static void the_deadline_is_the_first_clients(void **state)
{
	unsigned first, second;
	uint64_t start;

	(void)state;
	world_new(1);
	world_server(0)->mute = true;
	start = world_now();
	first = world_ask("example.com");
	world_run(3 * WORLD_S);
	second = world_ask("example.com");
	world_run(10 * WORLD_S);
	assert_failed(first, 22, "query_timeout");
	assert_failed(second, 22, "query_timeout");
	assert_int_equal(world_told(first)->at_us, start + 5 * WORLD_S);
	assert_int_equal(world_told(second)->at_us, start + 5 * WORLD_S);
	world_free();
}

static void nothing_is_sent_after_the_deadline(void **state)
{
	unsigned client, sent;

	(void)state;
	world_new(1);
	world_server(0)->dial = DIAL_BLACK_HOLE;
	client = world_ask("example.com");
	world_run(5 * WORLD_S);
	assert_int_equal(world_told(client)->answers, 1);
	world_server(0)->dial = DIAL_ACCEPTS;
	sent = world_server(0)->queries;
	world_run(20 * WORLD_S);
	assert_int_equal(world_server(0)->queries, sent);
	assert_int_equal(world_told(client)->answers, 1);
	world_free();
}

static void a_late_answer_reaches_nobody(void **state)
{
	unsigned first, second;
	struct received *q;

	(void)state;
	world_new(1);
	world_server(0)->mute = true;
	first = world_ask("example.com");
	world_run(5 * WORLD_S);
	assert_failed(first, 22, "query_timeout");
	second = world_ask("example.com");
	world_run(1 * WORLD_S);
	while ((q = world_received(0, 0)))
		world_answer(q);
	world_settle();
	assert_good(second);
	assert_int_equal(world_told(first)->answers, 1);
	world_free();
}

static void shutdown_tells_those_who_wait(void **state)
{
	unsigned c;

	(void)state;
	world_new(1);
	world_server(0)->mute = true;
	c = world_ask("example.com");
	world_settle();
	world_abort();
	assert_failed(c, 14, "shutdown");
	assert_int_equal(world_inflight(), 0);
	world_free();
}

static void bad_messages_are_answered_here(void **state)
{
	static const uint8_t no_question[12] = {0, 0, 1};
	static const uint8_t response[12] = {0, 0, 0x80};
	static const uint8_t notify[12] = {0, 0, 4 << 3, 0, 0, 1};

	(void)state;
	world_new(1);
	world_ask_raw(no_question, sizeof no_question);
	world_ask_raw(response, sizeof response);
	world_ask_raw(notify, sizeof notify);
	world_ask_raw(notify, 11);
	world_settle();
	assert_int_equal(world_told(0)->rcode, RCODE_FORMERR);
	assert_int_equal(world_told(1)->answers, 0);
	assert_int_equal(world_told(2)->rcode, RCODE_NOTIMP);
	assert_int_equal(world_told(3)->answers, 0);
	assert_int_equal(world_connections(), 0);
	world_free();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_query_is_answered),
	    cmocka_unit_test(queries_of_a_round_share_a_record),
	    cmocka_unit_test(identical_questions_join),
	    cmocka_unit_test(what_differs_is_not_joined),
	    cmocka_unit_test(counters_add_up),
	    cmocka_unit_test(overload_is_logged_once_a_burst),
	    cmocka_unit_test(one_question_holds_a_bounded_number_of_clients),
	    cmocka_unit_test(the_deadline_is_the_first_clients),
	    cmocka_unit_test(nothing_is_sent_after_the_deadline),
	    cmocka_unit_test(a_late_answer_reaches_nobody),
	    cmocka_unit_test(shutdown_tells_those_who_wait),
	    cmocka_unit_test(bad_messages_are_answered_here),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
