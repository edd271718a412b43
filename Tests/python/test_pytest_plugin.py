"""The fixtures of the pytest plugin, which pytest finds through the package's entry point."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import argyle


def run_pytest(folder: Path, *arguments: "str | Path") -> "subprocess.CompletedProcess[str]":
    """Run pytest on another project's tests, in a separate folder."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", folder, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.mark.parametrize("_", [1, 2])
def test_each_test_has_a_sandbox_without_users(
    _: int, argyle_sandbox: argyle.Sandbox, argyle_client: argyle.Client
) -> None:
    argyle_client.users.create()
    assert argyle_sandbox.state()["users"] == 1


def test_fixtures_are_listed(tmp_path: Path) -> None:
    result = run_pytest(tmp_path, "--fixtures")
    assert "Start an in-process sandbox without users." in result.stdout
    assert "Create a client for the test's sandbox." in result.stdout


def test_without_the_fixtures_nothing_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "test_other.py").write_text(
        'import sys\n\n\ndef test_other():\n    assert "argyle.pytest_plugin" in sys.modules\n'
        '    assert "argyle._abi" not in sys.modules\n'
    )
    result = run_pytest(tmp_path, tmp_path)
    assert result.returncode == 0, result.stdout


def test_sandbox_where_sockets_are_disabled(tmp_path: Path) -> None:
    """pytest-socket must allow 127.0.0.1; it does not see the client's connections."""
    pytest.importorskip("pytest_socket")
    (tmp_path / "test_program.py").write_text(
        "def test_control(argyle_sandbox, argyle_client):\n"
        "    argyle_sandbox.seed(3)\n"
        "    assert len(list(argyle_client.users)) == 3\n"
    )
    result = run_pytest(tmp_path, "--disable-socket", "--allow-hosts=127.0.0.1", tmp_path)
    assert result.returncode == 0, result.stdout
