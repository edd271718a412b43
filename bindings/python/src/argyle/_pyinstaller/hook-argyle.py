"""Tells PyInstaller which modules and libraries to include that no import statement names."""

from __future__ import annotations

from pathlib import Path

from argyle import _modules

hiddenimports = [f"argyle.{name}" for name in _modules]

binaries = [(str(file), "argyle/lib") for file in Path(__file__).parents[1].glob("lib/*")]
