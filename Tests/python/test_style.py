"""mypy, pyright and ruff report nothing for the package and its tests, with the configuration in pyproject.toml."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT

PYTHON = ROOT / "bindings" / "python"
CONFIGURATION = PYTHON / "pyproject.toml"
SOURCES = [PYTHON / "src", PYTHON / "hatch_build.py", PYTHON / "examples", ROOT / "Tests" / "python"]


@pytest.mark.parametrize(
    "command",
    [
        ["mypy", "--config-file", CONFIGURATION],
        ["pyright", "--project", CONFIGURATION, "--pythonpath", sys.executable, "--warnings"],
        ["ruff", "check", "--no-cache", "--config", CONFIGURATION],
        ["ruff", "format", "--no-cache", "--check", "--diff", "--config", CONFIGURATION],
    ],
    ids=lambda command: "-".join(command[: 2 if command[0] == "ruff" else 1]),
)
def test_clean(command: list[str | Path], tmp_path: Path) -> None:
    cache: list[str | Path] = ["--cache-dir", tmp_path] if command[0] == "mypy" else []
    result = subprocess.run(
        [sys.executable, "-m", *command, *cache, *SOURCES],
        cwd=PYTHON,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_nothing_is_unused_or_undefined() -> None:
    """In the other tests too, which have their own style."""
    command: list[str | Path] = [sys.executable, "-m", "ruff", "check", "--no-cache", "--isolated", "--select", "F"]
    result = subprocess.run([*command, ROOT / "Tests"], capture_output=True, text=True, check=False, timeout=600)
    assert result.returncode == 0, result.stdout + result.stderr
