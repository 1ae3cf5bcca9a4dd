"""The benchmark runs, and what it writes can be read."""
import json
import shutil
import subprocess
import sys
import xml.dom.minidom

import pytest

from dotgate import BINARY, ROOT


@pytest.mark.skipif(not shutil.which("gcc"), reason="gcc is not installed")
def test_bench(tmp_path):
    done = subprocess.run(
        [sys.executable, str(ROOT / "bench" / "bench.py"), "--dotgate", BINARY, "--servers",
         "floor,dotgate", "--scenarios", "hit,mixed", "--runs", "1", "--seconds", "1",
         "--out", str(tmp_path)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "results.json").read_text())
    for scenario in ("hit", "mixed"):
        row = results[scenario]["dotgate"]
        assert row["answered"] > 100 and row["failed"] == 0 and row["cpu_us"] > 0
        assert scenario in (tmp_path / "results.md").read_text()
    assert results["mixed"]["dotgate"]["nxdomain"] > 0
    xml.dom.minidom.parse(str(tmp_path / "results.svg"))


def test_a_server_that_is_not_there(tmp_path):
    done = subprocess.run(
        [sys.executable, str(ROOT / "bench" / "bench.py"), "--servers", "frobnicate",
         "--scenarios", "hit", "--out", str(tmp_path)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "frobnicate: not installed" in done.stderr


@pytest.mark.slow
def test_faults():
    done = subprocess.run([sys.executable, str(ROOT / "bench" / "faults.py"), "--only", "slow", BINARY],
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    head, _, row = [line.split("|") for line in done.stdout.splitlines() if line.startswith("|")]
    assert len(head) == len(row) and float(row[2]) > 50
