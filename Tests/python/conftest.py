"""What the tests of the Python package share: a sandbox, clients for it, and the count of what C has not released."""

from __future__ import annotations

import ctypes
import gc
import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

import argyle
from argyle import _abi

ROOT = Path(__file__).resolve().parents[2]
KEY_ID = "test-key"
KEY_SECRET = "canary-secret-5f2c"
#: Longer than any test may take.
FOREVER_MS = 600_000
#: Reached only when something hangs.
PATIENCE = 120


def wait_until(condition: Callable[[], object]) -> None:
    """Wait for an event."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Sandbox:
    """A sandbox in a process of its own, and its control."""

    def __init__(self, url: str) -> None:
        """Control the sandbox at an address."""
        self.url = url

    def control(self, method: str, path: str, document: Any = None) -> Any:
        """Ask the sandbox for something that Argyle does not have."""
        data = None if document is None else json.dumps(document).encode()
        request = urllib.request.Request(f"{self.url}/_sandbox{path}", data, {"Content-Type": "application/json"})
        request.method = method
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            body = answer.read()
        return json.loads(body) if body else None

    def faults(self) -> Any:
        """Give what is still to go wrong: a fault is gone when it has struck as often as it was to."""
        return self.control("GET", "/faults")

    def only_the_second(self) -> "dict[str, Any]":
        """Give the chance by which a fault strikes the second of the next requests and not the first."""
        struck: "list[bool]" = []
        chance: "dict[str, Any]" = {"probability": 0.5, "seed": 0}
        while struck != [False, True]:
            chance["seed"] += 1
            self.control("PUT", "/faults", [{"kind": "error", "status": 599, **chance}])
            struck = [self._is_struck() for _ in range(2)]
        self.clear_faults()
        return chance

    def _is_struck(self) -> bool:
        try:
            urllib.request.urlopen(f"{self.url}/v1/users", timeout=PATIENCE).close()
        except urllib.error.HTTPError as error:
            # Otherwise it asks for a key.
            return error.code == 599
        return False

    def fault(self, **fault: Any) -> None:
        """Let something go wrong with the next requests."""
        self.control("POST", "/faults", fault)

    def clear_faults(self) -> None:
        """Let nothing go wrong, and end the delays that have begun."""
        self.control("DELETE", "/faults")

    def seed(self, count: int) -> None:
        """Add so many users."""
        self.control("POST", "/users", {"count": count, "seed": 1})


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
def sandbox(sandbox_url: str) -> Iterator[Sandbox]:
    """A sandbox without users and faults."""
    sandbox = Sandbox(sandbox_url)
    sandbox.control("DELETE", "")
    yield sandbox
    sandbox.control("DELETE", "")


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[argyle.Client]:
    """A client for an empty sandbox that repeats nothing."""
    with argyle.Client(KEY_ID, KEY_SECRET, base_url=sandbox.url, max_retries=0) as client:
        yield client


class Faults:
    """What the sandbox does wrong, until the test is over."""

    def __init__(self, sandbox_url: str) -> None:
        self._sandbox = Sandbox(sandbox_url)

    def add(self, kind: str, **fault: Any) -> None:
        """Add a fault, as the README describes them."""
        self._sandbox.fault(kind=kind, **fault)

    def clear(self) -> None:
        """Clear them, and end the delays that have begun."""
        self._sandbox.clear_faults()

    def left(self) -> int:
        """Give how often those with a count are still to strike."""
        return sum(fault["count"] for fault in self._sandbox.faults())

    def only_the_second(self) -> "dict[str, Any]":
        """Give the chance by which a fault strikes the second of the next requests and not the first."""
        return self._sandbox.only_the_second()


@pytest.fixture
def faults(sandbox_url: str) -> Iterator[Faults]:
    """Give the sandbox's faults."""
    faults = Faults(sandbox_url)
    try:
        yield faults
    finally:
        faults.clear()


class Alive:
    """What C has handed out and not got back: each function that makes or frees something is counted.

    Those that a queue takes over are its own to free, and come back with argyle_queue_next.
    """

    makers = {
        "client_new_text": "client",
        "client_with_text": "client",
        "client_with_interrupt": "client",
        "client_with_log": "client",
        "call_new_text": "call",
        "cursor_new_text": "cursor",
        "queue_new_text": "queue",
        "token_claims": "json",
        "json_loadb": "json",
    }
    freers = {
        "client_free": "client",
        "call_free": "call",
        "cursor_free": "cursor",
        "queue_free": "queue",
        "json_decref": "json",
        "error_free": "error",
    }

    def __init__(self, library: _abi.Library) -> None:
        """Watch a library."""
        self.pointers: Counter[tuple[str, int]] = Counter()
        #: What an earlier test has left, whose release is no other test's affair.
        self.earlier: set[tuple[str, int]] = set()
        #: The queues that calls were handed over to.
        self.queued: dict[int, int] = {}
        self.library = library
        for name, function in list(vars(library).items()):
            if name not in self.freers and callable(function):
                setattr(library, name, self._maker(name, function))
        for name, kind in self.freers.items():
            setattr(library, name, self._freer(kind, getattr(library, name)))

    def _maker(self, name: str, function: Any) -> Any:
        kind = self.makers.get(name)

        def call(*arguments: Any) -> Any:
            result = function(*arguments)
            if kind is not None and result:
                self.pointers[kind, result] += 1
                self.earlier.discard((kind, result))
            elif name == "queue_submit" and result == 0:
                self.queued[arguments[1]] = getattr(arguments[0], "value", arguments[0])
                self.pointers["call", arguments[1]] -= 1
            elif name == "queue_next" and result and self.queued.pop(result, None) is not None:
                self.pointers["call", result] += 1
            # The last argument of each function that can fail.
            error = getattr(arguments[-1], "_obj", arguments[-1]) if arguments else None
            if isinstance(error, ctypes.c_void_p) and error.value:
                self.pointers["error", error.value] += 1
            return result

        return call

    def _freer(self, kind: str, function: Any) -> Any:
        def free(pointer: Any) -> None:
            address = getattr(pointer, "value", pointer)
            if kind == "queue":
                # Other threads may be at other queues.
                for call, queue in self.queued.copy().items():
                    if queue == address:
                        self.queued.pop(call, None)
            if kind == "call" and address in self.queued:
                del self.queued[address]
            elif (kind, address) in self.earlier:
                self.earlier.remove((kind, address))
            elif address:
                self.pointers[kind, address] -= 1
            function(pointer)

        return free

    def left(self) -> "list[tuple[str, int]]":
        """Give what was not released, or released once too often."""
        return [what for what, count in self.pointers.items() if count] + [("queued", call) for call in self.queued]

    def begin(self) -> None:
        """Begin with another test."""
        self.earlier.update(what for what, count in self.pointers.items() if count > 0)
        self.earlier.update(("call", call) for call in self.queued)
        self.pointers.clear()
        self.queued.clear()


@pytest.fixture(scope="session")
def _alive() -> Alive:
    """Count from here on what C hands out."""
    return Alive(_abi.library())


passed = pytest.StashKey[bool]()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> "Iterator[None]":
    """Note whether a test has passed."""
    outcome: Any = yield
    report = outcome.get_result()
    if report.when == "call":
        item.stash[passed] = report.passed


@pytest.fixture(autouse=True)
def nothing_stays_alive(_alive: Alive, request: pytest.FixtureRequest) -> Iterator[None]:
    """No object of C's outlives the test that made it, unless that has failed: its traceback holds what it used."""
    yield
    gc.collect()
    left = _alive.left()
    _alive.begin()
    assert not left or not request.node.stash.get(passed, False)
