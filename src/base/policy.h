/* policy: the words by which the choice of upstreams is configured. */
#ifndef DOTGATE_BASE_POLICY_H
#define DOTGATE_BASE_POLICY_H

/* Which of several upstreams is preferred. */
enum policy {
	POLICY_FASTEST, /* the faster of two that are chosen at random, anew each second */
	POLICY_ORDERED,	    /* as they are written */
	POLICY_ROUND_ROBIN, /* each in turn */
	POLICY_RANDOM,	    /* any */
	POLICY_WEIGHTED,    /* at random, in the proportion of their weights */
	POLICY_RACE,	    /* as FASTEST; the first N are all asked */
	POLICY_SHARD /* always the same for the same domain, so that none sees all */
};

/* Whether a query that takes long is sent to a second upstream, too. */
enum hedge {
	HEDGE_AUTO, /* where there is a second one */
	HEDGE_ON,   /* also to the same one, on another connection */
	HEDGE_OFF
};

#endif
