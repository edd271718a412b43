"""The count at the end of Tests/run: nothing that went wrong may be counted as passed, or not at all."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from conftest import ROOT, run

GOOD = '<testsuites><testsuite name="s"><testcase name="a"/><testcase name="b"/></testsuite></testsuites>'
BAD = '<testsuite><testcase name="a"><failure message="why"/></testcase><testcase name="b"/></testsuite>'
ERROR = '<testsuite><testcase name="a"><error message="why"/></testcase></testsuite>'
SKIPPED = '<testsuite><testcase name="a"><skipped/></testcase><testcase name="b"/></testsuite>'
TORN = '<testsuites><testsuite name="s"><testcase name="a">'


@pytest.mark.parametrize(
    ("reports", "status", "passed", "failed"),
    [
        ([GOOD], "0", 2, 0),
        ([GOOD, GOOD], "0", 4, 0),
        ([BAD], "1", 1, 1),
        ([BAD, GOOD], "1", 3, 1),
        ([ERROR], "1", 0, 1),
        ([SKIPPED], "0", 1, 1),
        # All tests passed, and then the checker found a leak.
        ([GOOD], "99", 2, 1),
        # A crash before the report, and one within.
        ([], "139", 0, 1),
        ([TORN], "139", 0, 1),
        # It ended well, and ran nothing.
        ([], "0", 0, 1),
        (["<testsuites/>"], "0", 0, 1),
    ],
)
def test_count(reports: list[str], status: str, passed: int, failed: int, tmp_path: Path) -> None:
    part = tmp_path / "suite" / "part"
    part.mkdir(parents=True)
    for number, report in enumerate(reports):
        (part / f"{number}.xml").write_text(report)
    (part / "status").write_text(f"{status}\n")
    result = run([sys.executable, ROOT / "Tests" / "tally.py", tmp_path])
    assert result.stdout == f"{passed} passed, {failed} failed\n"
    assert result.returncode == (1 if failed else 0)
    result = run([sys.executable, ROOT / "Tests" / "tally.py", "--part", part])
    assert f"part: {passed} passed, {failed} failed" in result.stdout
    assert result.stdout.count("FAILED") == failed
    assert result.returncode == (1 if failed else 0)


def test_nothing_at_all_is_a_failure(tmp_path: Path) -> None:
    result = run([sys.executable, ROOT / "Tests" / "tally.py", tmp_path])
    assert (result.stdout, result.returncode) == ("0 passed, 0 failed\n", 1)
