"""A test CA, and certificates that are good or wrong in one way each, by the openssl command."""
import base64
import hashlib
import subprocess
from pathlib import Path

# The name that the good certificate has, and that tests configure.
NAME = "upstream.test"

CONFIG = """
[ca]
default_ca = test
[test]
dir = {folder}
database = $dir/index.txt
new_certs_dir = $dir
rand_serial = yes
unique_subject = no
default_md = sha256
policy = any
copy_extensions = none
[any]
commonName = optional
[req]
distinguished_name = empty
prompt = no
[empty]
"""

# UTC times for openssl ca. The CAs outlive them all.
LONG_AGO, PAST = "20200101000000Z", "20210304050607Z"
FUTURE, FAR_FUTURE = "20480203040506Z", "20491231235959Z"

SERVER = {"basicConstraints": "critical,CA:FALSE", "extendedKeyUsage": "serverAuth"}
AUTHORITY = {"basicConstraints": "critical,CA:TRUE", "keyUsage": "critical,keyCertSign,cRLSign"}


def san(*names):
    return {**SERVER, "subjectAltName": ",".join(names)}


class Certificate:
    """Files: the chain that a server sends, and its key."""

    def __init__(self, chain, key):
        self.chain, self.key = Path(chain), Path(key)

    def pin(self):
        """sha256/... of the public key."""
        der = run("x509", "-in", self.chain, "-pubkey", "-noout")
        der = run("pkey", "-pubin", "-outform", "DER", stdin=der)
        return "sha256/" + base64.b64encode(hashlib.sha256(der).digest()).decode()


def run(*args, stdin=None):
    done = subprocess.run(["openssl", *map(str, args)], input=stdin, capture_output=True)
    if done.returncode:
        raise RuntimeError(f"openssl {args[0]}: {done.stderr.decode()}")
    return done.stdout


class Certificates:
    """All certificates of the suite, in FOLDER; `get(case)` is one of CASES."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.config = self.folder / "openssl.cnf"
        self.config.write_text(CONFIG.format(folder=self.folder))
        (self.folder / "index.txt").touch()
        self.made = {}
        self.root = self._issue("root", AUTHORITY, subject="dotgate test root")
        self.ca_file = self.root.chain

    def get(self, case):
        if case not in self.made:
            self.made[case] = CASES[case](self)
        return self.made[case]

    def ca_dir(self):
        """A folder of CA certificates with the hashed names that OpenSSL looks for."""
        folder = self.folder / "hashed"
        if not folder.exists():
            folder.mkdir()
            (folder / "root.pem").write_bytes(self.ca_file.read_bytes())
            run("rehash", folder)
        return folder

    def _key(self, name, rsa_bits=None):
        key = self.folder / f"{name}.key"
        if rsa_bits:
            run("genrsa", "-out", key, rsa_bits)
        else:
            run("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256",
                "-out", key)
        return key

    def _issue(self, name, extensions, issuer=None, subject=NAME, start=LONG_AGO,
               end=FAR_FUTURE, send=(), rsa_bits=None):
        """A certificate from ISSUER, or self-signed. SEND: those that go with it."""
        key = self._key(name, rsa_bits)
        request, out = self.folder / f"{name}.csr", self.folder / f"{name}.pem"
        extfile = self.folder / f"{name}.ext"
        extfile.write_text("".join(f"{k} = {v}\n" for k, v in extensions.items()))
        run("req", "-new", "-config", self.config, "-key", key, "-subj", f"/CN={subject}",
            "-out", request)
        sign = ["-selfsign", "-keyfile", key]
        if issuer:
            sign = ["-cert", issuer.folder_certificate, "-keyfile", issuer.key]
        run("ca", "-batch", "-notext", "-config", self.config, *sign, "-in", request,
            "-extfile", extfile, "-startdate", start, "-enddate", end, "-out", out)
        chain = self.folder / f"{name}.chain.pem"
        chain.write_bytes(out.read_bytes() + b"".join(c.chain.read_bytes() for c in send))
        made = Certificate(chain, key)
        made.folder_certificate = out
        return made

    def leaf(self, name, extensions, **more):
        return self._issue(name, extensions, more.pop("issuer", self.root), **more)


def missing_intermediate(c):
    middle = c.leaf("middle", AUTHORITY, subject="dotgate test intermediate")
    return c.leaf("missing_intermediate", san(f"DNS:{NAME}"), issuer=middle)


def with_intermediate(c):
    middle = c.leaf("middle2", AUTHORITY, subject="dotgate test intermediate 2")
    return c.leaf("with_intermediate", san(f"DNS:{NAME}"), issuer=middle, send=[middle])


def issued_by_leaf(c):
    end = c.leaf("end_entity", san(f"DNS:{NAME}"), subject="an end entity")
    return c.leaf("issued_by_leaf", san(f"DNS:{NAME}"), issuer=end, send=[end])


def unknown_ca(c):
    other = c._issue("other_root", AUTHORITY, subject="another root")
    return c.leaf("unknown_ca", san(f"DNS:{NAME}"), issuer=other, send=[other])


def client_only(c):
    return c.leaf("client_only", {**san(f"DNS:{NAME}"), "extendedKeyUsage": "clientAuth"})


CASES = {
    "valid": lambda c: c.leaf("valid", san(f"DNS:{NAME}")),
    "valid_other_key": lambda c: c.leaf("valid_other_key", san(f"DNS:{NAME}")),
    "ip": lambda c: c.leaf("ip", san("IP:127.0.0.1"), subject="no name at all"),
    "wildcard": lambda c: c.leaf("wildcard", san("DNS:*.example.test"), subject="wildcard"),
    "with_intermediate": with_intermediate,
    "expired": lambda c: c.leaf("expired", san(f"DNS:{NAME}"), end=PAST),
    "not_yet_valid": lambda c: c.leaf("not_yet_valid", san(f"DNS:{NAME}"), start=FUTURE),
    "wrong_name": lambda c: c.leaf("wrong_name", san("DNS:other.test")),
    "cn_only": lambda c: c.leaf("cn_only", SERVER, subject=NAME),
    "broad_wildcard": lambda c: c.leaf("broad_wildcard", san("DNS:*.test"), subject="broad"),
    "star": lambda c: c.leaf("star", san("DNS:*"), subject="star"),
    "self_signed": lambda c: c._issue("self_signed", san(f"DNS:{NAME}")),
    "unknown_ca": unknown_ca,
    "missing_intermediate": missing_intermediate,
    "issued_by_leaf": issued_by_leaf,
    "client_only": client_only,
    "rsa_1024": lambda c: c.leaf("rsa_1024", san(f"DNS:{NAME}"), rsa_bits=1024),
}
