"""requests = responses + dropped, exactly, whatever becomes of a query."""
import signal
import socket
import struct
import time

import pytest

import client
import netns
import wire
from client import query
from test_isolation import make_network

# Far more than a query may take.
SETTLE_SECONDS = 20

RESET = struct.pack("ii", 1, 0)


def numbers(gate):
    rows = gate.metrics()

    def total(name):
        return sum(v for row, v in rows.items() if row.split("{")[0] == name)

    return {word: total(name) for word, name in (
        ("requests", "dotgate_dns_requests_total"), ("responses", "dotgate_dns_responses_total"),
        ("dropped", "dotgate_dropped_total"), ("waiting", "dotgate_waiting"),
        ("overload", "dotgate_overload_total"))}


def settled(gate, requests):
    """The numbers when so many requests have come and none waits; they add up."""
    end = time.monotonic() + SETTLE_SECONDS
    while True:
        n = numbers(gate)
        if n["requests"] == requests and not n["waiting"] \
                and n["requests"] == n["responses"] + n["dropped"]:
            return n
        assert time.monotonic() < end, n
        time.sleep(0.1)


def start(gate):
    """Requests so far: those that found out whether it serves."""
    return int(numbers(gate)["requests"])


def test_messages_of_all_kinds(served):
    _, gate = served(http=True)
    n = start(gate)
    for message in (b"short", b"\0\1\x80\0" + bytes(8), b"\0\1\x20\0" + bytes(8), bytes(5000),
                    query("a.example.test").to_wire()):
        client.udp_raw(gate.address, gate.port, message, 0.2)
    with gate.stream() as s:
        s.send(b"short")
    with gate.stream() as s:
        s.send(query("b.example.test"))
        assert s.receive()
    got = settled(gate, n + 7)
    assert got["dropped"] == 4
    assert gate.metric("dotgate_dropped_total", reason="long_message") == 1


def test_resets_while_answers_are_pending(served):
    up, gate = served(http=True, on_query=lambda conn, q: conn.answer_later(1, q))
    n = start(gate)
    for i in range(20):
        s = gate.stream()
        s.send(*[query(f"r{i}-{j}.example.test") for j in range(5)])
        if i == 0:
            up.wait_queries(1)
        s.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        s.close()
    gate.ask("after.example.test")
    # what the kernel throws away with a reset has never come
    time.sleep(2)
    came = start(gate)
    assert n < came <= n + 101
    got = settled(gate, came)
    assert got["dropped"] > 0
    assert gate.metric("dotgate_dropped_total", reason="client_gone") == got["dropped"]


def test_timeouts_and_overload(served):
    """One question of more clients than may wait for it."""
    _, gate = served(http=True, on_query=lambda conn, q: None,
                     options=["--query-timeout", "2s"])
    n, count = start(gate), 600
    with client.connect_udp(gate.address, gate.port) as sock:
        for i in range(count):
            q = query("same.example.test")
            q.id = i
            sock.send(q.to_wire())
            if i % 50 == 49:
                time.sleep(0.01)
        got = settled(gate, n + count)
    assert got["dropped"] == 0
    assert got["overload"] == count - 512
    assert gate.metric("dotgate_dns_responses_total", source="error", rcode="SERVFAIL") == count


def test_client_that_takes_no_answers(served):
    """It is cut off, and what was still under way for it is dropped."""
    def on_query(conn, q):
        if q.name.startswith("late"):
            conn.answer_later(5, q)
        else:
            conn.answer(q, answers=[wire.record(b"\xc0\x0c", wire.A, bytes([10, 0, i >> 8, i & 255]))
                                    for i in range(1500)])

    _, gate = served(http=True, on_query=on_query,
                     options=["--tcp-idle-timeout", "1s", "--query-timeout", "20s"])
    n = start(gate)
    s = gate.stream()
    s.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.send(*[query(f"late{i}.example.test") for i in range(3)])
    s.send(*[query(f"big{i}.example.test") for i in range(400)])
    end = time.monotonic() + SETTLE_SECONDS
    while not gate.metric("dotgate_tcp_dropped_total", reason="send_failed"):
        assert time.monotonic() < end, "it was not cut off"
        time.sleep(0.2)
    got = settled(gate, start(gate))
    assert got["dropped"] >= 3
    assert got["requests"] <= n + 403
    s.close()


def test_datagrams_that_the_kernel_had_no_room_for(served):
    """A daemon that does not get the CPU: what it never saw is counted all the same."""
    _, gate = served(http=True)
    assert gate.metric("dotgate_udp_kernel_drops_total") == 0
    gate.signal(signal.SIGSTOP)
    try:
        with client.connect_udp(gate.address, gate.port) as sock:
            for _ in range(10000):  # each takes 2 KiB and more of 8 MiB at most
                sock.send(b"\0\1\x80\0" + bytes(1400))
    finally:
        gate.signal(signal.SIGCONT)
    end = time.monotonic() + SETTLE_SECONDS
    while not gate.metric("dotgate_udp_kernel_drops_total"):
        assert time.monotonic() < end
        time.sleep(0.2)
    n = start(gate)
    assert n + gate.metric("dotgate_udp_kernel_drops_total") >= 10000
    settled(gate, n)


def test_how_full_the_tables_are(served):
    up, gate = served(http=True, on_query=lambda conn, q: None)
    with gate.stream() as s:
        s.send(query("a.example.test"), query("a.example.test"), query("b.example.test"))
        up.wait_queries(2)
        assert gate.metric("dotgate_waiting") == 3 < gate.metric("dotgate_waiting_max")
        assert gate.metric("dotgate_inflight") == 2 < gate.metric("dotgate_inflight_max")
        assert gate.metric("dotgate_tcp_clients") == 1
    assert gate.metric("dotgate_tcp_clients_max") == 16384
    assert gate.metric("dotgate_cache_bytes") < gate.metric("dotgate_cache_size_bytes")
    assert abs(time.time() - gate.metric("process_start_time_seconds")) < 60


@pytest.fixture
def network():
    made = make_network(netns.Network)
    yield made
    made.close()


def test_answers_that_the_kernel_refuses(network, start_upstream, start_dotgate):
    """The way back is closed while the answer is pending: alone, and among others."""
    held = []
    with network.inside(network.outer):
        netns.ip("address", "add", "10.77.0.3/32", "dev", "out")
        up = start_upstream(address=netns.OUTER,
                            on_query=lambda conn, q: held.append((conn, q)))
    with network.inside(network.inner):
        gate = start_dotgate(up, address=netns.INNER, http=True)
        n = start(gate)
    with network.inside(network.outer):
        lost = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        lost.bind(("10.77.0.3", 0))
        well = client.connect_udp(netns.INNER, gate.port)
        for i in range(10):
            sock = lost if i % 2 else well
            sock.sendto(query(f"s{i}.example.test").to_wire(), (netns.INNER, gate.port))
    up.wait_queries(10)
    with network.inside(network.inner):
        netns.ip("route", "add", "prohibit", "10.77.0.3/32")
        for conn, q in held:
            conn.answer(q)
        got = settled(gate, n + 10)
        assert gate.metric("dotgate_dropped_total", reason="send_failed") == 5
    assert got["dropped"] == 5
    lost.close()
    well.close()
