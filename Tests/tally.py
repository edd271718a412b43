"""Counts tests from the JUnit reports that Tests/run collects.

A part is a directory of one runner: its reports (*.xml), its exit status (status) and its output (log).
A part that ran no test, or that ended badly without a report saying which test failed, counts as one failure;
so does a test that was skipped, for nothing here may be.

    tally.py --part DIRECTORY   tells about one part; exit status 1 where something failed
    tally.py DIRECTORY          tells the sum over DIRECTORY/*/*, as the line "N passed, N failed"
"""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Part:
    """What one runner reported."""

    passed: int = 0
    failures: list[str] = field(default_factory=list)


def read_part(directory: Path) -> Part:
    """Reads the reports of one part."""
    part = Part()
    for report in sorted(directory.glob("*.xml")):
        try:
            cases = list(ElementTree.parse(report).getroot().iter("testcase"))
        except ElementTree.ParseError as error:
            part.failures.append(f"{report.name} cannot be read: {error}")
            continue
        for case in cases:
            problems = [
                element for element in case if element.tag in ("failure", "error", "skipped")
            ]
            if not problems:
                part.passed += 1
                continue
            # Some names hold all that a test sends.
            name = " ".join(filter(None, [case.get("classname"), case.get("name")]))[:120]
            texts = [
                f"{problem.tag}: {problem.get('message') or ''} {problem.text or ''}".strip()
                for problem in problems
            ]
            part.failures.append("\n".join([name, *texts]))
    status = (directory / "status").read_text().strip()
    if status != "0" and not part.failures:
        part.failures.append(f"ended with status {status}, and no test says why")
    if part.passed == 0 and not part.failures:
        part.failures.append("ran no test")
    return part


def show_part(directory: Path) -> int:
    """Tells about one part, with the text of each failure."""
    part = read_part(directory)
    name = f"{directory.parent.name}/{directory.name}"
    print(f"    {name}: {part.passed} passed, {len(part.failures)} failed", flush=True)
    for failure in part.failures:
        print(f"    FAILED {failure}", flush=True)
    return 1 if part.failures else 0


def show_sum(reports: Path) -> int:
    """Tells the sum over all parts."""
    parts = [read_part(status.parent) for status in sorted(reports.glob("*/*/status"))]
    passed = sum(part.passed for part in parts)
    failed = sum(len(part.failures) for part in parts)
    print(f"{passed} passed, {failed} failed")
    return 0 if passed > 0 and failed == 0 else 1


def main(arguments: list[str]) -> int:
    """Does what the command line asks for."""
    if len(arguments) == 2 and arguments[0] == "--part":
        return show_part(Path(arguments[1]))
    if len(arguments) == 1:
        return show_sum(Path(arguments[0]))
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
