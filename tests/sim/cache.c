/* cache: what clients see of the cache, on a clock that is turned by hand. */
#include "story.h"

#include "cache/answer.h"

/* The TTL of the first record behind the question. */
static uint32_t told_ttl(unsigned client)
{
	const struct told *t = world_told(client);
	size_t at = DNS_HEADER_LEN;
	const uint8_t *p;

	while (t->message[at])
		at += t->message[at] + 1u;
	at += 1 + 4;			      /* the root, type and class */
	at += t->message[at] == 0xc0 ? 2 : 1; /* a pointer, or the root */
	p = t->message + at + 4;
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Asks for NAME and has server 0 answer by PLAN. Returns the client. */
static unsigned learn(const char *name, struct reply_plan plan)
{
	unsigned client = world_ask(name);

	world_settle();
	assert_int_equal(world_received_count(0), 1);
	world_answer_with(world_received(0, 0), &plan);
	world_settle();
	assert_int_equal(world_told(client)->answers, 1);
	return client;
}

/* Asks for NAME, which is answered at once. */
static unsigned recall(const char *name)
{
	unsigned client = world_ask(name);

	world_settle();
	assert_int_equal(world_told(client)->answers, 1);
	return client;
}

static struct server *begin(void)
{
	world_new_cached(1);
	world_server(0)->mute = true;
	return world_server(0);
}

static void a_second_query_is_a_hit(void **state)
{
	struct server *s = begin();

	(void)state;
	learn("a.example", (struct reply_plan){.ttl = 300});
	assert_good(recall("A.eXample"));
	assert_int_equal(s->queries, 1);
	assert_int_equal(world_metrics()->cache_hits, 1);
	assert_int_equal(world_metrics()->cache_misses, 1);
	/* the question's case is the client's */
	assert_memory_equal(world_told(1)->message + 12, "\1A\7eXample", 10);
	world_free();
}

static void ttls_fall_and_end(void **state)
{
	struct server *s = begin();

	(void)state;
	assert_int_equal(told_ttl(learn("a.example", (struct reply_plan){.ttl = 300})),
			 300);
	world_run(100 * WORLD_S);
	assert_int_equal(told_ttl(recall("a.example")), 200);
	world_run(199 * WORLD_S);
	assert_int_equal(told_ttl(recall("a.example")), 1);
	world_run(10 * WORLD_S);
	world_ask("a.example");
	world_settle();
	assert_true(s->queries >= 2);
	world_free();
}

static void long_ttls_are_lowered_for_the_first_client_too(void **state)
{
	(void)state;
	begin();
	assert_int_equal(told_ttl(learn("a.example", (struct reply_plan){.ttl = 999999})),
			 86400);
	assert_int_equal(told_ttl(recall("a.example")), 86400);
	world_free();
}

static void ttl_0_and_2_31_are_not_kept(void **state)
{
	struct server *s = begin();

	(void)state;
	learn("a.example", (struct reply_plan){.ttl = 0});
	learn("a.example", (struct reply_plan){.ttl = 0x80000000});
	learn("a.example", (struct reply_plan){.ttl = 5});
	recall("a.example");
	assert_int_equal(s->queries, 3);
	world_free();
}

static void truncated_is_not_kept(void **state)
{
	struct server *s = begin();

	(void)state;
	learn("a.example", (struct reply_plan){.ttl = 300, .flags = DNS_TC});
	learn("a.example", (struct reply_plan){.ttl = 300});
	assert_int_equal(s->queries, 2);
	world_free();
}

static void negative_answers_live_by_their_soa(void **state)
{
	struct server *s = begin();
	const struct reply_plan no_name = {.rcode = 3, .ttl = 300, .minimum = 60};
	const struct reply_plan no_data = {.negative = true, .ttl = 50, .minimum = 600};

	(void)state;
	assert_int_equal(told_ttl(learn("a.example", no_name)), 60);
	world_run(59 * WORLD_S);
	assert_int_equal(told_ttl(recall("a.example")), 1);
	assert_int_equal(world_told(1)->rcode, RCODE_NXDOMAIN);
	learn("b.example", no_data);
	world_run(49 * WORLD_S);
	assert_int_equal(told_ttl(recall("b.example")), 1);
	assert_int_equal(s->queries, 2);
	world_free();
}

static void without_soa_nothing_negative_is_kept(void **state)
{
	struct server *s = begin();

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		learn("a.example", (struct reply_plan){.rcode = 3});
		learn("b.example", (struct reply_plan){.negative = true});
	}
	assert_int_equal(s->queries, 4);
	world_free();
}

static void a_failure_is_remembered_for_5_s(void **state)
{
	struct server *s = begin();

	(void)state;
	learn("a.example", (struct reply_plan){.rcode = 2});
	world_run(4 * WORLD_S);
	assert_int_equal(world_told(recall("a.example"))->rcode, RCODE_SERVFAIL);
	assert_int_equal(s->queries, 1);
	world_run(2 * WORLD_S);
	learn("a.example", (struct reply_plan){.ttl = 300});
	assert_int_equal(s->queries, 2);
	assert_good(recall("a.example"));
	world_free();
}

/* The clock stands between the answers of other names, so only this one is timed out. */
static void a_time_out_is_remembered_if_the_upstream_lives(void **state)
{
	struct server *s = begin();
	unsigned queries;

	(void)state;
	world_ask("dead.example");
	for (unsigned i = 0; i < 60; i++) {
		char name[32];

		world_run(100 * WORLD_MS);
		snprintf(name, sizeof name, "n%u.example", i);
		world_ask(name);
		world_settle();
		for (unsigned n = 0; world_received(0, n);) {
			struct received *q = world_received(0, n);

			if (memcmp(q->message + 12, "\4dead", 5) == 0)
				n++;
			else
				world_answer(q);
		}
		world_settle();
		if (world_told(0)->answers)
			break;
	}
	assert_failed(0, 22, "query_timeout");
	queries = s->queries;
	assert_failed(recall("dead.example"), 22, "query_timeout");
	assert_int_equal(s->queries, queries);
	world_free();
}

static void do_and_cd_have_answers_of_their_own(void **state)
{
	struct server *s = begin();
	unsigned client;

	(void)state;
	learn("a.example", (struct reply_plan){.ttl = 300, .flags = DNS_AD});
	client = world_ask_as("a.example", TYPE_A, 0, true);
	world_settle();
	assert_int_equal(world_told(client)->answers, 0);
	client = world_ask_as("a.example", TYPE_A, DNS_CD, false);
	world_settle();
	assert_int_equal(world_told(client)->answers, 0);
	assert_int_equal(s->queries, 3);
	world_free();
}

static void ad_is_shown_to_who_asks(void **state)
{
	unsigned plain, asks;

	(void)state;
	begin();
	plain = learn("a.example", (struct reply_plan){.ttl = 300, .flags = DNS_AD});
	asks = world_ask_as("a.example", TYPE_A, DNS_AD, false);
	world_settle();
	assert_int_equal(world_told(plain)->message[3] & DNS_AD, 0);
	assert_int_equal(world_told(asks)->message[3] & DNS_AD, DNS_AD);
	assert_int_equal(world_told(recall("a.example"))->message[3] & DNS_AD, 0);
	world_free();
}

/* An answer to a query without RD may be a mere referral. */
static void without_rd_nothing_is_kept(void **state)
{
	struct server *s = begin();
	unsigned client = world_ask_as("a.example", TYPE_A, DNS_RD, false);

	(void)state;
	world_settle();
	world_answer(world_received(0, 0));
	world_settle();
	assert_int_equal(world_told(client)->answers, 1);
	learn("a.example", (struct reply_plan){.ttl = 300});
	client = world_ask_as("a.example", TYPE_A, DNS_RD, false);
	world_settle();
	assert_int_equal(world_told(client)->answers, 1);
	assert_int_equal(s->queries, 2);
	world_free();
}

static void a_popular_answer_is_renewed_once_near_its_end(void **state)
{
	struct server *s = begin();

	(void)state;
	learn("a.example", (struct reply_plan){.ttl = 300});
	recall("a.example");
	world_run(265 * WORLD_S);
	recall("a.example");
	assert_int_equal(s->queries, 1); /* not near yet */
	world_run(10 * WORLD_S);
	recall("a.example");
	recall("a.example");
	assert_int_equal(s->queries, 2);
	assert_int_equal(world_metrics()->prefetches, 1);
	world_answer_with(world_received(0, 0), &(struct reply_plan){.ttl = 300});
	world_settle();
	assert_int_equal(told_ttl(recall("a.example")), 300);
	assert_int_equal(world_inflight(), 0);
	world_free();
}

static void an_unpopular_answer_is_not_renewed(void **state)
{
	struct server *s = begin();

	(void)state;
	learn("a.example", (struct reply_plan){.ttl = 300});
	world_run(290 * WORLD_S);
	recall("a.example");
	assert_int_equal(s->queries, 1);
	world_free();
}

/* Asked again within its time, but for the time out of which it is. */
static unsigned ask_when_stale(struct server *s, struct reply_plan plan)
{
	unsigned client;

	learn("a.example", plan);
	world_run(400 * WORLD_S);
	client = world_ask("a.example");
	world_settle();
	assert_int_equal(world_told(client)->answers, 0);
	assert_true(s->queries >= 2);
	return client;
}

static void assert_stale(unsigned client, int ede)
{
	assert_int_equal(world_told(client)->answers, 1);
	assert_int_equal(told_ttl(client), ANSWER_STALE_TTL);
	assert_int_equal(world_told(client)->ede, ede);
}

/* Lets US pass, while server 0 answers all but a.example. */
static void chat(uint64_t us)
{
	static unsigned number;

	for (uint64_t end = world_now() + us; world_now() < end;) {
		char name[32];

		snprintf(name, sizeof name, "c%u.example", number++);
		world_ask(name);
		world_settle();
		for (unsigned n = 0; world_received(0, n);) {
			struct received *q = world_received(0, n);

			if (q->message[13] == 'a')
				n++;
			else
				world_answer(q);
		}
		world_run(100 * WORLD_MS);
	}
}

static void stale_after_1800_ms(void **state)
{
	struct server *s = begin();
	unsigned client, joins;
	uint64_t asked;

	(void)state;
	client = ask_when_stale(s, (struct reply_plan){.ttl = 300});
	asked = world_now();
	chat(1700 * WORLD_MS);
	assert_int_equal(world_told(client)->answers, 0);
	chat(200 * WORLD_MS);
	assert_stale(client, 3);
	assert_int_equal(world_told(client)->at_us, asked + 1800 * WORLD_MS);
	/* the question is still out: who asks now need not wait */
	joins = recall("a.example");
	assert_stale(joins, 3);
	world_free();
}

static void a_late_good_answer_takes_its_place(void **state)
{
	struct server *s = begin();
	unsigned client;

	(void)state;
	client = ask_when_stale(s, (struct reply_plan){.ttl = 300});
	world_run(2 * WORLD_S);
	assert_stale(client, 3);
	while (world_received_count(0))
		world_answer_with(world_received(0, 0), &(struct reply_plan){.ttl = 500});
	world_settle();
	assert_int_equal(told_ttl(recall("a.example")), 500);
	assert_int_equal(world_told(client)->answers, 1);
	world_free();
}

static void a_failure_is_no_answer_where_a_stale_one_is(void **state)
{
	struct server *s = begin();
	unsigned client, queries;

	(void)state;
	client =
	    ask_when_stale(s, (struct reply_plan){.rcode = 3, .ttl = 9, .minimum = 9});
	world_answer_with(world_received(0, 0), &(struct reply_plan){.rcode = 2});
	world_settle();
	assert_stale(client, 19);
	assert_int_equal(world_told(client)->rcode, RCODE_NXDOMAIN);
	/* for some seconds it is not tried again */
	queries = s->queries;
	assert_stale(recall("a.example"), 19);
	assert_int_equal(s->queries, queries);
	world_run(6 * WORLD_S);
	world_ask("a.example");
	world_settle();
	assert_int_equal(s->queries, queries + 1);
	world_free();
}

static void failures_are_never_stale_answers(void **state)
{
	unsigned client;

	(void)state;
	begin();
	learn("a.example", (struct reply_plan){.rcode = 2});
	world_run(10 * WORLD_S);
	client = world_ask("a.example");
	world_run(4 * WORLD_S);
	assert_int_equal(world_told(client)->answers, 0);
	world_free();
}

static void stale_at_once_when_no_upstream_is_usable(void **state)
{
	struct server *s = begin();
	unsigned first;

	(void)state;
	learn("a.example", (struct reply_plan){.ttl = 300});
	world_run(400 * WORLD_S);
	s->dial = DIAL_REFUSES;
	first = world_ask("other.example"); /* finds out */
	world_settle();
	assert_int_equal(world_told(first)->answers, 0);
	assert_stale(recall("a.example"), 3);
	s->dial = DIAL_ACCEPTS;
	world_run(1 * WORLD_S);
	assert_true(world_received_count(0) >= 2); /* both go on */
	while (world_received_count(0))
		world_answer(world_received(0, 0));
	world_settle();
	assert_good(first);
	assert_int_equal(told_ttl(recall("a.example")), 300);
	world_free();
}

static void too_old_is_not_served(void **state)
{
	struct server *s = begin();
	unsigned client;

	(void)state;
	learn("a.example", (struct reply_plan){.ttl = 300});
	world_run((300 + 86401) * WORLD_S);
	s->dial = DIAL_REFUSES;
	client = world_ask("a.example");
	world_run(3 * WORLD_S);
	assert_int_equal(world_told(client)->answers, 1);
	assert_int_equal(world_told(client)->rcode, RCODE_SERVFAIL);
	world_free();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_second_query_is_a_hit),
	    cmocka_unit_test(ttls_fall_and_end),
	    cmocka_unit_test(long_ttls_are_lowered_for_the_first_client_too),
	    cmocka_unit_test(ttl_0_and_2_31_are_not_kept),
	    cmocka_unit_test(truncated_is_not_kept),
	    cmocka_unit_test(negative_answers_live_by_their_soa),
	    cmocka_unit_test(without_soa_nothing_negative_is_kept),
	    cmocka_unit_test(a_failure_is_remembered_for_5_s),
	    cmocka_unit_test(a_time_out_is_remembered_if_the_upstream_lives),
	    cmocka_unit_test(do_and_cd_have_answers_of_their_own),
	    cmocka_unit_test(ad_is_shown_to_who_asks),
	    cmocka_unit_test(without_rd_nothing_is_kept),
	    cmocka_unit_test(a_popular_answer_is_renewed_once_near_its_end),
	    cmocka_unit_test(an_unpopular_answer_is_not_renewed),
	    cmocka_unit_test(stale_after_1800_ms),
	    cmocka_unit_test(a_late_good_answer_takes_its_place),
	    cmocka_unit_test(a_failure_is_no_answer_where_a_stale_one_is),
	    cmocka_unit_test(failures_are_never_stale_answers),
	    cmocka_unit_test(stale_at_once_when_no_upstream_is_usable),
	    cmocka_unit_test(too_old_is_not_served),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
