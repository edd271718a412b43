"""Slow clients, silent clients, too many clients and oversized requests."""

from __future__ import annotations

import http.client
import json
import os
import resource
import signal
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

import pytest
from conftest import PATIENCE, Clock, Sandbox, Starter, basic, executable, is_readable, run, wait_until

HEAD = f"POST /v1/users HTTP/1.1\r\nHost: x\r\nAuthorization: {basic()}\r\n" \
    "Content-Type: application/json\r\n"
GET = f"GET /v1/users HTTP/1.1\r\nHost: x\r\nAuthorization: {basic()}\r\n\r\n".encode()


@pytest.fixture(autouse=True)
def descriptors() -> Iterator[None]:
    """Raises the test's descriptor limit to the system's maximum."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def connect(sandbox: Sandbox) -> socket.socket:
    return socket.create_connection(("127.0.0.1", sandbox.port), timeout=PATIENCE)


def rest(connection: socket.socket, clock: Optional[Clock] = None) -> bytes:
    """Receives until the connection ends, while advancing the clock if there is one."""
    received = b""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if clock is not None and not is_readable(connection, 0.005):
            clock.advance(0.05)
            continue
        try:
            part = connection.recv(65536)
        except ConnectionResetError:
            return received
        if not part:
            return received
        received += part
    pytest.fail("the server does not close the connection")


def drip(connection: socket.socket, clock: Optional[Clock] = None) -> None:
    """Sends bytes slowly until the server closes the connection, while advancing the clock if there is one."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            connection.sendall(b"x")
            if is_readable(connection, 0.02) and connection.recv(1000) == b"":
                return
        except ConnectionError:
            return
        if clock is not None:
            clock.advance(0.05)
    pytest.fail("the server does not close the connection")


def insist(sandbox: Sandbox, clock: Clock) -> None:
    """Sends requests until one is answered; as the clock advances, this client may time out too."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with connect(sandbox) as connection:
            connection.sendall(GET.replace(b"Host: x", b"Host: x\r\nConnection: close"))
            if rest(connection, clock).startswith(b"HTTP/1.1 200 "):
                return
    pytest.fail("the server does not respond")


# Slow clients. The clock stands still for the others, however slow the machine is.


def test_client_that_sends_nothing(start: Starter, clock: Clock) -> None:
    sandbox = start("--timeout", "1", clock=clock)
    with connect(sandbox) as connection:
        assert rest(connection, clock) == b""
    assert sandbox.send("GET", "/v1/users").status == 200


@pytest.mark.parametrize("sent", [
    b"GET", b"GET /v1/users HTTP/1.1\r\n", b"GET /v1/users HTTP/1.1\r\nHost: x", HEAD.encode(),
    (HEAD + "Content-Length: 10\r\n\r\n").encode(), (HEAD + "Content-Length: 10\r\n\r\n{").encode(),
    (HEAD + "Transfer-Encoding: chunked\r\n\r\n5\r\nab").encode(),
    (HEAD + "Content-Length: 60000000\r\n\r\n").encode()],
    ids=["method", "line", "header", "headers", "no body", "body", "chunk", "large body"])
def test_client_that_stops(start: Starter, sent: bytes, clock: Clock) -> None:
    sandbox = start("--timeout", "1", clock=clock)
    with connect(sandbox) as connection:
        connection.sendall(sent)
        assert not rest(connection, clock).startswith(b"HTTP/1.1 2")
    assert sandbox.send("GET", "/v1/users").json["count"] == 0


@pytest.mark.parametrize("prefix", [
    b"", b"GET /v1/users HTTP/1.1\r\nX: ", (HEAD + "Content-Length: 1000000\r\n\r\n").encode(),
    (HEAD + "Transfer-Encoding: chunked\r\n\r\nfffff\r\n").encode(), GET],
    ids=["line", "header", "body", "chunk", "second request"])
def test_drip(start: Starter, prefix: bytes, clock: Clock) -> None:
    sandbox = start("--timeout", "1", clock=clock)
    with connect(sandbox) as connection:
        connection.sendall(prefix)
        drip(connection, clock)
    assert sandbox.send("GET", "/v1/users").json["count"] == 0


def test_drips_do_not_block_other_clients(start: Starter, clock: Clock) -> None:
    sandbox = start("--timeout", "1", clock=clock)
    dripping = [threading.Thread(target=drip, args=(connect(sandbox),)) for _ in range(20)]
    for thread in dripping:
        thread.start()
    while any(thread.is_alive() for thread in dripping):
        assert sandbox.send("GET", "/v1/users", connection=sandbox.connect()).status == 200
        clock.advance(0.05)
    for thread in dripping:
        thread.join()


def test_client_that_does_not_read_its_response(start: Starter, clock: Clock) -> None:
    sandbox = start("--timeout", "1", clock=clock)
    for _ in range(16):
        sandbox.create(b'"' + b"x" * 1_000_000 + b'"')

    def descriptors() -> int:
        return len(os.listdir(f"/proc/{sandbox.process.pid}/fd"))

    # The connection of those requests must not be mistaken for the slow one.
    before = descriptors()
    sandbox.connection.close()
    wait_until(lambda: descriptors() < before)
    before = descriptors()
    with connect(sandbox) as connection:
        connection.sendall(GET.replace(b"/v1/users", b"/v1/users?limit=200"))
        # The response has begun; the server closes its socket before the client begins to read.
        assert is_readable(connection, PATIENCE)

        def is_gone() -> bool:
            clock.advance(0.05)
            return descriptors() <= before

        wait_until(is_gone)
        assert len(rest(connection)) < 16_000_000
    assert sandbox.send("GET", "/v1/users?limit=1", connection=sandbox.connect()).status == 200


def test_idle_connection_is_closed_and_an_active_one_is_not(start: Starter, clock: Clock) -> None:
    sandbox = start("--timeout", "1", clock=clock)
    idle, active = connect(sandbox), sandbox.connect()
    idle.sendall(GET)
    assert sandbox.send("GET", "/v1/users", connection=active).status == 200
    own = active.sock.getsockname()
    ended = threading.Event()

    def wait() -> None:
        assert rest(idle).startswith(b"HTTP/1.1 200 ")
        ended.set()

    thread = threading.Thread(target=wait)
    thread.start()
    while not ended.is_set():
        # It sends another request before its timeout, until the other connection has timed out.
        clock.advance(0.7)
        assert sandbox.send("GET", "/v1/users", connection=active).status == 200
        assert active.sock.getsockname() == own
    thread.join()
    idle.close()


def test_delay_does_not_count_towards_the_timeout(start: Starter, clock: Clock) -> None:
    sandbox = start("--timeout", "1", "--fault", '{"kind":"delay","milliseconds":600000,"method":"POST"}',
                    clock=clock)
    connection = sandbox.connect()
    own = None
    for number in (1, 2):
        connection.request("POST", "/v1/users", headers={"Authorization": basic()})
        own = own or connection.sock.getsockname()
        # The delay begins when the user has been created.
        wait_until(lambda: users(sandbox) == number)
        clock.advance(600)
        answer = connection.getresponse()
        assert (answer.status, connection.sock.getsockname()) == (201, own)
        answer.read()


def test_processing_does_not_count_towards_the_timeout(start: Starter, tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "state.sqlite"
    sandbox = start("--timeout", "1", "--database", str(path), clock=clock)
    idle, begun, other = sandbox.connect(), connect(sandbox), sandbox.connect()
    assert sandbox.send("GET", "/v1/users", connection=idle).status == 200
    begun.sendall((HEAD + "Content-Length: 2\r\n\r\n{").encode())
    # A request waits for the database for longer than the timeout; no other is processed meanwhile.
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    other.request("POST", "/v1/users", headers={"Authorization": basic()})
    wait_until(lambda: clock.sleeps > 0)
    clock.advance(3)
    holder.close()
    assert other.getresponse().status == 201
    own = idle.sock.getsockname()
    assert sandbox.send("GET", "/v1/users", connection=idle).status == 200
    assert idle.sock.getsockname() == own
    begun.sendall(b"}")
    assert begun.recv(1000).startswith(b"HTTP/1.1 201 ")
    begun.close()
    other.close()


@pytest.mark.parametrize("value", ["0", "-1", "+1", "3601", "1.5", "", "x", "99999999999999999999"])
def test_wrong_timeouts(value: str) -> None:
    result = run("--port", "0", "--timeout", value)
    assert (result.returncode, result.stdout) == (2, b"")
    assert result.stderr.decode() == (
        f"argyle-sandbox: option '--timeout' must be an integer from 1 to 3600, got '{value}'; "
        "try 'argyle-sandbox --help'\n")


# Too many clients. Nothing times out here, so a client that depended on it would wait forever.


def test_many_silent_connections(start: Starter) -> None:
    """More than the maximum: the oldest are evicted."""
    sandbox = start()
    silent = [connect(sandbox) for _ in range(1500)]
    for _ in range(3):
        assert sandbox.send("GET", "/v1/users", connection=sandbox.connect()).status == 200
    # The newest still get responses.
    silent[-1].sendall(GET)
    assert silent[-1].recv(65536).startswith(b"HTTP/1.1 200 ")
    assert rest(silent[0]) == b""
    for connection in silent:
        connection.close()
    assert sandbox.send("GET", "/v1/users", connection=sandbox.connect()).status == 200
    assert_few_descriptors(sandbox)


def assert_few_descriptors(sandbox: Sandbox) -> None:
    wait_until(lambda: len(os.listdir(f"/proc/{sandbox.process.pid}/fd")) <= 50)


def test_many_connections_in_the_middle_of_a_request(start: Starter, clock: Clock) -> None:
    """None of them is idle, so new clients wait until they time out."""
    sandbox = start("--timeout", "1", clock=clock)
    begun = []
    for _ in range(1000):
        begun.append(connect(sandbox))
        begun[-1].sendall((HEAD + "Content-Length: 10\r\n\r\n{").encode())
    insist(sandbox, clock)
    for connection in begun:
        connection.close()
    assert_few_descriptors(sandbox)


def delayed_clients(sandbox: Sandbox, count: int) -> list[socket.socket]:
    """Creates clients that wait for a response delayed by ten minutes."""
    rule = b'[{"kind":"delay","milliseconds":600000,"method":"POST"}]'
    assert sandbox.send("PUT", "/_sandbox/faults", rule, connection=sandbox.connect()).status == 200
    clients = []
    for _ in range(count):
        client = connect(sandbox)
        client.sendall((HEAD + "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n").encode())
        # One after another, so that none is idle when the next one connects.
        assert client.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"{}")
        clients.append(client)
    while users(sandbox) < count:
        pass
    return clients


def users(sandbox: Sandbox) -> int:
    """Returns the number of users, requested on a new connection, where the response is not delayed."""
    connection = sandbox.connect()
    number: int = sandbox.send("GET", "/_sandbox", connection=connection).json["users"]
    connection.close()
    return number


def test_many_delayed_clients_that_disconnect(start: Starter) -> None:
    sandbox = start()
    for _ in range(3):
        for connection in delayed_clients(sandbox, 400):
            connection.close()
        assert sandbox.send("DELETE", "/_sandbox/users", connection=sandbox.connect()).status == 204
    assert users(sandbox) == 0
    assert sandbox.send("GET", "/v1/users", connection=sandbox.connect()).status == 200


def test_many_delayed_clients_that_stay(start: Starter) -> None:
    sandbox = start()
    waiting = delayed_clients(sandbox, 1100)
    assert sandbox.send("GET", "/v1/users", connection=sandbox.connect()).status == 200
    # Some were evicted; the others are still waiting, and get their responses when the delays end.
    sandbox.send("DELETE", "/_sandbox/faults", connection=sandbox.connect())
    answers = [answer_to(connection) for connection in waiting]
    answered = sum(answer.startswith(b"HTTP/1.1 201 ") for answer in answers)
    assert answered > 800
    assert answers.count(b"") == 1100 - answered


def answer_to(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65536)
    except ConnectionResetError:
        return b""
    finally:
        connection.close()


def test_disconnected_delayed_clients_are_evicted_first(start: Starter) -> None:
    sandbox = start()
    clients = delayed_clients(sandbox, 800)
    idle = [sandbox.connect() for _ in range(90)]
    for connection in idle:
        assert sandbox.send("GET", "/v1/users", connection=connection).status == 200
    own = [connection.sock.getsockname() for connection in idle]
    for connection in clients:
        connection.close()
    for _ in range(50):
        idle.append(sandbox.connect())
        assert sandbox.send("GET", "/v1/users", connection=idle[-1]).status == 200
    for connection, name in zip(idle, own):
        assert sandbox.send("GET", "/v1/users", connection=connection).status == 200
        assert connection.sock.getsockname() == name
    for connection in idle:
        connection.close()


@pytest.mark.parametrize("path", ["/_sandbox/faults", "/_sandbox"])
def test_delays_end_with_their_fault(start: Starter, path: str) -> None:
    sandbox = start()
    waiting = delayed_clients(sandbox, 20)
    assert sandbox.send("DELETE", path).status == 204
    for connection in waiting:
        assert answer_to(connection).startswith(b"HTTP/1.1 201 ")


def test_low_descriptor_limit(start: Starter, clock: Clock) -> None:
    sandbox = start("--timeout", "1", clock=clock)
    resource.prlimit(sandbox.process.pid, resource.RLIMIT_NOFILE, (40, 40))
    silent = [connect(sandbox) for _ in range(100)]
    insist(sandbox, clock)
    for connection in silent:
        connection.close()
    assert sandbox.send("POST", "/v1/users", connection=sandbox.connect()).status == 201
    assert sandbox.send("GET", "/v1/users", connection=sandbox.connect()).json["count"] == 1


def test_silent_connections_do_not_delay_stopping(start: Starter) -> None:
    sandbox = start()
    silent = [connect(sandbox) for _ in range(500)]
    sandbox.connection.close()
    sandbox.signal(signal.SIGTERM)
    assert sandbox.wait() == 0
    for connection in silent:
        connection.close()


def test_low_descriptor_limit_from_the_start(start: Starter) -> None:
    """It accepts no more connections than it has descriptors for: the oldest are evicted."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    sandbox = start()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    silent = [connect(sandbox) for _ in range(400)]
    for path in ("/v1/users", "/_sandbox"):
        assert sandbox.send("GET", path, connection=sandbox.connect()).status == 200
    assert 150 < len(os.listdir(f"/proc/{sandbox.process.pid}/fd")) < 256
    for connection in silent:
        connection.close()


@pytest.mark.parametrize("count", [16, 18, 24])
def test_very_low_descriptor_limit(
        start: Starter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """The oldest are evicted here too, long before they time out."""
    script = tmp_path / "sandbox"
    script.write_text(f"#!/bin/sh\nulimit -n {count}\nexec '{executable()}' \"$@\"\n")
    script.chmod(0o700)
    monkeypatch.setenv("ARGYLE_SANDBOX", str(script))
    sandbox = start()
    silent = [connect(sandbox) for _ in range(30)]
    for path in ("/v1/users", "/_sandbox"):
        newcomer = sandbox.connect()
        assert sandbox.send("GET", path, connection=newcomer).status == 200
        newcomer.close()
    for connection in silent:
        connection.close()


# Large requests


def test_largest_list_in_little_memory(start: Starter, tmp_path: Path) -> None:
    sandbox = start("--database", str(tmp_path / "state.sqlite"))
    sandbox.faithful = False
    # The largest accepted body, to the byte.
    size = 16 << 20
    while sandbox.send("POST", "/v1/users", sized(size)).status == 413:
        size //= 2
    assert sandbox.send("POST", "/v1/users", sized(size + 1)).status == 413
    names = json.dumps({"employers_connected": ["x" * 65_000]}).encode()
    for _ in range(199):
        user = sandbox.send("POST", "/v1/users", sized(size)).json["id"]
        assert sandbox.send("PATCH", f"/_sandbox/users/{user}", names).status == 200
    resource.prlimit(sandbox.process.pid, resource.RLIMIT_AS, (1 << 30, 1 << 30))
    for target in ("/v1/users?limit=200", "/v1/users?limit=200&ordering=created_at", "/v1/users?limit=200&offset=1",
                   "/v2/users?limit=200"):
        answer = sandbox.send("GET", target, connection=sandbox.connect())
        assert answer.status == 200
        assert len(answer.body) > 199 * (size + 64_000)
    assert sandbox.send("GET", "/v1/users?limit=1").json["count"] == 200


def sized(size: int) -> bytes:
    """Returns a request body of this size."""
    return b'{"external_metadata":"' + b"x" * (size - 24) + b'"}'


@pytest.mark.parametrize("size", [30_000, 60_000])
def test_large_headers(sandbox: Sandbox, size: int) -> None:
    received = sandbox.raw(
        GET.replace(b"Host: x", b"Host: x\r\nConnection: close\r\nX-Long: " + b"x" * size))
    if size == 30_000:
        assert received.startswith(b"HTTP/1.1 200 ")
    assert sandbox.send("GET", "/v1/users").status == 200


@pytest.mark.parametrize(
    "data",
    [GET.replace(b"Host: x", b"Host: x\r\nX-Long: " + b"x" * 200_000),
     GET.replace(b"Host: x", b"Host: x" + b"".join(b"\r\nX-%d: x" % n for n in range(20_000))),
     GET.replace(b"/v1/users", b"/v1/users/" + b"x" * 200_000),
     GET.replace(b"GET", b"G" * 200_000)],
    ids=["header", "headers", "path", "method"])
def test_oversized_headers(sandbox: Sandbox, data: bytes) -> None:
    received = sandbox.raw(data)
    assert received == b"" or received.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4")), received[:100]
    assert sandbox.send("GET", "/v1/users").status == 200


def test_concurrent_large_bodies(start: Starter) -> None:
    """The clients get the response, though they send everything before they read."""
    sandbox = start()
    answers: list[int] = []

    def send() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", sandbox.port, timeout=PATIENCE)
        connection.request("POST", "/v1/users", body=b"x" * (40 << 20),
                           headers={"Authorization": basic(), "Content-Type": "application/json"})
        answers.append(connection.getresponse().status)
        connection.close()

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [413] * 4
    assert sandbox.send("GET", "/v1/users").json["count"] == 0
