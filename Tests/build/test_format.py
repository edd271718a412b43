"""The formatting of the Swift sources, as configured in .swift-format."""

from __future__ import annotations

from conftest import ROOT, run


def test_swift_sources_are_formatted() -> None:
    result = run([
        *("swift", "format", "lint", "--strict", "--recursive"),
        *("--configuration", ROOT / ".swift-format"),
        *(ROOT / "Sources", ROOT / "Tests", ROOT / "Package.swift"),
    ])
    assert result.returncode == 0, result.stderr
