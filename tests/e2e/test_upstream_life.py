"""Upstreams come and go: connections that end, upstreams that fail and come back."""
import threading
import time

import pytest

import client
from upstream import BlackHole, Connection, Gone
from wire import frame, answer

NAMES = [f"n{i}.example.test" for i in range(30)]


def all_good(gate, names, timeout=client.PATIENCE):
    b = client.Burst(gate.address, gate.port, names)
    answers = b.collect(timeout)
    assert set(answers) == set(names), f"lost: {set(names) - set(answers)}"
    bad = {n: client.ede(answers[n]) for n in names if not client.is_good(answers[n], n)}
    assert not bad, bad
    return b.times


def until_good(gate, name, seconds=15):
    """Asks until the answer is right; the seconds that took."""
    start = time.monotonic()
    while not client.is_good(gate.ask(name), name):
        assert time.monotonic() - start < seconds, gate.log()
    return time.monotonic() - start


# ---- one connection for all

def test_one_connection_carries_all(pair):
    up, gate = pair
    for i in range(5):
        all_good(gate, [f"x{i}-{n}" for n in NAMES])
    assert len([c for c in up.connections if c.queries]) == 1
    assert len(up.connections) <= 2  # a busy one has a spare


def test_queries_of_one_round_share_a_record(served):
    up, gate = served()
    gate.ask("first.example.test")
    with gate.stream() as s:
        s.send(*[client.query(n) for n in NAMES])
        for _ in NAMES:
            assert s.receive() is not None
    records = up.connections[0].application_bytes()
    assert max(records) > 128 * 5, records


def test_ids_are_random(served):
    up, gate = served()
    all_good(gate, NAMES)
    ids = [q.id for q in up.queries]
    assert len(set(ids)) == len(ids)
    steps = {b - a for a, b in zip(ids, ids[1:])}
    assert len(steps) > len(ids) // 2 and max(ids) - min(ids) > 4096


# ---- connections that end

@pytest.mark.parametrize("how", ["clean", "without notify", "reset"])
def test_end_at_idle_is_no_failure(served, how):
    up, gate = served(http=True)
    for i in range(5):
        assert client.is_good(gate.ask(f"i{i}.example.test"), f"i{i}.example.test")
        assert gate.seconds < 1.5
        end = {"clean": Connection.close, "reset": Connection.reset,
               "without notify": lambda c: c.close(notify=False)}[how]
        up.end_connections(end)
        time.sleep(0.1)
    assert " is down" not in gate.log()
    assert gate.metric("dotgate_upstream_up") == 1


def test_close_after_handshake_once(served):
    """A connection that is closed before it took anything; the next one serves."""
    closed = []

    def on_ready(conn):
        if len(closed) < 1:
            closed.append(conn)
            conn.close()

    _, gate = served(on_ready=on_ready)
    all_good(gate, NAMES)


def test_close_after_every_handshake(served):
    """It never serves: SERVFAIL with the reason, in bounded time and with bounded dials."""
    up, gate = served(on_ready=lambda conn: conn.close())
    r = gate.ask("a.example.test")
    assert client.rcode(r) == "SERVFAIL" and gate.seconds < 8
    assert client.ede(r)
    assert len(up.connections) < 40


@pytest.mark.parametrize("n", [1, 2, 7])
def test_close_after_n_answers(served, n):
    """Queries that came too late for a connection move to the next one."""
    def on_query(conn, q):
        conn.answer(q)
        if len(conn.queries) == n:
            conn.close()

    _, gate = served(on_query=on_query)
    for i in range(4):
        if n == 1:  # a copy for each connection that died is bounded: ask less at once
            all_good(gate, [f"c{i}-{name}" for name in NAMES[:8]])
        else:
            all_good(gate, [f"c{i}-{name}" for name in NAMES])


@pytest.mark.parametrize("end", ["close", "reset"])
def test_end_without_answer_then_good(served, end):
    """The first three queries each cost the connection."""
    count = []

    def on_query(conn, q):
        if len(count) < 3:
            count.append(q)
            getattr(conn, end)()
        conn.answer(q)

    _, gate = served(on_query=on_query)
    all_good(gate, NAMES)


def test_close_in_the_middle_of_a_frame(served):
    count = []

    def on_query(conn, q):
        if len(count) < 2:
            count.append(q)
            conn.write(frame(answer(q))[:20])
            conn.close()
        conn.answer(q)

    _, gate = served(on_query=on_query)
    all_good(gate, NAMES)


def test_racing_closes(served):
    """It closes just after an answer, while the next queries are on their way."""
    def on_query(conn, q):
        conn.answer(q)
        if len(conn.queries) % 5 == 0:
            conn.later(0.0005, conn.close)

    _, gate = served(on_query=on_query)
    failed = []

    def load(k):
        try:
            for i in range(15):
                all_good(gate, [f"r{k}-{i}-{n}" for n in NAMES[:5]])
        except AssertionError as e:
            failed.append(e)

    threads = [threading.Thread(target=load, args=(k,)) for k in range(3)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failed, failed[0]


def test_many_in_flight_when_it_dies(served):
    """300 queries are out when the connection is reset: all move at once."""
    dead = []

    def on_query(conn, q):
        if not dead:
            if len(conn.queries) >= 200:
                dead.append(conn)
                conn.reset()
            return
        conn.answer(q)

    up, gate = served(on_query=on_query)
    times = all_good(gate, [f"m{i}.example.test" for i in range(300)])
    assert max(times.values()) < 4


def test_keepalive_value_of_upstream_is_obeyed(served):
    """It says that it closes after a second: we close first (RFC 7828)."""
    up, gate = served(on_query=lambda conn, q: conn.answer(q, options=[(11, b"\0\x0a")]))
    gate.ask("k.example.test")
    conn = up.connections[0]
    time.sleep(2.5)
    assert conn.ended and conn.clean_end
    assert client.is_good(gate.ask("k2.example.test"), "k2.example.test")


def test_idle_connection_is_closed_by_us(start_upstream, start_dotgate):
    up = start_upstream()
    gate = start_dotgate(up, options=["--upstream-idle-timeout", "1s", "--keep-warm", "0"])
    gate.ask("i.example.test")
    time.sleep(2.5)
    assert up.connections[0].ended and up.connections[0].clean_end
    assert client.is_good(gate.ask("i2.example.test"), "i2.example.test")
    assert " is down" not in gate.log()


# ---- upstreams that are slow or silent

@pytest.mark.parametrize("delay", [2, 3])
def test_slow_upstream_is_heard(served, delay):
    _, gate = served(on_query=lambda conn, q: conn.answer_later(delay, q))
    times = all_good(gate, NAMES[:10])
    assert max(times.values()) < 4.9
    all_good(gate, NAMES[10:20])


def test_mute_upstream(served):
    up, gate = served(on_query=lambda conn, q: None)
    r = gate.ask("m.example.test")
    assert client.rcode(r) == "SERVFAIL" and 4 < gate.seconds < 8
    code, text = client.ede(r)
    assert code == 22 and text.startswith("query_timeout")
    assert sum(name != "" for name in up.names()) <= 6 # "" are probes


def test_query_timeout_is_an_option(start_upstream, start_dotgate):
    gate = start_dotgate(start_upstream(on_query=lambda conn, q: None),
                         options=["--query-timeout", "1500ms"])
    r = gate.ask("m.example.test")
    assert client.rcode(r) == "SERVFAIL" and 1.4 < gate.seconds < 4


def test_nothing_is_sent_after_the_deadline(served):
    """An answer that comes too late goes nowhere."""
    _, gate = served(on_query=lambda conn, q: conn.answer_later(6, q))
    with client.connect_udp(gate.address, gate.port) as sock:
        sock.send(client.query("late.example.test").to_wire())
        assert client.rcode(client.parse(sock.recv(4096))) == "SERVFAIL"
        sock.settimeout(2)
        with pytest.raises(TimeoutError):
            sock.recv(4096)


def test_no_handshake(served):
    """It accepts and says nothing."""
    up, gate = served(on_accept=lambda conn: conn.hold())
    r = gate.ask("h.example.test")
    assert client.rcode(r) == "SERVFAIL" and gate.seconds < 8
    assert client.ede(r)
    assert not up.queries


def test_one_silent_connection(served):
    """The connection falls silent, the upstream is well: a second one is tried."""
    silent = []

    def on_query(conn, q):
        if not silent:
            silent.append(conn)
        if conn is not silent[0]:
            conn.answer(q)

    up, gate = served(on_query=on_query)
    times = all_good(gate, NAMES[:10])
    assert max(times.values()) < 4


# ---- upstreams that are down

def test_refused(start_upstream, start_dotgate):
    up = start_upstream()
    up.close()
    gate = start_dotgate(up)
    r = gate.ask("r.example.test")
    assert client.rcode(r) == "SERVFAIL" and gate.seconds < 6
    code, text = client.ede(r)
    assert code == 23 and text.startswith("dial_refused") and str(up.port) in text
    line = gate.wait_log(".*reason=dial_refused.*")[0]
    assert "stage=dial" in line and "check that the upstream runs" in line


def test_black_hole(start_dotgate):
    with BlackHole() as hole:
        gate = start_dotgate(hole)
        r = gate.ask("b.example.test")
        assert client.rcode(r) == "SERVFAIL" and gate.seconds < 8
        assert client.ede(r)


def test_comes_back_within_the_wait(start_upstream, start_dotgate):
    """A restart that takes less than a query's patience is not noticed."""
    up = start_upstream()
    gate = start_dotgate(up)
    gate.ask("first.example.test")
    up.close()
    timer = threading.Timer(0.7, lambda: start_upstream(port=up.port))
    timer.start()
    try:
        all_good(gate, NAMES[:5])
    finally:
        timer.join()


def test_comes_back_after_long(start_upstream, start_dotgate):
    """Without restart of dotgate, and soon: the back-off is 5 s at most."""
    up = start_upstream()
    gate = start_dotgate(up)
    gate.ask("first.example.test")
    up.close()
    for i in range(3):
        assert client.rcode(gate.ask(f"down{i}.example.test")) == "SERVFAIL"
    start_upstream(port=up.port)
    assert until_good(gate, "up.example.test") < 9
    gate.wait_log("is up again")


def test_down_at_start(start_upstream, start_dotgate):
    up = start_upstream()
    up.close()
    gate = start_dotgate(up)
    gate.ask("down.example.test")
    start_upstream(port=up.port)
    until_good(gate, "up.example.test")


def test_dials_are_few_while_down(start_upstream, start_dotgate):
    """Back-off: a dead upstream under load is not dialled for each query."""
    up = start_upstream(on_accept=lambda conn: conn.reset())
    gate = start_dotgate(up)
    end = time.monotonic() + 6
    while time.monotonic() < end:
        gate.burst([f"d{time.monotonic()}-{i}.test" for i in range(10)])
    assert 3 <= len(up.connections) <= 40


# ---- a second upstream

class Failing:
    """Ways in which the first of two upstreams can be of no use."""

    @staticmethod
    def refused(start):
        up = start()
        up.close()
        return up

    @staticmethod
    def mute(start):
        return start(on_query=lambda conn, q: None)

    @staticmethod
    def no_handshake(start):
        return start(on_accept=lambda conn: conn.hold())

    @staticmethod
    def unauthenticated(start):
        return start("wrong_name")

    @staticmethod
    def resets(start):
        return start(on_accept=lambda conn: conn.reset())

    @staticmethod
    def closes(start):
        return start(on_ready=lambda conn: conn.close())

    @staticmethod
    def black_hole(start):
        return BlackHole()


WAYS = [w for w in vars(Failing) if not w.startswith("_")]


@pytest.mark.parametrize("way", WAYS)
def test_second_upstream_answers(start_upstream, start_dotgate, way):
    first, second = getattr(Failing, way)(start_upstream), start_upstream()
    gate = start_dotgate(first, second)
    times = all_good(gate, NAMES[:10])
    assert max(times.values()) < 4
    # once that is known nobody waits for it any more
    times = all_good(gate, NAMES[10:20])
    assert max(times.values()) < 1.5
    if way == "unauthenticated":
        assert not first.queries


@pytest.mark.parametrize("way", WAYS)
def test_as_second_it_does_no_harm(start_upstream, start_dotgate, way):
    first, second = start_upstream(), getattr(Failing, way)(start_upstream)
    gate = start_dotgate(first, second)
    assert max(all_good(gate, NAMES).values()) < 1.5


def until_used(gate, up):
    """A slow machine may have the second one connected first."""
    end = time.monotonic() + client.PATIENCE
    while not up.queries:
        all_good(gate, [f"begin{int(time.monotonic() * 1000)}.example.test"])
        assert time.monotonic() < end, gate.log()


def test_first_dies_under_way(start_upstream, start_dotgate):
    first, second = start_upstream(), start_upstream()
    gate = start_dotgate(first, second, options=["--policy", "ordered"])
    until_used(gate, first)
    first.on_query = lambda conn, q: None
    before = first.count
    b = client.Burst(gate.address, gate.port, NAMES)
    assert first.wait_queries(before + 1)
    first.close()
    answers = b.collect()
    assert all(client.is_good(answers[n], n) for n in NAMES)
    assert max(b.times.values()) < 3


def test_first_is_used_again(start_upstream, start_dotgate):
    first, second = start_upstream(), start_upstream()
    gate = start_dotgate(first, second, options=["--policy", "ordered"])
    until_used(gate, first)
    first.close()
    before = second.count
    all_good(gate, NAMES[3:6])
    assert second.count > before
    again = start_upstream(port=first.port)
    end = time.monotonic() + 15
    while again.count < 5:
        i = int(time.monotonic() * 1000)
        all_good(gate, [f"again{i}.example.test"])
        assert time.monotonic() < end, gate.log()
        time.sleep(0.05)


def test_all_are_down(start_upstream, start_dotgate):
    dead = [start_upstream() for _ in range(3)]
    for up in dead:
        up.close()
    gate = start_dotgate(*dead)
    r = gate.ask("a.example.test")
    assert client.rcode(r) == "SERVFAIL" and gate.seconds < 6
    start_upstream(port=dead[2].port)
    until_good(gate, "b.example.test")


# ---- connections that are kept ready

STALL = 0.06  # seconds; dotgate closes an eighth of the idle time before the upstream does


def live_idle(gate, up, seconds, pauses):
    """Asks after each pause; the upstream closes what has been idle for so many seconds. Returns
    how often this machine has kept its programs waiting for so long that nobody is on time."""
    stop, stalls = threading.Event(), [0]

    def reap():
        last = time.monotonic()
        while not stop.wait(0.02):
            now = time.monotonic()
            stalls[0] += now - last > 0.02 + STALL
            last = now
            for conn in list(up.connections):
                used = max([conn.ready_at or 0] + [q.time for q in conn.queries])
                if conn.ready and not conn.ended and time.monotonic() - used > seconds:
                    try:
                        conn.close()
                    except (Gone, OSError):
                        pass

    reaper = threading.Thread(target=reap)
    reaper.start()
    try:
        for i, pause in enumerate(pauses):
            time.sleep(pause)
            name = f"w{i}.example.test"
            assert client.is_good(gate.ask(name), name)
        return stalls[0]
    finally:
        stop.set()
        reaper.join()


def were_ready(up):
    """Of the connections that were used, the first apart: was it there before its first query?"""
    used = [c for c in up.connections if c.queries and c is not up.connections[0]]
    return [c.queries[0].time - c.ready_at > 0.005 for c in used]


@pytest.mark.slow
@pytest.mark.parametrize("idle", [5.5,
                                  pytest.param(8.0, marks=pytest.mark.slow),
                                  pytest.param(11.0, marks=pytest.mark.slow)])
def test_a_query_after_an_idle_close_finds_a_connection(served, idle):
    """Each pause is longer than the upstream waits. Dials happen in the pauses."""
    up, gate = served(http=True)
    stalls = live_idle(gate, up, idle, [0, idle + 1.5, idle + 1.5, idle + 2.3, idle + 1.7])
    ready = were_ready(up)
    assert len(ready) > 2 and ready.count(False) <= min(stalls, 1), ready
    assert gate.metric("dotgate_upstream_up") == 1
    opened = gate.metric("dotgate_upstream_connections_opened_total", resumed="true")
    assert opened >= 4


@pytest.mark.slow
def test_the_idle_time_is_learnt_and_met_first(served):
    up, gate = served(http=True)
    stalls = live_idle(gate, up, 5.5, [0, 7.0, 20.0])
    clean = [c.clean_end for c in up.connections[4:] if c.ended]
    assert clean and clean.count(False) <= min(stalls, 1), "dotgate closes first, and well"


def test_shard_keeps_a_domain_together(start_upstream, start_dotgate):
    ups = [start_upstream(), start_upstream()]

    def who_serves(gate, names):
        for up in ups:
            for conn in up.connections:
                conn.queries.clear()
        for name in names:
            assert client.is_good(gate.ask(name), name)
        return {name: [name in up.names() for up in ups].index(True) for name in names}

    names = [f"{host}.d{i}.com" for i in range(20) for host in ("www", "mail", "a.b")]
    options = ["--policy", "shard", "--cache-size", "0"]
    gate = start_dotgate(*ups, options=options)
    end = time.monotonic() + 5
    while not all(any(c.ready for c in up.connections) for up in ups):
        assert time.monotonic() < end
        time.sleep(0.05)
    first = who_serves(gate, names)
    for i in range(20):
        assert len({first[f"{host}.d{i}.com"] for host in ("www", "mail", "a.b")}) == 1
    assert 3 <= sum(first.values()) / 3 <= 17
    gate.stop()
    gate = start_dotgate(*ups, options=options)
    time.sleep(0.5)
    assert who_serves(gate, names) == first
