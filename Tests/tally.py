"""Counts tests from the JUnit reports that Tests/run collects.

A part is a directory of one runner: its reports (*.xml), its exit status (status), its output (log) and how long it
took (seconds). A part that ran no test, or that ended badly without a report saying which test failed, counts as one
failure; so does a test that was skipped, for nothing here may be.

    tally.py --part DIRECTORY      shows one part; exit status 1 if something failed
    tally.py DIRECTORY             shows the command for each failure in DIRECTORY/*/*, and "N passed, N failed"
    tally.py --rounds DIRECTORY…   shows the command for each test that failed in one of these directories or was
                                   missing from one, and "N passed, N failed": it passed if it did so in each
"""

from __future__ import annotations

import shlex
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

# The longest name that is shown whole: some hold all that a test sends.
LONGEST_NAME = 200


@dataclass
class Part:
    """What one runner reported."""

    # The argument of Tests/run that runs it.
    name: str
    # How often a test of each name passed.
    passed: Counter[str] = field(default_factory=Counter)
    # For each failure, the name of the test, or nothing where no test is to blame, and what is known about it.
    failures: list[tuple[str, str]] = field(default_factory=list)

    def argument(self, test: str) -> str:
        """The argument of Tests/run that runs a test of this part."""
        return f"{self.name}::{test}" if test else self.name


def test_name(case: ElementTree.Element) -> str:
    """The name of a test, as its runner takes it; empty where it has none, as where pytest cannot read a file."""
    group, name = case.get("classname"), case.get("name") or ""
    if group is None:
        # cmocka.
        return name
    words = group.split(".")
    file = next((number for number, word in enumerate(words) if word.startswith("test_")), None)
    if file is not None:
        return "::".join([f"{words[file]}.py", *words[file + 1 :], name])
    # Swift's names end with their parameters.
    return f"{group}/{name.partition('(')[0]}" if group else ""


def shorten(name: str) -> str:
    """A name that can be shown; pytest's without the parameters runs the test with all of them."""
    return name if len(name) <= LONGEST_NAME else name.partition("[")[0][:LONGEST_NAME]


def read_part(directory: Path) -> Part:
    """Reads the reports of one part."""
    suite = directory.parent.name
    # What is no test of a suite, such as building it, is reported in its name.
    part = Part(suite if directory.name == "suite" else f"{suite}/{directory.name}")
    for report in sorted(directory.glob("*.xml")):
        try:
            cases = list(ElementTree.parse(report).getroot().iter("testcase"))
        except ElementTree.ParseError as error:
            part.failures.append(("", f"{report.name} cannot be read: {error}"))
            continue
        # pytest reports a test twice that fails, and then fails again when its fixtures end.
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
        part.failures.append(("", f"ended with status {status}, and no test says why"))
    if not part.passed and not part.failures:
        part.failures.append(("", "ran no test"))
    return part


def read_parts(reports: Path) -> list[Part]:
    """Reads all parts of a run."""
    return [read_part(status.parent) for status in sorted(reports.glob("*/*/status"))]


def show_part(directory: Path) -> int:
    """Shows one part, with the text of each failure."""
    part = read_part(directory)
    seconds = directory / "seconds"
    time = f" ({seconds.read_text().strip()} s)" if seconds.exists() else ""
    print(f"    {part.name}: {part.passed.total()} passed, {len(part.failures)} failed{time}", flush=True)
    for test, text in part.failures:
        print(f"    FAILED {shorten(test)}\n{text}" if test else f"    FAILED {text}", flush=True)
    return 1 if part.failures else 0


def conclude(title: str, failures: Iterable[tuple[str, str]], passed: int, failed: int) -> int:
    """Shows the command for each failure, and the last line."""
    # Names that are too long may be shortened to the same.
    lines = {
        f"    Tests/run {shlex.quote(shorten(argument))}{f'  # {note}' if note else ''}"
        for argument, note in failures
    }
    if lines:
        print("\n".join([title, *sorted(lines)]), end="\n\n")
    print(f"{passed} passed, {failed} failed")
    return 0 if passed > 0 and failed == 0 else 1


def show_sum(reports: Path) -> int:
    """Shows what failed, and the sum over all parts."""
    parts = read_parts(reports)
    failures = [
        (part.argument(test), "" if test else text.splitlines()[0])
        for part in parts
        for test, text in part.failures
    ]
    passed = sum(part.passed.total() for part in parts)
    return conclude("Failed, with the command that runs each alone:", failures, passed, len(failures))


def show_rounds(rounds: Sequence[Path]) -> int:
    """Shows what failed or was missing in one of several runs, and how many tests passed in all of them."""
    # For each round and part, how often a test of each name passed, and which failed.
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
            # One line is enough for a part that was missing as a whole.
            whole = len(same) > 1 and len(same) == len(tests - {""})
            shown = [""] if whole else same
            differences += [(Part(part_name).argument(test), note) for test in shown]
    return conclude("Not passed in each round:", differences, passed, failed)


def describe(failing: list[int], missing: list[int]) -> str:
    """In which rounds a test failed, and from which it was missing; empty if it passed in each."""
    notes = [("failed in", failing), ("missing from", missing)]
    return "; ".join(f"{what} {', '.join(map(str, numbers))}" for what, numbers in notes if numbers)


def main(arguments: list[str]) -> int:
    """Does what the command line asks for."""
    if len(arguments) == 2 and arguments[0] == "--part":
        return show_part(Path(arguments[1]))
    if len(arguments) > 1 and arguments[0] == "--rounds":
        return show_rounds([Path(argument) for argument in arguments[1:]])
    if len(arguments) == 1:
        return show_sum(Path(arguments[0]))
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
