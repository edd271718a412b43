"""Counts tests from the JUnit reports that Tests/run collects.

A part is the directory of one runner: its reports (*.xml), exit status (status), output (log) and duration in seconds
(seconds). A part that ran no tests, or that exited with an error without reporting a failed test, counts as one
failure. Tests must not be skipped, so a skipped test counts as failed.

    tally.py --part DIRECTORY      prints one part; exit status 1 if something failed
    tally.py DIRECTORY             prints the command for each failure in DIRECTORY/*/*, and "N passed, N failed"
    tally.py --rounds DIRECTORY…   prints the command for each test that failed in one of these directories or was
                                   missing from one, and "N passed, N failed"; to pass, a test must pass in each
"""

from __future__ import annotations

import shlex
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

# Longer names are shortened: some include everything that a test sends.
MAX_NAME_LENGTH = 200


@dataclass
class Part:
    """The results that one runner reported."""

    # The argument of Tests/run that runs this part.
    name: str
    # How many tests with each name passed.
    passed: Counter[str] = field(default_factory=Counter)
    # For each failure, the test's name, empty if it is not about a test, and the failure's text.
    failures: list[tuple[str, str]] = field(default_factory=list)

    def argument(self, test: str) -> str:
        """Returns the argument of Tests/run that runs a test of this part."""
        return f"{self.name}::{test}" if test else self.name


def test_name(case: ElementTree.Element) -> str:
    """Returns a test's name as its runner accepts it; empty if there is none, as when pytest cannot import a file."""
    group, name = case.get("classname"), case.get("name") or ""
    if group is None:
        # cmocka.
        return name
    words = group.split(".")
    file = next((number for number, word in enumerate(words) if word.startswith("test_")), None)
    if file is not None:
        return "::".join([f"{words[file]}.py", *words[file + 1 :], name])
    # Names of Swift tests end with their parameters.
    return f"{group}/{name.partition('(')[0]}" if group else ""


def shorten(name: str) -> str:
    """Shortens a name for display. Without its parameters, pytest runs a test with all of them."""
    return name if len(name) <= MAX_NAME_LENGTH else name.partition("[")[0][:MAX_NAME_LENGTH]


def read_part(directory: Path) -> Part:
    """Reads the reports of one part."""
    suite = directory.parent.name
    # "suite" is the suite's own work, such as building.
    part = Part(suite if directory.name == "suite" else f"{suite}/{directory.name}")
    for report in sorted(directory.glob("*.xml")):
        try:
            cases = list(ElementTree.parse(report).getroot().iter("testcase"))
        except ElementTree.ParseError as error:
            part.failures.append(("", f"cannot read {report.name}: {error}"))
            continue
        # pytest reports a test twice if it fails and then its fixtures' teardown fails.
        failures: dict[str, list[str]] = {}
        for case in cases:
            problems = [
                element for element in case if element.tag in ("failure", "error", "skipped")
            ]
            name = test_name(case)
            if not problems:
                part.passed[name] += 1
                continue
            texts = [] if name else [case.get("name") or ""]
            texts += [
                f"{problem.tag}: {problem.get('message') or ''} {problem.text or ''}".strip()
                for problem in problems
            ]
            failures.setdefault(name, []).extend(texts)
        part.failures += [(name, "\n".join(texts)) for name, texts in failures.items()]
    status = (directory / "status").read_text().strip()
    if status != "0" and not part.failures:
        part.failures.append(("", f"exited with status {status}, but reported no failed test"))
    if not part.passed and not part.failures:
        part.failures.append(("", "ran no tests"))
    return part


def read_parts(reports: Path) -> list[Part]:
    """Reads all parts of a run."""
    return [read_part(status.parent) for status in sorted(reports.glob("*/*/status"))]


def print_part(directory: Path) -> int:
    """Prints one part, with the text of each failure."""
    part = read_part(directory)
    seconds = directory / "seconds"
    time = f" ({seconds.read_text().strip()} s)" if seconds.exists() else ""
    print(f"    {part.name}: {part.passed.total()} passed, {len(part.failures)} failed{time}", flush=True)
    for test, text in part.failures:
        print(f"    FAILED {shorten(test)}\n{text}" if test else f"    FAILED {text}", flush=True)
    return 1 if part.failures else 0


def print_summary(title: str, failures: Iterable[tuple[str, str]], passed: int, failed: int) -> int:
    """Prints the command for each failure, and the last line."""
    # A set, because several names may be shortened to the same one.
    lines = {
        f"    Tests/run {shlex.quote(shorten(argument))}{f'  # {note}' if note else ''}"
        for argument, note in failures
    }
    if lines:
        print("\n".join([title, *sorted(lines)]), end="\n\n")
    print(f"{passed} passed, {failed} failed")
    return 0 if passed > 0 and failed == 0 else 1


def print_run(reports: Path) -> int:
    """Prints the failures of a run, and the totals of all its parts."""
    parts = read_parts(reports)
    failures = [
        (part.argument(test), "" if test else text.splitlines()[0])
        for part in parts
        for test, text in part.failures
    ]
    passed = sum(part.passed.total() for part in parts)
    return print_summary("Failed tests, with the command to run each alone:", failures, passed, len(failures))


def print_rounds(rounds: Sequence[Path]) -> int:
    """Prints the tests that failed in or were missing from a round, and how many passed in every round."""
    # For each round and part, how many tests with each name passed, and which tests failed.
    passes: list[dict[str, Counter[str]]] = []
    failures: list[dict[str, set[str]]] = []
    names: dict[str, set[str]] = {}
    for reports in rounds:
        parts = read_parts(reports)
        passes.append({part.name: part.passed for part in parts})
        failures.append({part.name: {test for test, _ in part.failures} for part in parts})
        for part in parts:
            names.setdefault(part.name, set()).update(part.passed, failures[-1][part.name])
        passed = sum(part.passed.total() for part in parts)
        print(f"{reports.name}: {passed} passed, {sum(len(part.failures) for part in parts)} failed")
    print()
    passed = failed = 0
    differences: list[tuple[str, str]] = []
    for part_name, tests in names.items():
        counts = [parts.get(part_name, Counter()) for parts in passes]
        failing = [parts.get(part_name, set()) for parts in failures]
        notes: dict[str, list[str]] = {}
        for test in tests:
            most = max(count[test] for count in counts)
            note = describe(
                [number for number, bad in enumerate(failing, 1) if test in bad],
                [
                    number
                    for number, (count, bad) in enumerate(zip(counts, failing), 1)
                    if count[test] < most and test not in bad
                ],
            )
            if note:
                failed += 1
                notes.setdefault(f"{note} of {len(rounds)}", []).append(test)
            else:
                passed += most
        for note, same in notes.items():
            # One line for the whole part if all its tests have this note.
            whole = len(same) > 1 and len(same) == len(tests - {""})
            listed = [""] if whole else same
            differences += [(Part(part_name).argument(test), note) for test in listed]
    return print_summary("Not passed in every round:", differences, passed, failed)


def describe(failing: list[int], missing: list[int]) -> str:
    """Describes the rounds in which a test failed or from which it was missing; empty if it passed in each."""
    notes = [("failed in", failing), ("missing from", missing)]
    return "; ".join(
        f"{what} round{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"
        for what, numbers in notes
        if numbers
    )


def main(arguments: list[str]) -> int:
    """Runs the command line."""
    if len(arguments) == 2 and arguments[0] == "--part":
        return print_part(Path(arguments[1]))
    if len(arguments) > 1 and arguments[0] == "--rounds":
        return print_rounds([Path(argument) for argument in arguments[1:]])
    if len(arguments) == 1:
        return print_run(Path(arguments[0]))
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
