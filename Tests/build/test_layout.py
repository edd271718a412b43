"""The files and directories at the top level of the repository."""

from __future__ import annotations

from fnmatch import fnmatch

from conftest import ROOT

GIVEN = {
    ".ci", ".git", ".github", ".gitignore", ".swift-format", "Package.swift", "README.md", "Sources", "Tests",
    "bindings", "include",
}  # fmt: skip


def test_nothing_else_is_at_the_top_level() -> None:
    ignored = [pattern.rstrip("/") for pattern in (ROOT / ".gitignore").read_text().split()]
    found = {path.name for path in ROOT.iterdir()}
    others = {name for name in found if not any(fnmatch(name, pattern) for pattern in ignored)}
    assert others <= GIVEN
