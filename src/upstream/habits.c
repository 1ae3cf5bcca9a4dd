/* habits: two ends that agree are a rule, until a connection outlives it. */
#include "upstream/habits.h"

/* Fewer are no rule: a server that cannot answer may close as soon. */
#define LIMIT_MIN 2

/* What was learnt is put to the test so often: the queries that are under way then may have to be
 * asked again, which once a minute is nothing. */
#define EXPLORE_US 60000000

/* An upstream that has not hung up for so long may not do it again. */
#define SPARE_US 60000000

void habits_hung_up(struct habits *h, unsigned answers, uint64_t now_us)
{
	h->spare_us = now_us + SPARE_US;
	if (answers >= LIMIT_MIN && answers == h->last) {
		h->limit = answers;
		h->explore_us = now_us + EXPLORE_US;
	}
	h->last = answers;
}

void habits_answered(struct habits *h, unsigned answers)
{
	if (h->limit && answers > h->limit)
		h->limit = h->last = 0;
}

unsigned habits_limit(struct habits *h, uint64_t now_us)
{
	if (h->limit && now_us >= h->explore_us) {
		h->explore_us = now_us + EXPLORE_US;
		return 0;
	}
	return h->limit;
}

bool habits_want_spare(const struct habits *h, uint64_t now_us)
{
	return h->limit || now_us < h->spare_us;
}
