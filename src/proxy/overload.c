/* overload: a count, and a timer while there is something to tell. */
#include "proxy/overload.h"

#include <stdio.h>

#include "base/log.h"
#include "base/reason.h"

#define BLAME_TEXT_MAX (HOST_TEXT_MAX + 80)

void overload_init(struct overload *o, struct loop *l, bool log_clients)
{
	*o = (struct overload){.loop = l, .log_clients = log_clients};
}

void overload_stop(struct overload *o)
{
	timer_stop(o->loop, &o->timer);
}

/* "" if nothing is known of the heaviest. */
static const char *blame_text(const struct overload *o, char out[BLAME_TEXT_MAX])
{
	char client[HOST_TEXT_MAX];

	out[0] = '\0';
	if (!o->has_heaviest)
		return out;
	if (o->log_clients)
		snprintf(out, BLAME_TEXT_MAX, "; %s has %u %% of what is under way",
			 host_text(&o->heaviest, client), o->percent);
	else
		snprintf(out, BLAME_TEXT_MAX,
			 "; one client has %u %% of what is under way ('log-clients on' "
			 "names it)",
			 o->percent);
	return out;
}

static void say(const struct overload *o)
{
	uint64_t seconds = (loop_now(o->loop) - o->since_us + 500000) / 1000000;
	char blame[BLAME_TEXT_MAX];

	log_line(LOG_WARNING,
		 "reason=%s: %llu queries of clients were refused within %llu s, as too "
		 "many wait for the upstreams: %s%s",
		 reason_word(REASON_OVERLOAD), (unsigned long long)o->refused,
		 (unsigned long long)seconds, reason_remedy(REASON_OVERLOAD),
		 blame_text(o, blame));
}

static void on_timer(void *arg)
{
	struct overload *o = arg;

	if (!o->refused)
		return; /* the burst is over */
	say(o);
	o->refused = 0;
	o->since_us = loop_now(o->loop);
	o->has_heaviest = false;
	(void)timer_set(o->loop, &o->timer, o->since_us + OVERLOAD_AGAIN_US, on_timer, o);
}

void overload_refused(struct overload *o)
{
	o->refused++;
	if (timer_running(&o->timer))
		return;
	o->since_us = loop_now(o->loop);
	(void)timer_set(o->loop, &o->timer, o->since_us + OVERLOAD_FIRST_US, on_timer, o);
}

void overload_blame(struct overload *o, const struct host *heaviest, unsigned percent)
{
	o->heaviest = *heaviest;
	o->has_heaviest = true;
	o->percent = percent;
}
