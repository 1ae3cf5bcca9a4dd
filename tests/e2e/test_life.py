"""From start to end: signals, drains, workers, the HTTP port."""
import os
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

import client
import dotgate
from client import query


def in_background(call, *args):
    """A thread that runs CALL; its result is in .result after join()."""
    class Thread(threading.Thread):
        def run(self):
            self.result = call(*args)

    t = Thread()
    t.start()
    return t


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("how", ["udp", "tcp"])
def test_what_is_in_flight_is_answered(served, sig, how):
    up, gate = served(on_query=lambda conn, q: conn.answer_later(1, q))
    asking = in_background(getattr(gate, how), query("last.example.test"))
    assert up.wait_queries(1)
    gate.signal(sig)
    assert gate.wait() == 0
    asking.join()
    assert client.is_good(asking.result, "last.example.test")


def test_idle_it_ends_at_once(pair):
    _, gate = pair
    gate.ask("a.example.test")
    with gate.stream():  # an idle client holds nothing up
        start = time.monotonic()
        gate.signal(signal.SIGTERM)
        assert gate.wait() == 0
        assert time.monotonic() - start < 2


def test_drain_is_bounded(served):
    up, gate = served(on_query=lambda conn, q: None, options=["--drain-timeout", "1s"])
    asking = in_background(gate.udp, query("never.example.test"))
    assert up.wait_queries(1)
    start = time.monotonic()
    gate.signal(signal.SIGTERM)
    assert gate.wait() == 0
    assert time.monotonic() - start < 4
    asking.join()
    assert client.rcode(asking.result) == "SERVFAIL"
    assert client.ede(asking.result) and client.ede(asking.result)[1].startswith("shutdown")


def test_second_signal_ends_at_once(served):
    up, gate = served(on_query=lambda conn, q: None, options=["--drain-timeout", "1m",
                                                               "--query-timeout", "1m"])
    with client.connect_udp(gate.address, gate.port) as sock:
        sock.send(query("never.example.test").to_wire())
        assert up.wait_queries(1)
        gate.signal(signal.SIGTERM)
        time.sleep(0.5)
        assert gate.process.poll() is None
        gate.signal(signal.SIGTERM)
        assert gate.wait(5) == 0


def test_nothing_new_while_draining(served):
    up, gate = served(on_query=lambda conn, q: conn.answer_later(2, q))
    with client.connect_udp(gate.address, gate.port) as sock:
        sock.send(query("old.example.test").to_wire())
        assert up.wait_queries(1)
        gate.signal(signal.SIGTERM)
        time.sleep(0.5)
        with pytest.raises(OSError):
            with gate.stream(1) as s:
                if s.ask(query("new.example.test")) is None:
                    raise ConnectionError("closed")
        assert client.is_good(client.parse(sock.recv(4096)), "old.example.test")
    assert set(up.names()) - {""} == {"old.example.test"} # "": a probe


def test_drain_under_load(served):
    """Every query that was taken before the signal is answered."""
    up, gate = served(on_query=lambda conn, q: conn.answer_later(0.5, q))
    names = [f"l{i}.example.test" for i in range(200)]
    b = client.Burst(gate.address, gate.port, names)
    assert up.wait_queries(200)
    gate.signal(signal.SIGTERM)
    answers = b.collect()
    assert all(client.is_good(answers[n], n) for n in names)
    assert gate.wait() == 0


def test_drain_with_upstream_down(start_upstream, start_dotgate):
    up = start_upstream()
    up.close()
    gate = start_dotgate(up)
    asking = in_background(gate.udp, query("d.example.test"))
    time.sleep(0.3)
    gate.signal(signal.SIGTERM)
    assert gate.wait() == 0
    asking.join()
    assert client.rcode(asking.result) == "SERVFAIL"


def test_hup_and_usr1_do_not_end_it(pair):
    up, gate = pair
    gate.ask("a.example.test")
    gate.signal(signal.SIGHUP)
    gate.signal(signal.SIGUSR1)
    gate.wait_log("HUP")
    assert client.is_good(gate.ask("b.example.test"), "b.example.test")


@pytest.mark.parametrize("workers", [2, 4])
def test_workers(served, workers):
    """Each has its connection; all clients are answered by whichever they come to."""
    up, gate = served(workers=workers)
    for i in range(60):
        assert client.is_good(gate.ask(f"w{i}.example.test"), f"w{i}.example.test")
        assert client.is_good(gate.tcp(query(f"t{i}.example.test")), f"t{i}.example.test")
    asked = [c for c in up.connections if c.queries]
    assert 2 <= len(asked) <= workers
    threads = len(os.listdir(f"/proc/{gate.process.pid}/task"))
    assert workers < threads <= workers + 3


def test_workers_auto(served):
    _, gate = served(workers=None)
    text = gate.wait_log(r"(\d+) workers?")
    assert 1 <= int(text[1]) <= len(os.sched_getaffinity(0))


def test_workers_auto_follows_the_affinity(start_upstream, start_dotgate):
    cpu = min(os.sched_getaffinity(0))
    gate = start_dotgate(start_upstream(), workers=None, prefix=["taskset", "-c", str(cpu)])
    assert gate.wait_log(r"(\d+) worker\b")[1] == "1"


# ---- the HTTP port

NAMES = """dotgate_dns_requests_total dotgate_dns_responses_total
dotgate_dns_request_duration_seconds dotgate_dropped_total dotgate_upstream_up
dotgate_upstream_inflight dotgate_upstream_requests_total
dotgate_upstream_request_duration_seconds dotgate_upstream_connections
dotgate_upstream_connections_opened_total dotgate_upstream_connections_closed_total
dotgate_upstream_connect_duration_seconds dotgate_upstream_handshake_duration_seconds
dotgate_upstream_queries_per_write dotgate_upstream_cert_expiry_timestamp_seconds
dotgate_replays_total dotgate_build_info""".split()

ROW = re.compile(r'([a-z_:][a-z0-9_:]*)(\{([a-z_]+="([^"\\\n]|\\["\\n])*",?)*\})? '
                 r'[+-]?(\d+(\.\d+)?([eE][+-]?\d+)?|Inf|NaN)')


def test_metrics_page(served):
    up, gate = served(http=True)
    gate.ask("secret-name.example.test")
    gate.tcp(query("secret-name.example.test"))
    status, text = gate.get("/metrics")
    assert status == 200 and text.endswith("\n")
    typed, seen = {}, set()
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            assert name not in typed
            typed[name] = kind
        elif not line.startswith("#"):
            assert ROW.fullmatch(line), line
            row = line.rsplit(" ", 1)[0]
            assert row not in seen, f"twice: {row}"
            seen.add(row)
            name = row.split("{")[0]
            base = re.sub(r"_(bucket|sum|count)$", "", name)
            assert name in typed or typed.get(base) in ("histogram", "summary"), line
    assert not [n for n in NAMES if n not in typed]
    assert "secret-name" not in text


def test_metrics_count(served):
    up, gate = served(http=True)
    for i in range(5):
        gate.ask(f"a{i}.example.test")
    for i in range(3):
        gate.tcp(query(f"b{i}.example.test", "AAAA"))
    m = gate.metric
    assert m("dotgate_dns_requests_total", proto="udp", type="A") == 5
    assert m("dotgate_dns_requests_total", proto="tcp", type="AAAA") == 3
    assert m("dotgate_dns_responses_total", rcode="NOERROR", source="upstream") == 8
    assert m("dotgate_dns_request_duration_seconds_count", source="upstream") == 8
    assert m("dotgate_upstream_requests_total", result="answered") == 8
    assert m("dotgate_upstream_up") == 1
    assert m("dotgate_upstream_inflight") == 0
    assert m("dotgate_upstream_connections", state="ready") == 1
    assert m("dotgate_upstream_connections_opened_total", resumed="false") == 1


def test_histograms_are_cumulative(served):
    _, gate = served(http=True)
    for i in range(20):
        gate.ask(f"h{i}.example.test")
    text = gate.get("/metrics")[1]
    rows = re.findall(r'dotgate_dns_request_duration_seconds_bucket\{source="upstream",'
                      r'le="([^"]+)"\} (\d+)', text)
    bounds = [float(b) for b, _ in rows]
    counts = [int(n) for _, n in rows]
    assert bounds == sorted(bounds) and bounds[-1] == float("inf")
    assert counts == sorted(counts) and counts[-1] == 20


def test_health_and_readiness(start_upstream, start_dotgate):
    up = start_upstream()
    gate = start_dotgate(up, http=True)
    gate.ask("a.example.test")
    for path in ("/healthz", "/health", "/readyz", "/ready"):
        assert gate.get(path)[0] == 200
    assert gate.get("/nothing")[0] == 404


def test_not_ready_when_no_upstream_ever_worked(start_upstream, start_dotgate):
    gate = start_dotgate(start_upstream("expired"), http=True)
    gate.ask("a.example.test")
    assert gate.get("/readyz")[0] == 503
    assert gate.get("/healthz")[0] == 200


def test_not_ready_while_draining(served):
    up, gate = served(on_query=lambda conn, q: conn.answer_later(2, q), http=True)
    asking = in_background(gate.udp, query("d.example.test"))
    assert up.wait_queries(1)
    gate.signal(signal.SIGTERM)
    time.sleep(0.3)
    assert gate.get("/readyz")[0] == 503
    asking.join()
    assert client.is_good(asking.result, "d.example.test")


@pytest.mark.slow
def test_a_request_has_a_deadline(served):
    """However slowly it comes: neither silence nor an octet now and then holds a connection."""
    _, gate = served(http=True)
    trickle, silent = (socket.create_connection(("127.0.0.1", gate.http_port)) for _ in range(2))
    start = time.monotonic()
    closed = set()
    trickle.sendall(b"GET /healthz HTTP/1.1\r\nX-Slow: ")
    while len(closed) < 2:
        assert time.monotonic() - start < 40
        for one in {trickle, silent} - closed:
            one.settimeout(0.5)
            try:
                one.sendall(b"x" if one is trickle else b"")
                assert one.recv(100) == b""
                closed.add(one)
            except TimeoutError:
                assert gate.get("/healthz")[0] == 200
            except ConnectionError:
                closed.add(one)
    assert time.monotonic() - start > 8


def test_no_http_unless_set(pair):
    _, gate = pair
    tcp = open(f"/proc/{gate.process.pid}/net/tcp").read()
    inodes = {os.readlink(f"/proc/{gate.process.pid}/fd/{fd}")
              for fd in os.listdir(f"/proc/{gate.process.pid}/fd")}
    listening = [line.split() for line in tcp.splitlines()[1:] if line.split()[3] == "0A"]
    ours = [x for x in listening if f"socket:[{x[9]}]" in inodes]
    assert [int(x[1].split(":")[1], 16) for x in ours] == [gate.port]


def test_a_full_log_pipe_does_not_block(start_upstream, certificates, tmp_path):
    """Nobody reads stderr: queries are served all the same."""
    up, port = start_upstream("valid"), dotgate.free_port()
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, bytes(4096))
    except BlockingIOError:
        os.set_blocking(writer, True)
    process = subprocess.Popen(
        [dotgate.BINARY, "--listen", f"127.0.0.1:{port}", "--upstream", up.spelling(),
         "--ca-file", str(certificates.ca_file), "--log-level", "debug"], stderr=writer,
        env=dotgate.environment())
    os.close(writer)
    try:
        good, end = 0, time.monotonic() + 15
        while good < 20 and time.monotonic() < end:
            try:
                data = client.udp_raw("127.0.0.1", port, query(f"p{good}.test").to_wire(), 2)
            except ConnectionRefusedError:
                time.sleep(0.1)
                continue
            good += data is not None and client.is_good(client.parse(data), f"p{good}.test")
            up.end_connections()
        assert good == 20
    finally:
        # the reader comes back to life, so that the last lines can leave
        threading.Thread(target=lambda: [None for _ in iter(lambda: os.read(reader, 65536),
                                                            b"")], daemon=True).start()
        process.terminate()
        assert process.wait(dotgate.END_SECONDS) == 0
