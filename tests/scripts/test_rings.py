"""What the rings come to: skips in CI, and the last line."""
import re
import subprocess
import sys

import pytest

import tally
from conftest import SCRIPTS


def skipping():
    """A ring that skips."""
    return tally.Tally(passed=1, skips=[("test_x::test_a", "no nsd")])


ALLOWED = [("skipping", "test_x::*")]


@pytest.mark.parametrize("ci, allowed, failed", [("true", [], 1), ("true", ALLOWED, 0),
                                                 ("", [], 0), ("", ALLOWED, 0)])
def test_a_skip_fails_in_ci_unless_it_is_listed(check, monkeypatch, capsys, ci, allowed, failed):
    monkeypatch.setenv("CI", ci)
    counts = check.run_ring(skipping, allowed)
    assert (counts.passed, counts.failed, counts.skipped) == (1, failed, 1)
    out = capsys.readouterr().out
    assert "test_x::test_a (no nsd)" in out and ("not in tests/skips.txt" in out) == (not allowed)


def test_a_ring_without_tests_has_failed(check):
    def empty():
        """Nothing is in it."""
        return tally.Tally()

    assert check.run_ring(empty, []).failed == 1


def test_what_is_skipped_whole_in_ci_fails(check, monkeypatch):
    def image():
        """An image that cannot be built."""
        return tally.Tally(skips=[("image-check", "no buildah")])

    monkeypatch.setenv("CI", "true")
    assert check.run_ring(image, []).failed == 1


def test_the_last_line(check):
    done = subprocess.run((sys.executable, SCRIPTS / "check", "layers"), capture_output=True, text=True)
    assert re.fullmatch(r"\d+ passed, 0 failed, 0 skipped", done.stdout.splitlines()[-1])


def test_in_ci_the_large_rings_run_when_their_files_have_changed(check, monkeypatch):
    def chosen(files):
        monkeypatch.setattr(check.changed, "changed_files", lambda: files)
        return [ring.__name__ for ring in check.choose(["--ci"]) if ring not in check.DAILY]

    assert chosen(["README.md", "tests/sim/query.c"]) == []
    assert chosen(["src/cache/cache.c"]) == ["image"]
    assert chosen(["src/net/tls.c"]) == ["image", "trixie"]
    assert chosen(["Makefile"]) == ["trixie"]
    assert chosen(["Dockerfile"]) == ["image"]
    assert chosen(None) == ["image", "trixie"]


@pytest.mark.parametrize("version, outcome", [("14.0.6", "1 passed, 0 failed, 0 skipped"),
                                              ("19.1.7", "0 passed, 0 failed, 1 skipped")])
def test_only_the_tools_of_one_release_judge(check, monkeypatch, tmp_path, version, outcome):
    tool = tmp_path / "clang-tidy"
    tool.write_text(f"#!/bin/sh\necho 'Debian LLVM version {version}'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert str(check.judged("judged", "clang-tidy", ["true"])) == outcome


def test_a_judge_that_finds_something_fails(check, monkeypatch):
    monkeypatch.setattr(check, "run", lambda name, command: 1)
    monkeypatch.setattr(check, "JUDGES", {"sh": ""})
    monkeypatch.setattr(check.subprocess, "run", lambda *a, **k: type("Done", (), {"stdout": "v 1.0"}))
    assert str(check.judged("judged", "sh", ["false"])) == "0 passed, 1 failed, 0 skipped"
