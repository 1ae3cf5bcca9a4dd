"""Fixtures: certificates made once, dotgate and upstreams that end with the test."""
import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import certs  # noqa: E402
import dotgate  # noqa: E402
import upstream  # noqa: E402


def pytest_collection_modifyitems(config, items):
    if not os.access(dotgate.BINARY, os.X_OK):
        raise pytest.UsageError(f"{dotgate.BINARY} is missing: build it, or set DOTGATE_BIN")


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    return certs.Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def start_upstream(certificates):
    """start_upstream("expired", on_query=...) -> Upstream"""
    running = []

    def start(case="valid", **how):
        up = upstream.Upstream(certificates.get(case), **how)
        running.append(up)
        return up

    yield start
    for up in running:
        up.close()


@pytest.fixture
def start_dotgate(certificates, tmp_path):
    """start_dotgate(upstream or spelling, ..., options=[...]) -> Dotgate, trusting the
    suite's CA. After the test each must end well on TERM."""
    running = []

    def start(*upstreams, options=(), ca=True, **how):
        args = ["--ca-file", certificates.ca_file] if ca else []
        for up in upstreams:
            args += ["--upstream", up if isinstance(up, str) else up.spelling()]
        server = dotgate.Dotgate(tmp_path, *args, *options, **how)
        running.append(server)
        return server

    yield start
    errors = []
    for server in running:
        try:
            server.stop()
        except AssertionError as e:
            errors.append(e)
        finally:
            server.kill()
    if errors:
        raise errors[0]


@pytest.fixture
def pair(start_upstream, start_dotgate):
    """A good upstream and a dotgate in front of it."""
    up = start_upstream()
    return up, start_dotgate(up)


@pytest.fixture
def served(start_upstream, start_dotgate):
    """served(on_query=...) -> (upstream, dotgate)"""

    def start(options=(), **how):
        dotgate_how = {k: how.pop(k) for k in ("workers", "http", "files") if k in how}
        up = start_upstream(**how)
        return up, start_dotgate(up, options=options, **dotgate_how)

    return start
