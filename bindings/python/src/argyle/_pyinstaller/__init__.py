"""Where PyInstaller finds what it has to know of the package."""

from __future__ import annotations

from pathlib import Path


def get_hook_dirs() -> list[str]:
    """Give the folder of the hook; PyInstaller calls this by the package's entry point."""
    return [str(Path(__file__).parent)]
