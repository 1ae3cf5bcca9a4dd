/* notes: texts behind a lock. */
#include "upstream/notes.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define DAY_S 86400

/* A certificate is to be renewed before this is left of its life; of those that live for days only,
 * before the last third. */
#define ENDS_SOON_S (14 * DAY_S)

/* Workers, and reconnections, meet the same address again and again. */
#define TOLD_AGAIN_S 60

_Static_assert(REASON_N <= 64, "each failure has a bit");

static int64_t wall(void)
{
	return (int64_t)time(NULL);
}

void notes_init(struct notes *n)
{
	memset(n, 0, sizeof *n);
	pthread_mutex_init(&n->lock, NULL);
	n->text.state_since = wall();
}

void notes_destroy(struct notes *n)
{
	pthread_mutex_destroy(&n->lock);
}

bool notes_is_news(struct notes *n, enum reason why)
{
	uint_least64_t bit = why == REASON_NONE ? 0 : UINT64_C(1) << why;
	uint_least64_t before =
	    bit ? atomic_fetch_or(&n->told, bit) : atomic_exchange(&n->told, 0);

	if (!before != !bit) {
		pthread_mutex_lock(&n->lock);
		n->text.state_since = wall();
		pthread_mutex_unlock(&n->lock);
	}
	return bit ? !(before & bit) : before;
}

bool notes_pin_is_news(struct notes *n, bool backup)
{
	return atomic_exchange(&n->backup_pin, backup) != backup;
}

bool notes_address_is_news(struct notes *n, int64_t now)
{
	long long last = atomic_load(&n->told_address);

	/* the clock may have been set back */
	return (now < last || now >= last + TOLD_AGAIN_S) &&
	       atomic_compare_exchange_strong(&n->told_address, &last, now);
}

bool notes_ends_soon(struct notes *n, int64_t not_before, int64_t not_after, int64_t now)
{
	int64_t third = (not_after - not_before) / 3;
	int64_t soon = third < ENDS_SOON_S ? third : ENDS_SOON_S;
	long long today = now / DAY_S;

	return not_after && not_after - now < soon &&
	       atomic_exchange(&n->warned_day, today) != today;
}

void notes_connected(struct notes *n, const char *version, const char *suite,
		     bool resumed, const struct address *address)
{
	pthread_mutex_lock(&n->lock);
	n->text.connected = wall();
	n->text.resumed = resumed;
	snprintf(n->text.tls, sizeof n->text.tls, "%s %s", version, suite);
	address_text(address, n->text.address);
	pthread_mutex_unlock(&n->lock);
}

void notes_failed(struct notes *n, const char *failure)
{
	pthread_mutex_lock(&n->lock);
	n->text.failed = wall();
	snprintf(n->text.failure, sizeof n->text.failure, "%s", failure);
	pthread_mutex_unlock(&n->lock);
}

void notes_read(struct notes *n, struct notes_text *out)
{
	pthread_mutex_lock(&n->lock);
	*out = n->text;
	pthread_mutex_unlock(&n->lock);
}
