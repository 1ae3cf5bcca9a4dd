#!/usr/bin/python3
"""layers: holds the #includes of src/ to the layers (ARCHITECTURE.md).

    layers.py            the self-test, then src/
    layers.py FOLDER     only that folder

Prints one line for each fault, and "N passed, N failed" at the end.
"""
import os
import re
import sys
import tempfile

# Lowest first. A room may include from its own room and from lower layers; rooms that share a
# layer do not know each other.
LAYERS = [
    {"base"},
    {"dns"},
    {"net"},
    {"front", "upstream", "cache", "telemetry"},
    {"proxy"},
    {"forwarding"},
    {"admin"},
    {"daemon"},
    {"cli"},
    {"main"},
]
UPPER = LAYERS.index({"forwarding"})

# Known to the upper layers only, and know no more than the net and each other.
BESIDE = {"conf", "os"}
BESIDE_LAYER = 2

# The only file at the top, and its room.
TOP_FILES = {"main.c": "main"}

# A header of a library, and the beginnings of the only files that may include it.
LIBRARIES = {
    r"openssl/": {"net/tls.c", "net/tls_"},
    r"microhttpd\.h": {"admin/"},
    r"cmocka\.h": set(),
}

# Headers that are private to some files of their room: the parts of the OpenSSL adapter.
PRIVATE = {"net/tls_": "net/tls"}

# dns/ is pure: no input or output, no allocation, no clock.
IMPURE = re.compile(r"(sys/|netinet/|arpa/|unistd\.h|stdio\.h|stdlib\.h|time\.h|fcntl\.h|poll\.h"
                    r"|malloc\.h|pthread\.h|signal\.h)")

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"]*)"|<([^>]*)>|(.*))', re.MULTILINE)
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)


def room_of(path):
    """The room of a file of src/: its folder. A loose file at the top is in no room."""
    folder, slash, _ = path.partition("/")
    return folder if slash else TOP_FILES.get(path, path)


def layer_of(room):
    for number, rooms in enumerate(LAYERS):
        if room in rooms:
            return number
    return None


def may_include(room, other):
    if room == other:
        return True
    if other in BESIDE:
        return room in BESIDE or layer_of(room) >= UPPER
    layer = BESIDE_LAYER + 1 if room in BESIDE else layer_of(room)
    return layer_of(other) is not None and layer_of(other) < layer


def find(path, name, root):
    """The file that the compiler would take: beside PATH first, then from src/."""
    for folder in (os.path.dirname(path), ""):
        found = os.path.normpath(os.path.join(folder, name))
        if os.path.isfile(os.path.join(root, found)) and not found.startswith(".."):
            return found
    return None


def check_own(path, name, root):
    other = find(path, name, root)
    if not other:
        return f'{path}: "{name}" is no file of src/'
    for header, files in PRIVATE.items():
        if other.startswith(header) and not path.startswith(files):
            return f'{path}: "{name}" is private to {files}*'
    room, other_room = room_of(path), room_of(other)
    if not may_include(room, other_room):
        return f'{path}: {room} must not include "{other}" of {other_room}'
    return None


def check_foreign(path, header):
    for library, files in LIBRARIES.items():
        if re.match(library, header) and not any(path.startswith(name) for name in files):
            return f"{path}: <{header}> belongs to {' '.join(files) or 'tests'}"
    if room_of(path) == "dns" and IMPURE.match(header):
        return f"{path}: dns is pure, <{header}> is not"
    return None


def check_file(path, root):
    with open(os.path.join(root, path), encoding="utf-8") as file:
        text = COMMENT.sub("", file.read())
    if room_of(path) not in BESIDE and layer_of(room_of(path)) is None:
        return [f"{path}: in no layer (tests/layers.py)"]
    faults = []
    for own, foreign, rest in INCLUDE.findall(text):
        if rest:
            faults.append(f"{path}: #include {rest}: the name cannot be read")
        else:
            faults.append(check_own(path, own, root) if own else check_foreign(path, foreign))
    return [fault for fault in faults if fault]


def check_tree(root):
    """(number of files, faults)"""
    paths = sorted(os.path.relpath(os.path.join(folder, name), root)
                   for folder, _, names in os.walk(root) for name in names
                   if name.endswith((".c", ".h")))
    return len(paths), [fault for path in paths for fault in check_file(path, root)]


# ---- the self-test: a tree that is right, and one seeded fault at a time ----

RIGHT = {
    "base/log.h": "#include <stdio.h>\n",
    "base/version.h": "",
    "dns/name.h": '#include <string.h>\n#include "base/log.h"\n',
    "net/tls.h": '#include "base/log.h"\n',
    "net/tls.c": '#include "net/tls_peer.h"\n\n# include <openssl/ssl.h>\n',
    "net/tls_peer.h": "#include <openssl/ssl.h>\n",
    "net/loop.c": '#include "base/log.h"\n',
    "front/udp.h": '#include "dns/name.h"\n#include "net/tls.h"\n',
    "upstream/pool.h": '#include "net/tls.h"\n/* #include "front/udp.h" */\n',
    "telemetry/totals.c": '#include "base/log.h"\n#include "dns/name.h"\n',
    "conf/config.h": '#include "net/tls.h"\n',
    "os/cpu.h": '#include "conf/config.h"\n',
    "proxy/query.h": '#include "front/udp.h"\n#include "upstream/pool.h"\n',
    "forwarding/stub.c": '#include "upstream/pool.h"\n#include "conf/config.h"\n',
    "admin/http.c": '#include <microhttpd.h>\n#include "telemetry/totals.c"\n#include "base/version.h"\n',
    "daemon/worker.h": '#include "proxy/query.h"\n#include "conf/config.h"\n',
    "daemon/listeners.c": '#include "front/udp.h"\n#include "admin/http.c"\n',
    "cli/check.c": '#include "conf/config.h"\n#include "net/tls.h"\n',
    "cli/version.h": '#include "../base/version.h"\n',
    "main.c": '#include "daemon/worker.h"\n#include "os/cpu.h"\n#include "cli/version.h"\n',
}

WRONG = [
    ("base/log.h", '#include "dns/name.h"'),
    ("base/log.h", '#include "conf/config.h"'),
    ("dns/name.h", '#include "net/tls.h"'),
    ("dns/name.h", "#include <stdlib.h>"),
    ("dns/name.h", "#include <sys/socket.h>"),
    ("net/tls.h", '#include "upstream/pool.h"'),
    ("net/tls.h", "#include <openssl/ssl.h>"),
    ("net/tls.c", '#include "os/cpu.h"'),
    ("net/loop.c", '#include "net/tls_peer.h"'),
    ("net/loop.c", "#include <openssl/ssl.h>"),
    ("upstream/pool.h", '#include "net/tls_peer.h"'),
    ("front/udp.h", '#include "upstream/pool.h"'),
    ("front/udp.h", '#include "proxy/query.h"'),
    ("upstream/pool.h", "\t#\tinclude \"front/udp.h\""),
    ("upstream/pool.h", "#include <openssl/x509.h>"),
    ("upstream/pool.h", '#include "forwarding/stub.c"'),
    ("admin/http.c", '#include "daemon/worker.h"'),
    ("telemetry/totals.c", '#include "admin/http.c"'),
    ("telemetry/totals.c", '#include "upstream/pool.h"'),
    ("forwarding/stub.c", '#include "admin/http.c"'),
    ("forwarding/stub.c", "#include <microhttpd.h>"),
    ("proxy/query.h", '#include "daemon/worker.h"'),
    ("proxy/query.h", '#include "conf/config.h"'),
    ("proxy/query.h", "#include <microhttpd.h>"),
    ("conf/config.h", '#include "front/udp.h"'),
    ("os/cpu.h", '#include "proxy/query.h"'),
    ("daemon/worker.h", '#include "cli/check.c"'),
    ("cli/check.c", '#include "../main.c"'),
    ("base/log.h", '#include "../dns/name.h"'),
    ("main.c", '#include "log.h"'),
    ("main.c", "#include HEADER"),
    ("extra/room.h", '#include "base/log.h"'),
    ("loose.c", '#include "base/log.h"'),
]


def faults_of(files):
    with tempfile.TemporaryDirectory() as root:
        for path, text in files.items():
            os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                file.write(text)
        return check_tree(root)[1]


def self_test():
    """(number of cases, faults)"""
    found = ["self-test: " + fault for fault in faults_of(RIGHT)]
    for path, line in WRONG:
        faults = faults_of({**RIGHT, path: RIGHT.get(path, "") + line + "\n"})
        if len(faults) != 1 or not faults[0].startswith(path + ":"):
            found.append(f"self-test: {line} in {path} gives {faults}")
    return 1 + len(WRONG), found


def main():
    if len(sys.argv) > 1:
        results = [check_tree(sys.argv[1])]
    else:
        top = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        results = [self_test(), check_tree(os.path.join(top, "src"))]
    count = sum(number for number, _ in results)
    faults = [fault for _, found in results for fault in found]
    for fault in faults:
        print(fault)
    print(f"{max(count - len(faults), 0)} passed, {len(faults)} failed")
    sys.exit(1 if faults or not count else 0)


if __name__ == "__main__":
    main()
