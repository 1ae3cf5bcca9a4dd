/* errors: an error of one upstream is no answer while another may do better; upstreams without EDNS. */
#include "story.h"

#include "dns/octets.h"

/* ---- answers ---- */

static const struct reply_plan good = {.ttl = 60};

/* Answers all that server I holds with the rcode. */
static void answer_all(unsigned i, unsigned rcode)
{
	struct received *q;

	while ((q = world_received(i, 0)))
		world_answer_with(q, &(struct reply_plan){
					 .rcode = rcode, .ttl = good.ttl, .minimum = 5});
}

/* Answers Q with an error that has no question section: the header alone. */
static void answer_bare(const struct received *q, unsigned rcode)
{
	uint8_t frame[2 + DNS_HEADER_LEN] = {0, DNS_HEADER_LEN};

	store16(frame + 2, q->id);
	store16(frame + 4, DNS_QR | DNS_RD | DNS_RA | rcode);
	world_send(q->connection, frame, sizeof frame);
}

static bool has_opt(const struct received *q)
{
	return load16(q->message + 10) == 1;
}

static void make(unsigned upstreams, enum policy policy)
{
	world_make(&(struct world_plan){
	    .upstreams = upstreams, .policy = policy, .race = 2, .cached = true});
	world_warm();
	world_settle();
	for (unsigned i = 0; i < upstreams; i++)
		world_server(i)->mute = true;
}

/* ---- another upstream is asked ---- */

static const unsigned errors[] = {RCODE_SERVFAIL, RCODE_REFUSED, RCODE_FORMERR,
				  RCODE_NOTIMP, 9};

static void the_next_upstream_is_asked(void **state)
{
	static const enum policy policies[] = {POLICY_ORDERED, POLICY_FASTEST,
					       POLICY_ROUND_ROBIN, POLICY_RACE};

	(void)state;
	for (size_t p = 0; p < sizeof policies / sizeof *policies; p++)
		for (size_t e = 0; e < sizeof errors / sizeof *errors; e++) {
			make(2, policies[p]);
			for (unsigned i = 0; i < 20; i++) {
				char name[32];

				snprintf(name, sizeof name, "n%u.example", i);
				world_ask(name);
				for (unsigned turn = 0; turn < 5; turn++) {
					world_settle();
					answer_all(0, errors[e]);
					answer_all(1, RCODE_NOERROR);
				}
				world_settle();
				assert_good(i);
			}
			world_free();
		}
}

/* It is asked last after a while, and first again when it is well. */
static void who_errs_is_asked_last(void **state)
{
	unsigned before;

	(void)state;
	make(2, POLICY_ORDERED);
	world_server(1)->mute = false;
	for (unsigned i = 0; i < 20; i++) {
		char name[32];

		snprintf(name, sizeof name, "n%u.example", i);
		world_ask(name);
		world_settle();
		answer_all(0, RCODE_REFUSED);
		world_run(10 * WORLD_MS);
	}
	before = world_server(0)->queries;
	assert_in_range(before, 1, 12);
	/* now and then it is probed */
	world_server(0)->mute = false;
	for (unsigned i = 0; i < 200; i++) {
		char name[32];

		snprintf(name, sizeof name, "m%u.example", i);
		world_ask(name);
		world_run(100 * WORLD_MS);
	}
	before = world_server(0)->queries;
	world_ask("last.example");
	world_settle();
	assert_int_equal(world_server(0)->queries, before + 1);
	world_free();
}

static void the_error_is_the_last_resort(void **state)
{
	unsigned c;

	(void)state;
	make(2, POLICY_ORDERED);
	c = world_ask("a.example");
	for (unsigned turn = 0; turn < 3; turn++) {
		world_settle();
		answer_all(0, RCODE_REFUSED);
		answer_all(1, RCODE_SERVFAIL);
	}
	world_settle();
	assert_int_equal(world_told(c)->answers, 1);
	assert_int_equal(world_told(c)->rcode, RCODE_SERVFAIL);
	/* the other one dies instead of answering */
	c = world_ask("b.example");
	world_settle();
	answer_all(0, RCODE_REFUSED);
	world_settle();
	world_server(1)->dial = DIAL_REFUSES;
	for (unsigned i = 1; i <= world_connections(); i++)
		if (world_is_open(i))
			world_reset(i);
	world_run(3 * WORLD_S);
	assert_int_equal(world_told(c)->answers, 1);
	assert_int_equal(world_told(c)->rcode, RCODE_REFUSED);
	world_free();
}

static void a_sole_upstreams_error_is_passed_on(void **state)
{
	(void)state;
	make(1, POLICY_ORDERED);
	world_ask("a.example");
	world_settle();
	answer_all(0, RCODE_REFUSED);
	world_settle();
	assert_int_equal(world_told(0)->answers, 1);
	assert_int_equal(world_told(0)->rcode, RCODE_REFUSED);
	world_free();
}

static void shard_keeps_its_names(void **state)
{
	unsigned asked[2];

	(void)state;
	make(2, POLICY_SHARD);
	world_ask("a.example");
	world_settle();
	asked[0] = world_received_count(0);
	asked[1] = world_received_count(1);
	assert_int_equal(asked[0] + asked[1], 1);
	answer_all(0, RCODE_SERVFAIL);
	answer_all(1, RCODE_SERVFAIL);
	world_run(1 * WORLD_S);
	assert_int_equal(world_received_count(0) + world_received_count(1), 0);
	assert_int_equal(world_told(0)->rcode, RCODE_SERVFAIL);
	world_free();
}

/* ---- without a question section ---- */

static void an_error_without_a_question_counts(void **state)
{
	uint64_t start;

	(void)state;
	make(1, POLICY_ORDERED);
	start = world_now();
	world_ask("a.example");
	world_settle();
	answer_bare(world_received(0, 0), RCODE_REFUSED);
	world_settle();
	assert_int_equal(world_told(0)->answers, 1);
	assert_int_equal(world_told(0)->rcode, RCODE_REFUSED);
	assert_int_equal(world_told(0)->at_us, start);
	world_free();
}

static void a_good_answer_needs_its_question(void **state)
{
	(void)state;
	make(1, POLICY_ORDERED);
	world_ask("a.example");
	world_settle();
	answer_bare(world_received(0, 0), RCODE_NOERROR);
	answer_bare(world_received(0, 0), RCODE_NXDOMAIN);
	world_settle();
	assert_int_equal(world_told(0)->answers, 0);
	world_answer(world_received(0, 0));
	world_settle();
	assert_good(0);
	world_free();
}

/* ---- without EDNS ---- */

/* An upstream of before RFC 6891. */
static void answer_like_the_old(unsigned rcode)
{
	struct received *q;

	while ((q = world_received(0, 0))) {
		if (has_opt(q))
			world_answer_with(q, &(struct reply_plan){.rcode = rcode});
		else
			world_answer(q);
	}
}

static void is_asked_without_edns(void **state)
{
	(void)state;
	for (size_t e = 2; e < 4; e++) { /* FORMERR, NOTIMP */
		make(1, POLICY_ORDERED);
		world_ask("a.example");
		for (unsigned turn = 0; turn < 3; turn++) {
			world_settle();
			answer_like_the_old(errors[e]);
		}
		world_settle();
		assert_good(0);
		assert_int_equal(world_server(0)->queries, 2);
		/* that is remembered for ten minutes */
		world_ask("b.example");
		world_settle();
		assert_false(has_opt(world_received(0, 0)));
		answer_like_the_old(errors[e]);
		world_settle();
		assert_good(1);
		world_run(601 * WORLD_S);
		world_ask("c.example");
		world_run(100 * WORLD_MS);
		assert_true(has_opt(world_received(0, 0)));
		world_free();
	}
}

/* A server that knows EDNS, and says FORMERR to one name for other reasons. */
static void one_formerr_is_no_lack_of_edns(void **state)
{
	(void)state;
	make(1, POLICY_ORDERED);
	world_ask("a.example");
	for (unsigned turn = 0; turn < 3; turn++) {
		world_settle();
		answer_all(0, RCODE_FORMERR);
	}
	world_settle();
	assert_int_equal(world_told(0)->rcode, RCODE_FORMERR);
	world_ask("b.example");
	world_settle();
	assert_true(has_opt(world_received(0, 0)));
	world_free();
}

/* ---- RD=0 ---- */

/* Answers all but what asks for a name of the label KEPT. */
static void answer_others(char kept)
{
	struct received *q;

	for (unsigned n = 0; (q = world_received(0, n));)
		if (q->message[12] == 1 && q->message[13] == kept)
			n++;
		else
			world_answer(q);
}

/* The upstream is well, and does not answer this. */
static void a_failure_without_rd_is_forgotten(void **state)
{
	unsigned c;

	(void)state;
	make(1, POLICY_ORDERED);
	world_ask_as("a.example", TYPE_A, DNS_RD, false); /* without RD */
	for (unsigned i = 0; i < 60; i++) {
		char name[32];

		snprintf(name, sizeof name, "o%u.example", i);
		world_ask(name);
		world_settle();
		answer_others('a');
		world_run(100 * WORLD_MS);
	}
	assert_int_equal(world_metrics()->upstream[0].up, 1);
	assert_int_equal(world_told(0)->rcode, RCODE_SERVFAIL);
	c = world_ask("a.example");
	world_settle();
	answer_others('-');
	world_settle();
	assert_good(c);
	world_free();
}

/* ---- a name that nobody can answer ---- */

static void one_name_does_not_end_an_upstream(void **state)
{
	struct received *q;

	(void)state;
	make(2, POLICY_ORDERED);
	world_server(0)->rtt_us = world_server(1)->rtt_us = 20 * WORLD_MS;
	for (unsigned i = 0; i < 2; i++)
		world_server(i)->mute = false;
	ask_many(5);
	world_run(1 * WORLD_S);
	for (unsigned i = 0; i < 2; i++)
		world_server(i)->mute = true;
	world_ask("hopeless.example");
	for (unsigned ms = 0; ms < 4900; ms += 10) {
		for (unsigned i = 0; i < 2; i++)
			for (unsigned n = 0; (q = world_received(i, n));)
				if (q->message[12] == 0) /* the root: a probe */
					world_answer(q);
				else
					n++;
		world_run(10 * WORLD_MS);
		assert_int_equal(world_metrics()->upstream[0].up, 1);
		assert_int_equal(world_metrics()->upstream[1].up, 1);
	}
	world_free();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_next_upstream_is_asked),
	    cmocka_unit_test(who_errs_is_asked_last),
	    cmocka_unit_test(the_error_is_the_last_resort),
	    cmocka_unit_test(a_sole_upstreams_error_is_passed_on),
	    cmocka_unit_test(shard_keeps_its_names),
	    cmocka_unit_test(an_error_without_a_question_counts),
	    cmocka_unit_test(a_good_answer_needs_its_question),
	    cmocka_unit_test(is_asked_without_edns),
	    cmocka_unit_test(one_formerr_is_no_lack_of_edns),
	    cmocka_unit_test(a_failure_without_rd_is_forgotten),
	    cmocka_unit_test(one_name_does_not_end_an_upstream),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
