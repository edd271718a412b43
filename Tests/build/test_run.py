"""Tests/run: its arguments, its summary and its processes, in a checkout with sample tests only."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import ROOT, run
from test_commands import processes_with, write_stub

SUITES = "install address thread ordinary fuzzing swift build sandbox python valgrind shipped faults"
# Reached only if something hangs.
PATIENCE = 120

SAMPLE_TESTS = r"""
import os
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROUND = HERE.parents[1] / "round"
ROUND.write_text(str(int(ROUND.read_text()) + 1) if ROUND.exists() else "1")
NUMBER = int(ROUND.read_text())


def test_good():
    pass


@pytest.mark.parametrize("text", ["a", "it's a $HOME", "b::c", "x" * 1000])
def test_bad(text):
    assert not (HERE / "bad").exists()


@pytest.fixture
def broken():
    yield
    assert not (HERE / "bad").exists()


def test_bad_twice(broken):
    assert not (HERE / "bad").exists()


@pytest.mark.parametrize("number", range(2 if NUMBER % 2 and (HERE / "flaky").exists() else 1))
def test_missing(number):
    pass


def test_flaky():
    assert NUMBER != 2 or not (HERE / "flaky").exists()


def test_descriptors():
    files = {os.path.basename(os.path.realpath(f"/proc/self/fd/{n}")) for n in os.listdir("/proc/self/fd")}
    assert not files & {"inherited", "installing", "slots", "turn", "next", "output"}


def test_end():
    if (HERE / "wait").exists():
        os.mkfifo(HERE / "waiting")
        (HERE / "waiting").read_text()
"""
COUNT = 10


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout in a folder with a space in its name. Only the fuzzing suite has tests."""
    root = tmp_path / "a checkout"
    for name in ("Tests/run", "Tests/tally.py", "bindings/common.sh", "include/argyle.h"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    (root / "Tests" / "fuzz").mkdir()
    (root / "Tests" / "fuzz" / "test_sample.py").write_text(SAMPLE_TESTS)
    return root


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Stubs for the compilers: nothing is built."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("swift", "cc"):
        write_stub(programs, name, "exit 0")
    return {"PATH": f"{programs}:{os.environ['PATH']}", "PYTEST_ADDOPTS": ""}


def last_lines(output: str) -> list[str]:
    """Returns the lines after those of the last part."""
    return re.split(r"(?m)^    \w+/\w+: \d+ passed, \d+ failed.*\n", output)[-1].splitlines()


def test_list(checkout: Path) -> None:
    result = run([checkout / "Tests" / "run", "--list"])
    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines] == SUITES.split()
    assert all(len(line.split()) > 1 for line in lines)
    assert not (checkout / ".build-reports").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], f'unknown suite "nothing"; the suites are: {SUITES}'),
        (["fuzzing", ""], f'unknown suite ""; the suites are: {SUITES}'),
        (["nothing/pytest"], f'unknown suite "nothing"; the suites are: {SUITES}'),
        (["fuzzing/nothing"], 'fuzzing has no part "nothing"; its parts are: pytest'),
        (["fuzzing/"], 'fuzzing has no part ""; its parts are: pytest'),
        (["install/a"], 'install has no part "a"; its parts are: none'),
        (["fuzzing::a"], 'expected SUITE, SUITE/PART or SUITE/PART::TEST, got "fuzzing::a"'),
        (["fuzzing/pytest::"], 'expected SUITE, SUITE/PART or SUITE/PART::TEST, got "fuzzing/pytest::"'),
        (["a[$(exit)]"], 'expected SUITE, SUITE/PART or SUITE/PART::TEST, got "a[$(exit)]"'),
        (["fuzzing/pytest::a", "fuzzing/pytest::b"], '"fuzzing/pytest" is given twice'),
        (["--stress"], "--stress needs a number of rounds between 1 and 9999"),
        (["--stress", "0", "fuzzing"], "--stress needs a number of rounds between 1 and 9999"),
        (["--stress", "fuzzing"], "--stress needs a number of rounds between 1 and 9999"),
        (["--list", "fuzzing"], "--list takes no arguments"),
        (["--lists"], 'unknown option "--lists"; the options are --list and --stress N, before the suites'),
    ],
)
def test_wrong_arguments(
    arguments: list[str], message: str, checkout: Path, environment: dict[str, str]
) -> None:
    result = run([checkout / "Tests" / "run", *arguments], environment)
    assert (result.returncode, result.stdout, result.stderr) == (2, "", f"run: {message}\n")
    assert not (checkout / ".build-reports").exists()


def test_parts_of_the_c_harness(environment: dict[str, str]) -> None:
    """With this checkout; nothing is started."""
    result = run([ROOT / "Tests" / "run", "valgrind/nothing"], environment)
    parts = result.stderr.rpartition("its parts are: ")[2].split()
    programs = sorted(path.stem for path in ROOT.glob("Tests/*/test_*.c"))
    assert sorted(parts) == sorted([*programs, "hostile"])
    assert result.returncode == 2


def test_failures_are_named_with_their_commands(
    checkout: Path, environment: dict[str, str]
) -> None:
    (checkout / "Tests" / "fuzz" / "bad").touch()
    result = run([checkout / "Tests" / "run", "fuzzing"], environment)
    assert result.returncode == 1
    lines = last_lines(result.stdout)
    assert lines[-1] == f"{COUNT - 5} passed, 5 failed"
    commands = [line for line in lines if "Tests/run" in line]
    # Each is listed once, the long name without its parameters.
    assert [command.partition("test_sample.py::")[2].rstrip("'") for command in commands] == [
        "test_bad[a]",
        "test_bad[b::c]",
        "test_bad[it'\"'\"'s a $HOME]",
        "test_bad",
        "test_bad_twice",
    ]
    for command, count in zip(commands, (1, 1, 1, 4, 1)):
        alone = run(["bash", "-c", command], environment, checkout)
        assert alone.stdout.endswith(f"\n0 passed, {count} failed\n"), alone.stdout + alone.stderr
        assert alone.returncode == 1


def test_success(checkout: Path, environment: dict[str, str]) -> None:
    result = run([checkout / "Tests" / "run", "fuzzing/pytest"], environment)
    assert (result.returncode, last_lines(result.stdout)) == (0, ["", f"{COUNT} passed, 0 failed"])
    times = (checkout / ".build-reports" / "times").read_text()
    assert re.fullmatch(r"( *\d+ s  fuzzing(: swift|/pytest)\n){2}", times)


def test_environment_makes_no_difference(
    checkout: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    temporary = tmp_path / "with a space"
    temporary.mkdir()
    inherited = tmp_path / "inherited"
    inherited.touch()
    descriptors = " ".join(f'{number}<"{inherited}"' for number in (*range(3, 13), 63, 255))
    command = (
        f'exec env -u HOME -u PYENV_ROOT TMPDIR="{temporary}" nice "$0" fuzzing {descriptors}'
    )
    result = run(["bash", "-c", command, checkout / "Tests" / "run"], environment, tmp_path)
    assert (result.returncode, last_lines(result.stdout)) == (0, ["", f"{COUNT} passed, 0 failed"])
    assert result.stderr == ""


def test_install_builds_only(checkout: Path, environment: dict[str, str]) -> None:
    """If install fails, dependent suites are not run and the failure counts once."""
    install = checkout / "bindings" / "install"
    command = [checkout / "Tests" / "run", "install"]
    write_stub(checkout / "bindings", "install", 'mkdir -p "$1/lib"')
    result = run(command, environment)
    assert (result.returncode, last_lines(result.stdout)[-1]) == (0, "0 passed, 0 failed")
    install.write_text("#!/bin/sh\necho it broke\nexit 3\n")
    result = run([*command, "build"], environment)
    assert result.returncode == 1
    assert "it broke\n" in result.stdout
    assert "    build: not run because install failed\n" in result.stdout
    assert result.stdout.endswith("\n\n0 passed, 1 failed\n")
    assert "    Tests/run install  # exited with status 3, but reported no failed test\n" in result.stdout
    assert run(command, environment).returncode == 1


def test_every_harness_needs_install(checkout: Path, environment: dict[str, str]) -> None:
    """Its programs may start the installed sandbox, even if its libraries are built first."""
    functions = ("build_ordinary", "build_sanitized", "build_sanitized_sandbox", "lay_out_library")
    with (checkout / "bindings" / "common.sh").open("a") as common:
        common.writelines(f"{name}() {{ :; }}\n" for name in functions)
    for folder in ("c", "faults"):
        (checkout / "Tests" / folder).mkdir()
        (checkout / "Tests" / folder / "test_sample.c").touch()
    write_stub(checkout / "bindings", "install", "exit 3")
    suites = ("ordinary", "thread", "shipped", "faults", "valgrind")
    result = run([checkout / "Tests" / "run", "install", *suites], environment)
    for suite in suites:
        assert f"    {suite}: not run because install failed\n" in result.stdout
    assert result.stdout.endswith("\n\n0 passed, 1 failed\n")


def test_stress(checkout: Path, environment: dict[str, str]) -> None:
    (checkout / "Tests" / "fuzz" / "flaky").touch()
    result = run([checkout / "Tests" / "run", "--stress", "3", "fuzzing"], environment)
    assert (result.returncode, result.stderr) == (1, "")
    assert result.stdout.splitlines()[-9:] == [
        f"round-1: {COUNT + 1} passed, 0 failed",
        f"round-2: {COUNT - 1} passed, 1 failed",
        f"round-3: {COUNT + 1} passed, 0 failed",
        "",
        "Not passed in every round:",
        "    Tests/run 'fuzzing/pytest::test_sample.py::test_missing[1]'  # missing from round 2 of 3",
        "    Tests/run fuzzing/pytest::test_sample.py::test_flaky  # failed in round 2 of 3",
        "",
        f"{COUNT - 1} passed, 2 failed",
    ]
    assert processes_with(str(checkout)) == []


@pytest.fixture
def waiting(checkout: Path, environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A stress run whose test is blocked on a FIFO."""
    (checkout / "Tests" / "fuzz" / "wait").touch()
    process = subprocess.Popen(
        [checkout / "Tests" / "run", "--stress", "2", "fuzzing"],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + PATIENCE
    while not (checkout / "Tests" / "fuzz" / "waiting").exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    # The test, its parents, and two busy loops per core.
    assert len(processes_with(str(checkout))) > 2 * (os.cpu_count() or 1)
    yield process
    process.kill()
    process.communicate()


def all_processes_exit(checkout: Path) -> bool:
    """Waits until all processes of a checkout have exited; returns False if they have not in time."""
    deadline = time.monotonic() + PATIENCE
    while processes_with(str(checkout)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_all_processes(
    number: signal.Signals, checkout: Path, waiting: subprocess.Popen[str]
) -> None:
    waiting.send_signal(number)
    waiting.communicate(timeout=PATIENCE)
    assert waiting.returncode == 130
    assert all_processes_exit(checkout)


def test_busy_loops_end_if_the_run_is_killed(
    checkout: Path, waiting: subprocess.Popen[str]
) -> None:
    waiting.kill()
    # The part is not killed: let it finish.
    (checkout / "Tests" / "fuzz" / "waiting").write_text("continue")
    assert all_processes_exit(checkout)
