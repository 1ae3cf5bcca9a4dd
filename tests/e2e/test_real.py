"""Real servers at the other end."""
import shutil
import subprocess
import time

import dns.flags
import dns.rdatatype
import pytest

import client
import real
import wire
from client import query
from upstream import Upstream


@pytest.fixture
def server(certificates, tmp_path):
    """server("unbound", more="...") -> a real server with the suite's certificate"""
    running = []

    def need(program):
        if not (shutil.which(program) or shutil.which(f"/usr/sbin/{program}")):
            pytest.skip(f"{program} is not installed")

    def start(program, **words):
        need(program)
        valid = certificates.get("valid")
        tls = {"key": valid.key, "chain": valid.chain}
        folder = tmp_path / f"{program}{len(running)}"
        if program == "unbound":
            need("knotd")
            behind = real.Server(tmp_path / "knot", "knotd", real.KNOT, [])
            running.append(behind)
            made = real.Server(folder, "unbound", real.UNBOUND, ["-d", "-p"],
                               behind=behind.port, **tls, **words)
        else:
            made = real.Server(folder, "nsd", real.NSD, ["-d"], **tls, **words)
        running.append(made)
        return made

    yield start
    for s in reversed(running):
        s.stop()


BOTH = pytest.mark.parametrize("program", ["unbound", "nsd"])


def texts(response):
    return sorted(r.to_text() for rrset in response.answer for r in rrset)


def all_wild(answers):
    bad = {n: (client.rcode(r), client.ede(r)) for n, r in answers.items()
           if client.addresses(r) != ["192.0.2.42"]}
    assert not bad, (len(bad), next(iter(bad.items())))


@BOTH
def test_answers(server, start_dotgate, program):
    gate = start_dotgate(server(program))
    assert texts(gate.ask("www.example.test")) == ["192.0.2.80"]
    assert texts(gate.ask("WWW.eXample.test", "AAAA")) == ["2001:db8::80"]
    assert "192.0.2.80" in texts(gate.ask("alias.example.test"))
    r = gate.ask("nothing.ns.example.test")
    assert client.rcode(r) == "NXDOMAIN" and r.authority[0].rdtype == dns.rdatatype.SOA
    r = gate.ask("www.example.test", "MX")
    assert client.rcode(r) == "NOERROR" and not r.answer


@BOTH
def test_large_answer(server, start_dotgate, program):
    gate = start_dotgate(server(program))
    r = gate.ask("big.example.test", "TXT")
    assert r.flags & dns.flags.TC and not r.answer
    r = gate.tcp(query("big.example.test", "TXT"))
    assert sum(len(s) for s in r.answer[0][0].strings) == 2000


def test_signatures_come_through(server, start_dotgate):
    gate = start_dotgate(server("unbound"))
    r = gate.udp(query("www.example.test", want_dnssec=True))
    assert dns.rdatatype.RRSIG in [rrset.rdtype for rrset in r.answer]
    r = gate.udp(query("www.example.test"))
    assert dns.rdatatype.RRSIG not in [rrset.rdtype for rrset in r.answer]
    r = gate.tcp(query("example.test", "DNSKEY", want_dnssec=True))
    assert dns.rdatatype.DNSKEY in [rrset.rdtype for rrset in r.answer]


@BOTH
def test_many_names(server, start_dotgate, program):
    gate = start_dotgate(server(program))
    for i in range(10):
        names = [f"n{i}-{j}.example.test" for j in range(50)]
        answers = gate.burst(names)
        assert set(answers) == set(names)
        all_wild(answers)


@BOTH
def test_restart(server, start_dotgate, program):
    """The server goes and comes back; so do the answers, and soon."""
    up = server(program)
    gate = start_dotgate(up)
    assert texts(gate.ask("www.example.test")) == ["192.0.2.80"]
    up.stop()
    up.start()
    start = time.monotonic()
    while client.rcode(gate.ask("alias.example.test")) != "NOERROR":
        assert time.monotonic() - start < 12, gate.log()
    assert texts(gate.ask("x.example.test")) == ["192.0.2.42"]


@pytest.mark.parametrize("more", ["tcp-idle-timeout: 300", "edns-tcp-keepalive: yes",
                                  "incoming-num-tcp: 2"])
def test_unbound_that_closes_soon(server, start_dotgate, more):
    gate = start_dotgate(server("unbound", more=more))
    for i in range(6):
        assert texts(gate.ask(f"i{i}.example.test")) == ["192.0.2.42"]
        time.sleep(0.5)
    assert " is down" not in gate.log()


def test_nsd_that_closes_after_every_query(server, start_dotgate):
    gate = start_dotgate(server("nsd", more="tcp-query-count: 5"))
    for i in range(6):
        names = [f"c{i}-{j}.example.test" for j in range(20)]
        answers = gate.burst(names)
        assert set(answers) == set(names)
        all_wild(answers)


def test_from_the_real_one_to_another(server, start_dotgate, start_upstream):
    """unbound dies, the second upstream answers."""
    first = server("unbound")
    gate = start_dotgate(first, start_upstream(), options=["--cache-size", "0"])
    end = time.monotonic() + 5
    while texts(gate.ask("www.local.test")) != ["192.0.2.7"]:
        assert time.monotonic() < end # until the first is connected, the second serves
    first.stop()
    assert client.is_good(gate.ask("new.local.test"), "new.local.test")


def test_other_clients_at_the_fake_upstream(certificates):
    """The fake upstream is a DoT server to kdig too: what the suite shows is not its doing."""
    if not shutil.which("kdig"):
        pytest.skip("kdig is not installed")
    with Upstream(certificates.get("valid")) as up:
        out = subprocess.run(
            ["kdig", "@127.0.0.1", "-p", str(up.port), f"+tls-ca={certificates.ca_file}",
             "+tls-hostname=upstream.test", "+padding", "k.example.test"],
            capture_output=True, text=True, timeout=20).stdout
    assert wire.address_of("k.example.test") in out
