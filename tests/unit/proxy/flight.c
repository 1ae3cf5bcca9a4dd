/* flight: joining, generations, caps, order, and whose flights they are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "dns/message.h"
#include "proxy/flight.h"

#define SHARE_PERCENT 25

/* From so many flights or clients that wait on, places are scarce. */
#define SCARCE_FLIGHTS (FLIGHTS_MAX / 4 * 3)
#define SCARCE_WAITERS (WAITERS_MAX / 4 * 3)

/* One client's share of both. */
#define SHARE_FLIGHTS (FLIGHTS_MAX * SHARE_PERCENT / 100)
#define SHARE_WAITERS (WAITERS_MAX * SHARE_PERCENT / 100)

static struct flights *t;
static const struct host host = {1, 2}, other_host = {3, 4}, idle_host = {5, 6};

static int set_up(void **state)
{
	(void)state;
	t = flights_new(SHARE_PERCENT);
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

/* One more client of OWNER waits for F. */
static int join(struct flight *f, const struct host *owner)
{
	const struct client c = {.kind = CLIENT_TCP};
	struct query q = ask("\1a\0", 3);

	return flights_wait(t, f, &c, owner, &q, f->began_us);
}

static struct flight *begin_as(const struct host *owner, const struct query *q,
			       uint64_t question, uint64_t now)
{
	struct flight *f = flights_begin(t, q, flights_key(q, question), question, now);

	if (f)
		assert_int_equal(join(f, owner), 0);
	return f;
}

static struct flight *begin(const struct query *q, uint64_t question, uint64_t now)
{
	return begin_as(&host, q, question, now);
}

/* COUNT flights of OWNER. Returns the last. */
static struct flight *begin_many(const struct host *owner, unsigned count)
{
	struct query q = ask("\1a\0", 3);
	struct flight *f = NULL;

	for (unsigned i = 0; i < count; i++) {
		f = begin_as(owner, &q, flights_count(t), 0);
		assert_non_null(f);
	}
	return f;
}

/* COUNT clients of OWNER wait, for as few new flights as can be. Returns the last of those. */
static struct flight *wait_many(const struct host *owner, unsigned count)
{
	struct flight *f = NULL;

	for (unsigned i = 0; i < count; i++)
		if (i % WAITERS_PER_FLIGHT == 0)
			f = begin_many(owner, 1);
		else
			assert_int_equal(join(f, owner), 0);
	return f;
}

/* One that renews an answer: nobody waits for it, and nobody owns it. */
static void begin_unowned(void)
{
	struct query q = ask("\1a\0", 3);

	assert_non_null(flights_begin(t, &q, 1, 1, 0));
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

static void flights_become_scarce(void **state)
{
	struct flight *last;

	(void)state;
	begin_many(&host, SCARCE_FLIGHTS - 1);
	assert_false(flights_are_scarce(t));
	last = begin_many(&host, 1);
	assert_true(flights_are_scarce(t));
	flights_end(t, last);
	assert_false(flights_are_scarce(t));
	begin_unowned();
	assert_true(flights_are_scarce(t));
}

static void places_to_wait_become_scarce(void **state)
{
	struct flight *last;

	(void)state;
	last = wait_many(&host, SCARCE_WAITERS - 1);
	assert_false(flights_are_scarce(t));
	assert_int_equal(join(last, &host), 0);
	assert_true(flights_are_scarce(t));
	flights_release(t, last);
	assert_false(flights_are_scarce(t));
}

static void a_share_of_flights_ends_when_they_are_scarce(void **state)
{
	struct flight *last;

	(void)state;
	last = begin_many(&host, SHARE_FLIGHTS);
	begin_many(&other_host, SHARE_FLIGHTS - 1);
	assert_false(flights_share_is_used(t, &host));
	while (!flights_are_scarce(t))
		begin_unowned();
	assert_true(flights_share_is_used(t, &host));
	assert_false(flights_share_is_used(t, &other_host));
	assert_false(flights_share_is_used(t, &idle_host));
	flights_end(t, last);
	begin_unowned();
	assert_true(flights_are_scarce(t));
	assert_false(flights_share_is_used(t, &host));
}

static void a_share_of_places_ends_when_they_are_scarce(void **state)
{
	struct flight *last;

	(void)state;
	last = wait_many(&host, SHARE_WAITERS - 1);
	wait_many(&other_host, SCARCE_WAITERS - SHARE_WAITERS);
	assert_false(flights_share_is_used(t, &other_host)); /* not yet scarce */
	wait_many(&idle_host, 1);
	assert_true(flights_share_is_used(t, &other_host));
	assert_false(flights_share_is_used(t, &host));
	assert_int_equal(join(last, &host), 0);
	assert_true(flights_share_is_used(t, &host));
	assert_false(flights_share_is_used(t, &idle_host));
}

/* Of few flights anybody may have all, and of many nobody more than the share. */
static void a_client_is_heavy_above_its_share(void **state)
{
	struct flight *last;

	(void)state;
	last = begin_many(&host, 63);
	assert_false(flights_is_heavy(t, &host));
	begin_unowned();
	assert_true(flights_is_heavy(t, &host));
	assert_false(flights_is_heavy(t, &idle_host));
	flights_end(t, last);
	assert_false(flights_is_heavy(t, &host));
	begin_many(&other_host, 62 * 3);
	assert_false(flights_is_heavy(t, &host)); /* 62 of 249 */
	begin_many(&host, 1);
	assert_true(flights_is_heavy(t, &host)); /* 63 of 250 */
	begin_many(&other_host, 2);
	assert_false(flights_is_heavy(t, &host)); /* 63 of 252 are its share */
	assert_true(flights_is_heavy(t, &other_host));
	assert_false(flights_are_scarce(t));
}

static void the_heaviest_client_is_known(void **state)
{
	struct host most = {0};
	struct flight *last;

	(void)state;
	assert_int_equal(flights_heaviest(t, &most), 0);
	begin_unowned();
	assert_int_equal(flights_heaviest(t, &most), 0);
	assert_memory_equal(&most, &(struct host){0}, sizeof most);
	begin_many(&host, 2);
	assert_int_equal(flights_heaviest(t, &most), 66);
	assert_memory_equal(&most, &host, sizeof host);
	last = begin_many(&other_host, 3);
	assert_int_equal(flights_heaviest(t, &most), 50);
	assert_memory_equal(&most, &other_host, sizeof host);
	/* who joins a flight does not own it */
	assert_int_equal(join(last, &host), 0);
	assert_int_equal(join(last, &host), 0);
	assert_int_equal(flights_heaviest(t, &most), 50);
	assert_memory_equal(&most, &other_host, sizeof host);
	flights_end(t, last);
	begin_many(&host, 1);
	assert_int_equal(flights_heaviest(t, &most), 50);
	assert_memory_equal(&most, &host, sizeof host);
}

static void the_newest_of_the_heaviest_gives_way(void **state)
{
	struct flight *second, *last;

	(void)state;
	assert_null(flights_give_way(t, &host));
	begin_unowned();
	assert_null(flights_give_way(t, &host));
	second = begin_many(&host, 2);
	last = begin_many(&host, 1);
	begin_many(&other_host, 1);
	assert_ptr_equal(flights_give_way(t, &other_host), last);
	assert_ptr_equal(flights_give_way(t, &idle_host), last);
	assert_null(flights_give_way(t, &host));
	flights_end(t, last);
	assert_ptr_equal(flights_give_way(t, &idle_host), second);
	/* else the other would be the heaviest, and have to give it back */
	assert_null(flights_give_way(t, &other_host));
	flights_end(t, second);
	assert_null(flights_give_way(t, &idle_host));
}

static void a_flight_that_others_wait_for_does_not_give_way(void **state)
{
	struct flight *first, *joined[8];

	(void)state;
	first = begin_many(&host, 1);
	for (unsigned i = 0; i < 8; i++) {
		joined[i] = begin_many(&host, 1);
		if (i < 7)
			assert_int_equal(join(joined[i], &other_host), 0);
	}
	assert_ptr_equal(flights_give_way(t, &idle_host), joined[7]);
	assert_int_equal(join(joined[7], &other_host), 0);
	/* no more than eight are looked at */
	assert_null(flights_give_way(t, &idle_host));
	flights_end(t, joined[7]);
	assert_ptr_equal(flights_give_way(t, &idle_host), first);
	/* nobody waits for what has been answered already */
	flights_release(t, joined[3]);
	assert_ptr_equal(flights_give_way(t, &idle_host), joined[3]);
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
	    cmocka_unit_test_setup_teardown(flights_become_scarce, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(places_to_wait_become_scarce, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(a_share_of_flights_ends_when_they_are_scarce,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_share_of_places_ends_when_they_are_scarce,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_client_is_heavy_above_its_share, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(the_heaviest_client_is_known, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(the_newest_of_the_heaviest_gives_way, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(
		a_flight_that_others_wait_for_does_not_give_way, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
