/* exchange: queries out and answers in on a connection; what conn.c and exchange.c share. */
#ifndef DOTGATE_UPSTREAM_EXCHANGE_H
#define DOTGATE_UPSTREAM_EXCHANGE_H

#include "upstream/conn.h"

/* The socket of a READY or DRAINING connection is ready. */
void conn_exchange(struct conn *c, unsigned ready);

/* Goes on with the handshake. */
void conn_shake_hands(struct conn *c);

/* READY, with early data sent: if that was refused it is sent again. */
void conn_settle_early(struct conn *c);

/* Has it flushed at the end of the round. */
void conn_make_dirty(struct conn *c);

/* Ends a DRAINING connection on which nothing is out any more, after it has lingered. */
void conn_end_drain(struct conn *c);

/* Makes sure that the connection's timer is not later than it must be. */
void conn_watch_time(struct conn *c);

#endif
