"""upstream: a small DNS-over-TLS server with a throw-away CA, for `make demo` and `make image-check`.

It answers each A question with 192.0.2.1, each AAAA question with 2001:db8::1 and anything else
with an empty NOERROR. What it needs is in Python's standard library, and openssl(1).
"""
import os
import socket
import ssl
import struct
import subprocess
import threading

NAME = "upstream.test"
A, AAAA = 1, 28
ADDRESSES = {
    A: socket.inet_pton(socket.AF_INET, "192.0.2.1"),
    AAAA: socket.inet_pton(socket.AF_INET6, "2001:db8::1"),
}
TTL = 60
HEADER = 12


def openssl(*arguments):
    subprocess.run(("openssl",) + arguments, check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)


def make_certificates(folder):
    """Writes ca.pem, and cert.pem with key.pem for NAME and 127.0.0.1. They are good for a day."""
    path = lambda name: os.path.join(folder, name)
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")

    openssl("req", "-x509", *key, "-days", "1", "-subj", "/CN=throw-away CA",
            "-keyout", path("ca.key"), "-out", path("ca.pem"),
            "-addext", "basicConstraints=critical,CA:TRUE",
            "-addext", "keyUsage=critical,keyCertSign")
    openssl("req", *key, "-subj", "/CN=" + NAME, "-keyout", path("key.pem"),
            "-out", path("cert.csr"))
    with open(path("cert.ext"), "w") as out:
        out.write(f"subjectAltName=DNS:{NAME},IP:127.0.0.1\nextendedKeyUsage=serverAuth\n")
    openssl("x509", "-req", "-in", path("cert.csr"), "-CA", path("ca.pem"),
            "-CAkey", path("ca.key"), "-CAcreateserial", "-days", "1",
            "-extfile", path("cert.ext"), "-out", path("cert.pem"))


def answer(query):
    """The response to a message with one question."""
    end = HEADER
    while query[end]:
        end += 1 + query[end]
    end += 5
    kind = struct.unpack("!H", query[end - 4:end - 2])[0]
    data = ADDRESSES.get(kind)
    header = query[:2] + struct.pack("!5H", 0x8180, 1, 1 if data else 0, 0, 0)
    record = b""
    if data:
        record = struct.pack("!HHHIH", 0xC00C, kind, 1, TTL, len(data)) + data
    return header + query[HEADER:end] + record


class Upstream:
    """Serves on 127.0.0.1 from threads of its own; `connections` and `queries` count."""

    def __init__(self, folder, port=0):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(os.path.join(folder, "cert.pem"),
                                     os.path.join(folder, "key.pem"))
        self.context.set_alpn_protocols(["dot"])
        self.listener = socket.create_server(("127.0.0.1", port))
        self.port = self.listener.getsockname()[1]
        self.connections = self.queries = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            with self.context.wrap_socket(connection, server_side=True) as tls:
                self.connections += 1
                stream = tls.makefile("rb")
                while len(length := stream.read(2)) == 2:
                    query = stream.read(struct.unpack("!H", length)[0])
                    response = answer(query)
                    self.queries += 1
                    tls.sendall(struct.pack("!H", len(response)) + response)
        except (OSError, IndexError):
            pass  # the client left, or sent what is no question
