"""What the tests of the Python package share: a sandbox, and clients for it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import argyle

ROOT = Path(__file__).resolve().parents[2]
KEY_ID = "test-key"
KEY_SECRET = "canary-secret-5f2c"


@pytest.fixture(scope="session")
def sandbox_url() -> Iterator[str]:
    """The address of a sandbox in a process of its own."""
    command = os.environ.get("ARGYLE_SANDBOX", str(ROOT / ".build-prefix/bin/argyle-sandbox"))
    with subprocess.Popen(
        [command, "--port", "0", "--key-id", KEY_ID, "--key-secret", KEY_SECRET], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith("argyle-sandbox listening on "):
                    yield line.split()[-1]
                    break
        finally:
            process.kill()


@pytest.fixture
def client(sandbox_url: str) -> Iterator[argyle.Client]:
    """A client for the sandbox that repeats nothing."""
    with argyle.Client(KEY_ID, KEY_SECRET, base_url=sandbox_url, max_retries=0) as client:
        yield client
