"""rig: processes, CPU time and memory of a server under test, and the upstream behind it."""
import json
import os
import signal
import socket
import subprocess
import tempfile
import time

from servers import SERVERS, Place

START_SECONDS = 20


def free_port():
    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        tcp.bind(("127.0.0.1", 0))
        port = tcp.getsockname()[1]
        udp.bind(("127.0.0.1", port))
        return port


def pin(cpu):
    """For a child: on this CPU if there are two, and in a group of its own."""
    def prepare():
        os.setsid()
        cpus = sorted(os.sched_getaffinity(0))
        if len(cpus) > 1:
            os.sched_setaffinity(0, {cpus[cpu]})
    return prepare


def end(process):
    """Ends the group that we started."""
    for sig in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sig)
        except ProcessLookupError:
            pass
        try:
            process.wait(5)
            return
        except subprocess.TimeoutExpired:
            continue


def make_certificates(folder):
    """A CA, and a certificate for upstream.test."""
    def openssl(*args):
        subprocess.run(["openssl", *args], cwd=folder, check=True, capture_output=True)

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2",
            "-subj", "/CN=bench CA")
    openssl("req", *key, "-keyout", "up.key", "-out", "up.csr", "-subj", "/CN=upstream.test")
    with open(os.path.join(folder, "ext"), "w", encoding="ascii") as f:
        f.write("subjectAltName=DNS:upstream.test\n")
    openssl("x509", "-req", "-in", "up.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
            "-CAcreateserial", "-out", "up.pem", "-days", "2", "-extfile", "ext")


def pids_of_group(group):
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                if os.getpgid(int(entry)) == group:
                    yield int(entry)
            except ProcessLookupError:
                continue


class Rig:
    """One server before one upstream; both end with the `with`."""

    def __init__(self, name, files, tools, dotgate, delay_ms=0, close_after=0, ttl=3600):
        self.name, self.tools = name, tools
        self.folder = tempfile.TemporaryDirectory(prefix="dotgate-bench-")
        self.port, upstream_port = free_port(), free_port()
        self.log = open(os.path.join(self.folder.name, "log"), "wb")
        self.upstream = self._start(
            [os.path.join(tools, "upstream"), str(upstream_port),
             os.path.join(files, "up.pem"), os.path.join(files, "up.key"), str(delay_ms),
             str(close_after), str(ttl)], 1)
        place = Place(self.folder.name, self.port, upstream_port,
                      os.path.join(files, "ca.pem"), tools, dotgate)
        time.sleep(0.1)
        self.server = self._start(SERVERS[name][0](place), 0)

    def _start(self, argv, cpu):
        env = dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin")
        env = {k: v for k, v in env.items() if not k.startswith("DOTGATE_")}
        return subprocess.Popen(argv, stdout=self.log, stderr=self.log,
                                stdin=subprocess.DEVNULL, preexec_fn=pin(cpu), env=env)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end(self.server)
        end(self.upstream)
        self.log.close()
        self.folder.cleanup()

    def wait_ready(self):
        query = bytes.fromhex("ab5a01000001000000000000") + b"\5ready\5bench\0\0\1\0\1"
        deadline = time.monotonic() + START_SECONDS
        with socket.socket(type=socket.SOCK_DGRAM) as s:
            s.settimeout(0.5)
            while time.monotonic() < deadline:
                if self.server.poll() is not None:
                    return False
                try:
                    s.sendto(query, ("127.0.0.1", self.port))
                    answer = s.recv(2048)
                    if answer[:2] == query[:2] and not answer[3] & 15:
                        return True
                except OSError:
                    time.sleep(0.05)
        return False

    def load(self, names, count, seconds, window=0, qps=0, seed=1):
        argv = [os.path.join(self.tools, "flood"), self.port, names, count, seconds, window,
                qps, seed]
        done = subprocess.run([str(a) for a in argv], capture_output=True, check=True,
                              preexec_fn=pin(1), timeout=seconds + 30)
        return json.loads(done.stdout)

    def cpu_seconds(self):
        total = 0
        for pid in pids_of_group(self.server.pid):
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as f:
                    total += int(f.read().split()[0])
        return total / 1e9

    def rss_kib(self):
        total = 0
        for pid in pids_of_group(self.server.pid):
            with open(f"/proc/{pid}/status", encoding="ascii") as f:
                total += sum(int(line.split()[1]) for line in f if line.startswith("VmRSS"))
        return total

    def measured(self, *args, **how):
        """The load, with what it cost the server."""
        before = self.cpu_seconds()
        result = self.load(*args, **how)
        cpu, seconds = self.cpu_seconds() - before, max(result["seconds"], 0.001)
        result["cpu_us"] = cpu * 1e6 / max(result["answered"], 1)
        result["cpu_percent"] = 100 * cpu / seconds
        result["qps"] = result["answered"] / seconds
        return result
