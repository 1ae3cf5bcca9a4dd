"""Which commits are to be checked: in a branch, on main, and where history is short."""
import os
import subprocess
import time

import pytest

import changed

HOUR = 3600


class Repository:
    def __init__(self, folder):
        self.folder = folder
        self.git("init", "-q", "-b", "main")

    def git(self, *words, when=None):
        names = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t",
                 "GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t"}
        if when:
            names["GIT_COMMITTER_DATE"] = names["GIT_AUTHOR_DATE"] = f"{int(when)} +0000"
        subprocess.run(("git", "-C", self.folder, *words), check=True, capture_output=True,
                       env={**os.environ, **names})

    def commit(self, file, hours_ago):
        (self.folder / file).write_text(file)
        self.git("add", ".")
        self.git("commit", "-qm", file, when=time.time() - hours_ago * HOUR)


@pytest.fixture
def repository(tmp_path, monkeypatch):
    monkeypatch.setattr(changed, "TOP", str(tmp_path))
    return Repository(tmp_path)


def test_on_main_the_last_hours_are_a_landing(repository):
    for file, hours_ago in (("old", 90), ("older landing", 30), ("a", 11), ("b", 0)):
        repository.commit(file, hours_ago)
    assert changed.changed_files() == ["a", "b"]


def test_a_branch_is_checked_from_where_it_left_main(repository):
    repository.commit("old", 90)
    repository.git("checkout", "-qb", "branch")
    repository.commit("a", 80)
    repository.commit("b", 1)
    repository.git("checkout", "-q", "main")
    repository.commit("main's", 1)
    repository.git("checkout", "-q", "branch")
    assert changed.changed_files() == ["a", "b"]


def test_what_is_not_committed_counts(repository):
    repository.commit("old", 90)
    repository.commit("a", 0)
    (repository.folder / "new").write_text("")
    (repository.folder / "old").write_text("other")
    assert changed.changed_files() == ["a", "new", "old"]


def test_without_history_there_is_no_telling(repository, tmp_path, monkeypatch):
    assert changed.changed_files() is None  # no commit at all
    repository.commit("a", 1)
    assert changed.changed_files() is None  # nothing before it, as in a shallow clone
    monkeypatch.setattr(changed, "TOP", str(tmp_path.parent))
    assert changed.changed_files() is None  # no repository
    monkeypatch.setenv("PATH", "")
    assert changed.changed_files() is None  # no git


def test_patterns():
    assert changed.touches(["README.md", "src/net/tls.c"], ["src/net/*"]) == "src/net/tls.c"
    assert changed.touches(["src/dns/name.c"], ["src/net/*", "Makefile"]) is None
    assert changed.touches([], ["*"]) is None
    assert changed.touches(None, ["Makefile"])
