"""Runs dotgate for a test, and sees that it ends as it should."""
import os
import re
import resource
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import client
from ports import free_port

ROOT = Path(__file__).resolve().parents[2]
BINARY = os.environ.get("DOTGATE_BIN", str(ROOT / "build" / "dotgate"))

START_SECONDS = 20
END_SECONDS = 15

# What a sanitizer says when it has found something.
SANITIZER = re.compile(r"ERROR: \w+Sanitizer|WARNING: \w+Sanitizer|runtime error:"
                       r"|SUMMARY: \w+Sanitizer")

def environment(extra=None):
    """Ours, without what could configure dotgate."""
    env = {k: v for k, v in os.environ.items()
           if not k.startswith(("DOTGATE_", "DNSSERVER", "JOURNAL_", "NOTIFY_"))}
    env.setdefault("ASAN_OPTIONS", "detect_leaks=1")
    env.setdefault("UBSAN_OPTIONS", "print_stacktrace=1")
    # the names of these tests are under .test, which dotgate would answer itself
    env["DOTGATE_SPECIAL_NAMES"] = "off"
    # what went wrong is seen from outside
    env["DOTGATE_EDE_DETAIL"] = "on"
    env.update(extra or {})
    return env


def command(*args, env=None, timeout=20, **more):
    """Runs dotgate to its end: exit code, stdout, stderr."""
    done = subprocess.run([BINARY, *map(str, args)], env=environment(env), text=True,
                          capture_output=True, timeout=timeout, **more)
    assert not SANITIZER.search(done.stderr), done.stderr
    return done


class Dotgate:
    """A running daemon at `address`:`port`."""

    def __init__(self, folder, *args, address="127.0.0.1", port=None, workers=1, env=None,
                 http=False, files=None, prefix=(), wait=True):
        self.address, self.port = address, port or free_port(address)
        self.log_path = Path(folder) / f"dotgate-{self.port}.log"
        listen = f"[{address}]" if ":" in address else address
        argv = [*prefix, BINARY, "--listen", f"{listen}:{self.port}", "--log-level", "info"]
        if workers:
            argv += ["--workers", workers]
        if http:
            self.http_port = free_port()
            argv += ["--http", f"127.0.0.1:{self.http_port}"]
        argv += args

        def limit():
            if files:
                resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))

        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(list(map(str, argv)), stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL,
                                            env=environment({"DOTGATE_CONTROL": "off", **(env or {})}),
                                            preexec_fn=limit)
        self.ended = False
        if wait:
            self._wait_until_bound()

    def _wait_until_bound(self):
        """A header without a question is answered FORMERR, and asks no upstream."""
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise RuntimeError(f"dotgate ended ({self.process.returncode}): {self.log()}")
            try:
                if client.udp_raw(self.address, self.port, b"\x12\x34" + bytes(10), 0.2):
                    return
            except OSError:
                pass
            time.sleep(0.02)
        raise RuntimeError(f"dotgate does not serve: {self.log()}")

    # ---- asking

    def udp(self, q, timeout=client.PATIENCE):
        data = client.udp_raw(self.address, self.port, client.as_wire(q), timeout)
        return None if data is None else client.parse(data)

    def tcp(self, q, timeout=client.PATIENCE):
        with self.stream(timeout) as s:
            return s.ask(q)

    def ask(self, name, rtype="A", **more):
        """Over UDP with EDNS. The seconds it took are in `.seconds` of this object."""
        start = time.monotonic()
        r = self.udp(client.query(name, rtype, **more))
        self.seconds = time.monotonic() - start
        return r

    def stream(self, timeout=client.PATIENCE):
        return client.Stream(self.address, self.port, timeout)

    def burst(self, names, timeout=client.PATIENCE):
        return client.burst(self.address, self.port, names, timeout)

    # ---- looking

    def log(self):
        return self.log_path.read_text(errors="replace")

    def wait_log(self, pattern, seconds=8):
        """The first match in the log, as soon as it is there."""
        end = time.monotonic() + seconds
        while True:
            found = re.search(pattern, self.log())
            if found:
                return found
            assert time.monotonic() < end, f"{pattern!r} is not in the log:\n{self.log()}"
            time.sleep(0.05)

    def get(self, path):
        """Status and body of a page of the HTTP port."""
        url = f"http://127.0.0.1:{self.http_port}{path}"
        try:
            with urllib.request.urlopen(url, timeout=5) as page:
                return page.status, page.read().decode()
        except urllib.error.HTTPError as e:
            return e.code, e.read().decode()

    def metrics(self):
        """{'name{label="value",...}': number}"""
        status, text = self.get("/metrics")
        assert status == 200
        rows = (line.rsplit(" ", 1) for line in text.splitlines()
                if line and not line.startswith("#"))
        return {name: float(value) for name, value in rows}

    def metric(self, name, **labels):
        """The sum of all rows of NAME that have these labels."""
        wanted = [f'{k}="{v}"' for k, v in labels.items()]
        return sum(value for row, value in self.metrics().items()
                   if row.split("{")[0] == name and all(w in row for w in wanted))

    def rss_kib(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1])

    def cpu_seconds(self):
        stat = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")

    # ---- ending

    def signal(self, sig):
        self.process.send_signal(sig)

    def wait(self, seconds=END_SECONDS):
        return self.process.wait(seconds)

    def stop(self):
        """TERM; it must leave with 0 in time, and without a word of a sanitizer."""
        if self.ended:
            return
        self.ended = True
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        try:
            code = self.wait()
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"dotgate did not end on TERM:\n{self.log()}") from None
        log = self.log()
        assert not SANITIZER.search(log), log
        assert code == 0, f"exit code {code}:\n{log}"

    def kill(self):
        """For tests that have failed: no check, no process left."""
        self.ended = True
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def need(*tools):
    """The names of TOOLS that are not installed."""
    return [t for t in tools if not shutil.which(t)]
