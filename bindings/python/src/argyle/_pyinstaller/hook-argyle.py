"""What an application made by PyInstaller has to have of the package: what no import statement names."""

from __future__ import annotations

from pathlib import Path

from argyle import _modules

hiddenimports = [f"argyle.{name}" for name in _modules]

binaries = [(str(file), "argyle/lib") for file in Path(__file__).parents[1].glob("lib/*")]
