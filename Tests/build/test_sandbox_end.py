"""The fixtures of Tests/sandbox: a sandbox that exits with an error fails the test that started it.

valgrind and the sanitizers rely on that, because they report errors when the process exits.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT, run

TESTS = """
def test_fresh(fresh):
    sandbox = fresh
    {0}

def test_shared(shared):
    sandbox = shared
    {0}
"""


def run_with(tmp_path: Path, end: str, body: str) -> subprocess.CompletedProcess[str]:
    """Runs two tests with a program that only prints that it is listening, then runs the Python code `end`."""
    sandbox = tmp_path / "argyle-sandbox"
    sandbox.write_text(
        f"#!{sys.executable}\n"
        "import os, signal, sys\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])\n"
        "print('argyle-sandbox listening on http://127.0.0.1:1', flush=True)\n"
        f"{end}\n"
    )
    sandbox.chmod(0o755)
    tests = tmp_path / "test_end.py"
    tests.write_text(TESTS.format(body))
    return run(
        [sys.executable, "-m", "pytest", "-p", "conftest", "-p", "no:cacheprovider", "-q", tests],
        {
            "ARGYLE_SANDBOX": str(sandbox),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTHONPATH": str(ROOT / "Tests" / "sandbox"),
        },
        tmp_path,
    )


WAIT = "signal.sigwait([signal.SIGTERM]);"


def test_good_end(tmp_path: Path) -> None:
    result = run_with(tmp_path, WAIT, "pass")
    assert result.returncode == 0, result.stdout
    assert "2 passed in" in result.stdout


@pytest.mark.parametrize(
    "end",
    [
        f"{WAIT} sys.exit(99)",
        f"{WAIT} print('Invalid read of size 1', file=sys.stderr)",
        f"{WAIT} os.abort()",
    ],
    ids=["status", "output", "crash"],
)
def test_bad_end(end: str, tmp_path: Path) -> None:
    result = run_with(tmp_path, end, "pass")
    assert "2 passed, 2 errors in" in result.stdout, result.stdout


@pytest.mark.parametrize("end", ["", "os.abort()"], ids=["success", "crash"])
def test_exit_during_the_test(end: str, tmp_path: Path) -> None:
    # The test ends after the process has exited, without reaping it.
    wait = "import os; os.waitid(os.P_PID, sandbox.process.pid, os.WEXITED | os.WNOWAIT)"
    result = run_with(tmp_path, end, wait)
    assert "2 passed, 2 errors in" in result.stdout, result.stdout
