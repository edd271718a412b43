"""What the tests of the Python package share: a sandbox, and clients for it."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import argyle
from argyle import _abi

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


class Faults:
    """What the sandbox does wrong, until the test is over."""

    def __init__(self, sandbox_url: str) -> None:
        self._url = f"{sandbox_url}/_sandbox/faults"

    def add(self, kind: str, **fault: Any) -> None:
        """Add a fault, as the README describes them."""
        body = json.dumps({"kind": kind, **fault}).encode()
        headers = {"Content-Type": "application/json"}
        urllib.request.urlopen(urllib.request.Request(self._url, body, headers)).close()

    def clear(self) -> None:
        """Clear them, and end the delays that have begun."""
        urllib.request.urlopen(urllib.request.Request(self._url, method="DELETE")).close()


@pytest.fixture
def faults(sandbox_url: str) -> Iterator[Faults]:
    """Give the sandbox's faults."""
    faults = Faults(sandbox_url)
    try:
        yield faults
    finally:
        faults.clear()


def _alive() -> set[int]:
    gc.collect()
    return {id(thing) for thing in gc.get_objects() if isinstance(thing, (_abi._Owner, _abi.QueuedCall))}


@pytest.fixture(autouse=True)
def nothing_stays_alive() -> Iterator[None]:
    """No client, queue or call of the library's outlives a test."""
    before = _alive()
    yield
    assert _alive() <= before
