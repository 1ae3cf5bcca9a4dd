/* flood: a UDP client that keeps many queries under way, or sends them at a steady rate. */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

/*
 * usage: flood PORT NAMES COUNT SECONDS WINDOW QPS SEED
 *
 * NAMES: "fixed" (COUNT names in turn, A), "unique" (never the same), "zipf" (COUNT names by Zipf's
 * law, exponent 1; A, AAAA, HTTPS; one in twenty does not exist). QPS 0: WINDOW queries are
 * always under way; else so many a second. A query is lost after 2 s. Prints one JSON object.
 */
#define SLOTS 65536
#define BATCH 32
#define QUERY_MAX 64
#define ANSWER_MAX 1500
#define LATENCIES 6000000 /* microseconds */
#define LOST_US 2000000

static uint64_t sent_us[SLOTS]; /* 0: free */
static uint32_t latencies[LATENCIES];
static uint64_t last_us; /* of the last answer */
static uint64_t sent, answered, failed, lost, none;
static uint64_t serial, seed;
static double *zipf;
static unsigned name_count;
static enum { FIXED, UNIQUE, ZIPF } mode;

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static uint64_t random64(void)
{
	uint64_t z = seed += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static void prepare_zipf(void)
{
	double sum = 0;

	zipf = malloc(name_count * sizeof *zipf);
	if (!zipf)
		abort();
	for (unsigned i = 0; i < name_count; i++)
		zipf[i] = sum += 1.0 / (i + 1);
	for (unsigned i = 0; i < name_count; i++)
		zipf[i] /= sum;
}

static uint64_t pick(void)
{
	unsigned low = 0, high = name_count - 1;
	double r = (double)(random64() >> 11) / 9007199254740992.0;

	if (mode == UNIQUE)
		return serial++;
	if (mode == FIXED)
		return serial++ % name_count;
	while (low < high) {
		unsigned middle = (low + high) / 2;

		if (zipf[middle] < r)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static unsigned type_of(uint64_t number)
{
	if (mode != ZIPF || number % 10 < 6)
		return 1;
	return number % 10 < 9 ? 28 : 65;
}

static size_t make_query(uint8_t *q, uint16_t id)
{
	static const uint8_t behind[] = "\4zone\5bench";
	uint64_t number = pick();
	char label[32];
	int n = snprintf(label, sizeof label, "%c%llx-%llx",
			 mode == ZIPF && number % 20 == 7 ? 'x' : 'h',
			 (unsigned long long)number,
			 mode == UNIQUE ? (unsigned long long)seed >> 32 : 0ULL);
	size_t at = 12;

	memcpy(q, "\0\0\1\0\0\1\0\0\0\0\0\1", 12);
	q[0] = (uint8_t)(id >> 8);
	q[1] = (uint8_t)id;
	q[at++] = (uint8_t)n;
	memcpy(q + at, label, (size_t)n);
	at += (size_t)n;
	memcpy(q + at, behind, sizeof behind);
	at += sizeof behind;
	q[at++] = 0;
	q[at++] = (uint8_t)type_of(number);
	memcpy(q + at, "\0\1\0\0\51\4\320\0\0\0\0\0\0", 13);
	return at + 13;
}

/* Sends up to N queries. Returns how many of them left. */
static unsigned send_some(int fd, unsigned n)
{
	static uint8_t data[BATCH][QUERY_MAX + 32];
	static struct iovec iov[BATCH];
	static struct mmsghdr messages[BATCH];
	static uint16_t next;
	uint16_t ids[BATCH];
	uint64_t now = now_us();
	int left;

	if (n > BATCH)
		n = BATCH;
	for (unsigned i = 0; i < n; i++) {
		while (sent_us[next])
			next++;
		ids[i] = next++;
		iov[i] = (struct iovec){data[i], make_query(data[i], ids[i])};
		messages[i].msg_hdr =
		    (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1};
	}
	left = sendmmsg(fd, messages, n, MSG_DONTWAIT);
	for (int i = 0; i < left; i++)
		sent_us[ids[i]] = now;
	sent += left > 0 ? (unsigned)left : 0;
	return left > 0 ? (unsigned)left : 0;
}

static void take(const uint8_t *m, size_t len, uint64_t now)
{
	uint16_t id = (uint16_t)(m[0] << 8 | m[1]);
	uint64_t us;

	if (len < 12 || !sent_us[id])
		return;
	us = now - sent_us[id];
	sent_us[id] = 0;
	answered++;
	last_us = now;
	failed += (m[3] & 15) != 0 && (m[3] & 15) != 3;
	none += (m[3] & 15) == 3;
	latencies[us < LATENCIES ? us : LATENCIES - 1]++;
}

static unsigned receive_some(int fd)
{
	static uint8_t data[BATCH][ANSWER_MAX];
	static struct iovec iov[BATCH];
	static struct mmsghdr messages[BATCH];
	uint64_t now;
	int n;

	for (unsigned i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){data[i], ANSWER_MAX};
		messages[i].msg_hdr =
		    (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1};
	}
	n = recvmmsg(fd, messages, BATCH, MSG_DONTWAIT, NULL);
	now = now_us();
	for (int i = 0; i < n; i++)
		take(data[i], messages[i].msg_len, now);
	return n > 0 ? (unsigned)n : 0;
}

static uint64_t under_way(void)
{
	return sent - answered - lost;
}

static void give_up_lost(void)
{
	uint64_t now = now_us();

	for (unsigned i = 0; i < SLOTS; i++)
		if (sent_us[i] && now - sent_us[i] > LOST_US) {
			sent_us[i] = 0;
			lost++;
		}
}

static void run(int fd, uint64_t seconds, unsigned window, unsigned qps)
{
	uint64_t start = now_us(), end = start + seconds * 1000000, looked = start;

	for (;;) {
		uint64_t now = now_us();
		bool over = now >= end;
		uint64_t due = qps ? (now - start) * qps / 1000000 : 0;
		struct pollfd p = {.fd = fd, .events = POLLIN};

		if (now - looked > 500000) {
			give_up_lost();
			looked = now;
		}
		if (over && (under_way() == 0 || now > end + LOST_US + 1000000))
			break;
		if (!over && qps && due > sent)
			(void)send_some(fd, (unsigned)(due - sent));
		if (!over && !qps && under_way() < window)
			(void)send_some(fd, (unsigned)(window - under_way()));
		if (receive_some(fd) == 0)
			(void)ppoll(&p, 1,
				    &(struct timespec){.tv_nsec = qps ? 100000 : 1000000},
				    NULL);
	}
	give_up_lost();
}

static double percentile(double part)
{
	uint64_t want = (uint64_t)((double)answered * part), seen = 0;

	for (unsigned i = 0; i < LATENCIES; i++)
		if ((seen += latencies[i]) > want)
			return i / 1000.0;
	return 0;
}

int main(int argc, char **argv)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_DGRAM, 0), size = 4 << 20;
	uint64_t start;

	if (argc != 8) {
		fputs("usage: flood PORT NAMES COUNT SECONDS WINDOW QPS SEED\n", stderr);
		return 2;
	}
	mode = strcmp(argv[2], "zipf") == 0	? ZIPF
	       : strcmp(argv[2], "unique") == 0 ? UNIQUE
						: FIXED;
	name_count = (unsigned)strtoul(argv[3], NULL, 10);
	seed = strtoull(argv[7], NULL, 10);
	if (mode == ZIPF)
		prepare_zipf();
	if (mode == UNIQUE)
		serial = seed << 32;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	a.sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10));
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(fd, (struct sockaddr *)&a, sizeof a) < 0)
		return 1;
	start = now_us();
	run(fd, strtoull(argv[4], NULL, 10), (unsigned)strtoul(argv[5], NULL, 10),
	    (unsigned)strtoul(argv[6], NULL, 10));
	printf("{\"seconds\": %.3f, \"sent\": %llu, \"answered\": %llu, "
	       "\"failed\": %llu, \"nxdomain\": %llu, "
	       "\"p50\": %.3f, \"p95\": %.3f, \"p99\": %.3f}\n",
	       last_us > start ? (double)(last_us - start) / 1e6 : 0.0,
	       (unsigned long long)sent, (unsigned long long)answered,
	       (unsigned long long)failed, (unsigned long long)none, percentile(0.5),
	       percentile(0.95), percentile(0.99));
	return 0;
}
