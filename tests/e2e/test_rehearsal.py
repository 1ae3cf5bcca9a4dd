"""What public resolvers do to a forwarder, rehearsed: idle closes, limits, refused tickets, slow
handshakes, another certificate behind the same address, and restarts under load."""
import socket
import threading
import time

import pytest

import client
from test_real import server  # noqa: F401 (a fixture)
from test_upstream_life import live_idle, were_ready
from upstream import server_context

QPS = 2000


class Load:
    """Different names at a steady rate from one socket; what came back, and when."""

    def __init__(self, gate, qps=QPS):
        self.gate, self.qps = gate, qps
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.sock.connect((gate.address, gate.port))
        self.sock.settimeout(0.2)
        self.sent, self.took, self.rcodes, self.failed = [], {}, {}, []
        self.stopping = False
        self.threads = [threading.Thread(target=run) for run in (self._send, self._receive)]
        for t in self.threads:
            t.start()

    def _send(self):
        """The id is the number of the query, so there may be 65,536."""
        wire = client.query("n00000.example.test").to_wire()
        start = time.monotonic()
        while not self.stopping and len(self.sent) < 65536:
            for _ in range(self.qps // 100):
                i = len(self.sent)
                self.sent.append(time.monotonic())
                self.sock.send(i.to_bytes(2, "big") + wire[2:].replace(b"00000", b"%05d" % i))
            time.sleep(max(0, start + len(self.sent) / self.qps - time.monotonic()))

    def _receive(self):
        end = None
        while end is None or time.monotonic() < end and len(self.took) < len(self.sent):
            if self.stopping and end is None:
                end = time.monotonic() + 8
            try:
                data = self.sock.recv(2048)
            except TimeoutError:
                continue
            i = int.from_bytes(data[:2], "big")
            self.took[i] = time.monotonic() - self.sent[i]
            self.rcodes[data[3] & 15] = self.rcodes.get(data[3] & 15, 0) + 1
            if data[3] & 15:
                self.failed.append(self.took[i])

    def wait_answered(self, seconds=10):
        """Until something asked from now on is answered."""
        now, end = len(self.sent), time.monotonic() + seconds
        while not any(i in self.took for i in range(now, len(self.sent))):
            assert time.monotonic() < end, self.gate.log()
            time.sleep(0.01)

    def end(self):
        self.stopping = True
        for t in self.threads:
            t.join()
        self.sock.close()


def restart_ten_times(up, load):
    for _ in range(10):
        time.sleep(0.5)
        up.stop()
        up.start()
        load.wait_answered()
    load.end()


def assert_all_good(load):
    assert len(load.took) == len(load.sent), f"{len(load.sent) - len(load.took)} lost"
    assert load.rcodes == {0: len(load.sent)}, \
        f"failed after {min(load.failed):.3f} to {max(load.failed):.3f} s\n{load.gate.log()}"


@pytest.mark.slow
def test_restarts_are_not_noticed_while_another_lives(server, start_dotgate):  # noqa: F811
    first, second = server("nsd"), server("nsd")
    gate = start_dotgate(first, second, options=["--cache-size", "off"])
    load = Load(gate)
    restart_ten_times(first, load)
    assert_all_good(load)


@pytest.mark.slow
def test_restarts_of_the_only_one_are_but_delay(server, start_dotgate):  # noqa: F811
    up = server("nsd")
    gate = start_dotgate(up, options=["--cache-size", "off"])
    load = Load(gate)
    restart_ten_times(up, load)
    assert_all_good(load)


def test_close_after_a_hundred_queries_is_met_first(served):
    """Each connection takes a hundred; the successor is there before the last."""
    def on_query(conn, q):
        conn.answer(q)
        if len(conn.queries) == 100:
            conn.close()

    up, gate = served(on_query=on_query, http=True, options=["--cache-size", "off"])
    load = Load(gate, 200)
    time.sleep(8)
    load.end()
    assert_all_good(load)
    assert len(up.connections) >= 10
    # it is known by then: no query of the second half was sent a second time
    half = {q.name for conn in up.connections[len(up.connections) // 2:-1] for q in conn.queries}
    assert len([n for n in up.names() if n in half]) <= len(half) * 1.02


def test_a_refused_ticket_costs_a_whole_handshake_and_no_more(served, certificates):
    """Another machine behind the same address does not know the tickets of the first."""
    up, gate = served(http=True)
    for i in range(4):
        assert client.is_good(gate.ask(f"t{i}.example.test"), f"t{i}.example.test")
        assert gate.metric("dotgate_upstream_up") == 1
        up.context = server_context(certificates.get("valid"))
        up.end_connections()
        time.sleep(0.2)
    assert len([c for c in up.connections if c.ready and not c.resumed]) >= 4


def test_another_certificate_behind_the_same_address(served, certificates):
    """Of the same name and CA it is as good; of another name it is nobody we know."""
    up, gate = served(http=True)
    assert client.is_good(gate.ask("a.example.test"), "a.example.test")
    up.context = server_context(certificates.get("valid_other_key"))
    up.end_connections()
    time.sleep(0.2)
    assert client.is_good(gate.ask("b.example.test"), "b.example.test")
    assert gate.metric("dotgate_upstream_up") == 1
    up.context = server_context(certificates.get("wrong_name"))
    up.end_connections()
    before = up.count
    assert client.rcode(gate.ask("c.example.test")) == "SERVFAIL"
    assert up.count == before
    gate.wait_log("is down: .*reason=tls_cert_name")
    up.context = server_context(certificates.get("valid"))
    end = time.monotonic() + 15
    while client.rcode(gate.ask(f"d{int(time.monotonic() * 1000)}.example.test")) != "NOERROR":
        assert time.monotonic() < end, gate.log()
        time.sleep(0.1)


@pytest.mark.slow
def test_slow_handshakes_are_made_in_the_pauses(served):
    """Half a second each, and the upstream closes after each 5.5 seconds of rest, which is soon known."""
    up, gate = served(on_accept=lambda conn: time.sleep(0.5), http=True)
    stalls = live_idle(gate, up, 5.5, [0, 13.0, 6.5, 6.2, 6.5])
    ready = were_ready(up)
    assert len(ready) > 2 and ready.count(False) <= min(stalls, 1), ready
