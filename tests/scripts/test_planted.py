"""The faults that scripts/planted puts back can still be put back."""
import os
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def test_there_are_two():
    assert len(os.listdir(os.path.join(TOP, "tests", "sim", "random", "planted"))) >= 2


def test_they_can_be_put_back():
    done = subprocess.run([sys.executable, os.path.join(TOP, "scripts", "planted"), "--check"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
