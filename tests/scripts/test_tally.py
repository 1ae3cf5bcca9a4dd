"""Counts of tests, and which may be skipped."""
import pytest

import tally

CMOCKA = """[==========] Running 2 test(s).
[ RUN      ] test_a
[  SKIPPED ] test_a
[ RUN      ] test_b
[       OK ] test_b
[==========] 2 test(s) run.
[  PASSED  ] 1 test(s).
[  SKIPPED ] 1 test(s), listed below:
[  SKIPPED ] test_a
"""

JUNIT = """<testsuites><testsuite errors="0" failures="1" skipped="1" tests="4">
<testcase classname="tests.e2e.test_x" name="test_a"/>
<testcase classname="tests.e2e.test_x" name="test_b[nsd]"><skipped message="no nsd"/></testcase>
</testsuite></testsuites>"""


def program(stdout, result="OK"):
    return tally.of_program({"name": "dotgate:unit / net/x", "stdout": stdout, "result": result})


def test_a_skip_inside_a_program_is_named():
    counts = program(CMOCKA)
    assert str(counts) == "1 passed, 0 failed, 1 skipped"
    assert counts.skips == [("net/x::test_a", "skip() in the test")]


def test_all_skipped_is_not_passed():
    counts = program("[  SKIPPED ] test_a\n[  PASSED  ] 0 test(s).\n")
    assert str(counts) == "0 passed, 0 failed, 1 skipped"


def test_a_program_that_dies_has_failed():
    assert str(program("[  PASSED  ] 1 test(s).", "TIMEOUT")) == "1 passed, 1 failed, 0 skipped"
    assert str(program("", "SKIP")) == "0 passed, 0 failed, 1 skipped"


def test_a_corpus_counts_its_inputs():
    assert program("message: 30 inputs\n").passed == 30


def test_junit(tmp_path):
    path = tmp_path / "report.xml"
    path.write_text(JUNIT)
    counts = tally.of_junit(path)
    assert str(counts) == "2 passed, 1 failed, 1 skipped"
    assert counts.skips == [("test_x::test_b[nsd]", "no nsd")]


def test_the_last_line_counts():
    text = "unit: 3 passed, 0 failed, 0 skipped (2 s)\n7 passed, 1 failed, 2 skipped\n"
    counts = tally.of_line(text)
    assert str(counts) == "7 passed, 1 failed, 2 skipped" and not counts.skips
    assert str(tally.of_line("7 passed, 1 failed")) == "7 passed, 1 failed, 0 skipped"
    assert tally.of_line("nothing") is None


def test_what_may_be_skipped(tmp_path):
    path = tmp_path / "skips.txt"
    path.write_text("# why\n\ne2e  test_x::test_b*  needs two suns\n")
    allowed = tally.read_allowed(path)
    assert tally.is_allowed(allowed, "e2e", "test_x::test_b[nsd]")
    assert not tally.is_allowed(allowed, "e2e_asan", "test_x::test_b[nsd]")
    assert not tally.is_allowed(allowed, "e2e", "test_y::test_b")
    path.write_text("e2e test_x::test_b\n")
    with pytest.raises(ValueError, match="skips.txt:1: no reason"):
        tally.read_allowed(path)
