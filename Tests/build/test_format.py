"""The form of the Swift sources, as .swift-format has it."""

from __future__ import annotations

from conftest import ROOT, run


def test_swift_sources_keep_to_the_format() -> None:
    result = run([
        *("swift", "format", "lint", "--strict", "--recursive"),
        *("--configuration", ROOT / ".swift-format"),
        *(ROOT / "Sources", ROOT / "Tests", ROOT / "Package.swift"),
    ])
    assert result.returncode == 0, result.stderr
