"""The plain way through: what a client asks, what the upstream hears, what comes back."""
import ipaddress
import shutil
import struct
import subprocess

import dns.flags
import pytest

import client
import wire
from client import query


def test_udp(pair):
    up, gate = pair
    r = gate.ask("a.example.test")
    assert client.is_good(r, "a.example.test")
    assert r.flags & dns.flags.RA and r.flags & dns.flags.QR and r.flags & dns.flags.RD
    assert [q.name for q in up.queries] == ["a.example.test"]


def test_tcp(pair):
    _, gate = pair
    assert client.is_good(gate.tcp(query("t.example.test")), "t.example.test")


def test_aaaa_and_txt(pair):
    _, gate = pair
    r = gate.ask("six.example.test", "AAAA")
    want = ipaddress.IPv6Address(wire.digest("six.example.test"))
    assert [rr.address for rr in r.answer[0]] == [str(want)]
    r = gate.ask("six.example.test", "TXT")
    assert r.answer[0][0].strings == (wire.digest("six.example.test").hex().encode(),)


def test_no_data_and_unknown_type(pair):
    up, gate = pair
    r = gate.ask("a.example.test", "TYPE65280")
    assert client.rcode(r) == "NOERROR" and not r.answer
    assert up.queries[0].type == 65280


@pytest.mark.parametrize("code", [2, 3, 5])
def test_rcode_of_upstream(served, code):
    _, gate = served(on_query=lambda conn, q: conn.answer(q, rcode=code))
    r = gate.ask("a.example.test")
    assert r.rcode() == code
    assert r.flags & dns.flags.RA


def test_ede_of_upstream_comes_down(served):
    option = (15, struct.pack("!H", 17) + b"filtered here")
    _, gate = served(on_query=lambda conn, q: conn.answer(q, rcode=3, options=[option]))
    assert client.ede(gate.ask("a.example.test")) == (17, "filtered here")
    assert not gate.udp(query("a.example.test", edns=False)).options


def test_case_of_question_is_kept(pair):
    _, gate = pair
    for name in ("wWw.ExAmPlE.tEsT", "WWW.EXAMPLE.TEST", "www.example.test"):
        data = query(name).to_wire()
        got = client.udp_raw(gate.address, gate.port, data)
        question = wire.Query(data, 0).question
        assert got[12:12 + len(question)] == question
        assert client.is_good(client.parse(got), name)


def test_id_and_rd_are_the_clients(pair):
    _, gate = pair
    q = query("id.example.test", flags=0)
    q.id = 0xBEEF
    r = gate.udp(q)
    assert r.id == 0xBEEF and not r.flags & dns.flags.RD


def test_edns_only_if_asked(pair):
    _, gate = pair
    assert gate.udp(query("e.example.test", edns=False)).edns == -1
    r = gate.udp(query("e.example.test"))
    assert r.edns == 0 and r.payload >= 512


def test_do_and_cd_go_up(pair):
    up, gate = pair
    gate.udp(query("plain.example.test"))
    gate.udp(query("do.example.test", want_dnssec=True))
    gate.udp(query("cd.example.test", flags=dns.flags.RD | dns.flags.CD))
    plain, do, cd = up.queries
    assert not plain.opt()[1] & 0x8000 and not plain.flags & 0x0010
    assert do.opt()[1] & 0x8000
    assert cd.flags & 0x0010


def test_do_comes_back(pair):
    _, gate = pair
    assert gate.udp(query("d.example.test", want_dnssec=True)).ednsflags & dns.flags.DO
    assert not gate.udp(query("d.example.test")).ednsflags & dns.flags.DO


def test_ad_is_shown_to_who_asked(served):
    _, gate = served(on_query=lambda conn, q: conn.answer(q, flags=wire.ANSWER | wire.AD))
    assert not gate.udp(query("ad.example.test", edns=False)).flags & dns.flags.AD
    asked = query("ad.example.test", flags=dns.flags.RD | dns.flags.AD)
    assert gate.udp(asked).flags & dns.flags.AD
    assert gate.udp(query("ad.example.test", want_dnssec=True)).flags & dns.flags.AD


def test_client_options_do_not_go_up(pair):
    up, gate = pair
    import dns.edns
    subnet = dns.edns.ECSOption("192.0.2.0", 24)
    cookie = dns.edns.GenericOption(10, b"12345678")
    local = dns.edns.GenericOption(65001, b"private")
    assert gate.udp(query("o.example.test", options=[subnet, cookie, local]))
    assert set(up.queries[0].opt()[2]) <= {11, 12}  # keepalive and padding are ours


def test_upstream_options_do_not_come_down(served):
    options = [(10, b"12345678" * 2), (11, b"\0\x64"), (65001, b"private")]
    _, gate = served(on_query=lambda conn, q: conn.answer(q, options=options))
    r = gate.udp(query("o.example.test"))
    assert client.is_good(r, "o.example.test")
    assert not r.options


def test_queries_are_padded(pair):
    up, gate = pair
    names = ["a.test", "b" * 60 + ".example.test", ".".join(["c" * 60] * 4)]
    for name in names:
        assert client.is_good(gate.ask(name), name)
    assert {q.padded % 128 for q in up.queries} == {0}
    assert all(12 in q.opt()[2] for q in up.queries)


def test_keepalive_only_in_first_query(pair):
    up, gate = pair
    for i in range(3):
        gate.ask(f"k{i}.example.test")
    assert [11 in q.opt()[2] for q in up.connections[0].queries] == [True, False, False]


def test_large_answer_over_udp_is_truncated(served):
    def big(conn, q):
        conn.answer(q, answers=[wire.record(b"\xc0\x0c", wire.A, bytes([10, 0, 0, i]))
                                for i in range(200)])

    up, gate = served(on_query=big)
    for payload, most in ((512, 512), (1232, 1232), (4096, 1232)):
        data = client.udp_raw(gate.address, gate.port,
                              query("big.example.test", payload=payload).to_wire())
        r = client.parse(data)
        assert len(data) <= most and r.flags & dns.flags.TC and r.edns == 0
        assert not r.answer and not r.authority
    data = client.udp_raw(gate.address, gate.port, query("big.example.test", edns=False).to_wire())
    assert len(data) <= 512 and client.parse(data).flags & dns.flags.TC
    r = gate.tcp(query("big.example.test"))
    assert len(r.answer[0]) == 200 and not r.flags & dns.flags.TC
    assert all(q.name == "big.example.test" for q in up.queries)


def test_long_names(pair):
    _, gate = pair
    name = ".".join(["x" * 63, "y" * 63, "z" * 63, "w" * 61])  # 255 octets
    assert client.is_good(gate.ask(name), name)
    assert client.rcode(gate.ask(".", "NS")) == "NOERROR"


def test_ipv6_listener(start_upstream, start_dotgate):
    gate = start_dotgate(start_upstream(), address="::1")
    assert client.is_good(gate.ask("six.example.test"), "six.example.test")
    assert client.is_good(gate.tcp(query("six.example.test")), "six.example.test")


def test_ipv6_upstream(start_upstream, start_dotgate):
    gate = start_dotgate(start_upstream(address="::1"))
    assert client.is_good(gate.ask("six.example.test"), "six.example.test")


def test_wildcard_listener_answers_from_the_address_asked(start_upstream, start_dotgate):
    gate = start_dotgate(start_upstream(), address="0.0.0.0")
    for address in ("127.0.0.1", "127.0.0.2", "127.1.2.3"):
        # a connected socket takes answers from that address alone
        data = client.udp_raw(address, gate.port, query("w.example.test").to_wire())
        assert client.is_good(client.parse(data), "w.example.test")


def run(*args):
    if not shutil.which(args[0]):
        pytest.skip(f"{args[0]} is not installed")
    return subprocess.run(list(map(str, args)), capture_output=True, text=True, timeout=30).stdout


@pytest.mark.parametrize("more", [[], ["+tcp"], ["+noedns"], ["+dnssec"], ["+tcp", "+keepalive"]])
def test_dig(pair, more):
    _, gate = pair
    out = run("dig", "@127.0.0.1", "-p", gate.port, *more, "dig.example.test")
    assert "status: NOERROR" in out and wire.address_of("dig.example.test") in out
    assert "WARNING" not in out and "malformed" not in out


@pytest.mark.parametrize("more", [[], ["+tcp"], ["+dnssec"], ["+nsid", "+bufsize=4096"]])
def test_kdig(pair, more):
    _, gate = pair
    out = run("kdig", "@127.0.0.1", "-p", gate.port, *more, "kdig.example.test")
    assert "NOERROR" in out and wire.address_of("kdig.example.test") in out
    assert "WARNING" not in out


@pytest.mark.parametrize("more", [[], ["-t"], ["-D"]])
def test_drill(pair, more):
    _, gate = pair
    out = run("drill", "-p", gate.port, *more, "drill.example.test", "@127.0.0.1")
    assert "NOERROR" in out and wire.address_of("drill.example.test") in out
