"""Two network namespaces joined by a cable, with a witness of every packet on it.

`inner` is where dotgate runs: its only way out, the default route, is the cable. `outer` plays
the rest of the world: whatever dotgate sends anywhere arrives there and is written down.
"""
import contextlib
import ctypes
import os
import socket
import struct
import subprocess
import threading
import time

CLONE_NEWNET = 0x40000000
ETH_P_ALL = 3
PACKET_OUTGOING = 4
INNER, OUTER = "10.77.0.1", "10.77.0.2"

libc = ctypes.CDLL(None, use_errno=True)


def ip(*args):
    subprocess.run(["ip", *args], check=True, capture_output=True, text=True)


class Packet:
    """Of a TCP or UDP packet: proto, (source, port), (destination, port)."""

    def __init__(self, data):
        self.kind = struct.unpack("!H", data[12:14])[0]
        self.proto = self.source = self.destination = None
        if self.kind == 0x0800:
            start, self.proto = 14 + (data[14] & 15) * 4, data[23]
            source, destination = data[26:30], data[30:34]
        elif self.kind == 0x86DD:
            start, self.proto = 54, data[20]
            source, destination = data[22:38], data[38:54]
        else:
            return
        if self.proto not in (socket.IPPROTO_TCP, socket.IPPROTO_UDP):
            return
        family = socket.AF_INET if len(source) == 4 else socket.AF_INET6
        ports = struct.unpack("!2H", data[start:start + 4])
        self.source = (socket.inet_ntop(family, source), ports[0])
        self.destination = (socket.inet_ntop(family, destination), ports[1])

    def __repr__(self):
        return f"{self.source} > {self.destination} ({self.proto})"


class Witness:
    """Everything that passes one interface of the namespace it is made in."""

    def __init__(self, interface):
        self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.sock.bind((interface, 0))
        self.sock.settimeout(0.1)
        self.seen, self.stopping = [], False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.stopping:
            try:
                data, address = self.sock.recvfrom(65535)
            except OSError:  # nothing yet, or the interface is down
                continue
            if address[2] != PACKET_OUTGOING or address[0] == "lo":
                self.seen.append(Packet(data))

    def packets(self):
        """TCP and UDP packets so far; the rest is the kernel's own talk (ARP, ICMPv6)."""
        time.sleep(0.3)
        return [p for p in self.seen if p.source]

    def close(self):
        self.stopping = True
        self.thread.join()
        self.sock.close()


class Network:
    def __init__(self):
        self.inner, self.outer = (f"dotgate-{os.getpid()}-{side}" for side in "io")
        self.made = []
        try:
            self._make()
            with self.inside(self.inner):
                self.loopback = Witness("lo")
            with self.inside(self.outer):
                self.cable = Witness("out")
        except Exception:
            self.close()
            raise

    def _make(self):
        for name in (self.inner, self.outer):
            ip("netns", "add", name)
            self.made.append(name)
            ip("-n", name, "link", "set", "lo", "up")
        ip("-n", self.inner, "link", "add", "in", "type", "veth", "peer", "name", "out",
           "netns", self.outer)
        for name, link, address in ((self.inner, "in", INNER), (self.outer, "out", OUTER)):
            ip("-n", name, "address", "add", f"{address}/24", "dev", link)
            ip("-n", name, "link", "set", link, "up")
        ip("-n", self.inner, "route", "add", "default", "via", OUTER)

    @contextlib.contextmanager
    def inside(self, name):
        """What the calling thread opens or starts meanwhile is in that namespace."""
        with open("/proc/thread-self/ns/net") as here, open(f"/run/netns/{name}") as there:
            self._enter(there)
            try:
                yield
            finally:
                self._enter(here)

    @staticmethod
    def _enter(file):
        if libc.setns(file.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")

    def close(self):
        for witness in (getattr(self, "loopback", None), getattr(self, "cable", None)):
            if witness:
                witness.close()
        for name in self.made:
            subprocess.run(["ip", "netns", "delete", name], capture_output=True)
