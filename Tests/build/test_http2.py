"""HTTP/2 if the server offers it over TLS, else HTTP/1.1, with nginx in front of a sandbox."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import urllib.request
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from conftest import (
    CONSUMERS,
    FOREVER_MS,
    PATIENCE,
    STRICT,
    Prefix,
    Sandbox,
    make_certificate,
    succeed,
    wait_until,
)

CONFIGURATION = """\
{user}
worker_processes 1;
pid nginx.pid;
error_log error.log notice;
events {{ worker_connections 1024; }}
http {{
  log_format requests "$server_protocol $connection $connection_requests $request_method $status $msec $request_time";
  access_log access.log requests;
  client_body_temp_path temporary/body;
  proxy_temp_path temporary/proxy;
  fastcgi_temp_path temporary/fastcgi;
  uwsgi_temp_path temporary/uwsgi;
  scgi_temp_path temporary/scgi;
  ssl_certificate certificate.pem;
  ssl_certificate_key key.pem;
  ssl_protocols TLSv1.2 TLSv1.3;
  {directives}
  upstream sandbox {{
    server {sandbox};
    keepalive 64;
  }}
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_next_upstream off;
  server {{
    listen 127.0.0.1:{http2} ssl http2;
    location / {{ proxy_pass http://sandbox; }}
  }}
  server {{
    listen 127.0.0.1:{http1} ssl;
    location / {{ proxy_pass http://sandbox; }}
  }}
}}
"""


@dataclass(frozen=True)
class Line:
    """A request in nginx's access log."""

    protocol: str
    # The connection's number, and the request's position among the requests on it.
    connection: int
    position: int
    method: str
    status: int
    # nginx's wall clock, in milliseconds.
    start: int
    end: int


@dataclass(frozen=True)
class Nginx:
    """An nginx that a test has started."""

    process: subprocess.Popen[bytes]
    folder: Path
    sandbox: Sandbox
    ports: dict[str, int]

    @property
    def certificate(self) -> Path:
        """The certificate that a client must trust."""
        return self.folder / "certificate.pem"

    def environment(self, protocol: str) -> dict[str, str]:
        """Returns the variables from which programs read the URL of the server for this protocol, and the key."""
        url = f"https://127.0.0.1:{self.ports[protocol]}"
        return self.sandbox.environment() | {"ARGYLE_BASE_URL": url}

    def worker(self) -> int:
        """Returns the process ID of nginx's worker."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return int(children.read_text().split()[0])

    def lines(self) -> list[Line]:
        """Stops nginx, so that its log is complete, and returns all requests."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(timeout=PATIENCE)
        return self.lines_so_far()

    def lines_so_far(self) -> list[Line]:
        """Returns the requests that have been logged so far."""
        lines = []
        # The last line may be incomplete.
        for text in (self.folder / "access.log").read_text().split("\n")[:-1]:
            protocol, connection, position, method, status, *times = text.split()
            # Both times have three decimal places.
            end, duration = (int(seconds.replace(".", "")) for seconds in times)
            lines.append(
                Line(protocol, int(connection), int(position), method, int(status), end - duration, end)
            )
        return lines

    def wait_for(self, requests: int) -> None:
        """Waits until this many requests have been logged."""
        wait_until(lambda: len(self.lines_so_far()) >= requests)


@contextmanager
def reserved_port() -> Iterator[int]:
    """Reserves a port: nginx can listen on it, but no other program is assigned it."""
    with socket.socket() as reserved:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind(("127.0.0.1", 0))
        yield reserved.getsockname()[1]


def listens(port: int) -> bool:
    """Returns whether a port accepts connections."""
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return False
    return True


StartNginx = Callable[..., Nginx]


@pytest.fixture
def start_nginx(sandbox: Sandbox, tmp_path: Path) -> Iterator[StartNginx]:
    """Returns a function that starts an nginx with additional directives. It is stopped after the test."""
    stack = ExitStack()

    def stop(process: subprocess.Popen[bytes]) -> None:
        process.terminate()
        process.wait(timeout=PATIENCE)

    def start(*directives: str) -> Nginx:
        folder = tmp_path / "nginx"
        (folder / "temporary").mkdir(parents=True)
        make_certificate(folder)
        http2, http1 = (stack.enter_context(reserved_port()) for _ in range(2))
        configuration = CONFIGURATION.format(
            # If nginx is started by root, its workers would run as a user without access to the folder.
            user="user root root;" if os.geteuid() == 0 else "",
            directives=" ".join(f"{directive};" for directive in directives),
            sandbox=sandbox.base_url.removeprefix("http://"),
            http2=http2,
            http1=http1,
        )
        (folder / "nginx.conf").write_text(configuration)
        # Debian installs nginx in /usr/sbin, which is not on every user's PATH.
        program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
        assert program is not None
        command = [program, "-p", folder, "-c", "nginx.conf", "-e", "error.log", "-g", "daemon off;"]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        stack.callback(stop, process)
        wait_until(lambda: process.poll() is not None or listens(http1) and listens(http2))
        assert process.poll() is None
        return Nginx(process, folder, sandbox, {"HTTP/2.0": http2, "HTTP/1.1": http1})

    with stack:
        yield start


@pytest.fixture(scope="module")
def many(prefix: Prefix, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program that makes many calls."""
    program = tmp_path_factory.mktemp("many") / "many"
    flags = prefix.flags("--cflags", "--libs")
    succeed(["cc", "-std=c99", *STRICT, CONSUMERS / "many.c", *flags, "-o", program])
    return program


@dataclass(frozen=True)
class Many:
    """The program, and the server that it calls."""

    program: Path
    prefix: Prefix
    nginx: Nginx
    protocol: str

    @contextmanager
    def running(
        self, count: int, in_flight: int, *steps: str, ca_file: Path | None = None
    ) -> Iterator[subprocess.Popen[str]]:
        """Starts the program. It is killed at the end of the block if it is still running."""
        command = [self.program, ca_file or self.nginx.certificate, str(count), str(in_flight), *steps]
        environment = {
            **os.environ,
            **self.prefix.environment(),
            **self.nginx.environment(self.protocol),
        }
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    def run(
        self, count: int, in_flight: int, *steps: str, ca_file: Path | None = None
    ) -> list[Report]:
        """Runs the program and returns its reports."""
        with self.running(count, in_flight, *steps, ca_file=ca_file) as process:
            return reports(process)


@dataclass(frozen=True)
class Report:
    """What the program reports about a step."""

    step: str
    calls: int
    once: int
    succeeded: int
    attempts: int
    failed: dict[str, int]
    unknown: list[int]
    ids: dict[str, str]
    distinct: int

    def check_results(self, calls: int) -> None:
        """Checks that each call has exactly one result."""
        assert (self.calls, self.once) == (calls, calls)
        assert self.succeeded + sum(self.failed.values()) == calls

    def check_success(self, calls: int) -> None:
        """Checks that each call succeeded."""
        self.check_results(calls)
        assert self.failed == {}


def reports(process: subprocess.Popen[str]) -> list[Report]:
    """Waits for the program to exit, and returns its reports."""
    output, _ = process.communicate(timeout=900)
    assert process.returncode == 0
    objects = [json.loads(line) for line in output.splitlines()]
    return [Report(**({"ids": {}, "distinct": 0} | report)) for report in objects]


StartMany = Callable[..., Many]


@pytest.fixture
def many_against(many: Path, prefix: Prefix) -> StartMany:
    """Returns a function that runs the program against nginx's server for a protocol."""
    return lambda nginx, protocol="HTTP/2.0": Many(many, prefix, nginx, protocol)


def request(sandbox: Sandbox, method: str, path: str, body: object = None) -> Any:
    """Sends a request to the sandbox directly."""
    key = b64encode(f"{sandbox.key_id}:{sandbox.key_secret}".encode()).decode()
    message = urllib.request.Request(
        sandbox.base_url + path,
        None if body is None else json.dumps(body).encode(),
        {"Content-Type": "application/json", "Authorization": f"Basic {key}"},
        method=method,
    )
    with urllib.request.urlopen(message, timeout=PATIENCE) as response:
        text = response.read()
    return json.loads(text) if text else None


def delay_creates(sandbox: Sandbox, count: int) -> None:
    """Delays the responses to creates until `count` users have been created."""
    fault = {"kind": "delay", "milliseconds": FOREVER_MS, "method": "POST"}
    request(sandbox, "POST", "/_sandbox/faults", fault)

    def release() -> None:
        wait_until(lambda: request(sandbox, "GET", "/_sandbox")["users"] >= count)
        request(sandbox, "DELETE", "/_sandbox/faults")

    threading.Thread(target=release, daemon=True).start()


def users(sandbox: Sandbox) -> list[tuple[str, int]]:
    """Returns the ids and numbers of all users in the sandbox."""
    found: list[tuple[str, int]] = []
    while True:
        page = request(sandbox, "GET", f"/v1/users?limit=200&offset={len(found)}")
        if not page["results"]:
            return found
        found += [(user["id"], user["external_metadata"]["number"]) for user in page["results"]]


def max_in_flight(lines: Sequence[Line]) -> int:
    """Returns the maximum number of requests that were in flight at once."""
    # An end and a start in the same millisecond do not overlap.
    moments = sorted([(line.start, 1) for line in lines] + [(line.end, -1) for line in lines])
    in_flight = maximum = 0
    for _, change in moments:
        in_flight += change
        maximum = max(maximum, in_flight)
    return maximum


def by_connection(lines: Sequence[Line]) -> list[list[Line]]:
    """Groups requests by connection."""
    return [
        [line for line in lines if line.connection == connection]
        for connection in sorted({line.connection for line in lines})
    ]


def check_both_sides(created: Report, sandbox: Sandbox) -> int:
    """Checks that no user is missing or created twice. Returns how many creates failed but were carried out."""
    existing = users(sandbox)
    assert len({id for id, _ in existing}) == len(existing)
    numbers = Counter(number for _, number in existing)
    assert not [number for number, times in numbers.items() if times > 1]
    succeeded = {(id, int(number)) for number, id in created.ids.items()}
    assert created.distinct == created.succeeded == len(succeeded)
    assert succeeded <= set(existing)
    carried_out = {number for _, number in set(existing) - succeeded}
    assert carried_out <= set(created.unknown)
    return len(carried_out)


def test_calls_share_an_http2_connection(start_nginx: StartNginx, many_against: StartMany) -> None:
    nginx = start_nginx()
    delay_creates(nginx.sandbox, 50)
    steps = many_against(nginx).run(200, 50, "create", "get", "delete")
    for step in steps:
        step.check_success(200)
    assert steps[0].distinct == 200
    lines = nginx.lines()
    assert Counter((line.protocol, line.method, line.status) for line in lines) == {
        ("HTTP/2.0", "POST", 201): 200,
        ("HTTP/2.0", "GET", 200): 200,
        ("HTTP/2.0", "DELETE", 204): 200,
    }
    assert [len(requests) for requests in by_connection(lines)] == [600]
    assert 40 <= max_in_flight(lines) <= 50
    assert users(nginx.sandbox) == []


def test_concurrent_http1_calls_use_separate_connections(
    start_nginx: StartNginx, many_against: StartMany
) -> None:
    nginx = start_nginx()
    delay_creates(nginx.sandbox, 50)
    steps = many_against(nginx, "HTTP/1.1").run(200, 50, "create", "get", "delete")
    for step in steps:
        step.check_success(200)
    lines = nginx.lines()
    assert {line.protocol for line in lines} == {"HTTP/1.1"}
    connections = by_connection(lines)
    assert sum(map(len, connections)) == 600
    assert 40 <= len(connections) <= 50
    assert all(max_in_flight(requests) == 1 for requests in connections)
    assert 40 <= max_in_flight(lines) <= 50


@pytest.mark.parametrize("protocol", ["HTTP/2.0", "HTTP/1.1"])
def test_blocking_calls_share_a_connection(
    start_nginx: StartNginx, many_against: StartMany, protocol: str
) -> None:
    nginx = start_nginx()
    for step in many_against(nginx, protocol).run(20, 0, "create", "get", "delete"):
        step.check_success(20)
    lines = nginx.lines()
    assert {line.protocol for line in lines} == {protocol}
    assert [[line.position for line in requests] for requests in by_connection(lines)] == [
        list(range(1, 61))
    ]


def test_server_that_allows_few_streams(start_nginx: StartNginx, many_against: StartMany) -> None:
    nginx = start_nginx("http2_max_concurrent_streams 8")
    delay_creates(nginx.sandbox, 40)
    # The server may refuse streams until the client has received its settings. Refused requests are retried.
    steps = many_against(nginx).run(200, 50, "create", "get", "delete")
    for step in steps:
        step.check_success(200)
    assert users(nginx.sandbox) == []
    lines = nginx.lines()
    assert {line.protocol for line in lines} == {"HTTP/2.0"}
    connections = by_connection(lines)
    assert len(connections) <= 50
    assert all(max_in_flight(requests) <= 8 for requests in connections)
    assert 40 <= max_in_flight(lines) <= 50


# Fewer in flight over HTTP/1.1, so that connections reach their maximum number of requests.
@pytest.mark.parametrize(("protocol", "in_flight"), [("HTTP/2.0", 50), ("HTTP/1.1", 10)])
def test_server_that_ends_connections_gracefully(
    start_nginx: StartNginx, many_against: StartMany, protocol: str, in_flight: int
) -> None:
    nginx = start_nginx("keepalive_requests 100")
    [created] = many_against(nginx, protocol).run(2000, in_flight, "create")
    created.check_results(2000)
    assert check_both_sides(created, nginx.sandbox) == 0
    assert created.failed == {}
    lines = nginx.lines()
    assert len(lines) == 2000
    # nginx refuses requests after a connection's last one. Only in HTTP/2 does it say so, and they are retried.
    assert (created.attempts > 2000) == (protocol == "HTTP/2.0")
    assert {line.protocol for line in lines} == {protocol}
    assert max(line.position for line in lines) == 100
    assert len(by_connection(lines)) >= 15


def test_killed_and_reloaded(start_nginx: StartNginx, many_against: StartMany) -> None:
    nginx = start_nginx()
    with many_against(nginx).running(3000, 50, "create") as process:
        nginx.wait_for(500)
        os.kill(nginx.worker(), signal.SIGKILL)
        nginx.wait_for(1500)
        nginx.process.send_signal(signal.SIGHUP)
        [created] = reports(process)
    created.check_results(3000)
    check_both_sides(created, nginx.sandbox)
    # The calls that were in flight when the connection died.
    assert set(created.failed) <= {"connection"}
    # The dead connection is soon replaced.
    assert created.succeeded > 2000


def test_untrusted_certificate(
    start_nginx: StartNginx, many_against: StartMany, tmp_path: Path
) -> None:
    nginx = start_nginx()
    make_certificate(tmp_path)
    [created] = many_against(nginx).run(100, 50, "create", ca_file=tmp_path / "certificate.pem")
    created.check_results(100)
    assert created.failed == {"tls": 100}
    assert created.unknown == []
    assert nginx.lines() == []
    assert users(nginx.sandbox) == []
