"""The faults that scripts/planted puts back can still be put back."""
import glob
import os
import subprocess

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PATCHES = sorted(glob.glob(os.path.join(TOP, "tests", "sim", "random", "planted", "*.patch")))


def test_there_are_two():
    assert len(PATCHES) >= 2


@pytest.mark.parametrize("patch", PATCHES, ids=os.path.basename)
def test_it_applies(patch):
    done = subprocess.run(["git", "apply", "--check", patch], cwd=TOP, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
