"""servers: how each forwarder is started for the benchmark: its files and its command line.

Each function takes a Place (folder, ports, CA) and returns the command line. All forward over TLS
only, with the upstream's name checked against the test's CA, DNSSEC validation off, one thread.
"""
import os
import shutil


class Place:
    def __init__(self, folder, port, upstream_port, ca_file, tools, dotgate):
        self.folder, self.port, self.upstream_port = folder, port, upstream_port
        self.ca_file, self.tools, self.dotgate_path = ca_file, tools, dotgate

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="ascii") as f:
            f.write(text)
        return path


def floor(p):
    return [os.path.join(p.tools, "floor"), str(p.port)]


def dotgate(p):
    return [p.dotgate_path, "--listen", f"127.0.0.1:{p.port}", "--workers", "1",
            "--upstream", f"tls://127.0.0.1:{p.upstream_port}#upstream.test",
            "--ca-file", p.ca_file, "--control", "off"]


def unbound(p):
    conf = p.write("unbound.conf", f"""
server:
    interface: 127.0.0.1@{p.port}
    access-control: 127.0.0.0/8 allow
    do-daemonize: no
    do-not-query-localhost: no
    num-threads: 1
    num-queries-per-thread: 4096
    outgoing-range: 8192
    module-config: "iterator"
    msg-cache-size: 128m
    rrset-cache-size: 256m
    tls-cert-bundle: "{p.ca_file}"
    username: ""
    chroot: ""
    directory: "{p.folder}"
    pidfile: ""
    use-syslog: no
    logfile: ""
remote-control:
    control-enable: no
forward-zone:
    name: "."
    forward-tls-upstream: yes
    forward-addr: 127.0.0.1@{p.upstream_port}#upstream.test
""")
    return ["unbound", "-d", "-p", "-c", conf]


def dnsdist(p):
    conf = p.write("dnsdist.conf", f"""
setLocal("127.0.0.1:{p.port}")
s = newServer({{address="127.0.0.1:{p.upstream_port}", tls="openssl", subjectName="upstream.test",
  caStore="{p.ca_file}", validateCertificates=true, maxInFlight=1000}})
s:setUp()
getPool(""):setCache(newPacketCache(400000))
setSecurityPollSuffix("")
""")
    return ["dnsdist", "--supervised", "--disable-syslog", "-C", conf]


def knot_resolver(p):
    conf = p.write("kresd.conf", f"""
log_level('err')
net.listen('127.0.0.1', {p.port}, {{ kind = 'dns' }})
trust_anchors.remove('.')
cache.size = 200 * MB
policy.add(policy.all(policy.TLS_FORWARD({{
  {{ '127.0.0.1@{p.upstream_port}', hostname='upstream.test', ca_file='{p.ca_file}' }} }})))
""")
    return ["kresd", "-n", "-c", conf, p.folder]


def smartdns(p):
    conf = p.write("smartdns.conf", f"""
bind 127.0.0.1:{p.port}
server-tls 127.0.0.1:{p.upstream_port} -host-name upstream.test -tls-host-verify upstream.test
ca-file {p.ca_file}
cache-size 400000
cache-persist no
speed-check-mode none
dualstack-ip-selection no
prefetch-domain no
serve-expired no
log-level error
log-file {p.folder}/smartdns.log
""")
    return ["smartdns", "-f", "-c", conf, "-p", os.path.join(p.folder, "pid")]


def stubby(p):
    conf = p.write("stubby.yml", f"""
resolution_type: GETDNS_RESOLUTION_STUB
dns_transport_list:
  - GETDNS_TRANSPORT_TLS
tls_authentication: GETDNS_AUTHENTICATION_REQUIRED
tls_ca_file: "{p.ca_file}"
idle_timeout: 10000
listen_addresses:
  - 127.0.0.1@{p.port}
upstream_recursive_servers:
  - address_data: 127.0.0.1
    tls_port: {p.upstream_port}
    tls_auth_name: "upstream.test"
""")
    return ["stubby", "-C", conf]


# Name: how to start it, the program, its Debian package, and whether it has a cache.
SERVERS = {
    "floor": (floor, None, None, True),
    "dotgate": (dotgate, None, None, True),
    "unbound": (unbound, "unbound", "unbound", True),
    "dnsdist": (dnsdist, "dnsdist", "dnsdist", True),
    "knot-resolver": (knot_resolver, "kresd", "knot-resolver", True),
    "smartdns": (smartdns, "smartdns", "smartdns", True),
    "stubby": (stubby, "stubby", "stubby", False),
}


def is_there(name):
    program = SERVERS[name][1]
    path = os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin"
    return program is None or shutil.which(program, path=path) is not None
