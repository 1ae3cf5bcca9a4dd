/* udp: datagrams in batches. */
#include "front/udp.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dns/message.h"
#include "dns/qtype.h"

/* Datagrams fetched by one recvmmsg(): more gain nothing (measured: 32 is as good as 64).
 */
#define RX_SLOTS 32
/* A query with options fits many times; a longer datagram is cut and dropped. */
#define RX_SIZE 4096
/* Slots 4 KiB apart would share one set of the first-level cache. */
#define RX_STRIDE (RX_SIZE + 64)
/* Full batches read before upstreams and others have their turn. */
#define RX_BATCHES 4

/* Datagrams that come less often than this come alone. */
#define LONE_PAUSE_US 100

/* Replies that wait for the end of the round; when they are used up they leave at once.
 */
#define TX_SLOTS 64

/* Room for one IPv4 or IPv6 packet-information message. */
#define CONTROL_SIZE CMSG_SPACE(sizeof(struct in6_pktinfo))

struct control {
	_Alignas(struct cmsghdr) uint8_t bytes[CONTROL_SIZE];
};

struct listener {
	struct udp *udp;
	int fd;
	bool wildcard;
	bool lone; /* the last batch was one datagram: the next probably is, too */
	uint64_t read_us;
	uint32_t kernel_drops; /* at the last look */
	loop_watch watch;
};

struct slots_in {
	struct mmsghdr message[RX_SLOTS];
	struct iovec iov[RX_SLOTS];
	struct address peer[RX_SLOTS];
	struct control control[RX_SLOTS];
	uint8_t data[RX_SLOTS][RX_STRIDE];
};

struct slots_out {
	struct mmsghdr message[TX_SLOTS];
	struct iovec iov[TX_SLOTS];
	struct address peer[TX_SLOTS];
	struct control control[TX_SLOTS];
	unsigned listener[TX_SLOTS];
	uint64_t *sent[TX_SLOTS]; /* counts it once the kernel has taken it */
	uint8_t data[TX_SLOTS][UDP_ANSWER_MAX];
};

/* The slots are shared by the listeners: they are used one after the other. */
struct udp {
	struct udp_options options;
	unsigned listener_count;
	struct listener listeners[UDP_LISTENERS_MAX];
	unsigned queued; /* transmit slots in use */
	bool mixed;	 /* they are not all of one listener */
	struct slots_in in;
	struct slots_out out;
};

/* ---- in ---- */

static void init_in(struct slots_in *in)
{
	for (unsigned i = 0; i < RX_SLOTS; i++) {
		in->iov[i] = (struct iovec){.iov_base = in->data[i], .iov_len = RX_SIZE};
		in->message[i].msg_hdr = (struct msghdr){.msg_name = &in->peer[i],
							 .msg_iov = &in->iov[i],
							 .msg_iovlen = 1,
							 .msg_control = &in->control[i]};
	}
}

/* The kernel has written lengths where it found sizes. */
static void reset_in(struct slots_in *in, const struct listener *l, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct msghdr *h = &in->message[i].msg_hdr;

		h->msg_namelen = sizeof in->peer[i];
		h->msg_controllen = l->wildcard ? CONTROL_SIZE : 0;
	}
}

static void take_v4(struct local_address *local, const struct cmsghdr *c)
{
	struct in_pktinfo info;

	memcpy(&info, CMSG_DATA(c), sizeof info);
	local->family = AF_INET;
	local->v4 = info.ipi_spec_dst; /* one of ours, also for a broadcast */
}

/* The interface belongs to a link-local address; to any other, answers take the way that
 * routing finds. Multicast addresses cannot be answered from: the kernel picks one. */
static void take_v6(struct local_address *local, const struct cmsghdr *c)
{
	struct in6_pktinfo info;

	memcpy(&info, CMSG_DATA(c), sizeof info);
	if (IN6_IS_ADDR_MULTICAST(&info.ipi6_addr))
		return;
	local->family = AF_INET6;
	local->v6 = info.ipi6_addr;
	if (IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr))
		local->interface = info.ipi6_ifindex;
}

/* The address that the datagram was sent to (IP_PKTINFO, RFC 3542 6.1). */
static struct local_address local_of(struct msghdr *h)
{
	struct local_address local = {0};

	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO)
			take_v4(&local, c);
		else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO)
			take_v6(&local, c);
	}
	return local;
}

static void drop(struct udp *u, enum reason why)
{
	metric_inc(&u->options.metrics->dropped[why]);
}

/* A message that is not even looked at. */
static void refuse(struct udp *u, enum reason why)
{
	metric_inc(&u->options.metrics->requests[METRIC_UDP][qtype_slot(0)]);
	drop(u, why);
}

static void take(struct listener *l, unsigned slot, size_t len)
{
	struct udp *u = l->udp;
	struct msghdr *h = &u->in.message[slot].msg_hdr;
	struct client c = {.kind = CLIENT_UDP};

	c.udp.listener = (unsigned)(l - u->listeners);
	c.udp.peer = u->in.peer[slot];
	if (l->wildcard)
		c.udp.local = local_of(h);
	/* nobody can hear an answer to port 0; what was cut cannot be read */
	if (address_port(&c.udp.peer) == 0)
		refuse(u, REASON_SPOOFABLE);
	else if (h->msg_flags & MSG_TRUNC)
		refuse(u, REASON_LONG_MESSAGE);
	else
		u->options.on_query(u->options.arg, &c, u->in.data[slot], len);
}

/* Returns how many came. An error (an ICMP message, say) is as good as none: the socket
 * goes on. */
static unsigned read_one(struct listener *l)
{
	struct slots_in *in = &l->udp->in;
	ssize_t n;

	reset_in(in, l, 1);
	n = recvmsg(l->fd, &in->message[0].msg_hdr, MSG_DONTWAIT);
	if (n < 0)
		return 0;
	take(l, 0, (size_t)n);
	return 1;
}

static unsigned read_batch(struct listener *l)
{
	struct slots_in *in = &l->udp->in;
	int n;

	reset_in(in, l, RX_SLOTS);
	n = recvmmsg(l->fd, in->message, RX_SLOTS, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++)
		take(l, (unsigned)i, in->message[i].msg_len);
	return n > 0 ? (unsigned)n : 0;
}

/* One datagram alone is cheaper by recvmsg() (0.5 us), but costs a round of its own if
 * more wait: so only after a pause, and when the last batch was one, too. */
static bool is_lone(const struct listener *l)
{
	return l->lone && loop_now(l->udp->options.loop) - l->read_us >= LONE_PAUSE_US;
}

/* Returns how many came in the last batch, RX_SLOTS more if it was not the first. */
static unsigned read_batches(struct listener *l)
{
	unsigned n = read_batch(l), batches = 1;

	if (n < RX_SLOTS)
		return n;
	while (n == RX_SLOTS && batches++ < RX_BATCHES)
		n = read_batch(l);
	return RX_SLOTS + n;
}

static void on_readable(void *arg, unsigned ready)
{
	struct listener *l = arg;
	unsigned n = is_lone(l) ? read_one(l) : read_batches(l);

	(void)ready;
	l->lone = n <= 1;
	l->read_us = loop_now(l->udp->options.loop);
}

/* ---- out ---- */

static void init_out(struct slots_out *out)
{
	for (unsigned i = 0; i < TX_SLOTS; i++) {
		out->iov[i].iov_base = out->data[i];
		out->message[i].msg_hdr = (struct msghdr){
		    .msg_name = &out->peer[i], .msg_iov = &out->iov[i], .msg_iovlen = 1};
	}
}

static void put_v4(struct msghdr *h, const struct local_address *local)
{
	struct in_pktinfo info = {.ipi_spec_dst = local->v4};
	struct cmsghdr *c;

	h->msg_controllen = CMSG_SPACE(sizeof info);
	c = CMSG_FIRSTHDR(h);
	*c = (struct cmsghdr){.cmsg_level = IPPROTO_IP,
			      .cmsg_type = IP_PKTINFO,
			      .cmsg_len = CMSG_LEN(sizeof info)};
	memcpy(CMSG_DATA(c), &info, sizeof info);
}

static void put_v6(struct msghdr *h, const struct local_address *local)
{
	struct in6_pktinfo info = {.ipi6_addr = local->v6,
				   .ipi6_ifindex = local->interface};
	struct cmsghdr *c;

	h->msg_controllen = CMSG_SPACE(sizeof info);
	c = CMSG_FIRSTHDR(h);
	*c = (struct cmsghdr){.cmsg_level = IPPROTO_IPV6,
			      .cmsg_type = IPV6_PKTINFO,
			      .cmsg_len = CMSG_LEN(sizeof info)};
	memcpy(CMSG_DATA(c), &info, sizeof info);
}

/* Has the answer leave from the address that was asked. */
static void put_local(struct udp *u, unsigned slot, const struct local_address *local)
{
	struct msghdr *h = &u->out.message[slot].msg_hdr;

	h->msg_control = local->family ? &u->out.control[slot] : NULL;
	h->msg_controllen = 0;
	if (local->family == AF_INET)
		put_v4(h, local);
	else if (local->family == AF_INET6)
		put_v6(h, local);
}

/* Replies of one listener, in order. */
struct batch {
	unsigned count;
	struct mmsghdr *messages;
	uint64_t **sent;
};

static void count_sent(const struct batch *b, unsigned from, unsigned n)
{
	for (unsigned i = from; i < from + n; i++)
		metric_inc(b->sent[i]);
}

static void send_one(struct udp *u, int fd, const struct batch *b)
{
	if (sendmsg(fd, &b->messages->msg_hdr, MSG_DONTWAIT) < 0)
		drop(u, REASON_SEND_FAILED);
	else
		count_sent(b, 0, 1);
}

/* What the kernel refuses is lost, as datagrams may be, and the rest goes on. */
static void send_all(struct udp *u, int fd, const struct batch *b)
{
	unsigned done = 0;

	if (b->count == 1) {
		send_one(u, fd, b);
		return;
	}
	while (done < b->count) {
		int n = sendmmsg(fd, b->messages + done, b->count - done, MSG_DONTWAIT);

		if (n > 0) {
			count_sent(b, done, (unsigned)n);
			done += (unsigned)n;
		} else {
			drop(u, REASON_SEND_FAILED);
			done++;
		}
	}
}

/* Sends what is queued for listener NUMBER, which others' replies stand between. */
static void send_picked(struct udp *u, unsigned number)
{
	struct mmsghdr picked[TX_SLOTS];
	uint64_t *sent[TX_SLOTS];
	struct batch b = {.messages = picked, .sent = sent};

	for (unsigned i = 0; i < u->queued; i++) {
		if (u->out.listener[i] != number)
			continue;
		picked[b.count] = u->out.message[i];
		sent[b.count++] = u->out.sent[i];
	}
	if (b.count > 0)
		send_all(u, u->listeners[number].fd, &b);
}

void udp_flush(struct udp *u)
{
	const struct batch all = {u->queued, u->out.message, u->out.sent};

	if (u->queued == 0)
		return;
	if (!u->mixed)
		send_all(u, u->listeners[u->out.listener[0]].fd, &all);
	else
		for (unsigned i = 0; i < u->listener_count; i++)
			send_picked(u, i);
	u->queued = 0;
	u->mixed = false;
}

uint8_t *udp_room(struct udp *u, const struct client *c, size_t n)
{
	(void)c;
	if (n > UDP_ANSWER_MAX) {
		drop(u, REASON_SEND_FAILED);
		return NULL;
	}
	if (u->queued == TX_SLOTS)
		udp_flush(u);
	return u->out.data[u->queued];
}

void udp_send(struct udp *u, const struct client *c, size_t len, uint64_t *sent)
{
	unsigned slot = u->queued++;

	u->out.sent[slot] = sent;
	u->out.listener[slot] = c->udp.listener;
	u->mixed |= c->udp.listener != u->out.listener[0];
	u->out.peer[slot] = c->udp.peer;
	u->out.iov[slot].iov_len = len;
	u->out.message[slot].msg_hdr.msg_namelen = address_len(&c->udp.peer);
	put_local(u, slot, &c->udp.local);
}

/* ---- life ---- */

int udp_new(struct udp **out, const struct udp_options *o)
{
	struct udp *u = calloc(1, sizeof *u);

	if (!u)
		return -ENOMEM;
	u->options = *o;
	init_in(&u->in);
	init_out(&u->out);
	*out = u;
	return 0;
}

int udp_add(struct udp *u, int fd, bool wildcard)
{
	struct listener *l = &u->listeners[u->listener_count];
	int r;

	if (u->listener_count == UDP_LISTENERS_MAX)
		return -ENOSPC;
	*l = (struct listener){.udp = u, .fd = fd, .wildcard = wildcard};
	r = loop_watch_fd(u->options.loop, fd, LOOP_READ, LOOP_CLIENT, on_readable, l,
			  &l->watch);
	if (r == 0)
		u->listener_count++;
	return r;
}

/* SO_MEMINFO tells the same number as SO_RXQ_OVFL, at no cost for each datagram, and also when
 * none has come since. It wraps. */
static void look(struct listener *l)
{
	uint32_t info[SK_MEMINFO_VARS] = {0};
	socklen_t len = sizeof info;
	uint32_t drops;

	if (getsockopt(l->fd, SOL_SOCKET, SO_MEMINFO, info, &len) < 0 ||
	    len <= SK_MEMINFO_DROPS * sizeof *info)
		return;
	drops = info[SK_MEMINFO_DROPS];
	metric_add(&l->udp->options.metrics->udp_kernel_drops, drops - l->kernel_drops);
	l->kernel_drops = drops;
}

void udp_look(struct udp *u)
{
	for (unsigned i = 0; i < u->listener_count; i++)
		look(&u->listeners[i]);
}

void udp_stop(struct udp *u)
{
	for (unsigned i = 0; i < u->listener_count; i++) {
		(void)read_batches(&u->listeners[i]); /* what has arrived is served */
		loop_forget(u->options.loop, u->listeners[i].watch);
		u->listeners[i].watch = 0;
	}
}

void udp_free(struct udp *u)
{
	if (!u)
		return;
	for (unsigned i = 0; i < u->listener_count; i++) {
		loop_forget(u->options.loop, u->listeners[i].watch);
		close(u->listeners[i].fd);
	}
	free(u);
}
