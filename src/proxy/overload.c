/* overload: a count, and a timer while there is something to tell. */
#include "proxy/overload.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/reason.h"

/* What is counted as one client: an IPv4 address, or a /56, which is given to one site. */
#define SITE_OCTETS 7
#define SITE_BITS 56

#define PREFIX_TEXT_MAX (ADDRESS_TEXT_MAX + 4)
#define BLAME_TEXT_MAX (PREFIX_TEXT_MAX + 80)

void overload_init(struct overload *o, struct loop *l, bool log_clients)
{
	*o = (struct overload){.loop = l, .log_clients = log_clients};
}

void overload_stop(struct overload *o)
{
	timer_stop(o->loop, &o->timer);
}

static const char *prefix_text(const struct address *a, char out[PREFIX_TEXT_MAX])
{
	struct address site = *a;
	char text[ADDRESS_TEXT_MAX];

	if (a->any.sa_family != AF_INET6) {
		snprintf(out, PREFIX_TEXT_MAX, "%s", address_ip_text(a, text));
		return out;
	}
	memset(site.v6.sin6_addr.s6_addr + SITE_OCTETS, 0, 16 - SITE_OCTETS);
	snprintf(out, PREFIX_TEXT_MAX, "%s/%d", address_ip_text(&site, text), SITE_BITS);
	return out;
}

/* "" if nothing is known of the heaviest. */
static const char *blame_text(const struct overload *o, char out[BLAME_TEXT_MAX])
{
	char prefix[PREFIX_TEXT_MAX];

	out[0] = '\0';
	if (o->heaviest.any.sa_family == AF_UNSPEC)
		return out;
	if (o->log_clients)
		snprintf(out, BLAME_TEXT_MAX, "; %s has %u %% of what is under way",
			 prefix_text(&o->heaviest, prefix), o->percent);
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
	o->heaviest = (struct address){0};
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

void overload_blame(struct overload *o, const struct address *heaviest, unsigned percent)
{
	o->heaviest = *heaviest;
	o->percent = percent;
}
