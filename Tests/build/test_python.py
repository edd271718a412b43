"""The Python package, built by pip from the repository, which runs bindings/install."""

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
    # With the system's packages, for hatchling.
    succeed(["/usr/bin/python3", "-m", "venv", "--system-site-packages", environment])
    directory = tmp_path / "directory"
    directory.mkdir()
    # Without ARGYLE_PREFIX, pip builds the library, reusing what the fixture has compiled.
    succeed(
        [
            *("env", "--unset=ARGYLE_PREFIX", environment / "bin" / "pip", "install", "--no-index", "--no-deps"),
            *("--no-build-isolation", ROOT / "bindings" / "python"),
        ],
        {"TMPDIR": str(directory)},
        tmp_path,
    )
    assert len(succeed([environment / "bin" / "python", "-I", "-c", PROGRAM], directory=tmp_path).split()) == 1
    # The temporary prefix was removed.
    assert list(directory.glob("argyle-*")) == []
