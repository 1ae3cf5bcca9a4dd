"""What upstreams do when they fail, as real ones have been seen to: for `Upstream(on_query=...)`."""
import random
import threading
import time

import wire
from upstream import Gone, good

RCODES = {"FORMERR": 1, "SERVFAIL": 2, "NOTIMP": 4, "REFUSED": 5, "NOTAUTH": 9}


class Queue:
    """Answers RATE queries a second, in the order in which they came, and drops none: what comes
    faster waits, for as long as it takes."""

    def __init__(self, rate):
        self.step, self.free_at, self.lock = 1 / rate, 0, threading.Lock()

    def __call__(self, conn, q):
        with self.lock:
            now = time.monotonic()
            self.free_at = max(now, self.free_at) + self.step
            wait = self.free_at - now
        conn.answer_later(wait, q)

    def waiting(self):
        """How many queries it has still to answer."""
        return max(0, round((self.free_at - time.monotonic()) / self.step))


class Slow:
    """Answers everything after so many seconds; `seconds` can be changed at any time."""

    def __init__(self, seconds=0.0):
        self.seconds = seconds

    def __call__(self, conn, q):
        conn.answer_later(self.seconds, q)


def mute_for(part, then=good):
    """Never answers a name with PART in it."""
    return lambda conn, q: None if part in q.name.lower() else then(conn, q)


def lossy(share, seconds, seed=1):
    """Answers after SECONDS, but SHARE of the queries never."""
    dice = random.Random(seed)

    def on_query(conn, q):
        if dice.random() >= share:
            conn.answer_later(seconds, q)

    return on_query


def error(q, rcode, question=True):
    """An error response to Q, with its question or with an empty message."""
    flags = wire.QR | (q.flags & wire.RD) | RCODES[rcode]
    return wire.message(q.id, flags, q.question if question else b"")


def refuses(rcode, question=True):
    """Says RCODE to everything, at once."""
    return lambda conn, q: conn.send(error(q, rcode, question))


def without_edns(rcode="FORMERR", question=True):
    """A server older than EDNS: RCODE to what has an OPT, an answer to all else."""
    def on_query(conn, q):
        if q.opt():
            conn.send(error(q, rcode, question))
        else:
            conn.answer(q)

    return on_query


def only(count, seconds):
    """Answers after SECONDS; closes after COUNT answers, and answers no more on that connection."""
    def on_query(conn, q):
        number = len(conn.queries)
        if number > count:
            return
        conn.answer_later(seconds, q)
        if number == count:
            conn.later(seconds, conn.close)

    return on_query


def far(seconds):
    """For on_accept: TCP and TLS cost a round trip of SECONDS each, as if it were far away."""
    def on_accept(conn):
        if conn.upstream.stopping.wait(2 * seconds):
            raise Gone

    return on_accept
