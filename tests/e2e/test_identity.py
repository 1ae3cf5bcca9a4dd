"""Who we are to an upstream, and what is noticed of who it is."""
import os
import shutil
import signal
import ssl
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

import certs
import client
import dotgate


def wait_for(gate, words, seconds=15):
    end = time.monotonic() + seconds
    while words not in gate.log():
        assert time.monotonic() < end, (words, gate.log())
        time.sleep(0.1)


def needs_certificate(up, certificates):
    up.context.load_verify_locations(certificates.ca_file)
    up.context.verify_mode = ssl.CERT_REQUIRED


@pytest.fixture
def ours(certificates):
    return certificates._issue("ours", {"extendedKeyUsage": "clientAuth"}, issuer=certificates.root)


# ---- our own certificate

def test_our_certificate_is_shown(start_upstream, start_dotgate, certificates, ours):
    up = start_upstream()
    needs_certificate(up, certificates)
    gate = start_dotgate(f"{up.spelling()} cert={ours.chain} key={ours.key}")
    assert client.is_good(gate.ask("a.example.test"), "a.example.test")


def test_certificate_and_key_in_one_file(start_upstream, start_dotgate, certificates, ours, tmp_path):
    up = start_upstream()
    needs_certificate(up, certificates)
    both = tmp_path / "both.pem"
    both.write_bytes(ours.chain.read_bytes() + ours.key.read_bytes())
    gate = start_dotgate(f"{up.spelling()} cert={both}")
    assert client.is_good(gate.ask("a.example.test"), "a.example.test")


def test_without_a_certificate_the_reason_is_told(start_upstream, start_dotgate, certificates):
    up = start_upstream()
    needs_certificate(up, certificates)
    gate = start_dotgate(up)
    assert "certificate required" in client.ede(gate.ask("a.example.test"))[1]


@pytest.mark.parametrize("words, says", [
    ("cert={none}", "No such file"),
    ("cert={key}", "has no certificate in PEM format"),
    ("cert={chain}", "has no private key"),
    ("cert={chain} key={other}", "is not the key of the certificate"),
    ("key={key}", "key= needs cert="),
])
def test_bad_certificate_files_are_refused(certificates, ours, tmp_path, words, says):
    words = words.format(none=tmp_path / "none", key=ours.key, chain=ours.chain,
                         other=certificates.root.key)
    done = dotgate.command("check", "-u", f"tls://192.0.2.1#a.example {words}")
    assert done.returncode == 2 and says in done.stderr, done.stderr


# ---- pins with a backup

def test_only_a_backup_pin_matches(start_upstream, start_dotgate, certificates):
    up = start_upstream()
    other = certificates.get("self_signed").pin()
    gate = start_dotgate(f"{up.spelling()} pin={other} pin={certificates.get('valid').pin()}",
                         http=True)
    assert client.is_good(gate.ask("a.example.test"), "a.example.test")
    wait_for(gate, "only backup pin number 2 matches")
    assert gate.metric("dotgate_upstream_backup_pin") == 1


def test_the_first_pin_is_no_news(start_upstream, start_dotgate, certificates):
    up = start_upstream()
    other = certificates.get("self_signed").pin()
    gate = start_dotgate(f"{up.spelling()} pin={certificates.get('valid').pin()} pin={other}",
                         http=True)
    assert client.is_good(gate.ask("a.example.test"), "a.example.test")
    assert "pin" not in gate.log().replace("pin=", "") and gate.metric("dotgate_upstream_backup_pin") == 0


# ---- a certificate that ends soon

def stamp(**ahead):
    return (datetime.now(timezone.utc) + timedelta(**ahead)).strftime("%Y%m%d%H%M%SZ")


def test_an_end_that_is_near_is_warned_of_once(certificates, start_upstream, start_dotgate):
    soon = certificates._issue("soon", certs.san(f"DNS:{certs.NAME}"), issuer=certificates.root,
                               start=stamp(days=-80), end=stamp(days=10))
    certificates.made["soon"] = soon
    up = start_upstream("soon", tickets=0)
    gate = start_dotgate(up)
    for i in range(3):
        assert client.is_good(gate.ask(f"e{i}.example.test"), f"e{i}.example.test")
        up.end_connections()
        time.sleep(0.1)
    wait_for(gate, "its certificate ends on 20")
    assert gate.log().count("its certificate ends on 20") == 1


# ---- files that change

def test_a_changed_ca_file_is_read(start_upstream, start_dotgate, certificates, tmp_path):
    ca = tmp_path / "ca.pem"
    shutil.copy(certificates.get("self_signed").chain, ca)
    up = start_upstream()
    gate = start_dotgate(f"{up.spelling()} ca-file={ca}", ca=False)
    assert client.ede(gate.ask("a.example.test"))[1].startswith("tls_cert_untrusted")
    fresh = tmp_path / "fresh.pem"
    shutil.copy(certificates.ca_file, fresh)
    os.rename(fresh, ca)
    wait_for(gate, "certificate files were read again")
    end = time.monotonic() + 15
    while not client.is_good(gate.ask("b.example.test"), "b.example.test"):
        assert time.monotonic() < end
    # and what is no certificate changes nothing
    ca.write_text("nonsense\n")
    wait_for(gate, "what was read before stays in force")
    up.end_connections()
    assert client.is_good(gate.ask("c.example.test"), "c.example.test")


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_hup_reads_the_systems_cas(start_upstream, start_dotgate, certificates, tmp_path, variable):
    """Without ca-file and ca-dir, too: a CA that is no longer trusted is forgotten."""
    store = tmp_path / "store"
    shutil.copytree(certificates.ca_dir(), store, symlinks=True)
    file = store / "root.pem"
    up = start_upstream()
    gate = start_dotgate(up, ca=False,
                         env={"SSL_CERT_FILE": "",
                              variable: str(file if variable == "SSL_CERT_FILE" else store)})
    assert client.is_good(gate.ask("a.example.test"), "a.example.test")
    shutil.copy(certificates.get("self_signed").chain, file)
    up.end_connections()
    assert client.is_good(gate.ask("b.example.test"), "b.example.test")
    gate.signal(signal.SIGHUP)
    wait_for(gate, "certificate files were read again")
    up.end_connections()
    assert client.ede(gate.ask("c.example.test"))[1].startswith("tls_cert_untrusted")


def test_the_files_of_a_bootstrap_are_read(start_upstream, start_dotgate, certificates, tmp_path):
    ca = tmp_path / "ca.pem"
    shutil.copy(certificates.get("self_signed").chain, ca)
    boot = start_upstream()
    gate = start_dotgate(f"tls://{certs.NAME}:9",
                         options=["--bootstrap", f"{boot.spelling()} ca-file={ca}"])
    wait_for(gate, "no address found")
    assert not boot.queries
    shutil.copy(certificates.ca_file, ca)
    gate.signal(signal.SIGHUP)
    wait_for(gate, f"bootstrap {boot.spelling()}: certificate files were read again")
    assert boot.wait_queries(1, 40)


def test_hup_reads_at_once(start_upstream, start_dotgate):
    gate = start_dotgate(start_upstream())
    gate.process.send_signal(1)
    wait_for(gate, "certificate files were read again", 3)
    assert client.is_good(gate.ask("a.example.test"), "a.example.test")


def test_tickets_are_forgotten_with_the_old_files(start_upstream, start_dotgate):
    up = start_upstream()
    gate = start_dotgate(up)
    assert client.is_good(gate.ask("a.example.test"), "a.example.test")
    gate.process.send_signal(1)
    wait_for(gate, "certificate files were read again", 3)
    up.end_connections()
    assert client.is_good(gate.ask("b.example.test"), "b.example.test")
    assert not up.connections[1].resumed


# ---- a clock that is wrong

def faketime():
    if b"__asan_init" in Path(dotgate.BINARY).read_bytes():
        pytest.skip("a sanitizer must come first")
    for path in ("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
                 "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1"):
        if os.path.exists(path):
            return path
    pytest.skip("libfaketime is not installed")


def test_a_clock_before_the_release_is_named(start_upstream, start_dotgate):
    env = {"LD_PRELOAD": faketime(), "FAKETIME": "1990-02-03 00:00:00", "DONT_FAKE_MONOTONIC": "1"}
    gate = start_dotgate(start_upstream(), env=env)
    text = client.ede(gate.ask("a.example.test"))[1]
    assert text.startswith("tls_cert_not_yet_valid") and "clock says 1990-02-03" in text


def test_time_grace_is_for_its_names_only(start_upstream, start_dotgate):
    env = {"LD_PRELOAD": faketime(), "FAKETIME": "1990-02-03 00:00:00", "DONT_FAKE_MONOTONIC": "1"}
    up = start_upstream()
    gate = start_dotgate(up, env=env, options=["--time-grace", "ntp.example"])
    assert client.is_good(gate.ask("a.ntp.example"), "a.ntp.example")
    assert client.rcode(gate.ask("b.example")) == "SERVFAIL"
    assert up.names() == ["a.ntp.example"]


def test_time_grace_forgives_dates_only(start_upstream, start_dotgate):
    env = {"LD_PRELOAD": faketime(), "FAKETIME": "1990-02-03 00:00:00", "DONT_FAKE_MONOTONIC": "1"}
    up = start_upstream("wrong_name")
    gate = start_dotgate(up, env=env, options=["--time-grace", "ntp.example"])
    assert client.rcode(gate.ask("a.ntp.example")) == "SERVFAIL"
    assert not up.names()


def test_time_grace_with_a_good_clock_forgives_nothing(start_upstream, start_dotgate):
    up = start_upstream("expired")
    gate = start_dotgate(up, options=["--time-grace", "ntp.example"])
    assert client.rcode(gate.ask("a.ntp.example")) == "SERVFAIL"
    assert not up.names()


# ---- TCP Fast Open

def test_fast_open_does_no_harm(start_upstream, start_dotgate):
    up = start_upstream()
    gate = start_dotgate(f"{up.spelling()} tfo=on")
    for i in range(3):
        assert client.is_good(gate.ask(f"f{i}.example.test"), f"f{i}.example.test")
        up.end_connections()
        time.sleep(0.1)


def test_fast_open_to_nobody_is_refused_as_ever(start_dotgate):
    port = dotgate.free_port()
    gate = start_dotgate(f"tls://127.0.0.1:{port}#upstream.test tfo=on")
    assert client.rcode(gate.ask("a.example.test")) == "SERVFAIL"
