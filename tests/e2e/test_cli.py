"""The words: command line, environment, file; what is wrong is said so that it helps."""
import os
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import pytest

import client
import dotgate
from dotgate import command

NAME = Path("/proc/self/comm").read_text().strip()
UP = "tls://127.0.0.1:853#upstream.test"


def fails(*args, says=(), code=2, **more):
    """It ends at once with CODE, with one short message that holds all of SAYS."""
    done = command(*args, **more)
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    assert done.stderr.startswith("dotgate: ") and done.stderr.count("\n") <= 3
    for word in says:
        assert word in done.stderr, done.stderr
    return done.stderr


def effective(*args, **more):
    """{word: [values]} of check -T."""
    done = command("check", "-T", *args, **more)
    assert done.returncode == 0, done.stderr
    out = {}
    for line in done.stdout.splitlines():
        word, value = line.split(None, 1)
        out.setdefault(word, []).append(value)
    return out


@pytest.fixture
def conf(tmp_path):
    def write(text, name="dotgate.conf"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


# ---- help and version

@pytest.mark.parametrize("word", ["--help", "-h", "help"])
def test_help_fits_one_screen(word):
    done = command(word)
    lines = done.stdout.splitlines()
    assert done.returncode == 0 and not done.stderr
    assert len(lines) <= 24 and max(map(len, lines)) <= 80
    for option in ("--listen", "--upstream", "--config", "--ca-file", "check"):
        assert option in done.stdout


@pytest.mark.parametrize("word", ["--version", "-V", "version"])
def test_version(word):
    done = command(word)
    assert done.returncode == 0
    assert done.stdout.startswith("dotgate ") and "OpenSSL 3" in done.stdout


def test_help_in_spite_of_a_broken_file(conf):
    assert command("--help", "--config", conf("rubbish\n")).returncode == 0


# ---- unknown words

@pytest.mark.parametrize("args, says", [
    (["chekc"], ["chekc", "'check'"]),
    (["--upstraem", UP], ["--upstraem", "--upstream"]),
    (["check", "--worker", "1"], ["--worker", "--workers"]),
    (["check", "--frobnicate"], ["--frobnicate"]),
    (["check", "-x"], ["x"]),
    (["1.1.1.1"], ["1.1.1.1", "--upstream"]),
    (["check", "--log-level", "inof"], ["inof", "info"]),
    (["check", "--upstream", UP + " pim=x"], ["pim", "pin"]),
])
def test_unknown_word(args, says):
    fails(*args, says=says)


@pytest.mark.parametrize("args, says", [
    (["--workers", "0"], ["--workers", "0"]),
    (["--workers", "many"], ["--workers", "many"]),
    (["--workers", "99999999999999999999"], ["--workers"]),
    (["--query-timeout", "5 parsecs"], ["--query-timeout"]),
    (["--query-timeout", "0"], ["--query-timeout"]),
    (["--tls-min", "1.1"], ["--tls-min", "1.2"]),
    (["--listen", "127.0.0.1:0"], ["--listen"]),
    (["--listen", "127.0.0.1:99999"], ["--listen", "99999"]),
    (["--listen", "example.test"], ["--listen", "example.test"]),
    (["--listen", "300.1.1.1"], ["--listen", "300.1.1.1"]),
    (["--http", "somewhere"], ["--http", "somewhere"]),
    (["--listen"], ["--listen"]),
    (["--config", "/nonexistent/x.conf"], ["/nonexistent/x.conf", "No such file"]),
    (["--ca-file", "/nonexistent/ca.pem", "--upstream", UP], ["/nonexistent/ca.pem"]),
    (["--upstream", UP, "--upstream", UP], ["already"]),
    (["--upstream", ""], ["--upstream"]),
])
def test_bad_value(args, says):
    fails("check", *args, says=says)


# ---- spellings of upstreams

PIN = "sha256/" + 43 * "A" + "="


@pytest.mark.parametrize("text, canonical", [
    ("tls://1.1.1.1:853#name.test", "tls://1.1.1.1#name.test"),
    ("tls://1.1.1.1", "tls://1.1.1.1"),
    ("1.1.1.1", "tls://1.1.1.1"),
    ("1.1.1.1#name.test", "tls://1.1.1.1#name.test"),
    ("1.1.1.1@853#name.test", "tls://1.1.1.1#name.test"),
    ("1.1.1.1@8853#name.test", "tls://1.1.1.1:8853#name.test"),
    ("1.1.1.1:853#name.test", "tls://1.1.1.1#name.test"),
    ("tls://1.1.1.1%name.test:853", "tls://1.1.1.1#name.test"),
    ("tcp-tls:1.1.1.1:853#name.test", "tls://1.1.1.1#name.test"),
    ("tls://name.test addr=1.1.1.1", "tls://1.1.1.1#name.test"),
    ("tls://[2606:4700::1111]:853#name.test", "tls://[2606:4700::1111]#name.test"),
    ("2606:4700::1111@853#name.test", "tls://[2606:4700::1111]#name.test"),
    ("2606:4700::1111", "tls://[2606:4700::1111]"),
    ("[2606:4700::1111]:8853#name.test", "tls://[2606:4700::1111]:8853#name.test"),
    ("tls://1.1.1.1#name.test pin=" + PIN, "tls://1.1.1.1#name.test pin=" + PIN),
    ("tls://1.1.1.1#name.test auth=none", "tls://1.1.1.1#name.test auth=none"),
    ("sdns://AwAAAAAAAAAADTEuMS4xLjE6ODUzIAAPbmFtZS50ZXN0", None),
])
def test_spellings(text, canonical):
    if canonical is None:
        done = command("check", "--upstream", text)
        assert done.returncode in (0, 2) and (done.returncode == 0 or "stamp" in done.stderr)
        return
    once = effective("--upstream", text)["upstream"]
    assert once == [canonical]
    assert effective("--upstream", once[0])["upstream"] == once


@pytest.mark.parametrize("text, says", [
    ("udp://1.1.1.1", "plain"),
    ("tcp://1.1.1.1", "plain"),
    ("https://dns.test/dns-query", "HTTPS"),
    ("quic://1.1.1.1", "QUIC"),
    ("tls://1.1.1.1:0", "port"),
    ("tls://1.1.1.1:853:853", ""),
    ("tls://1.1.1.1#a.test#b.test", ""),
    ("tls://0.0.0.0#a.test", ""),
    ("tls://224.0.0.1#a.test", ""),
    ("tls://[::1#a.test", ""),
    ("tls://1.1.1.1#a.test pin=sha256/short", "pin"),
    ("tls://1.1.1.1#a.test auth=pin", "pin"),
    ("tls://1.1.1.1#a.test auth=maybe", "auth"),
    ("tls://1.1.1.1#-bad-.test", ""),
])
def test_bad_spellings(text, says):
    fails("check", "--upstream", text, says=["--upstream", says])


# ---- where words come from

def test_command_line_over_environment_over_file(conf):
    path = conf("workers 3\nquery-timeout 3s\ntls-min 1.3\n" + f"upstream {UP}\n")
    env = {"DOTGATE_CONFIG": str(path), "DOTGATE_WORKERS": "4", "DOTGATE_QUERY_TIMEOUT": "4s"}
    got = effective("--workers", "5", env=env)
    assert got["workers"] == ["5"] and got["query-timeout"] == ["4s"]
    assert got["tls-min"] == ["1.3"] and got["upstream"] == ["tls://127.0.0.1#upstream.test"]


def test_lists_are_replaced(conf):
    path = conf("upstream tls://192.0.2.1\nupstream tls://192.0.2.2\n")
    got = effective("--config", path, env={"DOTGATE_UPSTREAM": "192.0.2.3;192.0.2.4"})
    assert got["upstream"] == ["tls://192.0.2.3", "tls://192.0.2.4"]


def test_dnsserver():
    assert effective(env={"DNSSERVER": "192.0.2.8"})["upstream"] == ["tls://192.0.2.8"]
    both = {"DNSSERVER": "192.0.2.8", "DOTGATE_UPSTREAM": "192.0.2.9"}
    assert effective(env=both)["upstream"] == ["tls://192.0.2.9"]
    fails("check", env={"DNSSERVER": "udp://192.0.2.8"}, says=["DNSSERVER"])


def test_unknown_variable():
    fails("check", env={"DOTGATE_UPSTRAEM": UP}, says=["DOTGATE_UPSTRAEM", "DOTGATE_UPSTREAM"])
    fails("check", env={"DOTGATE_WORKERS": "x"}, says=["DOTGATE_WORKERS"])


def test_kubernetes_variables_are_no_error():
    env = {"DOTGATE_SERVICE_HOST": "10.0.0.1", "DOTGATE_PORT": "udp://10.0.0.1:53",
           "DOTGATE_PORT_53_UDP": "udp://10.0.0.1:53"}
    assert effective(env=env)


def test_round_trip(conf):
    """What check -T prints gives the same again."""
    port, http = dotgate.free_port(), dotgate.free_port()
    args = ["--listen", f"127.0.0.1:{port}", "--listen", f"[::1]:{port}", "--upstream",
            f"tls://192.0.2.1:8853#a.test pin={PIN} tls-min=1.3", "--upstream",
            "tls://192.0.2.2 auth=none", "--query-timeout", "1500ms", "--workers", "2",
            "--http", f"127.0.0.1:{http}", "--tls-min", "1.3", "--drain-timeout", "1m",
            "--log-level", "debug"]
    first = command("check", "-T", *args).stdout
    again = command("check", "-T", "--config", conf(first)).stdout
    assert first == again and "8853" in first and "1500ms" in first


# ---- the file

@pytest.mark.parametrize("text, place", [
    ("upstraem x\n", ":1:1:"),
    (f"# comment\n\nupstream {UP}\n  workers   zero\n", ":4:13:"),
    (f"upstream {UP}\nworkers 1\nworkers 2\n", ":3:1:"),
    ("workers\n", ":1:1:"),
    (f"upstream tls://1.1.1.1#a.test pin=x\n", ":1:35:"),
    ("include nowhere.conf\n", ":1:"),
    ("workers 1\x01\n", ":1:10:"),
])
def test_error_in_file_has_its_place(conf, text, place):
    path = conf(text)
    fails("check", "--config", path, says=[f"{path}{place}"])


def test_comments_and_includes(conf, tmp_path):
    (tmp_path / "conf.d").mkdir()
    conf("workers 7 # behind a blank\n", "conf.d/a.conf")
    path = conf(f"# at the start\nupstream {UP}   # a comment\ninclude conf.d/*.conf\n")
    got = effective("--config", path)
    assert got["upstream"] == ["tls://127.0.0.1#upstream.test"] and got["workers"] == ["7"]


def test_include_of_itself(conf, tmp_path):
    path = conf("include dotgate.conf\n")
    fails("check", "--config", path, says=["includes itself"])


def test_file_that_is_no_text(conf, tmp_path):
    path = tmp_path / "noise"
    path.write_bytes(bytes(range(256)) * 100)
    fails("check", "--config", path, says=[str(path)])
    fails("check", "--config", tmp_path, says=[str(tmp_path)])


# ---- what is found at start

def start(*args, **more):
    return command("--listen", f"127.0.0.1:{dotgate.free_port()}", "--upstream", UP, *args,
                   **more)


@pytest.mark.parametrize("content", [b"", b"not a certificate\n",
                                     b"-----BEGIN CERTIFICATE-----\nAAAA\n"
                                     b"-----END CERTIFICATE-----\n"])
def test_ca_file_without_certificates(tmp_path, content):
    path = tmp_path / "ca.pem"
    path.write_bytes(content)
    for done in (start("--ca-file", path), command("check", "--ca-file", path, "-u", UP)):
        assert done.returncode == 2 and str(path) in done.stderr, done.stderr


def test_ca_file_missing():
    done = start("--ca-file", "/nonexistent/ca.pem")
    assert done.returncode == 2
    assert "/nonexistent/ca.pem" in done.stderr and "No such file" in done.stderr


def test_ca_dir_missing():
    done = start("--ca-dir", "/nonexistent")
    assert done.returncode == 2 and "/nonexistent" in done.stderr


@pytest.mark.parametrize("command", ["run", "check"])
@pytest.mark.parametrize("held", ["127.0.0.1", "0.0.0.0"])
@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_port_in_use(kind, held, command):
    with socket.socket(socket.AF_INET, kind) as sock:
        port = dotgate.free_port()
        sock.bind((held, port))
        if kind == socket.SOCK_STREAM:
            sock.listen()
        text = fails(command, "--listen", f"127.0.0.1:{port}", "--upstream", UP,
                     says=[f"127.0.0.1:{port}", f"another program, {NAME} (process {os.getpid()})"])
        assert ("UDP" in text) == (kind == socket.SOCK_DGRAM)


def test_second_dotgate_on_the_same_port(pair):
    _, gate = pair
    fails("--listen", f"127.0.0.1:{gate.port}", "--upstream", UP, says=[str(gate.port)])
    assert client.is_good(gate.ask("still.example.test"), "still.example.test")


@pytest.mark.parametrize("command", ["run", "check"])
def test_http_port_in_use(command):
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
        fails(command, "--http", f"127.0.0.1:{port}", "--listen",
              f"127.0.0.1:{dotgate.free_port()}", "-u", UP, says=["http", f"127.0.0.1:{port}"])


@pytest.mark.parametrize("command", ["run", "check"])
def test_listeners_that_overlap(command):
    port = dotgate.free_port()
    fails(command, "-l", f"0.0.0.0:{port}", "-l", f"127.0.0.1:{port}", "-u", UP,
          says=["--listen", f"0.0.0.0:{port}", f"127.0.0.1:{port}", "leave out one"])


@pytest.fixture
def deep(tmp_path):
    """A folder whose path is as long as a configured one may be, but for a short name."""
    folder = tmp_path
    while len(str(folder)) < 490:
        folder = folder / ("d" * min(200, 499 - len(str(folder))))
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize("words, says", [
    (["--ca-file", "{}/none"], "ca-file {}/none: No such file"),
    (["--ca-dir", "{}/none"], "ca-dir {}/none: No such file"),
    (["-u", UP + " ca-file={}/none"], "ca-file {}/none: No such file"),
    (["-u", UP + " cert={}/none"], "cert {}/none: No such file"),
    (["--config", "{}/none"], "cannot read {}/none: No such file"),
    (["--config", "{}/loop"], "{}/loop:1:9: {}/loop includes itself"),
    (["--config", "{}/bad"], "{}/bad:2:1: workers is given twice (first in {}/bad:1:1)"),
    (["{}/bad"], "'{}/bad'"),
])
@pytest.mark.parametrize("command", ["run", "check"])
def test_long_paths_are_told_whole(deep, command, words, says):
    (deep / "loop").write_text("include loop\n")
    (deep / "bad").write_text("workers 1\nworkers 1\n")
    words = [w.replace("{}", str(deep)) for w in words]
    up = [] if "-u" in words else ["-u", UP]
    fails(command, "--listen", f"127.0.0.1:{dotgate.free_port()}", *up, *words,
          says=[says.replace("{}", str(deep))])


@pytest.mark.parametrize("command", ["run", "check"])
def test_address_of_nobody(command):
    fails(command, "--listen", "192.0.2.77:9999", "--upstream", UP, says=["192.0.2.77"])


def test_check_beside_the_running_daemon(served):
    """Its ports are in use, but by the daemon whose place the next one takes. It goes on."""
    _, gate = served(http=True)
    words = ["--listen", f"127.0.0.1:{gate.port}", "--http", f"127.0.0.1:{gate.http_port}"]
    done = command("check", *words, "-u", UP)
    assert done.returncode == 0 and not done.stderr, done.stderr
    assert client.is_good(gate.ask("still.example.test"), "still.example.test")


@pytest.mark.parametrize("command", ["run", "check"])
@pytest.mark.parametrize("library, words", [
    ("libmicrohttpd.so.12", ["--http", "127.0.0.1:1"]),
    ("libpsl.so.5", ["--policy", "shard"]),
])
def test_missing_library(tmp_path, library, words, command):
    """An empty file in front of it on the path of the libraries is no library."""
    for name in (library, library.rsplit(".", 1)[0]):
        (tmp_path / name).touch()
    fails(command, *words, "--listen", f"127.0.0.1:{dotgate.free_port()}", "-u", UP, "-u",
          UP + "2", env={"LD_LIBRARY_PATH": str(tmp_path)}, says=[library.split(".")[0], "install"])


@pytest.mark.parametrize("words, says", [
    (["--cache-file", "{}/none/x"], "cache-file {}/none/x: its folder: No such file"),
    (["--cache-file", "{}/file/x"], "cache-file {}/file/x: its folder: Not a directory"),
    (["--cache-file", "{}"], "cache-file {}: is a folder"),
    (["--addresses-file", "{}/none/x"], "addresses-file {}/none/x: its folder: No such file"),
    (["--control", "{}/none/x"], "control {}/none/x: its folder: No such file"),
    (["--control", "{}/file"], "control {}/file: is there, and is no socket"),
    (["--control", "/" + 108 * "x"], "at most 107 characters"),
])
def test_check_finds_what_cannot_be_used(tmp_path, words, says):
    (tmp_path / "file").touch()
    words = [w.replace("{}", str(tmp_path)) for w in words]
    done = command("check", "--listen", f"127.0.0.1:{dotgate.free_port()}", "-u", UP, *words)
    assert done.returncode == 2 and says.replace("{}", str(tmp_path)) in done.stderr, done.stderr
    assert not done.stdout


@pytest.mark.parametrize("command", ["run", "check"])
def test_more_cache_than_memory(command):
    def little_memory():
        resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))

    if b"__asan_init" in Path(dotgate.BINARY).read_bytes():
        pytest.skip("a sanitizer needs more memory than can be limited")
    fails(command, "--listen", f"127.0.0.1:{dotgate.free_port()}", "-u", UP, "--cache-size", "16G",
          code=1 if command == "run" else 2, says=["lower cache-size"], preexec_fn=little_memory)


def test_missing_folder_is_logged(start_upstream, start_dotgate, deep):
    """The daemon serves, and says at the start that it will not be able to save."""
    gate = start_dotgate(start_upstream(), options=["--cache-file", f"{deep}/n/x"])
    gate.wait_log(f"warning cache-file {deep}/n/x: its folder: No such file or directory\n")


def test_without_ipv6(start_dotgate):
    """What is left out is not announced."""
    if os.getuid() != 0:
        pytest.skip("a network of its own needs root")
    port = dotgate.free_port()
    network = ("ip link set lo up; echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6; "
               f'{dotgate.BINARY} check -u {UP} -l 127.0.0.1:{port} -l "[::1]:{port}"; exec "$@"')
    gate = start_dotgate(UP, port=port, options=["--listen", f"[::1]:{port}"], wait=False,
                         prefix=["unshare", "-n", "sh", "-c", network, "sh"])
    gate.wait_log("is ready")
    log = gate.log()
    assert f" listening on 127.0.0.1:{port}" in log and "dotgate: OK: " in log
    assert log.count(f"not listening on [::1]:{port}") == 2, "once by check, once by run"
    assert log.count(f" listening on [::1]:{port}") == 2, "no line but these two"


# ---- health

def test_health(pair):
    up, gate = pair
    done = command("health", "--listen", f"127.0.0.1:{gate.port}")
    assert done.returncode == 0 and not up.queries
    done = command("health", "--listen", f"127.0.0.1:{dotgate.free_port()}")
    assert done.returncode == 1 and done.stderr


def test_health_asks_the_daemon_where_it_listens(start_upstream, start_dotgate, tmp_path):
    """The arguments of a daemon are not known to its health check."""
    control = {"DOTGATE_CONTROL": str(tmp_path / "control")}
    other = dotgate.free_port()
    gate = start_dotgate(start_upstream(), options=["--listen", f"127.0.0.1:{other}"], env=control)
    done = command("health", env=control)
    assert done.returncode == 0 and not done.stderr, done.stderr
    assert done.stdout == (f"dotgate: 127.0.0.1:{gate.port} answers\n"
                           f"dotgate: 127.0.0.1:{other} answers\n")
    # arguments of its own go before that
    assert command("health", "-l", f"127.0.0.1:{dotgate.free_port()}", env=control).returncode == 1


def test_health_asks_every_listener(pair):
    _, gate = pair
    dead = dotgate.free_port()
    for ports in (gate.port, dead), (dead, gate.port):
        done = command("health", *(f"--listen=127.0.0.1:{port}" for port in ports))
        assert done.returncode == 1 and f"127.0.0.1:{gate.port} answers" in done.stdout
        assert f"127.0.0.1:{dead}: is not served" in done.stderr


@pytest.mark.parametrize("how", ["nobody", "silent", "nonsense"])
def test_health_does_without_the_control_socket(pair, tmp_path, how):
    _, gate = pair
    env = {"DOTGATE_CONTROL": str(tmp_path / "control"),
           "DOTGATE_LISTEN": f"127.0.0.1:{gate.port}"}
    with socket.socket(socket.AF_UNIX) as server:
        if how != "nobody":
            server.bind(env["DOTGATE_CONTROL"])
            server.listen()
        if how == "nonsense":
            threading.Thread(target=lambda: server.accept()[0].sendall(b"ok\nsomewhere\n"),
                             daemon=True).start()
        done = command("health", env=env)
    assert done.returncode == 0 and f":{gate.port} answers" in done.stdout, done.stderr


def test_health_of_a_daemon_that_stands_still(start_upstream, start_dotgate, tmp_path):
    control = str(tmp_path / "control")
    gate = start_dotgate(start_upstream(), env={"DOTGATE_CONTROL": control})
    gate.signal(signal.SIGSTOP)
    try:
        done = command("health", env={"DOTGATE_CONTROL": control,
                                      "DOTGATE_LISTEN": f"127.0.0.1:{gate.port}"})
    finally:
        gate.signal(signal.SIGCONT)
    assert done.returncode == 1 and "does not answer" in done.stderr


# ---- runs with what a container gives it

def serves_and_ends(process, port):
    try:
        data = None
        for _ in range(50):
            try:
                data = client.udp_raw("127.0.0.1", port, client.query("c.test").to_wire(), 2)
                break
            except ConnectionRefusedError:
                time.sleep(0.1)
        assert data and client.is_good(client.parse(data), "c.test")
    finally:
        process.terminate()
        assert process.wait(dotgate.END_SECONDS) == 0


def test_closed_standard_streams(start_upstream, certificates):
    """No stdin, stdout, stderr: its sockets must not become them."""
    up, port = start_upstream(), dotgate.free_port()
    process = subprocess.Popen(
        ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", dotgate.BINARY, "--listen",
         f"127.0.0.1:{port}", "--upstream", up.spelling(), "--ca-file",
         str(certificates.ca_file)], env=dotgate.environment())
    serves_and_ends(process, port)


@pytest.fixture
def open_folder():
    """A folder that everybody may read, wherever the build and pytest's own folders lie."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


def test_not_root(start_upstream, certificates, open_folder):
    if os.getuid() != 0:
        pytest.skip("is the usual case then")
    binary = shutil.copy(dotgate.BINARY, open_folder / "dotgate")
    ca_file = shutil.copy(certificates.ca_file, open_folder)
    for path in (binary, ca_file):
        os.chmod(path, 0o755)
    up, port = start_upstream(), dotgate.free_port()
    process = subprocess.Popen(
        [binary, "--listen", f"127.0.0.1:{port}", "--upstream", up.spelling(),
         "--ca-file", ca_file], env=dotgate.environment(), user=65534,
        group=65534, extra_groups=[], stderr=subprocess.PIPE, text=True)
    serves_and_ends(process, port)


@pytest.mark.parametrize("spelling", ["tls://dns.google", "dns.google"])
def test_a_name_that_nobody_is_asked_for(spelling):
    done = command("check", "--upstream", spelling)
    assert done.returncode == 2
    assert "upstream tls://dns.google: nobody is asked for the address" in done.stderr
    assert "addr=" in done.stderr and "bootstrap" in done.stderr
