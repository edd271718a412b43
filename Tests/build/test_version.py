"""Every copy of the version number agrees with argyle.h."""

from __future__ import annotations

import re

import pytest

from conftest import ROOT


def number(name: str) -> str:
    """Returns the value of a macro in argyle.h."""
    found = re.search(rf"(?m)^#define {name} (\d+)$", (ROOT / "include/argyle.h").read_text())
    assert found, name
    return found[1]


VERSION = ".".join(number(f"ARGYLE_VERSION_{part}") for part in ("MAJOR", "MINOR", "PATCH"))


@pytest.mark.parametrize(
    ("path", "pattern"),
    [
        ("include/argyle.h", r'(?m)^#define ARGYLE_VERSION "(.*)"$'),
        ("include/argyle-sandbox.h", r'(?m)^#define ARGYLE_SANDBOX_VERSION "(.*)"$'),
        ("Sources/Support/System/LibraryVersion.swift", r'text: StaticString = "(.*)"'),
        ("bindings/python/src/argyle/_version.py", r'__version__ = "(.*)"'),
        (".github/CHANGELOG.md", r"(?m)^## (\d.*)$"),
    ],
)
def test_texts(path: str, pattern: str) -> None:
    found = re.search(pattern, (ROOT / path).read_text())
    assert found and found[1] == VERSION


@pytest.mark.parametrize(
    ("path", "pattern"),
    [
        ("include/argyle-sandbox.h", r"(?m)^#define ARGYLE_SANDBOX_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)$"),
        ("Sources/Support/System/LibraryVersion.swift", r"let (?:major|minor|patch): Int32 = (\d+)"),
    ],
)
def test_numbers(path: str, pattern: str) -> None:
    assert ".".join(re.findall(pattern, (ROOT / path).read_text())) == VERSION
