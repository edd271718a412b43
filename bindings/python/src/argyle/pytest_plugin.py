"""pytest fixtures: a sandbox for each test, and a client for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Iterator

import pytest

# pytest loads this module wherever the package is installed, so each fixture imports what it needs itself.
if TYPE_CHECKING:
    from .client import Client
    from .sandbox import Sandbox


@pytest.fixture
def argyle_sandbox() -> Iterator[Sandbox]:
    """Start an in-process sandbox without users."""
    from .sandbox import Sandbox

    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def argyle_client(argyle_sandbox: Sandbox) -> Iterator[Client]:
    """Create a client for the test's sandbox."""
    with argyle_sandbox.client() as client:
        yield client
