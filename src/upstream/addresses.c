/* addresses: a short list behind a lock. */
#include "upstream/addresses.h"

#include <string.h>
#include <unistd.h>

void addresses_init(struct addresses *a)
{
	memset(a, 0, sizeof *a);
	a->alarm = -1;
	pthread_mutex_init(&a->lock, NULL);
}

void addresses_destroy(struct addresses *a)
{
	pthread_mutex_destroy(&a->lock);
}

static bool has(const struct address *all, unsigned count, const struct address *one)
{
	for (unsigned i = 0; i < count; i++)
		if (address_equal(&all[i], one))
			return true;
	return false;
}

/* The Nth of FAMILY; NULL: there are fewer. */
static const struct address *nth(const struct address *from, unsigned count, int family,
				 unsigned n)
{
	for (unsigned i = 0; i < count; i++)
		if (from[i].any.sa_family == family && !n--)
			return &from[i];
	return NULL;
}

static unsigned put_by_turns(struct address out[ADDRESSES_MAX],
			     const struct address *from, unsigned count)
{
	unsigned n = 0;

	for (unsigned turn = 0; turn < count; turn++) {
		const struct address *pair[] = {nth(from, count, AF_INET6, turn),
						nth(from, count, AF_INET, turn)};

		for (unsigned i = 0; i < 2; i++)
			if (pair[i] && n < ADDRESSES_MAX && !has(out, n, pair[i]))
				out[n++] = *pair[i];
	}
	return n;
}

static bool are_same(const struct addresses *a, const struct address *all, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (!has(a->all, a->count, &all[i]))
			return false;
	return count == a->count;
}

bool addresses_set(struct addresses *a, const struct address *from, unsigned count)
{
	struct address all[ADDRESSES_MAX];
	unsigned n = put_by_turns(all, from, count);
	bool changed;

	pthread_mutex_lock(&a->lock);
	changed = !are_same(a, all, n);
	if (changed) {
		memcpy(a->all, all, n * sizeof *all);
		a->count = n;
		atomic_fetch_add(&a->version, 1);
	}
	pthread_mutex_unlock(&a->lock);
	return changed;
}

/* The place of ONE; COUNT: it is not there any more. */
static unsigned find(const struct addresses *a, const struct address *one)
{
	unsigned i = 0;

	while (i < a->count && !address_equal(&a->all[i], one))
		i++;
	return i;
}

void addresses_prefer(struct addresses *a, const struct address *one)
{
	unsigned i;

	pthread_mutex_lock(&a->lock);
	i = find(a, one);
	if (i < a->count) {
		memmove(&a->all[1], &a->all[0], i * sizeof *a->all);
		a->all[0] = *one;
	}
	pthread_mutex_unlock(&a->lock);
}

bool addresses_distrust(struct addresses *a, const struct address *one)
{
	unsigned i, last;
	bool has_other;

	pthread_mutex_lock(&a->lock);
	i = find(a, one);
	last = a->count - 1;
	if (i < a->count) {
		memmove(&a->all[i], &a->all[i + 1], (last - i) * sizeof *a->all);
		a->all[last] = *one;
	}
	has_other = a->count > 0 && !address_equal(&a->all[0], one);
	pthread_mutex_unlock(&a->lock);
	return has_other;
}

void addresses_all_failed(struct addresses *a)
{
	uint64_t one = 1;

	if (atomic_exchange(&a->failed, true))
		return;
	pthread_mutex_lock(&a->lock);
	if (a->alarm >= 0 && write(a->alarm, &one, sizeof one) < 0)
		atomic_store(&a->failed, false); /* said again when it fails again */
	pthread_mutex_unlock(&a->lock);
}

bool addresses_have_failed(struct addresses *a)
{
	return atomic_exchange(&a->failed, false);
}

void addresses_watch(struct addresses *a, int fd)
{
	pthread_mutex_lock(&a->lock);
	a->alarm = fd;
	pthread_mutex_unlock(&a->lock);
}

unsigned addresses_count(struct addresses *a)
{
	unsigned n;

	pthread_mutex_lock(&a->lock);
	n = a->count;
	pthread_mutex_unlock(&a->lock);
	return n;
}

unsigned addresses_get(struct addresses *a, struct address out[ADDRESSES_MAX])
{
	unsigned n;

	pthread_mutex_lock(&a->lock);
	n = a->count;
	memcpy(out, a->all, n * sizeof *out);
	pthread_mutex_unlock(&a->lock);
	return n;
}
