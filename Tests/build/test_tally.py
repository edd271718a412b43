"""The summary of Tests/run: every failure must be counted, and as a failure."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from conftest import ROOT, run

GOOD = '<testsuites><testsuite name="s"><testcase name="a"/><testcase name="b"/></testsuite></testsuites>'
BAD = '<testsuite><testcase name="a"><failure message="why"/></testcase><testcase name="b"/></testsuite>'
ERROR = '<testsuite><testcase name="a"><error message="why"/></testcase></testsuite>'
SKIPPED = '<testsuite><testcase name="a"><skipped/></testcase><testcase name="b"/></testsuite>'
TRUNCATED = '<testsuites><testsuite name="s"><testcase name="a">'
# How pytest reports a test that fails and whose fixtures' teardown fails too.
TWICE = """<testsuite>
  <testcase classname="Tests.python.test_x" name="test_a"><failure message="why"/></testcase>
  <testcase classname="Tests.python.test_x" name="test_a"><error message="left"/></testcase>
</testsuite>"""


def tally(*arguments: str | Path) -> tuple[list[str], int]:
    """Runs tally.py; returns the printed lines and the exit status."""
    result = run([sys.executable, ROOT / "Tests" / "tally.py", *arguments])
    assert result.stderr == ""
    return result.stdout.splitlines(), result.returncode


def write_part(directory: Path, *reports: str, status: int = 0) -> Path:
    """Creates the directory of a part."""
    directory.mkdir(parents=True)
    for number, report in enumerate(reports):
        (directory / f"{number}.xml").write_text(report)
    (directory / "status").write_text(f"{status}\n")
    return directory


@pytest.mark.parametrize(
    ("reports", "status", "passed", "failed"),
    [
        ([GOOD], 0, 2, 0),
        ([GOOD, GOOD], 0, 4, 0),
        ([BAD], 1, 1, 1),
        ([BAD, GOOD], 1, 3, 1),
        ([BAD, BAD], 1, 2, 2),
        ([ERROR], 1, 0, 1),
        ([TWICE], 1, 0, 1),
        ([SKIPPED], 0, 1, 1),
        # All tests passed, but then a leak was found.
        ([GOOD], 99, 2, 1),
        # A crash before and while the report is written.
        ([], 139, 0, 1),
        ([TRUNCATED], 139, 0, 1),
        # Success without tests.
        ([], 0, 0, 1),
        (["<testsuites/>"], 0, 0, 1),
    ],
)
def test_count(reports: list[str], status: int, passed: int, failed: int, tmp_path: Path) -> None:
    part = write_part(tmp_path / "suite-a" / "part", *reports, status=status)
    lines, exit_status = tally(tmp_path)
    assert lines[-1] == f"{passed} passed, {failed} failed"
    assert exit_status == (1 if failed else 0)
    # Listed once, followed by an empty line.
    assert sum("Tests/run suite-a/part" in line for line in lines) == min(failed, 1)
    assert lines[:-1] == [] or lines[-2] == ""
    lines, exit_status = tally("--part", part)
    assert lines[0] == f"    suite-a/part: {passed} passed, {failed} failed"
    assert sum("FAILED" in line for line in lines) == failed
    assert exit_status == (1 if failed else 0)


def test_seconds(tmp_path: Path) -> None:
    part = write_part(tmp_path / "suite" / "part", GOOD)
    (part / "seconds").write_text("12\n")
    assert tally("--part", part) == (["    suite/part: 2 passed, 0 failed (12 s)"], 0)


@pytest.mark.parametrize(
    ("attributes", "argument"),
    [
        ('name="a b"', "'suite/part::a b'"),
        (
            'classname="Tests.python.test_x" name="test_y[z.::z]"',
            "'suite/part::test_x.py::test_y[z.::z]'",
        ),
        ('classname="Tests.python.test_x.TestY" name="test_z"', "suite/part::test_x.py::TestY::test_z"),
        (
            f'classname="Tests.python.test_x" name="test_y[{"z" * 200}]"',
            "suite/part::test_x.py::test_y",
        ),
        ('classname="ArgyleTests.X" name="y(code:isUnknown:)"', "suite/part::ArgyleTests.X/y"),
        # pytest could not import a file.
        ('classname="" name="Tests.python.test_x"', "suite/part  # Tests.python.test_x"),
    ],
)
def test_command(attributes: str, argument: str, tmp_path: Path) -> None:
    report = f"<testsuite><testcase {attributes}><failure/></testcase></testsuite>"
    write_part(tmp_path / "suite" / "part", report)
    lines, _ = tally(tmp_path)
    assert lines == [
        "Failed tests, with the command to run each alone:",
        f"    Tests/run {argument}",
        "",
        "0 passed, 1 failed",
    ]


def test_suite_that_fails_outside_its_parts(tmp_path: Path) -> None:
    write_part(tmp_path / "install" / "suite", status=3)
    lines, _ = tally(tmp_path)
    assert lines[1] == "    Tests/run install  # exited with status 3, but reported no failed test"


def test_no_parts_is_a_failure(tmp_path: Path) -> None:
    assert tally(tmp_path) == (["0 passed, 0 failed"], 1)


def test_rounds(tmp_path: Path) -> None:
    rounds = [tmp_path / f"round-{number}" for number in range(1, 4)]
    for directory in rounds:
        write_part(directory / "suite" / "steady", GOOD, GOOD)
    assert tally("--rounds", *rounds) == (
        [*[f"round-{n}: 4 passed, 0 failed" for n in (1, 2, 3)], "", "4 passed, 0 failed"],
        0,
    )
    # Tests that fail in one round or in all, are missing from one, or are fewer with the same name; a part that crashes
    # in one round, and a part that is missing from one.
    for number, directory in enumerate(rounds, 1):
        suite = directory / "suite"
        write_part(suite / "failing", BAD if number == 2 else GOOD)
        write_part(suite / "always", ERROR)
        write_part(suite / "missing", GOOD if number == 2 else GOOD.replace("b", "a"))
        write_part(suite / "crashing", *([GOOD] if number != 1 else []), status=11 * (number == 1))
        if number != 3:
            write_part(suite / "absent", GOOD)
    lines, status = tally("--rounds", *rounds)
    assert lines == [
        "round-1: 10 passed, 2 failed",
        "round-2: 11 passed, 2 failed",
        "round-3: 10 passed, 1 failed",
        "",
        "Not passed in every round:",
        "    Tests/run suite/absent  # missing from round 3 of 3",
        "    Tests/run suite/always::a  # failed in rounds 1, 2, 3 of 3",
        "    Tests/run suite/crashing  # failed in round 1 of 3",
        "    Tests/run suite/crashing  # missing from round 1 of 3",
        "    Tests/run suite/failing::a  # failed in round 2 of 3",
        "    Tests/run suite/missing::a  # missing from round 2 of 3",
        "    Tests/run suite/missing::b  # missing from rounds 1, 3 of 3",
        "",
        "5 passed, 9 failed",
    ]
    assert status == 1
