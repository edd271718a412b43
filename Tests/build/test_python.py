"""The Python package as pip builds it from the repository, with bindings/install underneath."""

from __future__ import annotations

from pathlib import Path

from conftest import ROOT, Prefix, succeed

PROGRAM = """
import argyle
with argyle.Sandbox() as sandbox, sandbox.client() as client:
    client.users.create()
    print(*[user.id for user in client.users])
"""


def test_install(prefix: Prefix, tmp_path: Path) -> None:
    environment = tmp_path / "environment"
    # With the machine's packages, of which hatchling is one.
    succeed(["/usr/bin/python3", "-m", "venv", "--system-site-packages", environment])
    directory = tmp_path / "directory"
    directory.mkdir()
    # Without the variable it builds: what the fixture has built before is not built again.
    succeed(
        [
            *("env", "--unset=ARGYLE_PREFIX", environment / "bin" / "pip", "install", "--no-index", "--no-deps"),
            *("--no-build-isolation", ROOT / "bindings" / "python"),
        ],
        {"TMPDIR": str(directory)},
        tmp_path,
    )
    assert len(succeed([environment / "bin" / "python", "-I", "-c", PROGRAM], directory=tmp_path).split()) == 1
    # The prefix that it was built in is gone.
    assert list(directory.glob("argyle-*")) == []
