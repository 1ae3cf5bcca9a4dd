"""Ports to listen at, which nobody else takes meanwhile."""
import os
import re
import socket

# Below those that the kernel gives to connections (so that an upstream which is down finds its
# port free when it comes back), a part of the range for each process of pytest-xdist.
PORT_FIRST, PORTS = 20000, 1000
_next = [0]


def free_port(address="127.0.0.1"):
    """A port that is free for UDP and TCP."""
    worker = int(re.sub(r"\D", "", os.environ.get("PYTEST_XDIST_WORKER", "0")) or 0)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    if not _next[0]:
        _next[0] = os.getpid()
    for _ in range(PORTS):
        _next[0] += 1
        port = PORT_FIRST + worker * PORTS + _next[0] % PORTS
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as u, \
                    socket.socket(family, socket.SOCK_STREAM) as t:
                u.bind((address, port))
                t.bind((address, port))
                return port
        except OSError:
            continue
    raise RuntimeError("no free port")
