"""mirror: this machine's way to its Debian mirror, for a system of another suite in a folder."""
import glob
import os
import re
import subprocess

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def uris():
    """The Debian mirrors in apt's sources, of deb822 and one-line form; the security archive last."""
    found = []
    for name in glob.glob("/etc/apt/sources.list.d/*") + ["/etc/apt/sources.list"]:
        if not name.endswith((".sources", ".list")) or not os.path.exists(name):
            continue
        with open(name) as lines:
            for line in lines:
                if re.match(r"(URIs:|deb\s)", line):
                    found += re.findall(r"\S+://\S+/debian(?:-security)?/?(?=\s|$)", line)
    return list(dict.fromkeys(sorted(found, key=lambda uri: "security" in uri)))


def sources(suite):
    """The text of a file debian.sources that brings SUITE, its updates and its security fixes."""
    text = ""
    for uri in uris():
        suites = f"{suite}-security" if "security" in uri else f"{suite} {suite}-updates"
        text += (f"Types: deb\nURIs: {uri}\nSuites: {suites}\nComponents: main\n"
                 f"Signed-By: {KEYRING}\n\n")
    return text


def settings():
    """What this machine's apt is told about the way there, as the text of an apt.conf."""
    dump = subprocess.run(("apt-config", "dump"), check=True, stdout=subprocess.PIPE, text=True)
    wanted = re.compile(r"Acquire::(https?::|Check-|Retries)", re.IGNORECASE)
    return "".join(line + "\n" for line in dump.stdout.splitlines() if wanted.match(line))
