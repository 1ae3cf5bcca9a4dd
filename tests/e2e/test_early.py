"""Early data (0rtt=on): a query before the handshake, with a server that takes it and one that does not."""
import shutil
import subprocess
import threading
import time

import pytest

import client
import dotgate
import wire
from certs import NAME


class EarlyServer:
    """openssl s_server as the TLS, for one connection after the other; this answers what it reads."""

    def __init__(self, certificate, *options, port=None):
        self.port = port or dotgate.free_port()
        self.queries = []
        self.process = subprocess.Popen(
            ["openssl", "s_server", "-accept", f"127.0.0.1:{self.port}", "-quiet", "-alpn", "dot",
             "-cert", certificate.chain, "-cert_chain", certificate.chain, "-key", certificate.key,
             *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            bufsize=0)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        self._wait()

    def _wait(self):
        end = time.monotonic() + client.PATIENCE
        while f":{self.port:04X} 00000000:0000 0A" not in open("/proc/net/tcp").read():
            assert time.monotonic() < end
            time.sleep(0.02)

    def _read(self, n):
        data = b""
        while len(data) < n:
            data += (more := self.process.stdout.read(n - len(data)))
            if not more:
                raise EOFError
        return data

    def _run(self):
        try:
            while True:
                message = self._read(int.from_bytes(self._read(2), "big"))
                q = wire.Query(message, time.monotonic())
                self.queries.append(q)
                self.process.stdin.write(wire.frame(wire.answer(q)))
        except (EOFError, OSError):
            pass

    def spelling(self):
        return f"tls://127.0.0.1:{self.port}#{NAME}"

    def close(self):
        self.process.kill()
        self.process.wait()
        self.thread.join()


@pytest.fixture
def early_server(certificates):
    if not shutil.which("openssl"):
        pytest.skip("needs openssl")
    servers = []

    def start(*options, port=None):
        servers.append(EarlyServer(certificates.get("valid"), *options, port=port))
        return servers[-1]

    yield start
    for s in servers:
        s.close()


def ask_with_pauses(gate, n):
    """Each query is the first of a connection: the one before it has been closed."""
    for i in range(n):
        name = f"e{i}.example.test"
        assert client.is_good(gate.ask(name), name)
        end = time.monotonic() + client.PATIENCE
        while gate.metric("dotgate_upstream_connections") and time.monotonic() < end:
            time.sleep(0.05)


def count(gate, accepted):
    return gate.metric("dotgate_upstream_early_queries_total", accepted=accepted)


SHORT = ["--cache-size", "off", "--upstream-idle-timeout", "1s", "--keep-warm", "off"]


def test_the_first_query_goes_with_the_handshake(early_server, start_dotgate):
    up = early_server("-early_data", "-max_early_data", "16384")
    gate = start_dotgate(f"{up.spelling()} 0rtt=on", options=SHORT, http=True)
    ask_with_pauses(gate, 4)
    assert count(gate, "true") >= 2 and count(gate, "false") == 0
    assert len(up.queries) == 4


def test_it_is_not_sent_unasked(early_server, start_dotgate):
    up = early_server("-early_data", "-max_early_data", "16384")
    gate = start_dotgate(up.spelling(), options=SHORT, http=True)
    ask_with_pauses(gate, 3)
    assert count(gate, "true") == 0 and count(gate, "false") == 0


def test_refused_it_is_sent_again(early_server, start_dotgate):
    """The server has a new key for its tickets, as after a restart."""
    up = early_server("-early_data", "-max_early_data", "16384")
    gate = start_dotgate(f"{up.spelling()} 0rtt=on", options=SHORT, http=True)
    ask_with_pauses(gate, 2)
    up.close()
    early_server("-early_data", "-max_early_data", "16384", port=up.port)
    ask_with_pauses(gate, 2)
    assert count(gate, "false") >= 1


def test_a_server_without_it_is_asked_as_ever(start_upstream, start_dotgate):
    up = start_upstream()
    gate = start_dotgate(f"{up.spelling()} 0rtt=on", options=SHORT, http=True)
    ask_with_pauses(gate, 3)
    assert count(gate, "true") == 0 and count(gate, "false") == 0
