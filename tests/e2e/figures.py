"""What clients get of a dotgate whose upstream fails in some way, as figures: for tests that hold
them to a bound, and for bench/faults.py, which prints them."""
import time

from crowd import Crowd, outcomes, percentile

DEADLINE = 5.0
UNTIL_IT_LASTS = 20  # with a third too much the queue is longer than any client waits after 15 s
AFTERWARDS = 4


def join_all(crowd, qps, clients=10):
    """Many clients, so that no share of one of them decides."""
    return [crowd.join(f"127.0.0.{10 + i}", f"c{i}-%d.example.test", qps / clients)
            for i in range(clients)]


def at_rate(members, qps, seconds):
    """Returns when that began and ended."""
    start = time.monotonic()
    for member in members:
        member.qps = qps / len(members)
    time.sleep(seconds)
    return start, time.monotonic()


def in_time(asked, start, end):
    """Good answers that came between START and END, to clients that were still waiting."""
    return sum(a.good and a.took < DEADLINE and start <= a.sent + a.took < end for a in asked)


def sent_between(asked, start, end):
    return [a for a in asked if start <= a.sent < end]


def overload(gate, capacity, offered):
    """OFFERED queries a second, then a third of what the upstream can: what share of its capacity
    reached clients once that lasted, and how those fared who asked a second after it had ended."""
    with Crowd(gate) as crowd:
        members = join_all(crowd, capacity / 3)
        time.sleep(2)
        at_rate(members, offered, UNTIL_IT_LASTS)
        start, end = at_rate(members, offered, 8)
        at_rate(members, capacity / 3, AFTERWARDS)
    after = sent_between(crowd.asked, end + 1, end + AFTERWARDS)
    return {"goodput": in_time(crowd.asked, start, end) / capacity / (end - start),
            "outcomes": outcomes(sent_between(crowd.asked, start, end)),
            "after": outcomes(after), "trouble": crowd.trouble,
            "after_p95": percentile([a.took or DEADLINE for a in after], 0.95)}


def slower(gate, upstream, qps, seconds=12):
    """UPSTREAM, a faults.Slow, needs 1.5 s more from one moment to the next."""
    with Crowd(gate) as crowd:
        members = join_all(crowd, qps)
        time.sleep(3)
        upstream.seconds += 1.5
        at_rate(members, qps, seconds)
    return crowd


def one_against_others(gate, qps, seconds=14):
    """One client asks QPS names a second below "mute.", ten others 20 each. Returns what the others
    asked, and the crowd."""
    with Crowd(gate) as crowd:
        others = join_all(crowd, 200)
        time.sleep(1)
        flood = crowd.join("127.0.0.99", "x%d.mute.test", qps)
        time.sleep(seconds)
        flood.qps = 0
    return [a for m in others for a in m.asked], crowd


def steadily(gate, qps, seconds):
    """One client, for so long."""
    with Crowd(gate) as crowd:
        crowd.join("127.0.0.2", "s%d.example.test", qps)
        time.sleep(seconds)
    return crowd
