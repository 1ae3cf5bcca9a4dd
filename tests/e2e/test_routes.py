"""Routes, upstreams in the clear, and names that are answered here."""
import re
import socket
import struct
import threading
import time

import pytest

import client
import dotgate
import wire

PLAIN_WARNING = "NOT ENCRYPTED"


class PlainServer:
    """DNS in the clear on loopback, over UDP and TCP. on_query(server, query, tcp) returns the
    message to send, or None."""

    def __init__(self, on_query=None):
        self.on_query = on_query or (lambda server, q, tcp: wire.answer(q))
        self.queries = []  # (query, tcp, source port)
        while True:
            self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.udp.bind(("127.0.0.1", 0))
            self.port = self.udp.getsockname()[1]
            self.tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                self.tcp.bind(("127.0.0.1", self.port))
                break
            except OSError:
                self.udp.close()
                self.tcp.close()
        self.tcp.listen()
        self.threads = [threading.Thread(target=f, daemon=True)
                        for f in (self._serve_udp, self._serve_tcp)]
        for t in self.threads:
            t.start()

    def spelling(self):
        return f"plain://127.0.0.1:{self.port}"

    def names(self):
        return [q.name.lower() for q, _, _ in self.queries]

    def _reply(self, data, tcp, port):
        q = wire.Query(data, 0)
        self.queries.append((q, tcp, port))
        return self.on_query(self, q, tcp)

    def _serve_udp(self):
        while True:
            try:
                data, peer = self.udp.recvfrom(4096)
                if not data:
                    return
                out = self._reply(data, False, peer[1])
                if out:
                    self.udp.sendto(out, peer)
            except OSError:
                return

    def _serve_tcp(self):
        while True:
            try:
                conn, peer = self.tcp.accept()
            except OSError:
                return
            with conn:
                head = conn.recv(2, socket.MSG_WAITALL)
                if len(head) < 2:
                    continue
                data = conn.recv(struct.unpack("!H", head)[0], socket.MSG_WAITALL)
                out = self._reply(data, True, peer[1])
                if out:
                    conn.sendall(struct.pack("!H", len(out)) + out)

    def close(self):
        for s in (self.udp, self.tcp):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            s.close()
        for t in self.threads:
            t.join(5)


@pytest.fixture
def plain():
    """plain(on_query=...) -> PlainServer"""
    running = []

    def start(**how):
        running.append(PlainServer(**how))
        return running[-1]

    yield start
    for server in running:
        server.close()


def route(domain, up):
    return ["--route", f"{domain} {up if isinstance(up, str) else up.spelling()}"]


# ---- routes

def test_names_go_where_their_route_leads(start_upstream, start_dotgate):
    general, corp, deep = start_upstream(), start_upstream(), start_upstream()
    gate = start_dotgate(general, options=[*route("corp.example", corp),
                                           *route("deep.corp.example", deep)])
    for name in ("www.example", "notcorp.example", "corp.example", "a.b.CORP.example",
                 "deep.corp.example", "x.deep.corp.example"):
        assert client.is_good(gate.ask(name), name)
    assert general.names() == ["www.example", "notcorp.example"]
    assert corp.names() == ["corp.example", "a.b.corp.example"]
    assert deep.names() == ["deep.corp.example", "x.deep.corp.example"]


def test_several_upstreams_of_a_route(start_upstream, start_dotgate):
    general, first, second = start_upstream(), start_upstream(), start_upstream()
    gate = start_dotgate(general, options=[*route("corp.example", first),
                                           *route("corp.example", second)])
    assert client.is_good(gate.ask("a.corp.example"), "a.corp.example")
    first.end_connections()
    first.close()
    for i in range(3):
        assert client.is_good(gate.ask(f"b{i}.corp.example"), f"b{i}.corp.example")
    assert second.names() and not general.names()


def test_a_route_that_is_down_leaks_nothing(start_upstream, start_dotgate):
    """What belongs to the route is never asked elsewhere, and others are not held up."""
    general = start_upstream()
    port = dotgate.free_port()
    gate = start_dotgate(general, options=route("corp.example",
                                                f"tls://127.0.0.1:{port}#corp.test"))
    r = gate.ask("secret.corp.example")
    assert client.rcode(r) == "SERVFAIL" and client.ede(r)[1].startswith("dial_refused")
    assert client.is_good(gate.ask("a.example"), "a.example")
    assert general.names() == ["a.example"]


def test_reverse_zone_of_a_prefix(start_upstream, start_dotgate):
    general, home = start_upstream(), start_upstream()
    gate = start_dotgate(general, options=[*route("192.0.2.0/24", home),
                                           *route("2001:db8::/32", home)])
    gate.ask("7.2.0.192.in-addr.arpa", "PTR")
    gate.ask("1.8.b.d.0.1.0.0.2.ip6.arpa", "PTR")
    gate.ask("7.3.0.192.in-addr.arpa", "PTR")
    assert home.names() == ["7.2.0.192.in-addr.arpa", "1.8.b.d.0.1.0.0.2.ip6.arpa"]
    assert general.names() == ["7.3.0.192.in-addr.arpa"]


def test_route_of_the_root_takes_the_place_of_upstream(start_upstream, start_dotgate):
    general, other = start_upstream(), start_upstream()
    gate = start_dotgate(general, options=route(".", other))
    assert client.is_good(gate.ask("a.example"), "a.example")
    assert not general.connections and other.names() == ["a.example"]


@pytest.mark.parametrize("value, says", [
    ("corp.example", "an upstream is missing behind the domain"),
    ("a..b tls://192.0.2.1", "is no domain name"),
    ("192.168.1.0/23 tls://192.0.2.1", "a reverse zone ends after each 8 bits"),
    ("192.168.1.1/24 tls://192.0.2.1", "bits are set behind the prefix's 24"),
    ("2001:db8::/33 tls://192.0.2.1", "a reverse zone ends after each 4 bits"),
    ("10.0.0.0/33 tls://192.0.2.1", "is no length of a prefix"),
    ("corp.example udp://192.0.2.1", "plain DNS"),
    ("corp.example tls://192.0.2.1 wrong=1", "unknown parameter 'wrong'"),
])
def test_a_bad_route_is_refused(value, says):
    done = dotgate.command("check", "--route", value)
    assert done.returncode == 2 and says in done.stderr


def test_routes_are_printed_as_they_are_read(tmp_path):
    conf = tmp_path / "dotgate.conf"
    conf.write_text("upstream tls://192.0.2.1#a.example\n"
                    "route Corp.Example. tls://192.0.2.2:853#b.example weight=2\n"
                    "route 10.0.0.0/8 plain://192.0.2.3:53\n")
    done = dotgate.command("check", "-T", "--config", conf)
    assert done.returncode == 0 and "not encrypted" in done.stderr
    lines = [line.split(None, 1)[1] for line in done.stdout.splitlines()
             if line.startswith("route ")]
    assert lines == ["corp.example. tls://192.0.2.2#b.example weight=2",
                     "10.in-addr.arpa. plain://192.0.2.3"]
    again = tmp_path / "again.conf"
    again.write_text(done.stdout.replace("http                     off\n", ""))
    assert dotgate.command("check", "-T", "--config", again).stdout == done.stdout


def test_routes_alone_are_loud(start_dotgate, plain):
    """Whoever writes only routes does not expect that the other names go to the default."""
    says = "ALL OTHER NAMES GO TO THE DEFAULT UPSTREAMS (tls://1.1.1.1#cloudflare-dns.com"
    alone = route("lan", plain())
    done = dotgate.command("check", *alone)
    assert done.returncode == 0 and says in done.stderr
    done = dotgate.command("check", "-T", *route(".", "plain://127.0.0.1:5"))
    assert done.returncode == 0 and says not in done.stderr
    assert "cloudflare" not in done.stdout and "\nupstream " not in done.stdout
    assert "route                    . plain://127.0.0.1:5" in done.stdout


def test_what_has_no_effect_is_logged(start_upstream, start_dotgate):
    gate = start_dotgate(start_upstream(), options=["--bootstrap", "tls://192.0.2.1#a.test"])
    assert re.search("warning.* bootstrap has no effect: ", gate.log())


def test_the_same_upstream_with_other_parameters_is_refused(tmp_path):
    done = dotgate.command("check", "-u", "tls://192.0.2.1#a.example", "--route",
                           "b.example tls://192.0.2.1#a.example auth=none")
    assert done.returncode == 2 and "with other parameters" in done.stderr


# ---- upstreams in the clear

def test_plain_route(start_upstream, start_dotgate, plain):
    general, router = start_upstream(), plain()
    gate = start_dotgate(general, options=route("lan", router), http=True)
    for i in range(10):
        assert client.is_good(gate.ask(f"h{i}.lan"), f"h{i}.lan")
    assert client.is_good(gate.ask("a.example"), "a.example")
    assert router.names() == [f"h{i}.lan" for i in range(10)]
    assert len({port for _, _, port in router.queries}) > 5
    assert len({q.id for q, _, _ in router.queries}) > 5
    assert PLAIN_WARNING in gate.log()
    assert gate.metric("dotgate_upstream_unauthenticated", upstream=router.spelling()) == 1


def test_plain_falls_back_to_tcp(start_upstream, start_dotgate, plain):
    def on_query(server, q, tcp):
        return wire.answer(q) if tcp else wire.message(q.id, wire.ANSWER | 0x0200, q.question)

    router = plain(on_query=on_query)
    gate = start_dotgate(start_upstream(), options=route("lan", router))
    assert client.is_good(gate.ask("big.lan"), "big.lan")
    assert [tcp for _, tcp, _ in router.queries] == [False, True]


def test_plain_lost_datagram_is_sent_again(start_upstream, start_dotgate, plain):
    seen = []

    def on_query(server, q, tcp):
        seen.append(q)
        return wire.answer(q) if len(seen) > 1 else None

    gate = start_dotgate(start_upstream(), options=route("lan", plain(on_query=on_query)))
    start = time.monotonic()
    assert client.is_good(gate.ask("lost.lan"), "lost.lan")
    assert time.monotonic() - start < 3


def test_plain_forged_answers_are_dropped(start_upstream, start_dotgate, plain):
    def on_query(server, q, tcp):
        forged = bytearray(wire.answer(q))
        forged[1] ^= 1
        _, _, port = server.queries[-1]
        server.udp.sendto(bytes(forged), ("127.0.0.1", port))
        return wire.answer(q)

    router = plain(on_query=on_query)
    gate = start_dotgate(start_upstream(), options=route("lan", router), http=True)
    assert client.is_good(gate.ask("a.lan"), "a.lan")
    assert gate.metric("dotgate_upstream_answers_dropped_total", upstream=router.spelling(),
                       reason="unmatched") == 1


def test_plain_upstream_that_is_gone(start_upstream, start_dotgate, plain):
    router = plain()
    gate = start_dotgate(start_upstream(), options=route("lan", router))
    router.close()
    r = gate.ask("a.lan")
    assert client.rcode(r) == "SERVFAIL" and client.ede(r)[1].startswith("dial_refused")


def test_plain_as_the_default_is_loud(start_dotgate, plain):
    server = plain()
    gate = start_dotgate(server)
    assert client.is_good(gate.ask("a.example"), "a.example")
    log = gate.log()
    assert any("warning" in line and PLAIN_WARNING in line for line in log.splitlines())


# ---- names that are answered here

@pytest.fixture
def strict(start_upstream, start_dotgate):
    up = start_upstream()
    return up, start_dotgate(up, env={"DOTGATE_SPECIAL_NAMES": "on"}, http=True)


def test_special_names_are_not_leaked(strict):
    up, gate = strict
    for name in ("a.test", "host.invalid", "x.onion", "printer.local", "y.alt", "z.home.arpa",
                 "1.1.168.192.in-addr.arpa", "1.d.f.ip6.arpa"):
        r = gate.ask(name)
        assert client.rcode(r) == "NXDOMAIN", name
        assert len(r.authority) == 1 and client.ede(r)[0] == 29
    assert not up.names()
    assert gate.metric("dotgate_dns_responses_total", source="local", rcode="NXDOMAIN") == 8


def test_localhost_is_here(strict):
    up, gate = strict
    assert client.addresses(gate.ask("localhost")) == ["127.0.0.1"]
    assert [rr.address for rr in gate.ask("foo.localhost", "AAAA").answer[0]] == ["::1"]
    r = gate.ask("localhost", "MX")
    assert client.rcode(r) == "NOERROR" and not r.answer and r.authority
    assert str(gate.ask("1.0.0.127.in-addr.arpa", "PTR").answer[0][0]) == "localhost."
    assert not up.names()


def test_designated_resolvers_are_not_passed_on(strict):
    up, gate = strict
    r = gate.ask("_dns.resolver.arpa", "SVCB")
    assert client.rcode(r) == "NOERROR" and not r.answer and not up.names()


def test_other_names_are_forwarded(strict):
    up, gate = strict
    for name in ("use-application-dns.net", "single", "testing", "localhost.example"):
        assert client.is_good(gate.ask(name), name)
    assert len(up.names()) == 4


def test_a_route_wins_over_a_special_name(start_upstream, start_dotgate, plain):
    general, router = start_upstream(), plain()
    gate = start_dotgate(general, env={"DOTGATE_SPECIAL_NAMES": "on"},
                         options=[*route("local", router), *route("corp.test", router),
                                  *route("192.168.1.0/24", router)])
    for name in ("printer.local", "a.corp.test"):
        assert client.is_good(gate.ask(name), name)
    gate.ask("9.1.168.192.in-addr.arpa", "PTR")
    assert client.rcode(gate.ask("b.test")) == "NXDOMAIN"
    assert client.rcode(gate.ask("9.2.168.192.in-addr.arpa", "PTR")) == "NXDOMAIN"
    assert router.names() == ["printer.local", "a.corp.test", "9.1.168.192.in-addr.arpa"]
    assert not general.names()
