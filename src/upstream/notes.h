/* notes: what was seen of an upstream last, for people to read. */
#ifndef DOTGATE_UPSTREAM_NOTES_H
#define DOTGATE_UPSTREAM_NOTES_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/address.h"
#include "base/reason.h"

/* "word: label: detail: remedy", as EDE text and in logs. */
#define NOTES_FAILURE_MAX 384
#define NOTES_TLS_MAX 64

/* Times are UNIX time in seconds; 0: never. */
struct notes_text {
	int64_t state_since; /* UP or DOWN, whichever it is */
	int64_t connected;
	char tls[NOTES_TLS_MAX]; /* version and suite of the last connection */
	bool resumed;
	char address[ADDRESS_TEXT_MAX]; /* of it */
	int64_t failed;
	char failure[NOTES_FAILURE_MAX]; /* the last one */
};

/* Of one upstream, shared by all workers; thread safe. Written when a connection is made or fails,
 * so never for each query. */
struct notes {
	/* The failures (bits, by enum reason) that the log was told of since it was last up: however
	 * long it is down, and whatever it is down for in turn, each is said once. */
	atomic_uint_least64_t told;
	atomic_bool backup_pin;	 /* the last certificate fitted a backup pin only */
	atomic_llong warned_day; /* on which its end was warned of */
	atomic_llong
	    told_address; /* when the log was told of an address that is no good */
	pthread_mutex_t lock;
	struct notes_text text;
};

void notes_init(struct notes *n);
void notes_destroy(struct notes *n);

/* True if the log is to be told of this, REASON_NONE being no failure any more. */
bool notes_is_news(struct notes *n, enum reason why);

/* True if at NOW, in UNIX time, the log is to be told of an address that is no good while others are
 * tried: once a minute. */
bool notes_address_is_news(struct notes *n, int64_t now);

/* The certificate of a new connection fits a backup PIN only, or the first. True if that is new. */
bool notes_pin_is_news(struct notes *n, bool backup);

/* True if the certificate, valid between these UNIX times, ends soon, and today nobody was told. */
bool notes_ends_soon(struct notes *n, int64_t not_before, int64_t not_after, int64_t now);

void notes_connected(struct notes *n, const char *version, const char *suite,
		     bool resumed, const struct address *address);
void notes_failed(struct notes *n, const char *failure);

void notes_read(struct notes *n, struct notes_text *out);

#endif
