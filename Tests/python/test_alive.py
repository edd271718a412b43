"""The fixture that detects unreleased C objects blames the test that created them, and no other."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from conftest import ROOT

TESTS = """
import argyle

kept = []

def new():
    return argyle.Client("id", "secret", base_url="http://127.0.0.1:1")

def fail_with_a_client():
    client = new()
    assert client is None

def test_fails():
    fail_with_a_client()

def test_after_a_failure():
    new().close()

def test_skips():
    import pytest
    client = new()
    pytest.skip("later")

def test_leaves_one():
    kept.append(new())

def test_frees_the_one_before():
    kept.clear()
    new().close()

def test_leaves_another():
    kept.append(new())

def test_fails_as_well():
    fail_with_a_client()

def test_at_the_end():
    kept.clear()
"""


def test_blame(tmp_path: Path) -> None:
    program = tmp_path / "test_program.py"
    program.write_text(TESTS)
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "conftest", "-p", "no:cacheprovider", "-q", "-rA", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT / "Tests" / "python")},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    outcomes = re.findall(r"^(PASSED|FAILED|ERROR) \S+::test_(\w+)", result.stdout, re.M)
    assert sorted(outcomes) == [
        ("ERROR", "leaves_another"),
        ("ERROR", "leaves_one"),
        ("FAILED", "fails"),
        ("FAILED", "fails_as_well"),
        ("PASSED", "after_a_failure"),
        ("PASSED", "at_the_end"),
        ("PASSED", "frees_the_one_before"),
        ("PASSED", "leaves_another"),
        ("PASSED", "leaves_one"),
    ], result.stdout
