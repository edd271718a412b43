"""Starts the sandbox named by the environment variable ARGYLE_SANDBOX and talks to it over the wire."""

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
# Long enough for a sandbox under valgrind; reached only when something is wrong.
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
        pytest.exit("ARGYLE_SANDBOX must name the argyle-sandbox executable, absolutely", returncode=2)


def wait_until(condition: Callable[[], object]) -> None:
    """Waits for an event."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@contextlib.contextmanager
def reserved_port() -> Iterator[int]:
    """A port that a sandbox can take, and nobody is given by chance."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", 0))
        yield probe.getsockname()[1]


def is_readable(connection: socket.socket, seconds: float = 0) -> bool:
    """Whether something comes, or the end, within a time; select() takes no large descriptors."""
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


class Clock:
    """The monotonic clock of the sandboxes that are given it, which stands still unless it is moved."""

    def __init__(self, library: Path) -> None:
        # A path with blanks is none for LD_PRELOAD.
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
        """What a process that goes by it is started with."""
        environment = {
            **os.environ,
            "LD_PRELOAD": f"/proc/self/fd/{self._library}",
            "ARGYLE_TEST_CLOCK": str(self._file),
        }
        return {"env": environment, "pass_fds": (self._library, self._file)}

    @property
    def now(self) -> float:
        """The time, in seconds."""
        return float(struct.unpack_from("q", self._memory, 0)[0]) / 1e6

    @now.setter
    def now(self, seconds: float) -> None:
        struct.pack_into("q", self._memory, 0, round(seconds * 1e6))

    def advance(self, seconds: float) -> None:
        self.now += seconds

    def let_naps_take(self, seconds: float) -> None:
        """Lets each nap of a sandbox be so long, as on a machine that has much else to do."""
        struct.pack_into("q", self._memory, 8, round(seconds * 1e6))

    @property
    def naps(self) -> int:
        """How often sandboxes have napped."""
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
    """Runs a sandbox that is expected to end by itself."""
    return subprocess.run(
        [executable(), *arguments], capture_output=True, timeout=PATIENCE, stdin=subprocess.DEVNULL,
        **(clock.options if clock else {}))


class Sandbox:
    def __init__(self, *arguments: str, clock: Optional[Clock] = None) -> None:
        # Whether it answers as described: not while it is told to misbehave.
        self.faithful = not any(argument.startswith("--fault") for argument in arguments)
        self.clock = clock
        # Whether somebody has waited for its end.
        self.ended = False
        # No test takes an hour: however slow the machine is, nobody's time is over unless the test says so.
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
        """Sends bytes as they are; a body is declared as JSON unless the headers say otherwise.

        The answer has to be as the OpenAPI description says, whatever was sent.
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
        """Sends bytes on a connection of their own; gives all that comes back."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as connection:
            received = b""
            try:
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
            except OSError as error:
                # The server may close before it has read all, and what it said may still be there.
                if error.errno not in (errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN):
                    raise
            try:
                while part := connection.recv(65536):
                    received += part
            except ConnectionResetError:
                pass
            return received

    def create(self, metadata: bytes | None = None) -> str:
        """Creates a user with the metadata given as JSON text; gives its id."""
        body = None if metadata is None else b'{"external_metadata":' + metadata + b"}"
        answer = self.send("POST", "/v1/users", body)
        assert answer.status == 201, answer.body
        return str(answer.json["id"])

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        """Waits for the end; gives the exit code, and fails on anything printed as an error."""
        self.ended = True
        _, errors = self.process.communicate(timeout=PATIENCE)
        assert errors == b""
        return self.process.returncode

    def has_ended(self) -> bool:
        """Whether the process has; on its clock, the time passes meanwhile."""
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
        assert before is None, "the sandbox ended by itself"

    def stop_unless_ended(self) -> None:
        """Stops it where the test has not waited for its end: one that crashed unseen fails here."""
        if not self.ended:
            self.stop()

    def kill(self) -> None:
        self.ended = True
        self.process.kill()
        self.process.communicate(timeout=PATIENCE)


Starter = Callable[..., Sandbox]


@pytest.fixture
def start(request: pytest.FixtureRequest) -> Iterator[Starter]:
    """Starts sandboxes on free ports, and stops at the end those that the test has not."""
    if "clock" in request.fixturenames:
        # It has to outlast them.
        request.getfixturevalue("clock")
    # Each is stopped, whatever becomes of the others.
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
    """A sandbox that other tests have used, on a connection of its own."""
    shared.connection.close()
    shared.connection = shared.connect()
    yield shared
    assert shared.process.poll() is None, "the sandbox has ended"
