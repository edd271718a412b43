"""The PyInstaller hook."""

from __future__ import annotations

from pathlib import Path


def get_hook_dirs() -> list[str]:
    """Return the hook's directory; called by PyInstaller through the package's entry point."""
    return [str(Path(__file__).parent)]
