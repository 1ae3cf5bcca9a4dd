/* habits: suppose, then prove; and forget what does not hold any more. */
#include "upstream/habits.h"

/* One end after so many answers may be a rule. A server in trouble may close sooner, too. */
#define LIMIT_MIN 8

/* Connections that end in so short a time end for one reason, which is not that each has had its
 * queries: what is said here of a limit is learnt while one connection takes them all. */
#define TOGETHER_US 50000

/* Who cannot be reached so soon after it has hung up is restarting. */
#define RESTART_US 1000000

/* A proven limit is looked at again so often: it costs one connection that is idle for a moment. */
#define TEST_US 60000000

/* An upstream that has not hung up for so long may not do it again. */
#define SPARE_US 60000000

/* Who closes sooner than this after the last answer does it for another reason. */
#define IDLE_MIN_US 500000

/* Two ends agree if they differ by less than a part of this, and less than this. */
#define AGREE_PART 8
#define AGREE_US 300000

/* What was learnt is tried to be a quarter longer so often. */
#define LONGER_US 600000000

static bool hung_up_within(const struct habits *h, uint64_t us, uint64_t now_us)
{
	return h->hung_us && now_us < h->hung_us + us;
}

/* A limit of few queries costs many connections: it takes two ends in a row that agree. */
static bool is_rule(struct habits *h, unsigned answers)
{
	bool agrees = answers == h->few;

	if (answers >= LIMIT_MIN)
		return true;
	h->few = answers;
	return answers && agrees;
}

void habits_hung_up(struct habits *h, unsigned answers, uint64_t opened_us,
		    uint64_t now_us)
{
	bool together = hung_up_within(h, TOGETHER_US, now_us) && opened_us < h->hung_us;

	h->spare_us = now_us + SPARE_US;
	h->hung_us = now_us;
	if (together)
		habits_went_down(h, now_us);
	if (together || answers == h->limit || !is_rule(h, answers))
		return;
	h->before = h->proven ? h->limit : 0;
	h->limit = answers;
	h->proven = false;
}

void habits_went_down(struct habits *h, uint64_t now_us)
{
	if (h->proven || !hung_up_within(h, RESTART_US, now_us))
		return;
	h->limit = h->before;
	h->proven = h->before > 0;
}

void habits_limit_met(struct habits *h, uint64_t now_us)
{
	h->proven = true;
	h->test_us = now_us + TEST_US;
}

void habits_limit_passed(struct habits *h)
{
	h->limit = 0;
	h->before = 0;
	h->proven = false;
}

bool habits_doubt_limit(const struct habits *h, uint64_t now_us)
{
	return h->limit && (!h->proven || now_us >= h->test_us);
}

bool habits_want_spare(const struct habits *h, uint64_t now_us)
{
	return h->limit || now_us < h->spare_us;
}

static bool agree(uint64_t a, uint64_t b)
{
	uint64_t off = a > b ? a - b : b - a;

	return off <= AGREE_US || off <= a / AGREE_PART;
}

void habits_closed_idle(struct habits *h, uint64_t idle_us, uint64_t now_us)
{
	uint64_t last = h->last_idle_us;

	if (idle_us < IDLE_MIN_US)
		return;
	h->last_idle_us = idle_us;
	if (!last || !agree(idle_us, last))
		return;
	h->idle_us = idle_us < last ? idle_us : last;
	h->longer_us = now_us + LONGER_US;
}

uint64_t habits_idle(struct habits *h, uint64_t now_us)
{
	if (h->idle_us && now_us >= h->longer_us) {
		h->idle_us += h->idle_us / 4;
		h->longer_us = now_us + LONGER_US;
	}
	return h->idle_us;
}
