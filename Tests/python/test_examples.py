"""The examples work against a sandbox."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import Literal

import pytest

import argyle
from conftest import ROOT

CANARY = "canary-personal-77b2"
USERS = ROOT / "bindings" / "python" / "examples" / "users.py"


def run(closed: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("ARGYLE_")}
    return subprocess.run(
        ["bash", "-c", f'exec "$@" {closed}', "bash", sys.executable, USERS],
        env={**inherited, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def run_against(sandbox: argyle.Sandbox, closed: str = "") -> subprocess.CompletedProcess[str]:
    return run(closed, ARGYLE_KEY_ID=sandbox.key_id, ARGYLE_KEY_SECRET=sandbox.key_secret, ARGYLE_BASE_URL=sandbox.url)


def test_users(argyle_sandbox: argyle.Sandbox) -> None:
    result = run_against(argyle_sandbox)
    assert (result.returncode, result.stderr) == (0, "")
    assert "3 users, 1 with metadata" in result.stdout
    assert re.search(
        r"""api_version=2\)
  id           (\S{36}), and a token until .*\+00:00

Find it .*
  user         \1
  name         Ada Byron, born on 1985-12-10

Replace .*
  name         Ada Lovelace, born on None

Delete it.*
  deleted      \1
""",
        result.stdout,
    )
    assert "eyJ" not in result.stdout
    assert argyle_sandbox.state()["users"] == 0


def test_users_shows_only_its_own(argyle_sandbox: argyle.Sandbox) -> None:
    """Others' personal data is not printed."""
    other = argyle_sandbox.client(api_version=2).users.create(external_id="example", first_name=CANARY)
    result = run_against(argyle_sandbox)
    assert (result.returncode, result.stderr) == (0, "")
    assert "4 users, 1 with metadata" in result.stdout
    assert CANARY not in result.stdout
    assert [user.id for user in argyle_sandbox.client().users] == [other.id]


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/v1/user-tokens"), ("PATCH", "/v2/users/{id}")], ids=["version 1", "version 2"]
)
def test_users_are_deleted_despite_a_failure(
    argyle_sandbox: argyle.Sandbox, method: Literal["POST", "PATCH"], path: Literal["/v1/user-tokens", "/v2/users/{id}"]
) -> None:
    argyle_sandbox.set_faults([{"kind": "error", "status": 501, "method": method, "path": path}])
    result = run_against(argyle_sandbox)
    assert result.returncode == 1
    assert result.stderr.startswith(f"users.py: {method} {path.replace('{id}', '')}")
    assert result.stderr.count("\n") == 1
    assert argyle_sandbox.state()["users"] == 0


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_descriptors(argyle_sandbox: argyle.Sandbox, closed: str) -> None:
    """Python itself then prints nothing, so that no output gets into a socket with that number."""
    assert run_against(argyle_sandbox, closed).returncode == 0
    argyle_sandbox.set_faults([{"kind": "error", "status": 501, "path": "/v1/user-tokens"}])
    assert run_against(argyle_sandbox, closed).returncode == 1
    assert argyle_sandbox.state()["users"] == 0


def test_says_that_the_key_is_missing() -> None:
    result = run(ARGYLE_KEY_ID="id")
    assert (result.returncode, result.stdout) == (1, f"argyle {argyle.__version__}\n")
    assert result.stderr == "users.py: set ARGYLE_KEY_ID and ARGYLE_KEY_SECRET to an API key\n"
