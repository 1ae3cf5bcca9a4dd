/* stub: non-blocking sockets, and poll() with a deadline. */
#include "forwarding/stub.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/address.h"
#include "dns/message.h"
#include "dns/query.h"
#include "net/frame.h"
#include "net/socket.h"

/* For one question to one address, all told. */
#define TIME_MS 5000
/* A datagram is sent again after this. */
#define AGAIN_MS 1000

/* A stream to the server: the socket, and TLS over it unless it is plain. */
struct stream {
	int fd;
	struct tls_conn *tls; /* NULL: plain */
	int64_t until_ms;
};

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool fail(struct stub *stub, const char *text)
{
	snprintf(stub->error, sizeof stub->error, "%s", text);
	return false;
}

/* Waits for EVENTS of FD. False: the time is over, or all is to end. */
static bool wait_for(struct stub *stub, int fd, short events, int64_t until_ms)
{
	struct pollfd p[] = {{.fd = fd, .events = events},
			     {.fd = stub->stop, .events = POLLIN}};
	int64_t left = until_ms - now_ms();

	if (left <= 0 || poll(p, 2, (int)left) <= 0)
		return fail(stub, "no answer");
	return p[1].revents ? fail(stub, "ending") : true;
}

static bool is_answer(const uint8_t *m, size_t len, uint16_t id, const struct question *q,
		      struct response *r)
{
	return len >= DNS_HEADER_LEN && (m[0] << 8 | m[1]) == id &&
	       response_read(r, m, len) == 0 && r->question.type == q->type &&
	       r->question.class == q->class && r->question.name_len == q->name_len &&
	       name_equal(r->question.name, q->name, q->name_len);
}

/* ---- streams ---- */

static bool tls_step(struct stub *stub, struct stream *s, enum tls_status status)
{
	char detail[TLS_DETAIL_MAX];

	switch (status) {
	case TLS_WANT_READ:
		return wait_for(stub, s->fd, POLLIN, s->until_ms);
	case TLS_WANT_WRITE:
		return wait_for(stub, s->fd, POLLOUT, s->until_ms);
	case TLS_OK:
		return true;
	case TLS_EOF:
	case TLS_ERROR:
		break;
	}
	if (tls_conn_failure(s->tls, detail) == REASON_NONE)
		return fail(stub, "it closed the connection");
	snprintf(stub->error, sizeof stub->error, "%s: %s",
		 reason_word(tls_conn_failure(s->tls, detail)), detail);
	return false;
}

static bool shake_hands(struct stub *stub, struct stream *s, struct tls_peer *peer)
{
	enum tls_status status;

	if (tls_conn_new(&s->tls, peer, s->fd) < 0)
		return fail(stub, "out of memory");
	while ((status = tls_handshake(s->tls)) != TLS_OK)
		if (!tls_step(stub, s, status))
			return false;
	return true;
}

static bool stream_open(struct stub *stub, struct stream *s, const struct address *to,
			struct tls_peer *peer)
{
	int error;

	s->fd = socket_connect(to, TIME_MS, false);
	if (s->fd < 0)
		return fail(stub, strerror(-s->fd));
	if (!wait_for(stub, s->fd, POLLOUT, s->until_ms))
		return false;
	error = socket_connect_result(s->fd);
	if (error < 0)
		return fail(stub, strerror(-error));
	return !peer || shake_hands(stub, s, peer);
}

static bool stream_write(struct stub *stub, struct stream *s, const uint8_t *data,
			 size_t len)
{
	while (len > 0) {
		size_t n = 0;
		bool more;

		if (s->tls) {
			more = tls_step(stub, s, tls_write(s->tls, data, len, &n));
		} else {
			ssize_t sent = send(s->fd, data, len, MSG_NOSIGNAL);

			n = sent > 0 ? (size_t)sent : 0;
			more = sent >= 0 || (errno == EAGAIN &&
					     wait_for(stub, s->fd, POLLOUT, s->until_ms));
			if (!more && sent < 0 && errno != EAGAIN)
				return fail(stub, strerror(errno));
		}
		if (!more)
			return false;
		data += n;
		len -= n;
	}
	return true;
}

/* Reads some octets, up to CAP. Returns how many; 0: none will come. */
static size_t stream_read(struct stub *stub, struct stream *s, uint8_t *out, size_t cap)
{
	for (;;) {
		size_t n = 0;

		if (s->tls) {
			enum tls_status status = tls_read(s->tls, out, cap, &n);

			if (status == TLS_OK)
				return n;
			if (!tls_step(stub, s, status))
				return 0;
		} else {
			ssize_t got = recv(s->fd, out, cap, 0);

			if (got > 0)
				return (size_t)got;
			if (got == 0 || errno != EAGAIN) {
				fail(stub, "it closed the connection");
				return 0;
			}
			if (!wait_for(stub, s->fd, POLLIN, s->until_ms))
				return 0;
		}
	}
}

static bool exchange(struct stub *stub, struct stream *s, const struct question *q,
		     struct response *r)
{
	const struct query query = {.flags = DNS_RD, .question = *q};
	uint16_t id = random_u16(&stub->random);
	uint8_t frame[FRAME_HEADER + QUERY_ENCODED_MAX];
	size_t len = s->tls ? query_encode(frame + FRAME_HEADER, &query, id, false)
			    : query_encode_plain(frame + FRAME_HEADER, &query, id);
	size_t have = 0, pos = 0;
	const uint8_t *message;

	frame_put_length(frame, len);
	if (!stream_write(stub, s, frame, FRAME_HEADER + len))
		return false;
	for (;;) {
		size_t n = stream_read(stub, s, stub->message + have,
				       sizeof stub->message - have);

		if (n == 0)
			return false;
		have += n;
		while (frame_next(stub->message, have, &pos, &message, &len))
			if (is_answer(message, len, id, q, r))
				return true;
		if (have == sizeof stub->message)
			return fail(stub, "its answer is too long");
	}
}

static bool ask_stream(struct stub *stub, const struct address *to, struct tls_peer *peer,
		       const struct question *q, struct response *r)
{
	struct stream s = {.fd = -1, .until_ms = now_ms() + TIME_MS};
	bool good = stream_open(stub, &s, to, peer) && exchange(stub, &s, q, r);

	if (good && s.tls)
		tls_close(s.tls);
	tls_conn_free(s.tls);
	if (s.fd >= 0)
		socket_close(s.fd);
	return good;
}

/* ---- datagrams ---- */

/* Waits for the answer until the time at which the question is sent again. */
static bool hear(struct stub *stub, int fd, uint16_t id, const struct question *q,
		 struct response *r)
{
	int64_t until = now_ms() + AGAIN_MS;

	while (wait_for(stub, fd, POLLIN, until)) {
		ssize_t n = recv(fd, stub->message, sizeof stub->message, 0);

		if (n < 0 && errno != EAGAIN)
			return fail(stub, strerror(errno));
		if (n > 0 && is_answer(stub->message, (size_t)n, id, q, r))
			return true;
	}
	return false;
}

static bool ask_udp(struct stub *stub, const struct address *to, const struct question *q,
		    struct response *r)
{
	const struct query query = {.flags = DNS_RD, .question = *q};
	uint8_t message[QUERY_ENCODED_MAX];
	uint16_t id = random_u16(&stub->random);
	size_t len = query_encode_plain(message, &query, id);
	int fd = socket_connect_udp(to);
	bool good = false;

	if (fd < 0)
		return fail(stub, strerror(-fd));
	for (unsigned i = 0; i < 3 && !good; i++) {
		(void)send(fd, message, len, MSG_NOSIGNAL);
		good = hear(stub, fd, id, q, r);
	}
	socket_close(fd);
	return good && r->flags & DNS_TC ? ask_stream(stub, to, NULL, q, r) : good;
}

bool stub_ask(struct stub *stub, struct stub_server *s, const struct question *q,
	      struct response *r)
{
	for (unsigned i = 0; i < s->count; i++) {
		unsigned k = (s->first + i) % s->count;
		const struct address *to = &s->addresses[k];

		if (s->peer ? ask_stream(stub, to, s->peer, q, r)
			    : ask_udp(stub, to, q, r)) {
			s->first = k;
			s->is_silent = false;
			return true;
		}
	}
	s->is_silent = true;
	return false;
}

bool stub_explain(struct stub *stub, const struct response *r, const char *text)
{
	switch (r->rcode) {
	case RCODE_NOERROR:
		return fail(stub, text);
	case RCODE_NXDOMAIN:
		return fail(stub, "NXDOMAIN");
	case RCODE_SERVFAIL:
		return fail(stub, "SERVFAIL");
	case RCODE_REFUSED:
		return fail(stub, "REFUSED");
	default:
		snprintf(stub->error, sizeof stub->error, "RCODE %u", r->rcode);
		return false;
	}
}
