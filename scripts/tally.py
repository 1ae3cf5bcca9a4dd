"""tally: counts of tests, read from what the runners of scripts/check wrote, and which may be skipped."""
import fnmatch
import json
import re
import xml.etree.ElementTree


class Tally:
    """How many passed, failed and were skipped; [(test, reason)] of the skips that are not yet
    shown and judged."""

    def __init__(self, passed=0, failed=0, skips=(), skipped=0):
        self.passed, self.failed, self.skips = passed, failed, list(skips)
        self.skipped = skipped + len(self.skips)

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.skips += other.skips

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def of_line(text):
    """The last "N passed, N failed[, N skipped]" of TEXT, or None."""
    found = re.findall(r"(\d+) passed, (\d+) failed(?:, (\d+) skipped)?", text)
    if not found:
        return None
    passed, failed, skipped = (int(number or 0) for number in found[-1])
    return Tally(passed, failed, skipped=skipped)


def of_program(test):
    """Of one test program in meson's log: cmocka's counts, or the inputs of a corpus."""
    text = test.get("stdout", "") + test.get("stderr", "")
    name = test["name"].split(" / ")[-1]
    passed, failed = (sum(map(int, re.findall(r"\[  %s  \] (\d+) test" % word, text)))
                      for word in ("PASSED", "FAILED"))
    passed += sum(map(int, re.findall(r": (\d+) inputs$", text, re.MULTILINE)))
    skips = sorted(set(re.findall(r"\[  SKIPPED \] ([A-Za-z_]\w*)$", text, re.MULTILINE)))
    skips = [(f"{name}::{skip}", "skip() in the test") for skip in skips]
    if test["result"] == "SKIP":
        return Tally(skips=[(name, "the program says so")])
    if test["result"] != "OK":
        return Tally(passed, max(failed, 1), skips)
    return Tally(passed if passed or skips else 1, 0, skips)


def of_meson_log(path):
    tally = Tally()
    with open(path) as log:
        for line in log:
            tally.add(of_program(json.loads(line)))
    return tally


def of_junit(path):
    tally = Tally()
    root = xml.etree.ElementTree.parse(path).getroot()
    for suite in root.iter("testsuite"):
        failed = int(suite.get("failures")) + int(suite.get("errors"))
        passed = int(suite.get("tests")) - failed - int(suite.get("skipped"))
        tally.add(Tally(max(passed, 0), failed))
    for case in root.iter("testcase"):
        for skip in case.iter("skipped"):
            name = f"{case.get('classname').split('.')[-1]}::{case.get('name')}"
            tally.add(Tally(skips=[(name, skip.get("message"))]))
    return tally


def read_allowed(path):
    """[(ring, test)], each a pattern as of a shell, of a file of lines "RING TEST REASON"."""
    allowed = []
    with open(path) as lines:
        for number, line in enumerate(lines, 1):
            words = line.split(None, 2)
            if not words or words[0].startswith("#"):
                continue
            if len(words) < 3:
                raise ValueError(f"{path}:{number}: no reason is given")
            allowed.append((words[0], words[1]))
    return allowed


def is_allowed(allowed, ring, test):
    return any(fnmatch.fnmatchcase(ring, r) and fnmatch.fnmatchcase(test, t) for r, t in allowed)
