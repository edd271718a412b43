"""Starts the sandbox that the environment variable ARGYLE_SANDBOX names, and sends it requests."""

from __future__ import annotations

import base64
import contextlib
import errno
import http.client
import json
import mmap
import os
import re
import select
import signal
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from email.message import Message
from pathlib import Path
from typing import Any, Callable, Optional

import description
import pytest

KEY_ID = "sandbox-key-id"
KEY_SECRET = "sandbox-key-secret"
# A timeout in seconds: long enough for a sandbox under valgrind, and reached only when something is wrong.
PATIENCE = 120


class Answer:
    def __init__(self, status: int, headers: Message, body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self) -> Any:
        assert self.headers["Content-Type"] == "application/json"
        return json.loads(self.body)


def basic(key_id: str = KEY_ID, secret: str = KEY_SECRET) -> str:
    return "Basic " + base64.b64encode(f"{key_id}:{secret}".encode()).decode()


def executable() -> str:
    return os.environ["ARGYLE_SANDBOX"]


def pytest_sessionstart(session: pytest.Session) -> None:
    path = os.environ.get("ARGYLE_SANDBOX", "")
    if not (os.path.isabs(path) and os.access(path, os.X_OK)):
        pytest.exit("ARGYLE_SANDBOX must be the absolute path of the argyle-sandbox executable", returncode=2)


def wait_until(condition: Callable[[], object]) -> None:
    """Waits until the condition is true."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@contextlib.contextmanager
def reserved_port() -> Iterator[int]:
    """Reserves a port that a sandbox can listen on, but that the system assigns to nobody else."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", 0))
        yield probe.getsockname()[1]


def is_readable(connection: socket.socket, seconds: float = 0) -> bool:
    """Returns whether data or the end arrives in time; poll() because select() rejects large descriptors."""
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


class Clock:
    """A monotonic clock for sandboxes, which stands still unless it is advanced."""

    def __init__(self, library: Path) -> None:
        # By descriptor, because LD_PRELOAD does not support paths with spaces.
        self._library = os.open(library, os.O_RDONLY)
        self._file = os.memfd_create("clock")
        os.truncate(self._file, 24)
        self._memory = mmap.mmap(self._file, 24)
        self.now = 1000.0

    def close(self) -> None:
        self._memory.close()
        os.close(self._file)
        os.close(self._library)

    @property
    def options(self) -> dict[str, Any]:
        """Options for subprocess.Popen that make a process use the clock."""
        environment = {
            **os.environ,
            "LD_PRELOAD": f"/proc/self/fd/{self._library}",
            "ARGYLE_TEST_CLOCK": str(self._file),
        }
        return {"env": environment, "pass_fds": (self._library, self._file)}

    @property
    def now(self) -> float:
        """The time in seconds."""
        return float(struct.unpack_from("q", self._memory, 0)[0]) / 1e6

    @now.setter
    def now(self, seconds: float) -> None:
        struct.pack_into("q", self._memory, 0, round(seconds * 1e6))

    def advance(self, seconds: float) -> None:
        self.now += seconds

    def set_sleep_duration(self, seconds: float) -> None:
        """Makes each sleep of a sandbox take this long, as on a loaded machine."""
        struct.pack_into("q", self._memory, 8, round(seconds * 1e6))

    @property
    def sleeps(self) -> int:
        """How often sandboxes have slept."""
        return int(struct.unpack_from("q", self._memory, 16)[0])


@pytest.fixture(scope="session")
def clock_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    library = tmp_path_factory.mktemp("clock") / "clock.so"
    source = Path(__file__).with_name("clock.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", source, "-o", library], check=True)
    return library


@pytest.fixture
def clock(clock_library: Path) -> Iterator[Clock]:
    clock = Clock(clock_library)
    yield clock
    clock.close()


def run(*arguments: str | bytes, clock: Optional[Clock] = None) -> subprocess.CompletedProcess[bytes]:
    """Runs a sandbox that is expected to exit on its own."""
    return subprocess.run(
        [executable(), *arguments], capture_output=True, timeout=PATIENCE, stdin=subprocess.DEVNULL,
        **(clock.options if clock else {}))


class Sandbox:
    def __init__(self, *arguments: str, clock: Optional[Clock] = None) -> None:
        # Whether its responses must match the description: not while faults are injected.
        self.faithful = not any(argument.startswith("--fault") for argument in arguments)
        self.clock = clock
        # Whether the test has waited for its exit.
        self.ended = False
        # No test takes an hour: however slow the machine is, clients time out only if the test says so.
        self.process = subprocess.Popen(
            [executable(), "--timeout", "3600", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL, **(clock.options if clock else {}))
        watchdog = threading.Timer(PATIENCE, self.process.kill)
        watchdog.start()
        self.lines: list[str] = []
        self.port = 0
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.decode().rstrip("\n"))
            ready = re.fullmatch(
                r"argyle-sandbox listening on https?://127\.0\.0\.1:([1-9]\d*)", self.lines[-1])
            if ready:
                self.port = int(ready[1])
                break
        watchdog.cancel()
        if self.port == 0:
            _, errors = self.process.communicate(timeout=PATIENCE)
            pytest.fail(f"the sandbox did not start: {errors.decode()}")
        self.connection = self.connect()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)

    def send(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str | bytes | None] | None = None,
        authorization: str | None = basic(),
        connection: http.client.HTTPConnection | None = None,
    ) -> Answer:
        """Sends bytes unchanged; a body is declared as JSON unless the headers say otherwise.

        Checks the response against the OpenAPI description.
        """
        fields: dict[str, str | bytes | None] = {}
        if authorization is not None:
            fields["Authorization"] = authorization
        if body is not None:
            fields["Content-Type"] = "application/json"
        fields.update(headers or {})
        sent = {name: value for name, value in fields.items() if value is not None}
        connection = connection or self.connection
        connection.request(method, path, body=body, headers=sent)
        response = connection.getresponse()
        answer = Answer(response.status, response.headers, response.read())
        if path.startswith("/_sandbox/faults") and method in ("POST", "PUT"):
            self.faithful = False
        elif path in ("/_sandbox/faults", "/_sandbox") and method == "DELETE":
            self.faithful = True
        if self.faithful:
            problems = description.check_answer(
                method, path, answer.status, answer.headers, answer.body)
            assert not list(problems)
        return answer

    def raw(self, data: bytes) -> bytes:
        """Sends bytes on a new connection; returns everything received."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as connection:
            received = b""
            try:
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
            except OSError as error:
                # The server may close before it has read everything, and its response may still be readable.
                if error.errno not in (errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN):
                    raise
            try:
                while part := connection.recv(65536):
                    received += part
            except ConnectionResetError:
                pass
            return received

    def create(self, metadata: bytes | None = None) -> str:
        """Creates a user with metadata in JSON text; returns the id."""
        body = None if metadata is None else b'{"external_metadata":' + metadata + b"}"
        answer = self.send("POST", "/v1/users", body)
        assert answer.status == 201, answer.body
        return str(answer.json["id"])

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        """Waits for the exit and returns the exit code; fails if anything was printed to stderr."""
        self.ended = True
        _, errors = self.process.communicate(timeout=PATIENCE)
        assert errors == b""
        return self.process.returncode

    def has_ended(self) -> bool:
        """Returns whether the process has exited; advances its clock."""
        if self.clock is not None:
            self.clock.advance(0.05)
        return self.process.poll() is not None

    def stop(self) -> None:
        before = self.process.poll()
        self.connection.close()
        self.signal(signal.SIGTERM)
        if self.clock is not None:
            wait_until(self.has_ended)
        assert self.wait() == 0
        assert before is None, "the sandbox exited unexpectedly"

    def stop_unless_ended(self) -> None:
        """Stops the sandbox unless the test has waited for its exit; fails if it has crashed."""
        if not self.ended:
            self.stop()

    def kill(self) -> None:
        self.ended = True
        self.process.kill()
        self.process.communicate(timeout=PATIENCE)


Starter = Callable[..., Sandbox]


@pytest.fixture
def start(request: pytest.FixtureRequest) -> Iterator[Starter]:
    """Starts sandboxes on free ports; stops at the end those that are still running."""
    if "clock" in request.fixturenames:
        # The clock must outlive the sandboxes.
        request.getfixturevalue("clock")
    # Each is stopped even if stopping another fails.
    with contextlib.ExitStack() as started:

        def starter(*arguments: str, clock: Optional[Clock] = None) -> Sandbox:
            sandbox = Sandbox("--port", "0", *arguments, clock=clock)
            started.callback(sandbox.stop_unless_ended)
            return sandbox

        yield starter


@pytest.fixture
def fresh(start: Starter) -> Sandbox:
    """A sandbox without users."""
    return start()


@pytest.fixture(scope="session")
def shared() -> Iterator[Sandbox]:
    sandbox = Sandbox("--port", "0")
    yield sandbox
    sandbox.stop()


@pytest.fixture
def sandbox(shared: Sandbox) -> Iterator[Sandbox]:
    """A sandbox shared with other tests, with a new connection."""
    shared.connection.close()
    shared.connection = shared.connect()
    yield shared
    assert shared.process.poll() is None, "the sandbox has exited"
