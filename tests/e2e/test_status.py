"""dotgate status: the state of the upstreams of a running daemon."""
import json
import re

import pytest

import client
import dotgate


@pytest.fixture
def control(tmp_path):
    return str(tmp_path / "control")


def status(control, *words):
    done = dotgate.command("status", *words, "--control", control)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_status_of_a_good_upstream(start_upstream, start_dotgate, control):
    up = start_upstream()
    gate = start_dotgate(up, env={"DOTGATE_CONTROL": control})
    for i in range(5):
        assert client.is_good(gate.ask(f"s{i}.example.test"), f"s{i}.example.test")
    text = status(control)
    assert text.startswith(up.spelling())
    for line in (r"state +up since 20\d\d-", rf"address +127.0.0.1:{up.port}$",
                 r"tls +TLSv1\.3 TLS_\w+, since", r"certificate +ends 20", r"last error +none",
                 r"round trip +p50 \d+\.\d ms, p95", r"queries +0 in flight, 5 answered",
                 r"connections +1 ready, 0 on the way, opened 1 in full and 0 resumed"):
        assert re.search(line, text, re.MULTILINE), (line, text)
    one = json.loads(status(control, "--json"))["upstreams"][0]
    assert one["upstream"] == up.spelling() and one["state"] == "up" and one["authenticated"]
    assert one["answered"] == 5 and one["connections"] == 1 and one["last_error"] is None
    assert one["tls"].startswith("TLSv1.3") and one["rtt_p50_ms"] > 0


def test_status_says_what_is_wrong(start_upstream, start_dotgate, control):
    up = start_upstream("expired")
    gate = start_dotgate(up, "plain://127.0.0.1:9", env={"DOTGATE_CONTROL": control})
    gate.ask("a.example.test")
    text = status(control)
    assert re.search(r"state +DOWN since", text) and "tls_cert_expired" in text
    first, second = json.loads(status(control, "--json"))["upstreams"]
    assert first["state"] == "down" and first["last_error"].startswith("tls_cert_expired")
    assert "have it renewed" in first["last_error"] and first["closed"]["tls_cert_expired"] >= 1
    assert not second["authenticated"]


def test_status_needs_a_daemon(control):
    done = dotgate.command("status", "--control", control)
    assert done.returncode == 1 and "no daemon answers" in done.stderr


def test_status_with_a_wrong_word(start_upstream, start_dotgate, control):
    start_dotgate(start_upstream(), env={"DOTGATE_CONTROL": control})
    done = dotgate.command("status", "everything", "--control", control)
    assert done.returncode == 2 and "status [--json]" in done.stderr
