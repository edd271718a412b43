"""Starts the sandbox named by the environment variable ARGYLE_SANDBOX and talks to it over the wire."""

import base64
import errno
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import threading

import pytest

KEY_ID = "sandbox-key-id"
KEY_SECRET = "sandbox-key-secret"
# Long enough for a sandbox under valgrind; reached only when something is wrong.
PATIENCE = 120


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self):
        assert self.headers["Content-Type"] == "application/json"
        return json.loads(self.body)


def basic(key_id=KEY_ID, secret=KEY_SECRET):
    return "Basic " + base64.b64encode(f"{key_id}:{secret}".encode()).decode()


def executable():
    return os.environ["ARGYLE_SANDBOX"]


def pytest_sessionstart(session):
    path = os.environ.get("ARGYLE_SANDBOX", "")
    if not (os.path.isabs(path) and os.access(path, os.X_OK)):
        pytest.exit("ARGYLE_SANDBOX must name the argyle-sandbox executable, absolutely", returncode=2)


def run(*arguments):
    """Runs a sandbox that is expected to end by itself."""
    return subprocess.run(
        [executable(), *arguments], capture_output=True, timeout=PATIENCE, stdin=subprocess.DEVNULL)


class Sandbox:
    def __init__(self, *arguments):
        self.process = subprocess.Popen(
            [executable(), *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL)
        watchdog = threading.Timer(PATIENCE, self.process.kill)
        watchdog.start()
        self.lines = []
        self.port = None
        for line in self.process.stdout:
            self.lines.append(line.decode().rstrip("\n"))
            ready = re.fullmatch(
                r"argyle-sandbox listening on http://127\.0\.0\.1:([1-9]\d*)", self.lines[-1])
            if ready:
                self.port = int(ready[1])
                break
        watchdog.cancel()
        if self.port is None:
            _, errors = self.process.communicate(timeout=PATIENCE)
            pytest.fail(f"the sandbox did not start: {errors.decode()}")
        self.connection = self.connect()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)

    def send(self, method, path, body=None, headers=None, authorization=basic(), connection=None):
        """Sends bytes as they are; a body is declared as JSON unless the headers say otherwise."""
        fields = {}
        if authorization is not None:
            fields["Authorization"] = authorization
        if body is not None:
            fields["Content-Type"] = "application/json"
        fields.update(headers or {})
        fields = {name: value for name, value in fields.items() if value is not None}
        connection = connection or self.connection
        connection.request(method, path, body=body, headers=fields)
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())

    def raw(self, data):
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

    def create(self, metadata=None):
        """Creates a user with the metadata given as JSON text; gives its id."""
        body = None if metadata is None else b'{"external_metadata":' + metadata + b"}"
        answer = self.send("POST", "/v1/users", body)
        assert answer.status == 201, answer.body
        return answer.json["id"]

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self):
        """Waits for the end; gives the exit code, and fails on anything printed as an error."""
        _, errors = self.process.communicate(timeout=PATIENCE)
        assert errors == b""
        return self.process.returncode

    def stop(self):
        self.connection.close()
        self.signal(signal.SIGTERM)
        assert self.wait() == 0

    def kill(self):
        self.process.kill()
        self.process.communicate(timeout=PATIENCE)


@pytest.fixture
def start():
    """Starts sandboxes on free ports, and stops those that still run at the end."""
    running = []

    def starter(*arguments):
        sandbox = Sandbox("--port", "0", *arguments)
        running.append(sandbox)
        return sandbox

    yield starter
    for sandbox in running:
        if sandbox.process.poll() is None:
            sandbox.stop()


@pytest.fixture
def fresh(start):
    """A sandbox without users."""
    return start()


@pytest.fixture(scope="session")
def shared():
    sandbox = Sandbox("--port", "0")
    yield sandbox
    sandbox.stop()


@pytest.fixture
def sandbox(shared):
    """A sandbox that other tests have used, on a connection of its own."""
    shared.connection.close()
    shared.connection = shared.connect()
    yield shared
    assert shared.process.poll() is None, "the sandbox has ended"
