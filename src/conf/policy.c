/* policy: the values of the options policy and hedge. */
#include "conf/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/suggest.h"

static const char *const policies[] = {[POLICY_FASTEST] = "fastest",
				       [POLICY_ORDERED] = "ordered",
				       [POLICY_ROUND_ROBIN] = "round-robin",
				       [POLICY_RANDOM] = "random",
				       [POLICY_WEIGHTED] = "weighted",
				       [POLICY_RACE] = "race",
				       [POLICY_SHARD] = "shard"};
#define POLICIES (sizeof policies / sizeof policies[0])

static const char *const hedges[] = {
    [HEDGE_AUTO] = "auto", [HEDGE_ON] = "on", [HEDGE_OFF] = "off"};
#define HEDGES (sizeof hedges / sizeof hedges[0])

/* The number of WORD among the words; COUNT: it is none of them. */
static size_t find(struct span word, const char *const *words, size_t count)
{
	size_t i = 0;

	while (i < count && !span_is(word, words[i]))
		i++;
	return i;
}

static int read_race(struct config *c, const char *number, struct fault *f)
{
	char *end;
	unsigned long n = strtoul(number, &end, 10);

	if (*number < '0' || *number > '9' || *end || n < 2 || n > UPSTREAMS_MAX)
		return fault_set(f, number, "race is followed by a number from 2 to %d",
				 UPSTREAMS_MAX);
	c->race = (unsigned)n;
	return 0;
}

static int read_policy(struct config *c, const struct option *o, const char *text,
		       struct fault *f)
{
	size_t len = strcspn(text, " \t");
	struct span word = {.at = text, .len = len};
	size_t found = find(word, policies, POLICIES);
	const char *rest = text + len + strspn(text + len, " \t");
	char nearest[SUGGEST_TEXT_MAX];

	(void)o;
	if (found == POLICIES)
		return fault_set(f, text,
				 "'%.255s' is no policy (fastest, ordered, round-robin, "
				 "random, weighted, race N, shard)%s",
				 text, suggest_text(word, policies, POLICIES, nearest));
	if (*rest && found != POLICY_RACE)
		return fault_set(f, rest, "'%.255s' is one word too many", rest);
	c->policy = (enum policy)found;
	c->race = 2;
	return *rest ? read_race(c, rest, f) : 0;
}

static bool policy_text(const struct config *c, const struct option *o, unsigned i,
			char out[VALUE_TEXT_MAX])
{
	(void)o;
	if (c->policy == POLICY_RACE)
		snprintf(out, VALUE_TEXT_MAX, "race %u", c->race);
	else
		snprintf(out, VALUE_TEXT_MAX, "%s", policies[c->policy]);
	return i == 0;
}

static int read_hedge(struct config *c, const struct option *o, const char *text,
		      struct fault *f)
{
	size_t found = find(span_of(text), hedges, HEDGES);

	(void)o;
	if (found == HEDGES)
		return fault_set(f, text, "'%.255s' is neither auto nor on nor off",
				 text);
	c->hedge = (enum hedge)found;
	return 0;
}

static bool hedge_text(const struct config *c, const struct option *o, unsigned i,
		       char out[VALUE_TEXT_MAX])
{
	(void)o;
	strcpy(out, hedges[c->hedge]);
	return i == 0;
}

const struct value_kind value_policy = {read_policy, policy_text, NULL};
const struct value_kind value_hedge = {read_hedge, hedge_text, NULL};
