"""Shared fixtures: a sandbox, clients for it, and detection of unreleased C objects."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import copy
import ctypes
import gc
import io
import json
import logging
import os
import pickle
import pty
import select
import struct
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from fcntl import ioctl
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from termios import TIOCSCTTY, TIOCSWINSZ
from typing import Any, Awaitable, Callable, Optional, Union
from urllib.parse import urlsplit

import pytest

import argyle
from argyle import _abi

#: Runs an asynchronous function.
RunAsync = Callable[[Callable[[], Awaitable[Any]]], Any]

ROOT = Path(__file__).resolve().parents[2]
KEY_ID = "test-key"
KEY_SECRET = "canary-secret-5f2c"
#: Longer than any test may run.
FOREVER_MS = 600_000
#: Reached only when something hangs.
PATIENCE = 120


def pytest_collection_modifyitems(config: pytest.Config, items: "list[pytest.Item]") -> None:
    """In the short form, run one set of parameters of each test, which depends on Python's version."""
    if "ARGYLE_TEST_ONE_OF_EACH" not in os.environ:
        return
    sets: "dict[str, list[pytest.Item]]" = {}
    for item in items:
        sets.setdefault(item.nodeid.partition("[")[0], []).append(item)
    kept = {id(each[sys.version_info[1] % len(each)]) for each in sets.values()}
    config.hook.pytest_deselected(items=[item for item in items if id(item) not in kept])
    items[:] = [item for item in items if id(item) in kept]


def wait_until(condition: Callable[[], object]) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Sandbox:
    """Controls a sandbox in a separate process."""

    def __init__(self, url: str) -> None:
        """Control the sandbox at a URL."""
        self.url = url

    def control(self, method: str, path: str, document: Any = None) -> Any:
        """Make a control request."""
        data = None if document is None else json.dumps(document).encode()
        request = urllib.request.Request(f"{self.url}/_sandbox{path}", data, {"Content-Type": "application/json"})
        request.method = method
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            body = answer.read()
        return json.loads(body) if body else None

    def faults(self) -> Any:
        """Return the remaining faults; a fault is removed once its count is used up."""
        return self.control("GET", "/faults")

    def only_the_second(self) -> "dict[str, Any]":
        """Return the probability and seed with which a fault affects the second request but not the first."""
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
            # Otherwise it requires a key.
            return error.code == 599
        return False

    def fault(self, **fault: Any) -> None:
        """Add a fault."""
        self.control("POST", "/faults", fault)

    def clear_faults(self) -> None:
        """Remove all faults, and end delays in progress."""
        self.control("DELETE", "/faults")

    def seed(self, count: int) -> None:
        """Add users."""
        self.control("POST", "/users", {"count": count, "seed": 1})


@pytest.fixture(scope="session")
def sandbox_url() -> Iterator[str]:
    """The URL of a sandbox in a separate process."""
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
    """A client without retries for an empty sandbox."""
    with argyle.Client(KEY_ID, KEY_SECRET, base_url=sandbox.url, max_retries=0) as client:
        yield client


class Faults:
    """The sandbox's faults, until the end of the test."""

    def __init__(self, sandbox_url: str) -> None:
        self._sandbox = Sandbox(sandbox_url)

    def add(self, kind: str, **fault: Any) -> None:
        """Add a fault as described in the README."""
        self._sandbox.fault(kind=kind, **fault)

    def clear(self) -> None:
        """Remove all faults, and end delays in progress."""
        self._sandbox.clear_faults()

    def left(self) -> int:
        """Return the sum of the remaining counts."""
        return sum(fault["count"] for fault in self._sandbox.faults())

    def only_the_second(self) -> "dict[str, Any]":
        """Return the probability and seed with which a fault affects the second request but not the first."""
        return self._sandbox.only_the_second()


@pytest.fixture
def faults(sandbox_url: str) -> Iterator[Faults]:
    """The sandbox's faults."""
    faults = Faults(sandbox_url)
    try:
        yield faults
    finally:
        faults.clear()


class Alive:
    """C objects that have not been released, by counting calls of functions that create or free objects.

    Calls submitted to a queue belong to it until argyle_queue_next returns them.
    """

    makers = {
        "client_new_text": "client",
        "client_with_text": "client",
        "client_with_interrupt": "client",
        "client_with_log": "client",
        "call_new_text": "call",
        "cursor_next_call": "call",
        "cursor_new_text": "cursor",
        "queue_new_text": "queue",
        "token_claims": "json",
        "json_loadb": "json",
        "call_unreadable": "error",
        "cursor_unreadable": "error",
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
        """Wrap a library's functions."""
        self.pointers: Counter[tuple[str, int]] = Counter()
        #: Objects left by earlier tests, whose release does not concern the current test.
        self.earlier: set[tuple[str, int]] = set()
        #: The queue of each submitted call.
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
            # The last argument of every function that can fail.
            error = getattr(arguments[-1], "_obj", arguments[-1]) if arguments else None
            if isinstance(error, ctypes.c_void_p) and error.value:
                self.pointers["error", error.value] += 1
            return result

        return call

    def _freer(self, kind: str, function: Any) -> Any:
        def free(pointer: Any) -> None:
            address = getattr(pointer, "value", pointer)
            if kind == "queue":
                # Other threads may be using other queues.
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
        """Return the objects that were not released, or released more than once."""
        return [what for what, count in self.pointers.items() if count] + [("queued", call) for call in self.queued]

    def begin(self) -> None:
        """Start the next test."""
        self.earlier.update(what for what, count in self.pointers.items() if count > 0)
        self.earlier.update(("call", call) for call in self.queued)
        self.pointers.clear()
        self.queued.clear()


@pytest.fixture(scope="session")
def _alive() -> Alive:
    """Start counting C objects."""
    return Alive(_abi.library())


passed = pytest.StashKey[bool]()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> "Iterator[None]":
    """Record whether a test has passed."""
    outcome: Any = yield
    report = outcome.get_result()
    if report.when == "call":
        item.stash[passed] = report.passed


@pytest.fixture(autouse=True)
def no_object_outlives_its_test(_alive: Alive, request: pytest.FixtureRequest) -> Iterator[None]:
    """No C object outlives the test that created it, unless the test failed: its traceback refers to its objects."""
    yield
    if _alive.left():
        # In cycles, perhaps. Not after each test, because it takes longer than most of them.
        gc.collect()
    left = _alive.left()
    _alive.begin()
    assert not left or not request.node.stash.get(passed, False)


# ---------------------------------------------------------------- Recorded requests


def jwt(claims: Any) -> str:
    """Create a token."""

    def part(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part(claims)}.c2lnbmF0dXJl"


class Service:
    """A server in front of a sandbox; it records requests, and can answer them itself."""

    def __init__(self, sandbox_url: str) -> None:
        #: The method, the target and the body of each request.
        self.requests: "list[tuple[str, str, Any]]" = []
        #: Responses to the next requests, which do not reach the sandbox: status and JSON.
        self.answers: "list[tuple[int, Any]]" = []
        self._lock = threading.Lock()
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, text = service._own_answer(self.command, self.path, body) or self.forward(body)
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def forward(self, body: bytes) -> "tuple[int, bytes]":
                # Without Host, so that links lead to the sandbox: a client must take only the cursor from them.
                kept = ("Authorization", "Content-Type")
                headers = {name: value for name, value in self.headers.items() if name in kept}
                with contextlib.closing(HTTPConnection(urlsplit(sandbox_url).netloc, timeout=PATIENCE)) as connection:
                    connection.request(self.command, self.path, body or None, headers)
                    response = connection.getresponse()
                    return response.status, response.read()

            def do_GET(self) -> None:
                self.answer()

            def do_POST(self) -> None:
                self.answer()

            def do_PATCH(self) -> None:
                self.answer()

            def do_DELETE(self) -> None:
                self.answer()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        # Otherwise, stopping it takes half a second.
        self._thread = threading.Thread(target=self._server.serve_forever, args=[0.01])
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """Stop the server."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _own_answer(self, method: str, target: str, body: bytes) -> "Optional[tuple[int, bytes]]":
        """Record a request, and return the next of the own responses, if any."""
        with self._lock:
            self.requests.append((method, target, json.loads(body) if body else None))
            if not self.answers:
                return None
            status, document = self.answers.pop(0)
        return status, b"" if document is None else json.dumps(document).encode()


def copies(value: Any) -> "list[Any]":
    """Return copies of each kind."""
    protocols = range(pickle.HIGHEST_PROTOCOL + 1)
    return [copy.copy(value), copy.deepcopy(value), *(pickle.loads(pickle.dumps(value, each)) for each in protocols)]


@pytest.fixture
def log() -> "Any":
    """All log records with their fields."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s %(argyle)s"))
    logger = logging.getLogger("argyle")
    logger.addHandler(handler)
    level = logger.level
    logger.setLevel(logging.DEBUG)
    yield stream
    logger.removeHandler(handler)
    logger.setLevel(level)


@pytest.fixture(params=["asyncio", "trio"])
def run_async(request: pytest.FixtureRequest) -> RunAsync:
    """Run a function in each kind of event loop."""
    if request.param == "trio":
        return pytest.importorskip("trio").run  # type: ignore[no-any-return]

    async def awaited(main: Callable[[], Awaitable[Any]]) -> Any:
        return await main()

    return lambda main: asyncio.run(awaited(main))


@pytest.fixture
def service(sandbox: Sandbox) -> Iterator[Service]:
    """A server in front of a sandbox without users and faults."""
    with contextlib.closing(Service(sandbox.url)) as service:
        yield service


# ---------------------------------------------------------------- The command line

CLI_KEY_ID = "cli-key"
CLI_KEY_SECRET = "canary-secret-9b41"
COMMAND = [sys.executable, "-m", "argyle"]
SANDBOX = os.environ.get("ARGYLE_SANDBOX", str(ROOT / ".build-prefix/bin/argyle-sandbox"))


class Server(Sandbox):
    """A sandbox with a request log."""

    def __init__(self, url: str, log: Path) -> None:
        super().__init__(url)
        self._log = log

    @property
    def requests(self) -> int:
        """The number of requests for users."""
        return self._log.read_text().count('"/v1/users')

    @property
    def count(self) -> int:
        count = self.control("GET", "")["users"]
        assert isinstance(count, int)
        return count


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    log = tmp_path_factory.mktemp("sandbox") / "log"
    command = [
        *COMMAND,
        "sandbox",
        "--port",
        "0",
        "--key-id",
        CLI_KEY_ID,
        "--key-secret",
        CLI_KEY_SECRET,
        "--log",
        str(log),
    ]
    environment = {**os.environ, "ARGYLE_SANDBOX": SANDBOX}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith("argyle-sandbox listening on "):
                    yield Server(line.split()[-1], log)
                    break
        finally:
            process.kill()


@pytest.fixture
def server(running: Server) -> Iterator[Server]:
    """The sandbox without users and faults."""
    running.control("DELETE", "")
    yield running
    running.control("DELETE", "")


def environment(server: Optional[Server], **changes: Optional[str]) -> "dict[str, str]":
    """Return the environment of a command; None removes a variable."""
    result: "dict[str, Optional[str]]" = {**os.environ}
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "ARGYLE_ENVIRONMENT", "ARGYLE_API_VERSION"):
        result[name] = None
    result.update(ARGYLE_KEY_ID=CLI_KEY_ID, ARGYLE_KEY_SECRET=CLI_KEY_SECRET, TERM="xterm-256color")
    if server is not None:
        result["ARGYLE_BASE_URL"] = server.url
    result.update(changes)
    return {name: value for name, value in result.items() if value is not None}


class Run:
    """The result of a command."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    def json(self) -> Any:
        return json.loads(self.out)

    def lines(self) -> "list[Any]":
        return [json.loads(line) for line in self.out.split("\n")[:-1]]


Runner = Callable[..., Run]


@pytest.fixture
def run(server: Server) -> Runner:
    """Runs a command with pipes, and checks all its output."""

    def run(*arguments: str, stdin: Union[str, bytes] = "", **changes: Optional[str]) -> Run:
        process = subprocess.run(
            [*COMMAND, *arguments],
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            capture_output=True,
            env=environment(server, **changes),
            timeout=PATIENCE,
            check=False,
        )
        result = Run(process.returncode, process.stdout.decode(), process.stderr.decode())
        for text in (result.out, result.err):
            assert CLI_KEY_SECRET not in text
            assert "\x1b" not in text
        assert "Traceback" not in result.err
        assert all(line.startswith("argyle: ") for line in result.err.splitlines())
        return result

    return run


@pytest.fixture
def terminal(server: Server) -> Runner:
    """Runs a command on a terminal; ``out`` has both its standard output and its standard error."""

    def terminal(
        *arguments: str,
        prompt: str = "",
        answer: str = "",
        once_shown: Callable[[], object] = lambda: None,
        columns: int = 120,
        decoding: str = "utf-8",
        **changes: Optional[str],
    ) -> Run:
        ours, theirs = pty.openpty()
        ioctl(theirs, TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        with subprocess.Popen(
            [*COMMAND, *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environment(server, **changes),
            start_new_session=True,
            preexec_fn=lambda: ioctl(0, TIOCSCTTY, 0),
        ) as process:
            os.close(theirs)
            text = b""
            typed = False
            deadline = time.monotonic() + PATIENCE
            while time.monotonic() < deadline and process.poll() is None:
                if prompt and not typed and prompt.encode() in text:
                    once_shown()
                    os.write(ours, answer.encode())
                    typed = True
                if not select.select([ours], [], [], 1)[0]:
                    # Python may miss a Ctrl-C right before it waits for input: a user would press it again.
                    typed = typed and answer != "\x03"
                    continue
                try:
                    part = os.read(ours, 65536)
                except OSError:
                    break
                if not part:
                    break
                text += part
            code = process.wait(PATIENCE)
            # The rest.
            with contextlib.suppress(OSError):
                while select.select([ours], [], [], 0)[0]:
                    text += os.read(ours, 65536)
            os.close(ours)
        out = text.decode(decoding).replace("\r\n", "\n")
        assert CLI_KEY_SECRET not in out
        assert "Traceback" not in out
        return Run(code, out, "")

    return terminal


def metadata_lines(count: int) -> str:
    return "".join(json.dumps({"external_metadata": {"n": number}}) + "\n" for number in range(count))


def numbers(run: Runner) -> "list[int]":
    return sorted(user["external_metadata"]["n"] for user in run("users", "list").lines())
