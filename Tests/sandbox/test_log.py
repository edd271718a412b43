"""The access log: one line of JSON for each request, without anything confidential."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from conftest import KEY_SECRET, PATIENCE, Sandbox, Starter, basic, executable, run


def lines(path: Path, expected: int) -> list[Any]:
    """Returns the log's lines, once there are this many."""
    deadline = time.monotonic() + PATIENCE
    while (text := path.read_text()).count("\n") < expected and time.monotonic() < deadline:
        time.sleep(0.01)
    assert text.count("\n") == expected and text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def logging(start: Starter, path: Path, *arguments: str) -> Sandbox:
    sandbox = start("--log", str(path), *arguments)
    sandbox.faithful = False
    return sandbox


def test_log(start: Starter, tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    sandbox = logging(start, path)
    assert path.read_text() == ""
    user = sandbox.create(b'"private"')
    answers = [
        sandbox.send("GET", f"/v1/users/{user}"),
        sandbox.send("GET", "/v1/users?limit=3&secret=hunter2"),
        sandbox.send("GET", "/v1/users", authorization=None),
        sandbox.send("FOO", "/v1/users"),
        sandbox.send("POST", "/v1/users", b'{"password":"hunter2"'),
        sandbox.send("DELETE", f"/v1/users/{user}"),
        sandbox.send("GET", "/_sandbox"),
        sandbox.send("GET", "/nothing%20here/%00\"\\"),
    ]
    logged = lines(path, 9)
    assert [list(line) for line in logged] == [
        ["time", "method", "path", "status", "duration_us", "trace_id"]] * 9
    assert [(line["method"], line["path"], line["status"]) for line in logged] == [
        ("POST", "/v1/users", 201), ("GET", f"/v1/users/{user}", 200), ("GET", "/v1/users", 200),
        ("GET", "/v1/users", 401), ("FOO", "/v1/users", 405), ("POST", "/v1/users", 400),
        ("DELETE", f"/v1/users/{user}", 204), ("GET", "/_sandbox", 200),
        ("GET", "/nothing%20here/%00\"\\", 404)]
    assert [line["trace_id"] for line in logged[1:]] == [
        answer.headers["X-Trace-Id"] for answer in answers]
    for line in logged:
        assert isinstance(line["duration_us"], int) and line["duration_us"] >= 0
        there = datetime.fromisoformat(line["time"].replace("Z", "+00:00"))
        assert abs((there - datetime.now(timezone.utc)).total_seconds()) < 600
    sandbox.stop()
    text = path.read_text()
    for secret in ("hunter2", "private", "limit", KEY_SECRET, basic().split()[1], "Authorization"):
        assert secret not in text


def test_log_is_appended_to(start: Starter, tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    for _ in range(2):
        sandbox = logging(start, path)
        sandbox.send("GET", "/v1/users")
        sandbox.stop()
    assert len(lines(path, 2)) == 2


def test_no_log_without_the_option(start: Starter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    sandbox = start()
    sandbox.create()
    sandbox.stop()
    assert list(tmp_path.iterdir()) == []


def test_log_uses_the_system_clock(start: Starter, tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    sandbox = logging(start, path)
    sandbox.send("PUT", "/_sandbox/clock", b'{"offset_seconds":100000}')
    sandbox.send("GET", "/v1/users")
    one, other = (datetime.fromisoformat(line["time"].replace("Z", "+00:00")) for line in lines(path, 2))
    assert abs((other - one).total_seconds()) < 600


def test_requests_without_a_response(start: Starter, tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    sandbox = logging(start, path)
    sandbox.send("POST", "/_sandbox/faults", b'{"kind":"close","when":"before"}')
    assert sandbox.raw(f"GET /v1/users HTTP/1.1\r\nHost: x\r\nAuthorization: {basic()}\r\n\r\n".encode()) == b""
    # A client that disconnects in the middle of its body.
    with socket.create_connection(("127.0.0.1", sandbox.port), timeout=PATIENCE) as connection:
        connection.sendall(b"POST /v1/users/x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n{")
    logged = lines(path, 3)
    assert [(line["path"], line["status"], line["trace_id"]) for line in logged[1:]] == [
        ("/v1/users", None, None), ("/v1/users/x", None, None)]


def test_delay_is_part_of_the_duration(start: Starter, tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    sandbox = logging(start, path, "--fault", '{"kind":"delay","milliseconds":150}')
    sandbox.send("GET", "/v1/users")
    assert lines(path, 1)[0]["duration_us"] >= 150_000


def test_paths_of_any_bytes(start: Starter, tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    sandbox = logging(start, path)
    sandbox.raw(b"GET /v1/\xff\xfe\x01\x7f?x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    sandbox.raw(b"GET http://me:hunter2@host/v1/users?x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    sandbox.raw(b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    logged = lines(path, 3)
    assert logged[0]["path"] == "/v1/\ufffd\ufffd\x01\x7f"
    assert logged[1]["path"] == "/v1/users"
    assert logged[2]["path"] == "/" + "a" * 20_000


def test_log_that_cannot_be_opened(tmp_path: Path) -> None:
    path = tmp_path / "none" / "access.log"
    result = run("--port", "0", "--log", str(path))
    assert (result.returncode, result.stdout) == (1, b"")
    assert result.stderr.decode() == f"argyle-sandbox: log '{path}': No such file or directory\n"


def test_log_to_a_full_disk(start: Starter) -> None:
    sandbox = start("--log", "/dev/full")
    assert sandbox.send("GET", "/v1/users").status == 200


def test_log_to_a_full_pipe(start: Starter, tmp_path: Path) -> None:
    """Lines that do not fit are dropped, and none is incomplete."""
    path = tmp_path / "fifo"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    sandbox = logging(start, path)
    generator = random.Random(3)
    sent = 0
    read = b""
    for _ in range(3):
        # Some lines are longer than a pipe accepts atomically.
        for _ in range(400):
            sandbox.send("GET", f"/{sent}/" + "x" * generator.choice([1, 1000, 20_000]))
            sent += 1
        while part := take(reader):
            read += part
    sandbox.send("GET", "/last")
    sandbox.connection.close()
    sandbox.signal(signal.SIGTERM)
    assert sandbox.wait() == 0
    while part := take(reader):
        read += part
    os.close(reader)
    logged = [json.loads(line) for line in read.decode().splitlines()]
    numbers = [int(line["path"].split("/")[1]) for line in logged[:-1]]
    assert numbers == sorted(set(numbers))
    assert 10 < len(numbers) < sent
    assert logged[-1]["path"] == "/last"


def take(reader: int) -> bytes:
    """Reads what is in a pipe."""
    try:
        return os.read(reader, 65536)
    except BlockingIOError:
        return b""


def test_log_to_a_pipe_without_a_reader(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    result = run("--port", "0", "--log", str(path))
    assert (result.returncode, result.stdout) == (1, b"")
    assert result.stderr.decode() == f"argyle-sandbox: log '{path}': No such device or address\n"


def test_log_to_the_terminal() -> None:
    """The sandbox keeps running when the reader disconnects."""
    process = subprocess.Popen(
        [executable(), "--port", "0", "--log", "/dev/stderr"], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    assert process.stdout is not None and process.stderr is not None
    port = 0
    while not port:
        line = process.stdout.readline().decode()
        if "listening" in line:
            port = int(line.rsplit(":", 1)[1])
    request = f"GET /v1/users HTTP/1.1\r\nHost: x\r\nAuthorization: {basic()}\r\nConnection: close\r\n\r\n"
    for open_ended in (True, False):
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
            connection.sendall(request.encode())
            received = b""
            while part := connection.recv(65536):
                received += part
        assert received.startswith(b"HTTP/1.1 200 ")
        if open_ended:
            assert json.loads(process.stderr.readline())["path"] == "/v1/users"
            process.stderr.close()
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=PATIENCE) == 0
    process.stdout.close()
