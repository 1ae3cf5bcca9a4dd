/* tcp_table: slots, ages and idle times. */
#include "front/tcp_table.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* The share of one address: half of the places. */
#define SHARE_PART 2

/* Chunks of a client's input that are thrown away at the end: a megabyte. */
#define DISCARDS_MAX 64

static uint64_t now(const struct tcp *t)
{
	return loop_now(t->options.loop);
}

void tcp_table_drop(struct tcp *t, enum reason why)
{
	metric_inc(&t->options.metrics->tcp_dropped[why]);
}

/* ---- idle times ---- */

static uint64_t due_of(const struct tcp *t, const struct list *l)
{
	return list_entry(l->next, struct tcp_client, age)->active_us +
	       t->options.idle_us;
}

static void run_idle(void *arg);

/* The timer is set for the client that is due first; that it was active since is seen
 * when it runs, so that activity costs no timer. */
static void set_idle(struct tcp *t)
{
	uint64_t due = TCP_NEVER;

	if (!list_empty(&t->quiet))
		due = due_of(t, &t->quiet);
	if (!list_empty(&t->busy) && due_of(t, &t->busy) < due)
		due = due_of(t, &t->busy);
	(void)timer_set(t->options.loop, &t->idle, due, run_idle, t);
}

/* ---- the table ---- */

static void count_clients(struct tcp *t)
{
	metric_set(&t->options.metrics->tcp_clients, t->count);
}

static void on_ready(void *arg, unsigned ready)
{
	struct tcp_client *c = arg;

	if (ready & LOOP_WRITE)
		c->blocked = false;
	if (ready & LOOP_READ && !c->eof)
		tcp_client_read(c);
	tcp_client_mark(c);
}

static struct tcp_client *take_slot(struct tcp *t)
{
	struct tcp_client *c = &t->clients[t->slots];

	if (!list_empty(&t->free)) {
		c = list_entry(t->free.prev, struct tcp_client, age);
		list_remove(&c->age);
		return c;
	}
	c->slot = t->slots++;
	return c;
}

static void give_slot(struct tcp_client *c)
{
	c->fd = -1;
	c->generation++;
	list_append(&c->tcp->free, &c->age);
}

int tcp_table_open(struct tcp *t, int fd, uint32_t place)
{
	struct tcp_client *c = take_slot(t);
	int r;

	*c = (struct tcp_client){.tcp = t,
				 .slot = c->slot,
				 .generation = c->generation,
				 .place = place,
				 .fd = fd};
	list_init(&c->age);
	list_init(&c->kin);
	list_init(&c->work);
	list_init(&c->holding);
	r = loop_watch_fd(t->options.loop, fd, LOOP_READ, LOOP_CLIENT, on_ready, c,
			  &c->watch);
	if (r < 0) {
		give_slot(c);
		return r;
	}
	t->count++;
	count_clients(t);
	metric_inc(&t->options.metrics->tcp_accepted);
	tcp_client_touch(c);
	if (t->idle.due == TCP_NEVER)
		set_idle(t);
	return 0;
}

/* What a client still sends while we end would make of the close a reset, and that could cost
 * it the last answers. */
static void discard_input(const struct tcp_client *c)
{
	struct tcp *t = c->tcp;

	for (unsigned i = 0; i < DISCARDS_MAX; i++)
		if (recv(c->fd, t->scratch, sizeof t->scratch, MSG_DONTWAIT) <= 0)
			return;
}

void tcp_table_close(struct tcp_client *c)
{
	struct tcp *t = c->tcp;

	loop_forget_closing(t->options.loop, c->watch);
	if (t->stopping && !c->broken)
		discard_input(c);
	close(c->fd);
	tcp_client_release(c);
	list_remove(&c->age);
	list_remove(&c->kin);
	list_remove(&c->work);
	census_leave(t->census, c->place);
	t->count--;
	count_clients(t);
	give_slot(c);
}

/* ---- who gives way ---- */

/* Both find the one that has been quiet longest; who got a query in this round is not. */
static struct tcp_client *idlest(struct tcp *t)
{
	for (struct list *l = t->quiet.next; l != &t->quiet; l = l->next) {
		struct tcp_client *c = list_entry(l, struct tcp_client, age);

		if (tcp_client_is_quiet(c))
			return c;
	}
	return NULL;
}

static struct tcp_client *idlest_of(struct holder *h)
{
	for (struct list *l = h->quiet.next; l != &h->quiet; l = l->next) {
		struct tcp_client *c = list_entry(l, struct tcp_client, kin);

		if (tcp_client_is_quiet(c))
			return c;
	}
	return NULL;
}

static struct tcp_client *busiest_of(struct holder *h)
{
	return list_empty(&h->busy) ? NULL
				    : list_entry(h->busy.prev, struct tcp_client, kin);
}

static bool is_over_share(const struct tcp *t, const struct holder *h)
{
	unsigned cap = t->options.clients_per_address;

	return h->count > (cap ? cap : t->options.clients_max / SHARE_PART);
}

/* Who is to end for one more of OWN, which it is counted in already. NULL: the newcomer. */
static struct tcp_client *who_gives_way(struct tcp *t, struct holder *own)
{
	struct holder *heaviest = census_heaviest(t->census);
	struct tcp_client *c;

	if (heaviest->count <= own->count)
		return own->count > 1 ? idlest_of(own) : idlest(t);
	c = idlest_of(heaviest);
	if (!c && !is_over_share(t, heaviest))
		c = idlest(t);
	return c ? c : busiest_of(heaviest);
}

static bool give_way(struct tcp *t, struct tcp_client *c, enum reason why)
{
	if (!c)
		return false;
	tcp_table_drop(t, why);
	tcp_table_close(c);
	return true;
}

static bool is_scarce(const struct tcp *t)
{
	return (t->count + 1) * 4ull > t->options.clients_max * 3ull;
}

bool tcp_table_make_room(struct tcp *t, uint32_t place)
{
	struct holder *own = census_holder(t->census, place);

	if (is_scarce(t) && is_over_share(t, own))
		return give_way(t, idlest_of(own), REASON_CLIENT_LIMIT);
	return t->count < t->options.clients_max ||
	       give_way(t, who_gives_way(t, own), REASON_CLIENT_LIMIT);
}

bool tcp_table_free_descriptor(struct tcp *t)
{
	struct holder *heaviest = census_heaviest(t->census);
	struct tcp_client *c = NULL;

	if (heaviest && is_over_share(t, heaviest))
		c = idlest_of(heaviest);
	return give_way(t, c ? c : idlest(t), REASON_NO_DESCRIPTOR);
}

/* ---- idle times again ---- */

static void run_idle(void *arg)
{
	struct tcp *t = arg;

	while (!list_empty(&t->quiet) && due_of(t, &t->quiet) <= now(t))
		tcp_table_close(list_entry(t->quiet.next, struct tcp_client, age));
	while (!list_empty(&t->busy) && due_of(t, &t->busy) <= now(t)) {
		struct tcp_client *c = list_entry(t->busy.next, struct tcp_client, age);

		if (!c->blocked) {
			tcp_client_touch(c); /* it waits for us, not we for it */
			continue;
		}
		tcp_table_drop(t, REASON_SEND_FAILED);
		tcp_table_close(c);
	}
	set_idle(t);
}

/* ---- life ---- */

int tcp_table_init(struct tcp *t)
{
	struct list *lists[] = {&t->quiet,  &t->busy,	 &t->dirty,
				&t->resume, &t->holding, &t->free};

	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
		list_init(lists[i]);
	/* a newcomer is counted before another one gives way to it */
	t->census = census_new(t->options.clients_max + 1);
	/* not touched before it is used, so that only what is used takes memory */
	t->clients = calloc(t->options.clients_max, sizeof *t->clients);
	if (!t->census || !t->clients)
		return -ENOMEM;
	metric_set(&t->options.metrics->tcp_clients_max, t->options.clients_max);
	return timer_set(t->options.loop, &t->idle, TCP_NEVER, run_idle, t);
}

void tcp_table_free(struct tcp *t)
{
	for (uint32_t i = 0; i < t->slots; i++)
		if (t->clients[i].fd >= 0)
			tcp_table_close(&t->clients[i]);
	timer_stop(t->options.loop, &t->idle);
	census_free(t->census);
	free(t->clients);
}
