"""Who is an upstream: each wrong one is named with its reason, and hears nothing of a query."""
import os
import re
import ssl
import time

import pytest

import certs
import client
import dotgate
from upstream import ALERT_MAX, server_context

# certificate: (configured name, reason word, what the text tells besides)
REFUSED = {
    "expired": ("upstream.test", "tls_cert_expired", "2021-03-04"),
    "not_yet_valid": ("upstream.test", "tls_cert_not_yet_valid", "2048-02-03"),
    "wrong_name": ("upstream.test", "tls_cert_name", "other.test"),
    "cn_only": ("upstream.test", "tls_cert_name", ""),
    "broad_wildcard": ("upstream.test", "tls_cert_name", ""),
    "star": ("upstream.test", "tls_cert_name", ""),
    "wildcard": ("a.b.example.test", "tls_cert_name", ""),
    "self_signed": ("upstream.test", "tls_cert_untrusted", ""),
    "unknown_ca": ("upstream.test", "tls_cert_untrusted", ""),
    "missing_intermediate": ("upstream.test", "tls_cert_untrusted", ""),
    "issued_by_leaf": ("upstream.test", "tls_cert_untrusted", ""),
    "client_only": ("upstream.test", "tls_cert_purpose", ""),
    "rsa_1024": ("upstream.test", "tls_cert_weak", ""),
    # a name where the address is to be authenticated, and the other way round
    "valid": ("", "tls_cert_name", ""),
    "ip": ("upstream.test", "tls_cert_name", ""),
}


def no_query_left(up):
    """Of what the upstream received, nothing can have been a query."""
    assert up.connections, "it was not even dialled"
    for conn in up.connections:
        assert not conn.queries and not conn.ready
        assert all(n <= ALERT_MAX for n in conn.application_bytes()), conn.application_bytes()
        assert not conn.raw or not conn.hello().early_data
        assert b"secret" not in conn.raw
    return True


def refused(gate, up, reason, detail="", seconds=3):
    r = gate.ask("secret.example.test")
    assert client.rcode(r) == "SERVFAIL"
    code, text = client.ede(r)
    assert code == 22, text
    assert text.startswith(reason), text
    assert detail in text, text
    assert gate.seconds < seconds
    line = gate.wait_log(rf".*reason={reason}.*")[0]
    assert f"127.0.0.1:{up.port}" in line and "stage=tls" in line
    assert detail in line
    return line


@pytest.mark.parametrize("case", REFUSED)
def test_wrong_certificate(start_upstream, start_dotgate, case):
    name, reason, detail = REFUSED[case]
    up = start_upstream(case, weak=case == "rsa_1024")
    gate = start_dotgate(up.spelling(name))
    line = refused(gate, up, reason, detail)
    assert re.search(r": (have|check|install) ", line), f"no remedy in {line}"
    for _ in range(3):
        assert client.rcode(gate.ask("secret.example.test")) == "SERVFAIL"
    assert client.rcode(gate.tcp(client.query("secret.example.test"))) == "SERVFAIL"
    assert no_query_left(up)


@pytest.mark.parametrize("case", REFUSED)
def test_wrong_certificate_in_tls_1_2(start_upstream, start_dotgate, case):
    name, reason, _ = REFUSED[case]
    up = start_upstream(case, weak=case == "rsa_1024", most=ssl.TLSVersion.TLSv1_2)
    gate = start_dotgate(up.spelling(name))
    refused(gate, up, reason)
    assert no_query_left(up)


GOOD = {
    "valid": "upstream.test",
    "ip": "",
    "wildcard": "dns.example.test",
    "with_intermediate": "upstream.test",
}


@pytest.mark.parametrize("most", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("case", GOOD)
def test_good_certificate(start_upstream, start_dotgate, case, most):
    up = start_upstream(case, most=most)
    gate = start_dotgate(up.spelling(GOOD[case]))
    assert client.is_good(gate.ask("a.example.test"), "a.example.test")
    assert up.connections[0].version == most.name.replace("_", ".")


def test_ca_dir(certificates, start_upstream, start_dotgate):
    up = start_upstream()
    gate = start_dotgate(up, ca=False, options=["--ca-dir", certificates.ca_dir()])
    assert client.is_good(gate.ask("a.example.test"), "a.example.test")


def test_ca_of_one_upstream(certificates, start_upstream, start_dotgate):
    """The CA named for one upstream counts for that one alone."""
    up, other = start_upstream(), start_upstream()
    own = up.spelling("upstream.test", f"ca-file={certificates.ca_file}")
    gate = start_dotgate(own, ca=False)
    assert client.is_good(gate.ask("a.example.test"), "a.example.test")
    gate = start_dotgate(other.spelling(), ca=False)
    refused(gate, other, "tls_cert_untrusted")
    assert no_query_left(other)


def test_system_trust_is_the_default(start_upstream, start_dotgate):
    up = start_upstream()
    refused(start_dotgate(up, ca=False), up, "tls_cert_untrusted")
    assert no_query_left(up)


def test_sni_and_alpn(start_upstream, start_dotgate):
    up = start_upstream()
    gate = start_dotgate(up)
    gate.ask("a.example.test")
    hello = up.connections[0].hello()
    assert hello.sni == "upstream.test" and hello.alpn == ["dot"]
    assert up.connections[0].alpn == "dot"
    assert not hello.early_data
    assert set(hello.versions) - {v for v in hello.versions if v & 0x0F0F == 0x0A0A} \
        == {0x0304, 0x0303}


def test_no_sni_for_an_address(start_upstream, start_dotgate):
    up = start_upstream("ip")
    gate = start_dotgate(up.spelling(""))
    gate.ask("a.example.test")
    assert up.connections[0].hello().sni is None


def test_upstream_without_alpn(served):
    up, gate = served(alpn=None)
    assert client.is_good(gate.ask("a.example.test"), "a.example.test")


def test_only_strong_suites(pair):
    up, gate = pair
    gate.ask("a.example.test")
    strong = {0x1301, 0x1302, 0x1303,                          # TLS 1.3
              0xC02B, 0xC02C, 0xC02F, 0xC030, 0xCCA8, 0xCCA9}  # ECDHE with AEAD
    hello = up.connections[0].hello()
    assert set(hello.suites) - {0x00FF} <= strong
    assert hello.suites[0] == 0x1301          # AES-128-GCM
    assert hello.extensions[10][2:4] == b"\0\x1d"  # X25519


# ---- versions

def test_tls_1_1_only(start_upstream, start_dotgate):
    v = ssl.TLSVersion.TLSv1_1
    up = start_upstream(least=v, most=v, weak=True)
    gate = start_dotgate(up)
    r = gate.ask("secret.example.test")
    assert client.rcode(r) == "SERVFAIL"
    assert client.ede(r)[0] == 22 and client.ede(r)[1].startswith("tls_")
    assert no_query_left(up)


def test_tls_min(start_upstream, start_dotgate):
    up = start_upstream(most=ssl.TLSVersion.TLSv1_2)
    gate = start_dotgate(up, options=["--tls-min", "1.3"])
    r = gate.ask("secret.example.test")
    assert client.rcode(r) == "SERVFAIL" and client.ede(r)[1].startswith("tls_")
    assert no_query_left(up)
    up = start_upstream()
    gate = start_dotgate(up, options=["--tls-min", "1.3"])
    assert client.is_good(gate.ask("a.example.test"), "a.example.test")


def test_tls_min_of_one_upstream(start_upstream, start_dotgate):
    up = start_upstream(most=ssl.TLSVersion.TLSv1_2)
    gate = start_dotgate(up.spelling("upstream.test", "tls-min=1.3"))
    assert client.rcode(gate.ask("secret.example.test")) == "SERVFAIL"
    assert no_query_left(up)


# ---- pins

def test_pin(certificates, start_upstream, start_dotgate):
    up = start_upstream()
    good = certificates.get("valid").pin()
    other = certificates.get("valid_other_key").pin()
    for pins in ([good], [other, good], [good, other]):
        gate = start_dotgate(up.spelling("upstream.test", *(f"pin={p}" for p in pins)))
        assert client.is_good(gate.ask("a.example.test"), "a.example.test")


def test_pin_does_not_match(certificates, start_upstream, start_dotgate):
    up = start_upstream()
    other = certificates.get("valid_other_key").pin()
    gate = start_dotgate(up.spelling("upstream.test", f"pin={other}"))
    refused(gate, up, "tls_pin")
    assert no_query_left(up)


@pytest.mark.parametrize("case", ["expired", "wrong_name", "self_signed"])
def test_pin_is_on_top_of_the_ca(certificates, start_upstream, start_dotgate, case):
    up = start_upstream(case)
    gate = start_dotgate(up.spelling("upstream.test", "pin=" + certificates.get(case).pin()))
    refused(gate, up, "tls_cert_")
    assert no_query_left(up)


@pytest.mark.parametrize("case", ["self_signed", "wrong_name", "expired", "unknown_ca"])
def test_pin_alone(certificates, start_upstream, start_dotgate, case):
    up = start_upstream(case)
    pin = certificates.get(case).pin()
    gate = start_dotgate(up.spelling("", f"pin={pin}", "auth=pin"))
    assert client.is_good(gate.ask("a.example.test"), "a.example.test")


def test_pin_alone_does_not_match(certificates, start_upstream, start_dotgate):
    up = start_upstream()
    other = certificates.get("valid_other_key").pin()
    gate = start_dotgate(up.spelling("", f"pin={other}", "auth=pin"))
    refused(gate, up, "tls_pin")
    assert no_query_left(up)


def test_pin_of_the_issuer_is_not_enough(certificates, start_upstream, start_dotgate):
    up = start_upstream("unknown_ca")  # sends its issuer too
    gate = start_dotgate(up.spelling("", f"pin={certificates.root.pin()}", "auth=pin"))
    refused(gate, up, "tls_pin")
    assert no_query_left(up)


# ---- no authentication, by that word alone

def test_auth_none_is_loud(start_upstream, start_dotgate):
    up = start_upstream("self_signed")
    gate = start_dotgate(up.spelling("", "auth=none"), http=True)
    assert client.is_good(gate.ask("a.example.test"), "a.example.test")
    assert gate.wait_log(r"(?i)warning.*not authenticated")
    assert gate.metric("dotgate_upstream_unauthenticated") == 1


def test_without_auth_none_nothing_is_exported(served):
    _, gate = served(http=True)
    assert gate.metric("dotgate_upstream_unauthenticated") == 0


# ---- resumption

@pytest.mark.parametrize("most", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_second_connection_is_resumed(served, most):
    up, gate = served(most=most, http=True)
    for i in range(3):
        assert client.is_good(gate.ask(f"r{i}.example.test"), f"r{i}.example.test")
        up.end_connections()
        time.sleep(0.1)
    asked = [c for c in up.connections if c.queries]
    assert [c.resumed for c in asked] == [False, True, True]
    assert gate.metric("dotgate_upstream_connections_opened_total", resumed="true") >= 2


def test_tickets_are_used_once(served):
    up, gate = served()
    for i in range(6):
        assert gate.ask(f"r{i}.example.test") is not None
        up.end_connections()
        time.sleep(0.05)
    hellos = [c.hello() for c in up.connections if c.ready]
    offered = [h.extensions[41] for h in hellos if 41 in h.extensions]
    tickets = [psk[4:4 + int.from_bytes(psk[2:4], "big")] for psk in offered]
    assert len(tickets) >= 4 and len(set(tickets)) == len(tickets)


def test_upstream_without_tickets(served):
    up, gate = served(tickets=0)
    for i in range(3):
        assert client.is_good(gate.ask(f"r{i}.example.test"), f"r{i}.example.test")
        up.end_connections()
        time.sleep(0.05)
    assert not any(c.resumed for c in up.connections if c.ready)


@pytest.mark.parametrize("case", ["expired", "wrong_name", "self_signed"])
def test_a_ticket_does_not_spare_the_check(start_upstream, start_dotgate, case):
    """The upstream comes back with tickets that nobody knows and another certificate."""
    up = start_upstream()
    gate = start_dotgate(up)
    assert client.is_good(gate.ask("a.example.test"), "a.example.test")
    up.close()
    bad = start_upstream(case, port=up.port)
    end = time.monotonic() + 10
    while time.monotonic() < end:  # it may find it refused first
        r = gate.ask("secret.example.test")
        assert client.rcode(r) == "SERVFAIL"
        if client.ede(r)[1].startswith("tls_cert"):
            break
    else:
        raise AssertionError(client.ede(r))
    assert no_query_left(bad)


def test_restart_with_new_tickets(start_upstream, start_dotgate):
    up = start_upstream()
    gate = start_dotgate(up)
    gate.ask("a.example.test")
    up.close()
    again = start_upstream(port=up.port)
    assert client.is_good(gate.ask("b.example.test"), "b.example.test")
    assert not again.connections[-1].resumed


# ---- the text of the log and of the metrics

def test_reason_is_a_label(start_upstream, start_dotgate):
    up = start_upstream("expired")
    gate = start_dotgate(up, http=True)
    gate.ask("secret.example.test")
    assert gate.metric("dotgate_upstream_connections_closed_total",
                       reason="tls_cert_expired") >= 1
    assert gate.metric("dotgate_upstream_up") == 0


def test_the_log_is_not_flooded(start_upstream, start_dotgate):
    up = start_upstream("expired")
    gate = start_dotgate(up)
    for i in range(200):
        gate.ask(f"secret{i}.example.test")
    lines = [x for x in gate.log().splitlines() if "tls_cert_expired" in x]
    assert 1 <= len(lines) <= 5
    assert "secret" not in gate.log()


def test_certificate_end_is_exported(served):
    _, gate = served(http=True)
    gate.ask("a.example.test")
    at = gate.metric("dotgate_upstream_cert_expiry_timestamp_seconds")
    assert time.gmtime(at).tm_year == int(certs.FAR_FUTURE[:4])


def test_unauthenticated_is_refused_at_start(certificates):
    """What would leave an upstream unauthenticated is no configuration."""
    for spelling in ("tcp://127.0.0.1", "udp://127.0.0.1", "dns://127.0.0.1",
                     "tls://127.0.0.1 auth=pin", "tls://127.0.0.1 auth=off"):
        done = dotgate.command("--upstream", spelling, "--listen",
                               f"127.0.0.1:{dotgate.free_port()}")
        assert done.returncode == 2 and done.stderr, spelling


def test_environment_of_openssl_does_not_weaken(certificates, start_upstream, start_dotgate):
    """A CA that the configuration names is the only one: SSL_CERT_FILE adds none to it."""
    up = start_upstream()
    empty = certificates.folder / "empty-dir"
    os.makedirs(empty, exist_ok=True)
    gate = start_dotgate(up, ca=False, options=["--ca-dir", empty],
                         env={"SSL_CERT_FILE": str(certificates.ca_file)})
    r = gate.ask("secret.example.test")
    assert client.rcode(r) == "SERVFAIL" and client.ede(r)[1].startswith("tls_cert_untrusted")
    assert no_query_left(up)


# ---- no TLS, or not what is asked for: the exact reason

def plain(conn):
    conn.sock.sendall(b"220 ready\r\n")
    conn.hold()


def is_told(gate, up, reason, remedy, seconds):
    """One query: SERVFAIL with EDE of REASON in time, one log line, nothing sent."""
    r = gate.ask("secret.example.test")
    assert client.rcode(r) == "SERVFAIL" and gate.seconds < seconds
    code, text = client.ede(r)
    assert code == (23 if reason == "tls_timeout" else 22) and text.startswith(reason), text
    line = gate.wait_log(rf".*reason={reason}.*")[0]
    assert f"127.0.0.1:{up.port}" in line and "stage=tls" in line and remedy in line
    assert up.connections and not up.queries


OLD = {"least": ssl.TLSVersion.TLSv1_1, "most": ssl.TLSVersion.TLSv1_1, "weak": True}


@pytest.mark.parametrize("how", [{"on_accept": plain}, OLD], ids=["plain", "TLS 1.1"])
def test_not_acceptable_tls_is_told(served, how):
    up, gate = served(**how)
    is_told(gate, up, "tls_protocol", "check that the upstream speaks TLS 1.2", 3)


def test_tls_min_is_told(served):
    up, gate = served(options=["--tls-min", "1.3"], most=ssl.TLSVersion.TLSv1_2)
    is_told(gate, up, "tls_protocol", "check that the upstream speaks TLS", 3)


def test_mute_is_told(served):
    """It never answers the ClientHello: told within a stub's patience of 5 s."""
    up, gate = served(on_accept=lambda conn: conn.hold())
    is_told(gate, up, "tls_timeout", "check that the upstream speaks TLS on this port", 5.9)


@pytest.mark.parametrize("most", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_upstream_that_wants_a_client_certificate(certificates, start_upstream, start_dotgate,
                                                  most):
    """In TLS 1.3 its alert comes when our handshake has ended; it is told all the same."""
    context = server_context(certificates.get("valid"), most=most)
    context.load_verify_locations(certificates.ca_file)
    context.verify_mode = ssl.CERT_REQUIRED
    up = start_upstream(context=context)
    gate = start_dotgate(up)
    r = gate.ask("secret.example.test")
    assert client.rcode(r) == "SERVFAIL" and gate.seconds < 5.9
    assert client.ede(r)[1].startswith("tls_alert"), client.ede(r)
    assert gate.wait_log(r".*reason=tls_alert.*look at the upstream's log")
    assert not up.queries


# ---- pins of a chain

def test_pin_of_an_issuer_counts_on_top_of_the_ca(certificates, start_upstream, start_dotgate):
    """RFC 7858 4.2: any certificate of the verified chain may carry the pin."""
    up = start_upstream("with_intermediate")
    middle = certs.Certificate(certificates.folder / "middle2.pem", "unused")
    for pin in (certificates.root.pin(), middle.pin()):
        gate = start_dotgate(up.spelling("upstream.test", f"pin={pin}"))
        assert client.is_good(gate.ask("a.example.test"), "a.example.test")


@pytest.mark.parametrize("auth", ["", "auth=pin"])
def test_pin_of_a_stray_certificate_does_not_count(certificates, start_upstream, start_dotgate,
                                                   auth):
    """Anybody can send the pinned certificate along, without its key."""
    good, pinned = certificates.get("valid"), certificates.get("valid_other_key")
    chain = certificates.folder / "stray.chain.pem"
    chain.write_bytes(good.chain.read_bytes() + pinned.chain.read_bytes())
    up = start_upstream(context=server_context(certs.Certificate(chain, good.key)))
    words = [f"pin={pinned.pin()}", auth] if auth else [f"pin={pinned.pin()}"]
    refused(start_dotgate(up.spelling("upstream.test", *words)), up, "tls_pin")
    assert no_query_left(up)


@pytest.mark.parametrize("detail", ["on", "off"])
def test_clients_hear_the_address_only_if_the_operator_wants_it(start_upstream, start_dotgate,
                                                                detail):
    up = start_upstream("expired")
    gate = start_dotgate(up, env={"DOTGATE_EDE_DETAIL": detail})
    r = gate.ask("secret.example.test")
    assert client.rcode(r) == "SERVFAIL"
    text = client.ede(r)[1]
    assert (text == "tls_cert_expired") == (detail == "off"), text
    assert (str(up.port) in text) == (detail == "on"), text
    assert str(up.port) in gate.wait_log(".*reason=tls_cert_expired.*")[0]


def test_clients_hear_no_address_by_default(start_upstream, start_dotgate):
    up = start_upstream()
    up.close()
    gate = start_dotgate(up, env={"DOTGATE_EDE_DETAIL": ""})
    r = gate.ask("secret.example.test")
    assert client.ede(r) == (23, "dial_refused")
