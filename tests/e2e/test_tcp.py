"""TCP clients: many queries on one connection, and clients that do not behave."""
import random
import resource
import socket
import time

import dns.edns
import pytest

import client
import wire
from client import query
from test_routes import PlainServer


def names(n, prefix="n"):
    return [f"{prefix}{i}.example.test" for i in range(n)]


def collect(stream, queries):
    """Each query has just one answer, the right one; in the order of arrival."""
    left = {q.id: q for q in queries}
    order = []
    while left:
        r = stream.receive()
        assert r is not None, f"{len(left)} answers are missing"
        q = left.pop(r.id)
        assert client.is_good(r, q.question[0].name.to_text())
        order.append(r.id)
    return order


def numbered(queries):
    for i, q in enumerate(queries):
        q.id = i
    return queries


def test_pipelining(pair):
    _, gate = pair
    queries = numbered([query(n) for n in names(500)])
    with gate.stream() as s:
        s.send(*queries)
        collect(s, queries)


def test_answers_as_they_are_ready(served):
    def on_query(conn, q):
        if q.name.startswith("slow"):
            conn.answer_later(1.5, q)
        else:
            conn.answer(q)

    _, gate = served(on_query=on_query)
    queries = numbered([query("slow.example.test"), *[query(n) for n in names(10)]])
    with gate.stream() as s:
        s.send(*queries)
        assert collect(s, queries)[-1] == 0


def test_octet_by_octet(pair):
    _, gate = pair
    queries = numbered([query(n) for n in names(3)])
    with gate.stream() as s:
        for octet in b"".join(wire.frame(q.to_wire()) for q in queries):
            s.sock.sendall(bytes([octet]))
        collect(s, queries)


def test_cut_anywhere(pair):
    _, gate = pair
    dice = random.Random(3)
    queries = numbered([query(n) for n in names(100)])
    data = b"".join(wire.frame(q.to_wire()) for q in queries)
    with gate.stream() as s:
        while data:
            n = dice.randrange(1, 400)
            s.sock.sendall(data[:n])
            data = data[n:]
            if not dice.randrange(4):
                time.sleep(0.002)
        collect(s, queries)


def test_half_close_still_gets_its_answers(served):
    _, gate = served(on_query=lambda conn, q: conn.answer_later(0.5, q))
    queries = numbered([query(n) for n in names(20)])
    with gate.stream() as s:
        s.send(*queries)
        s.sock.shutdown(socket.SHUT_WR)
        collect(s, queries)
        assert s.receive_raw() is None


def test_client_that_has_gone(served):
    """Its answers go nowhere, not to the next client in its place."""
    _, gate = served(on_query=lambda conn, q: conn.answer_later(0.5, q))
    for _ in range(20):
        s = gate.stream()
        s.send(*[query(n, "A") for n in names(5, "gone")])
        s.close()
    queries = numbered([query(n) for n in names(20, "stays")])
    with gate.stream() as s:
        s.send(*queries)
        collect(s, queries)
        s.sock.settimeout(1)
        with pytest.raises(TimeoutError):
            s.receive_raw()


def test_client_resets(pair):
    _, gate = pair
    for i in range(50):
        s = gate.stream()
        s.send(query(f"r{i}.example.test"))
        s.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        s.close()
    assert client.is_good(gate.ask("after.example.test"), "after.example.test")


def big(conn, q):
    conn.answer(q, answers=[wire.record(b"\xc0\x0c", wire.A, bytes([10, 0, i >> 8, i & 255]))
                            for i in range(1500)])


def test_slow_reader_is_not_read_from(served):
    """Who does not take answers of 24 KB each cannot make dotgate hold them all."""
    up, gate = served(on_query=big)
    gate.ask("first.example.test")
    before = gate.rss_kib()
    lazy = [gate.stream() for _ in range(4)]
    for s in lazy:
        s.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.sock.settimeout(1)
        try:
            for i in range(20):
                s.send(*[query(f"l{i}-{j}.example.test") for j in range(500)])
        except TimeoutError:
            pass  # no more is taken: that is the point
    start = time.monotonic()
    assert len(gate.tcp(query("other.example.test")).answer[0]) == 1500
    assert time.monotonic() - start < 4, "others have to wait for who does not read"
    assert gate.rss_kib() - before < 64 * 1024
    assert up.count < 4 * 20 * 500
    for s in lazy:
        s.close()


def test_slow_reader_gets_everything_in_the_end(served):
    up, gate = served(on_query=big)
    queries = numbered([query(f"s{i}.example.test") for i in range(300)])
    with gate.stream() as s:
        s.send(*queries)
        ids = set()
        for _ in queries:
            data = s.receive_raw()
            assert data is not None
            ids.add(int.from_bytes(data[:2], "big"))
            if len(ids) % 50 == 0:
                time.sleep(0.3)
    assert len(ids) == 300


def test_announced_length_takes_no_memory(pair):
    """Frames that say 65,535 and stop behind a few octets."""
    _, gate = pair
    gate.ask("first.example.test")
    before = gate.rss_kib()
    streams = []
    for _ in range(400):
        s = gate.stream()
        s.sock.sendall(b"\xff\xff" + bytes(20))
        streams.append(s)
    assert client.is_good(gate.ask("after.example.test"), "after.example.test")
    assert gate.rss_kib() - before < 16 * 1024
    for s in streams:
        s.close()


def test_idle_client_is_closed(served):
    _, gate = served(options=["--tcp-idle-timeout", "1s"])
    with gate.stream() as s, gate.stream() as mute:
        s.ask(query("i.example.test"))
        start = time.monotonic()
        assert s.receive_raw() is None and mute.receive_raw() is None
        assert 0.5 < time.monotonic() - start < 6


def test_waiting_client_is_not_idle(served):
    _, gate = served(on_query=lambda conn, q: conn.answer_later(3, q),
                     options=["--tcp-idle-timeout", "1s"])
    with gate.stream() as s:
        assert client.is_good(s.ask(query("w.example.test")), "w.example.test")


def test_keepalive_is_told(served):
    """RFC 7828: to who asks for it, over TCP alone."""
    _, gate = served(options=["--tcp-idle-timeout", "20s"])
    ask = dns.edns.GenericOption(11, b"")
    r = gate.tcp(query("k.example.test", options=[ask]))
    (option,) = [o for o in r.options if o.otype == 11]
    assert int.from_bytes(option.data, "big") == 200
    assert not [o for o in gate.udp(query("k.example.test", options=[ask])).options
                if o.otype == 11]
    assert not [o for o in gate.tcp(query("k.example.test")).options if o.otype == 11]


def test_cap_for_one_address(served):
    """At its cap an address cannot take more; others get in."""
    _, gate = served(options=["--tcp-clients-per-address", "20"])
    held = [gate.stream() for _ in range(60)]
    time.sleep(0.3)
    alive = 0
    for s in held:
        try:
            s.sock.settimeout(0.05)
            alive += s.sock.recv(1) != b""
        except TimeoutError:
            alive += 1
        except ConnectionError:
            pass
    assert alive <= 20
    other = socket.create_connection((gate.address, gate.port), 8, ("127.0.0.9", 0))
    other.sendall(wire.frame(query("o.example.test").to_wire()))
    assert other.recv(4096)
    other.close()
    for s in held:
        s.close()


def mute_some(conn, q):
    if not q.name.startswith("mute"):
        conn.answer(q)


@pytest.mark.parametrize("busy", [False, True])
@pytest.mark.parametrize("scarce", [{"options": ["--tcp-clients", "30"]}, {"files": 64}])
def test_one_address_cannot_take_all_places(served, scarce, busy):
    """Neither with idle connections nor with such as wait for what never comes."""
    _, gate = served(on_query=mute_some, http=True, **scarce)
    held = []
    for i in range(80):
        s = gate.stream()
        held.append(s)
        try:
            if busy:
                s.send(query(f"mute{i}.example.test"))
        except OSError:
            pass  # it was refused
    places = gate.metric("dotgate_tcp_clients_max")
    assert 4 <= places < 64
    for i in range(8):
        name = f"o{i}.example.test"
        other = socket.create_connection((gate.address, gate.port), 8, (f"127.0.0.{9 + i}", 0))
        other.sendall(wire.frame(query(name).to_wire()))
        data = other.recv(4096)
        assert data and client.is_good(client.parse(data[2:]), name)
        other.close()
    for s in held:
        s.close()


def test_cap_in_all(served):
    """At the cap the idlest gives way: a new client is served at once."""
    _, gate = served(options=["--tcp-clients", "30"])
    held = [gate.stream() for _ in range(100)]
    assert client.is_good(gate.tcp(query("new.example.test")), "new.example.test")
    for s in held:
        s.close()


# ---- many

def test_ten_thousand_queries_through_one_connection(pair):
    up, gate = pair
    n, window = 10000, 200
    wires = []
    for i, name in enumerate(names(n, "q")):
        q = query(name)
        q.id = i
        wires.append(wire.frame(q.to_wire()))
    with gate.stream(30) as s:
        sent, got = 0, set()
        while len(got) < n:
            if sent < n and sent - len(got) <= window // 2:
                s.sock.sendall(b"".join(wires[sent:sent + window]))
                sent += window
            data = s.receive_raw()
            assert data is not None
            i = int.from_bytes(data[:2], "big")
            want = wire.digest(f"q{i}.example.test")[:4]
            assert want in data and data[3] & 15 == 0
            assert i not in got
            got.add(i)
    # one, and its spare when the machine is so slow that an answer seems late
    assert len(up.connections) <= 2
    assert up.count >= n


def test_five_thousand_idle_clients(served):
    """UDP is served as before, and they still live."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 6000:
        pytest.skip("needs ulimit -n 6000")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    _, gate = served()
    gate.ask("first.example.test")
    before = gate.rss_kib()
    held = []
    try:
        for i in range(5000):
            # from several addresses, as the cap for one and the port range want it
            sock = socket.socket()
            sock.settimeout(client.PATIENCE)
            sock.bind((f"127.0.1.{1 + i % 20}", 0))
            sock.connect((gate.address, gate.port))
            held.append(sock)
        for i in range(40):
            answers = gate.burst(names(20, f"u{i}-"))
            assert all(client.is_good(answers[n], n) for n in names(20, f"u{i}-"))
        for sock in held[::97]:
            q = query("idle.example.test")
            sock.sendall(wire.frame(q.to_wire()))
            assert sock.recv(4096)
        used = gate.rss_kib() - before
        assert used < 64 * 1024, f"{used} KiB for 5,000 idle clients"
        cpu = gate.cpu_seconds()
        time.sleep(2)
        assert gate.cpu_seconds() - cpu < 0.3, "idle clients cost CPU"
    finally:
        for sock in held:
            sock.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_few_descriptors(served):
    """ulimit -n 64, and more clients than that: it neither spins nor stops UDP."""
    _, gate = served(files=64)
    held = []
    for _ in range(120):
        held.append(gate.stream())
    time.sleep(0.5)
    for i in range(10):
        assert client.is_good(gate.ask(f"u{i}.example.test"), f"u{i}.example.test")
    cpu = gate.cpu_seconds()
    time.sleep(2)
    assert gate.cpu_seconds() - cpu < 0.5, "it spins"
    for s in held:
        s.close()
    time.sleep(0.5)
    assert client.is_good(gate.tcp(query("after.example.test")), "after.example.test")


def test_few_descriptors_and_a_restarted_upstream(start_upstream, start_dotgate):
    """With all descriptors in clients' hands there is still one for the upstream."""
    up = start_upstream()
    gate = start_dotgate(up, files=64)
    held = [gate.stream() for _ in range(120)]
    time.sleep(0.3)
    up.close()
    start_upstream(port=up.port)
    end = time.monotonic() + 10
    while not client.is_good(gate.ask("u.example.test"), "u.example.test"):
        assert time.monotonic() < end
    for s in held:
        s.close()


def test_idle_clients_give_descriptors_to_upstreams(start_dotgate):
    """A query in the clear is a socket; 45 at once, where idle clients hold what is left."""
    def on_query(server, q, tcp):
        # held until it is asked again, so that all are under way at once
        return wire.answer(q) if server.names().count(q.name.lower()) > 1 else None

    server = PlainServer(on_query)
    gate = start_dotgate(server.spelling(), http=True, files=64)
    held = [socket.create_connection((gate.address, gate.port), 8, (f"127.0.1.{i}", 0))
            for i in range(1, 31)]
    answers = gate.burst([f"p{i}.example.test" for i in range(45)])
    bad = {n: client.ede(r) for n, r in answers.items() if not client.is_good(r, n)}
    assert len(answers) == 45 and not bad, bad
    assert gate.metric("dotgate_tcp_dropped_total", reason="no_descriptor") > 0
    for s in held:
        s.close()
    server.close()
