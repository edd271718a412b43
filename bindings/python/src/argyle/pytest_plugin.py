"""Fixtures for the tests of programs that use Argyle: a sandbox of its own for each test, and a client for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Iterator

import pytest

# pytest loads this file wherever the package is installed, also for tests that do without the fixtures: what they
# need is imported by them alone.
if TYPE_CHECKING:
    from .client import Client
    from .sandbox import Sandbox


@pytest.fixture
def argyle_sandbox() -> Iterator[Sandbox]:
    """Give a sandbox without users, in this process."""
    from .sandbox import Sandbox

    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def argyle_client(argyle_sandbox: Sandbox) -> Iterator[Client]:
    """Give a client for the sandbox that the test has."""
    with argyle_sandbox.client() as client:
        yield client
