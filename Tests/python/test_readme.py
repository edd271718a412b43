"""The README's Python programs run unchanged."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import argyle
from conftest import ROOT

# The default URL of a sandbox, which has a free port here instead.
DEFAULT_URL = "http://127.0.0.1:8080"


def program(line: str) -> str:
    blocks = re.findall(r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text(), re.M | re.S)
    (found,) = [block for block in blocks if line in block.splitlines()]
    return str(found)


def run(*arguments: str, directory: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=directory, capture_output=True, text=True, check=False, timeout=120
    )


def test_program(argyle_sandbox: argyle.Sandbox, tmp_path: Path) -> None:
    text = program("import argyle")
    assert DEFAULT_URL in text
    result = run("-c", text.replace(DEFAULT_URL, argyle_sandbox.url), directory=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert re.fullmatch(r"[0-9a-f-]{36} \d{4}-.*\+00:00\nvalid until \d{4}-.*\+00:00\n", result.stdout)
    assert argyle_sandbox.state()["users"] == 0


def test_program_of_version_2(argyle_sandbox: argyle.Sandbox, tmp_path: Path) -> None:
    text = program('for user in client.users.iterate(external_id="7"):')
    arguments = f"{argyle_sandbox.key_id!r}, {argyle_sandbox.key_secret!r}, base_url={argyle_sandbox.url!r}"
    client = f"argyle.Client({arguments}, api_version=2)"
    other = argyle_sandbox.client(api_version=2).users.create(external_id="8")
    result = run("-c", f"import argyle, datetime\nclient = {client}\n{text}", directory=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    user, *others = argyle_sandbox.client(api_version=2).users
    assert result.stdout == f"{user.id} 1985-12-10\n"
    assert (user.external_id, user.first_name, user.birth_date) == ("7", None, date(1985, 12, 10))
    assert user.address == argyle.Address(line1="1 Main St", city="Springfield")
    assert [each.id for each in others] == [other.id]


def test_tests(tmp_path: Path) -> None:
    text = program("def test_signup(argyle_sandbox, argyle_client):")
    (tmp_path / "test_readme.py").write_text(f"import argyle\n\n\n{text}")
    result = run("-m", "pytest", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), directory=tmp_path)
    assert "2 passed" in result.stdout
