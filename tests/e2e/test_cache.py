"""The cache as its users see it: hits, ages, a restart, the commands, the counters."""
import os
import socket
import stat
import struct
import time

import dns.rdata
import pytest

import client
import wire
from dotgate import command
from ports import free_port


def answer_ttl(response):
    return response.answer[0].ttl


@pytest.fixture
def control(tmp_path):
    return tmp_path / "control"


def cache(control, *words):
    return command("cache", *words, "--control", control)


def test_one_query_upstream(start_upstream, start_dotgate):
    up = start_upstream()
    gate = start_dotgate(up)
    for name in ("www.example.test", "WWW.example.TEST", "www.example.test"):
        assert client.is_good(gate.ask(name), name)
    assert len(up.queries) == 1


def test_ttl_falls(start_upstream, start_dotgate):
    gate = start_dotgate(start_upstream())
    first = answer_ttl(gate.ask("a.test"))
    time.sleep(2.1)
    assert first - 4 <= answer_ttl(gate.ask("a.test")) <= first - 2


def test_cache_size_0_is_off(start_upstream, start_dotgate, control):
    gate = start_dotgate(start_upstream(), options=["--cache-size", "0", "--control", control],
                         http=True)
    gate.ask("a.test")
    gate.ask("a.test")
    assert not any("dotgate_cache" in str(k) for k in gate.metrics())
    done = cache(control, "stats")
    assert done.returncode == 1 and "cache-size 0" in done.stderr


def test_counters(start_upstream, start_dotgate):
    gate = start_dotgate(start_upstream(), http=True)
    for name in ("a.test", "b.test", "a.test", "a.test"):
        gate.ask(name)
    assert gate.metric("dotgate_cache_hits_total") == 2
    assert gate.metric("dotgate_cache_misses_total") == 2
    assert gate.metric("dotgate_cache_entries") == 2
    assert gate.metric("dotgate_cache_bytes") < gate.metric("dotgate_cache_size_bytes") \
        <= 64 << 20


def test_commands(start_upstream, start_dotgate, control):
    gate = start_dotgate(start_upstream(), options=["--control", control])
    assert stat.S_IMODE(os.stat(control).st_mode) == 0o600
    for name in ("a.example.test", "b.example.test", "other.test"):
        gate.ask(name)
        gate.ask(name)
    stats = dict(line.rsplit(maxsplit=1) for line in cache(control, "stats").stdout.splitlines()
                 if "%" not in line)
    assert stats["entries"] == "3" and stats["hits"] == "3" and stats["misses"] == "3"
    shown = cache(control, "show", "A.example.test.").stdout
    assert "a.example.test. A: rcode 0, fresh for" in shown
    assert "  a.example.test." in shown and " IN A " in shown
    assert "nothing of" in cache(control, "show", "example.test").stdout
    assert cache(control, "flush", "example.test").stdout == "2 answers forgotten\n"
    assert cache(control, "flush", "all").stdout == "1 answer forgotten\n"
    assert "entries      0" in cache(control, "stats").stdout
    gate.stop()
    assert not control.exists()


# What a zone file may say, in words that dnspython reads alike.
RECORDS = """
A 192.0.2.1
AAAA 2001:db8::1
CNAME \\000a\\.b.example.
NS ns.example.
PTR host.example.
SOA ns.example. admin.example. 1 7200 3600 1209600 300
MX 10 mail.example.
TXT "v=spf1 -all" "two \\"words\\" \\\\ \\255"
SRV 1 2 853 s.example.
NAPTR 100 10 "u" "E2U+sip" "!^.*$!sip:a@b!" .
CAA 128 issue "ca.example; policy=ev"
DS 12345 13 2 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
DNSKEY 257 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxILfDLUT0rAK9iUzy1L53eKGQ==
RRSIG A 13 2 300 20300101000000 20200229235959 12345 example. bm8gc2lnbmF0dXJl
NSEC b.example. A MX RRSIG NSEC TYPE1234
NSEC3 1 1 12 aabbccdd 2vptu5timamqttgl4luu9kg21e0aor3s A RRSIG
NSEC3PARAM 1 0 0 -
TLSA 3 1 1 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
SSHFP 4 2 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
URI 10 1 "https://example/"
HTTPS 1 . alpn="h2,h3" port=8443 ipv4hint=192.0.2.1,192.0.2.2 ipv6hint=2001:db8::1 ech="AAEC"
SVCB 0 alias.example.
TYPE65280 \\# 4 00ff7f20
""".strip().splitlines()


def test_show_is_what_a_zone_file_has(start_upstream, start_dotgate, control):
    """Each record reads back as the octets that the upstream sent."""
    wires = {}
    for line in RECORDS:
        kind, text = line.split(None, 1)
        data = dns.rdata.from_text("IN", kind, text, relativize=False)
        wires[data.rdtype] = data.to_wire()

    def answer(conn, q):
        data = wires[q.type]
        record = b"\xc0\x0c" + struct.pack("!HHIH", q.type, 1, 300, len(data)) + data
        conn.send(wire.message(q.id, wire.ANSWER, q.question, answers=[record]))

    gate = start_dotgate(start_upstream(on_query=answer), options=["--control", control])
    for number in wires:
        assert gate.ask("a.example", number).answer
    shown = [line[2:].split(" ", 4) for line in cache(control, "show", "a.example").stdout.splitlines()
             if line.startswith("  ")]
    assert len(shown) == len(wires)
    for name, ttl, kind_class, kind, text in shown:
        data = dns.rdata.from_text("IN", kind, text, relativize=False)
        assert (name, kind_class) == ("a.example.", "IN") and int(ttl) > 200
        assert data.to_wire() == wires[data.rdtype], (kind, text)
        assert text.startswith("\\# ") == (kind == "TYPE65280"), text


@pytest.mark.parametrize("words, says", [
    ([], "usage: dotgate cache"),
    (["show"], "usage: dotgate cache"),
    (["stats", "all"], "usage: dotgate cache"),
    (["stat"], "unknown word 'stat': did you mean 'stats'?"),
    (["fulsh", "a.test"], "unknown word 'fulsh': did you mean 'flush'?"),
    (["frobnicate"], "unknown word 'frobnicate'"),
    (["flush", ""], "no domain name: ''"),
    (["flush", " "], "no domain name: ' '"),
    (["flush", "a..test"], "no domain name: 'a..test'"),
    (["show", ""], "no domain name: ''"),
    (["show", "a", "b", "c"], "one word too many"),
])
def test_wrong_words(start_upstream, start_dotgate, control, words, says):
    gate = start_dotgate(start_upstream(), options=["--control", control])
    gate.ask("a.test")
    done = cache(control, *words)
    assert done.returncode == 2 and says in done.stderr and not done.stdout
    assert "entries      1" in cache(control, "stats").stdout


@pytest.mark.parametrize("line", [b"cache flush \n", b"cache flush  a.test\n",
                                  b"cache  flush\n", b" cache flush\n", b"\n"])
def test_an_empty_word_is_not_passed_over(start_upstream, start_dotgate, control, line):
    """Whatever sends it: a name that got lost must not become all names."""
    gate = start_dotgate(start_upstream(), options=["--control", control])
    gate.ask("a.test")
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(client.PATIENCE)
        s.connect(str(control))
        s.send(line)
        assert s.recv(100).startswith(b"error\n")
    assert "entries      1" in cache(control, "stats").stdout


def test_nobody_there(control):
    done = cache(control, "stats")
    assert done.returncode == 1 and "no daemon answers" in done.stderr


def test_control_is_taken(start_upstream, start_dotgate, control):
    up = start_upstream()
    start_dotgate(up, options=["--control", control])
    done = command("--listen", f"127.0.0.1:{free_port()}", "--upstream", up.spelling(),
                   "--control", control)
    assert done.returncode == 2 and "another dotgate has it" in done.stderr


def test_warm_start(start_upstream, start_dotgate, tmp_path):
    file = tmp_path / "cache"
    up = start_upstream()
    gate = start_dotgate(up, options=["--cache-file", file])
    names = [f"n{i}.test" for i in range(50)]
    gate.burst(names)
    gate.stop()
    assert "50 answers saved" in gate.log() and stat.S_IMODE(file.stat().st_mode) == 0o600
    up.end_connections()
    up.close()
    gate = start_dotgate(up, options=["--cache-file", file])
    end = time.monotonic() + 10
    while "50 answers loaded" not in gate.log():
        assert time.monotonic() < end, gate.log()
        time.sleep(0.05)
    for name in names:
        assert client.is_good(gate.ask(name), name)


def test_saved_before_anything_waits(start_upstream, start_dotgate, control, tmp_path):
    """A client of the control socket that says nothing holds up neither others nor the end."""
    file = tmp_path / "cache"
    gate = start_dotgate(start_upstream(), options=["--cache-file", file, "--control", control])
    assert client.is_good(gate.ask("a.test"), "a.test")
    with socket.socket(socket.AF_UNIX) as silent:
        silent.connect(str(control))
        assert "entries      1" in cache(control, "stats").stdout
        gate.stop()
        assert silent.recv(1) == b""
    log = gate.log()
    assert 0 < log.index("1 answers saved") < log.index(" ended\n"), log


@pytest.mark.parametrize("rubbish", [b"", b"rubbish" * 99, b"dotgateC" + bytes(200)])
def test_rubbish_is_set_aside(start_upstream, start_dotgate, tmp_path, rubbish):
    file = tmp_path / "cache"
    file.write_bytes(rubbish)
    file.chmod(0o600)
    gate = start_dotgate(start_upstream(), options=["--cache-file", file])
    assert client.is_good(gate.ask("a.test"), "a.test")
    gate.stop()
    assert "set aside" in gate.log()
    assert (tmp_path / "cache.bad").read_bytes() == rubbish
    assert "1 answers saved" in gate.log()


@pytest.mark.parametrize("how", ["open to others", "a link", "somebody's"])
def test_what_was_refused_is_left_alone(start_upstream, start_dotgate, tmp_path, how):
    file, real = tmp_path / "cache", tmp_path / "real"
    real.write_bytes(b"precious")
    if how == "a link":
        file.symlink_to(real)
    else:
        real.rename(file)
        file.chmod(0o666 if how == "open to others" else 0o600)
    if how == "somebody's":
        if os.geteuid():
            pytest.skip("only root can give a file away")
        os.chown(file, 65534, 65534)
    gate = start_dotgate(start_upstream(), options=["--cache-file", file])
    assert client.is_good(gate.ask("a.test"), "a.test")
    gate.stop()
    assert "no plain file of ours" in gate.log() and "not saved" in gate.log()
    assert file.read_bytes() == b"precious" and file.is_symlink() == (how == "a link")
    assert not list(tmp_path.glob("*.new"))


def test_stale_when_the_upstream_is_gone(start_upstream, start_dotgate):
    up = start_upstream()
    gate = start_dotgate(up, options=["--ttl-max", "1s"])
    assert client.is_good(gate.ask("a.test"), "a.test")
    up.close()
    up.end_connections()
    time.sleep(0.2)
    up.end_connections()  # and what was dialled before the listener was gone
    time.sleep(1.9)
    start = time.monotonic()
    stale = gate.ask("a.test")
    assert time.monotonic() - start < 4
    assert client.rcode(stale) == "NOERROR" and answer_ttl(stale) == 30
    assert client.ede(stale)[0] == 3


def test_two_workers_share_it(start_upstream, start_dotgate):
    up = start_upstream()
    gate = start_dotgate(up, workers=2, http=True)
    for _ in range(40):
        assert client.is_good(gate.ask("a.test"), "a.test")
    assert gate.metric("dotgate_cache_misses_total") == 1
