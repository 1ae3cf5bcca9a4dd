"""Forwarders that point at themselves or at each other: bounded, and answered."""
import time

import client
import dotgate


def test_its_own_address_as_upstream(start_dotgate):
    """A TLS client at a plain port: the handshake's octets are no DNS message."""
    port = dotgate.free_port()
    gate = start_dotgate(f"tls://127.0.0.1:{port}#upstream.test", port=port, http=True)
    cpu = gate.cpu_seconds()
    for i in range(2):
        r = gate.ask(f"loop{i}.example.test")
        assert client.rcode(r) == "SERVFAIL" and client.ede(r)
        assert gate.seconds < 8
    assert gate.cpu_seconds() - cpu < 1
    assert gate.metric("dotgate_tcp_accepted_total") < 60
    assert gate.rss_kib() < 64 * 1024


def test_two_at_each_other(start_dotgate):
    ports = [dotgate.free_port(), dotgate.free_port()]
    gates = [start_dotgate(f"tls://127.0.0.1:{ports[1 - i]}#upstream.test", port=ports[i])
             for i in range(2)]
    cpu = sum(g.cpu_seconds() for g in gates)
    start = time.monotonic()
    answers = gates[0].burst([f"loop{i}.example.test" for i in range(50)])
    assert len(answers) == 50
    assert all(client.rcode(r) == "SERVFAIL" for r in answers.values())
    assert time.monotonic() - start < 10
    assert sum(g.cpu_seconds() for g in gates) - cpu < 1


def test_upstream_that_asks_back(start_upstream, start_dotgate):
    """An upstream that resolves through dotgate itself: the question joins its own flight,
    goes up once, and ends at its deadline."""
    gate = []

    def on_query(conn, q):
        with client.connect_udp(gate[0].address, gate[0].port) as sock:
            sock.send(client.query(q.name).to_wire())

    up = start_upstream(on_query=on_query)
    gate.append(start_dotgate(up))
    r = gate[0].ask("around.example.test")
    assert client.rcode(r) == "SERVFAIL" and gate[0].seconds < 8
    assert sum(name != "" for name in up.names()) <= 6 # "" are probes
