"""Real name servers from Debian: unbound and nsd over TLS as upstreams, knot behind unbound; and
unbound beside dotgate, as a forwarder."""
import shutil
import socket
import subprocess
import time
from pathlib import Path

import dotgate

ZONE = """$ORIGIN example.test.
$TTL 300
@ SOA ns hostmaster 1 3600 600 86400 300
@ NS ns
ns A 192.0.2.1
www A 192.0.2.80
www AAAA 2001:db8::80
alias CNAME www
big TXT {big}
* A 192.0.2.42
"""

UNBOUND = """
server:
  interface: 127.0.0.1@{port}
  tls-port: {port}
  tls-service-key: {key}
  tls-service-pem: {chain}
  chroot: ""
  username: ""
  directory: {folder}
  pidfile: {folder}/unbound.pid
  use-syslog: no
  do-daemonize: no
  num-threads: 1
  module-config: "iterator"
  do-not-query-localhost: no
  access-control: 127.0.0.0/8 allow
  local-zone: test. nodefault
  local-zone: local.test. static
  local-data: "www.local.test. A 192.0.2.7"
  {more}
remote-control:
  control-enable: no
stub-zone:
  name: {domain}
  stub-addr: 127.0.0.1@{behind}
stub-zone:  # nobody else is ever asked
  name: "."
  stub-addr: 127.0.0.1@{behind}
"""

FORWARDER = """
server:
  interface: 127.0.0.1@{port}
  tls-cert-bundle: {ca}
  chroot: ""
  username: ""
  directory: {folder}
  pidfile: {folder}/unbound.pid
  use-syslog: no
  do-daemonize: no
  num-threads: 1
  module-config: "iterator"
  do-not-query-localhost: no
  access-control: 127.0.0.0/8 allow
  {more}
remote-control:
  control-enable: no
forward-zone:
  name: "."
  forward-tls-upstream: yes
  forward-addr: 127.0.0.1@{behind}#upstream.test
"""

NSD = """
server:
  ip-address: 127.0.0.1@{port}
  tls-port: {port}
  tls-service-key: {key}
  tls-service-pem: {chain}
  chroot: ""
  username: ""
  zonesdir: {folder}
  database: ""
  pidfile: {folder}/nsd.pid
  xfrdfile: {folder}/xfrd.state
  zonelistfile: {folder}/zone.list
  xfrdir: {folder}
  cookie-secret-file: {folder}/cookies
  logfile: {folder}/nsd.log
  server-count: 1
  {more}
remote-control:
  control-enable: no
zone:
  name: {domain}
  zonefile: {folder}/zone
"""

KNOT = """
server:
  rundir: {folder}
  listen: 127.0.0.1@{port}
log:
  - target: stderr
    any: warning
database:
  storage: {folder}
zone:
  - domain: {domain}
    file: {folder}/zone
    zonefile-sync: -1
    journal-content: none
    dnssec-signing: on
"""


class Server:
    """One of them, in the foreground, in FOLDER; WORDS fill the gaps of CONFIG."""

    def __init__(self, folder, program, config, flags, port=None, zone=None, **words):
        self.folder, self.port = Path(folder), port or dotgate.free_port()
        self.folder.mkdir(exist_ok=True)
        (self.folder / "zone").write_text(
            zone or ZONE.format(big=" ".join(f'"{c * 200}"' for c in "abcdefghij")))
        path = self.folder / "server.conf"
        words = {"more": "", "domain": "example.test", **words}
        path.write_text(config.format(folder=self.folder, port=self.port, **words))
        self.argv = [shutil.which(program) or f"/usr/sbin/{program}", *flags, "-c", str(path)]
        self.start()

    def start(self):
        self.log = open(self.folder / "log", "ab")
        self.process = subprocess.Popen(self.argv, stdout=self.log, stderr=self.log)
        end = time.monotonic() + 15
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > end:
                    self.stop()
                    text = (self.folder / "log").read_text(errors="replace")
                    raise RuntimeError(f"{self.argv[0]} does not start: {text}") from None
                time.sleep(0.05)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()

    def spelling(self):
        return f"tls://127.0.0.1:{self.port}#upstream.test"
