/* flight: joining, generations, caps, order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "dns/message.h"
#include "proxy/flight.h"

static struct flights *t;
static const struct host host = {1, 2};

static int set_up(void **state)
{
	(void)state;
	t = flights_new(25);
	return t ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	flights_free(t);
	return 0;
}

static struct query ask(const char *wire, size_t len)
{
	return (struct query){
	    .id = 77,
	    .flags = DNS_RD,
	    .limit = 512,
	    .question = {
		.name = (const uint8_t *)wire, .name_len = len, .type = 1, .class = 1}};
}

static struct flight *begin(const struct query *q, uint64_t question, uint64_t now)
{
	const struct client c = {.kind = CLIENT_TCP};
	struct flight *f = flights_begin(t, q, flights_key(q, question), question, now);

	if (f)
		assert_int_equal(flights_wait(t, f, &c, &host, q, now), 0);
	return f;
}

static void is_found_by_what_it_asks(void **state)
{
	struct query q = ask("\1a\0", 3), upper = ask("\1A\0", 3),
		     other = ask("\1b\0", 3);
	struct query cd = q, dnssec = q, aaaa = q;
	struct flight *f = begin(&q, 5, 0);

	(void)state;
	cd.flags |= DNS_CD;
	dnssec.edns.do_bit = true;
	aaaa.question.type = 28;
	assert_ptr_equal(flights_find(t, &q, flights_key(&q, 5)), f);
	assert_ptr_equal(flights_find(t, &upper, flights_key(&upper, 5)), f);
	/* even when the hashes are the same */
	assert_null(flights_find(t, &other, flights_key(&other, 5)));
	assert_null(flights_find(t, &aaaa, flights_key(&aaaa, 5)));
	assert_null(flights_find(t, &cd, flights_key(&cd, 5)));
	assert_null(flights_find(t, &dnssec, flights_key(&dnssec, 5)));
}

static void an_id_never_comes_again(void **state)
{
	struct query q = ask("\1a\0", 3);
	uint64_t last = 0;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		struct flight *f = begin(&q, 5, 0);
		uint64_t id = f->id;

		assert_int_not_equal(id, 0);
		assert_int_not_equal(id, last);
		assert_null(flights_get(t, last));
		assert_ptr_equal(flights_get(t, id), f);
		flights_end(t, f);
		assert_null(flights_get(t, id));
		last = id;
	}
	assert_null(flights_get(t, 0));
	assert_null(flights_get(t, UINT64_MAX));
}

static void the_table_is_bounded(void **state)
{
	struct query q = ask("\1a\0", 3);
	struct flight *last = NULL;

	(void)state;
	for (unsigned i = 0; i < FLIGHTS_MAX; i++) {
		last = begin(&q, i, i);
		assert_non_null(last);
	}
	assert_null(flights_begin(t, &q, 1, 1, 1));
	assert_int_equal(flights_count(t), FLIGHTS_MAX);
	assert_int_equal(flights_oldest(t)->began_us, 0);
	flights_end(t, flights_oldest(t));
	assert_int_equal(flights_oldest(t)->began_us, 1);
	assert_non_null(begin(&q, 1, 1));
	while (flights_oldest(t))
		flights_end(t, flights_oldest(t));
	assert_int_equal(flights_count(t), 0);
}

static void waiters_are_bounded(void **state)
{
	struct query q = ask("\1a\0", 3);
	const struct client c = {.kind = CLIENT_TCP};
	struct flight *f = begin(&q, 5, 0);
	unsigned total = 1;

	(void)state;
	for (unsigned i = 1; i < WAITERS_PER_FLIGHT; i++, total++)
		assert_int_equal(flights_wait(t, f, &c, &host, &q, 0), 0);
	assert_int_equal(flights_wait(t, f, &c, &host, &q, 0), -ENOSPC);
	while (total < WAITERS_MAX) {
		if (f->waiter_count == WAITERS_PER_FLIGHT)
			f = flights_begin(t, &q, total, total, 0);
		assert_non_null(f);
		assert_int_equal(flights_wait(t, f, &c, &host, &q, 0), 0);
		total++;
	}
	f = flights_begin(t, &q, 1, 1, 0);
	assert_int_equal(flights_wait(t, f, &c, &host, &q, 0), -ENOSPC);
	/* what one flight gives back, another can take */
	flights_end(t, flights_oldest(t));
	assert_int_equal(flights_wait(t, f, &c, &host, &q, 0), 0);
}

static void a_waiter_keeps_its_own_query(void **state)
{
	struct query q = ask("\1a\0", 3), second = ask("\1A\0", 3);
	const struct client c = {.kind = CLIENT_TCP, .tcp = {.slot = 3, .generation = 4}};
	struct flight *f = begin(&q, 5, 10);
	const struct waiter *w;
	struct query back;

	(void)state;
	second.id = 99;
	second.limit = 1232;
	second.flags = DNS_RD | DNS_AD;
	second.edns = (struct edns){.present = true, .do_bit = true, .keepalive = true};
	assert_int_equal(flights_wait(t, f, &c, &host, &second, 11), 0);
	w = flights_next(t, flights_first(t, f));
	assert_null(flights_next(t, w));
	assert_int_equal(w->client.tcp.slot, 3);
	assert_int_equal(w->asked_us, 11);
	back = flights_query(f, w);
	assert_int_equal(back.id, 99);
	assert_int_equal(back.limit, 1232);
	assert_int_equal(back.flags, DNS_RD | DNS_AD);
	assert_true(back.edns.present && back.edns.do_bit && back.edns.keepalive);
	assert_int_equal(back.question.name_len, 3);
	assert_memory_equal(back.question.name, "\1A\0", 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(is_found_by_what_it_asks, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(an_id_never_comes_again, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(the_table_is_bounded, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(waiters_are_bounded, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_waiter_keeps_its_own_query, set_up,
					    tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
