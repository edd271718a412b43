"""HTTP/2 where the server offers it over TLS, and HTTP/1.1 otherwise, with nginx before a sandbox."""

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
    # The connection that it came on, and its place among the requests of that.
    connection: int
    place: int
    method: str
    status: int
    # By nginx's clock, in milliseconds.
    began: int
    ended: int


@dataclass(frozen=True)
class Nginx:
    """An nginx of the test's own."""

    process: subprocess.Popen[bytes]
    folder: Path
    sandbox: Sandbox
    ports: dict[str, int]

    @property
    def certificate(self) -> Path:
        """What a client has to trust."""
        return self.folder / "certificate.pem"

    def environment(self, protocol: str) -> dict[str, str]:
        """How programs are told about the server that offers this protocol."""
        url = f"https://127.0.0.1:{self.ports[protocol]}"
        return self.sandbox.environment() | {"ARGYLE_BASE_URL": url}

    def worker(self) -> int:
        """The process that serves, which the test's own nginx has started."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return int(children.read_text().split()[0])

    def lines(self) -> list[Line]:
        """All requests: ends nginx first, which writes a line only after its answer was read."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(timeout=PATIENCE)
        return self.lines_so_far()

    def lines_so_far(self) -> list[Line]:
        """The requests whose line was written yet."""
        lines = []
        # The last line may be half written.
        for text in (self.folder / "access.log").read_text().split("\n")[:-1]:
            protocol, connection, place, method, status, end, time_taken = text.split()
            # Both have three digits after the point.
            ended, took = (int(seconds.replace(".", "")) for seconds in (end, time_taken))
            lines.append(
                Line(protocol, int(connection), int(place), method, int(status), ended - took, ended)
            )
        return lines

    def wait_for(self, requests: int) -> None:
        """Waits until so many requests were answered."""
        wait_until(lambda: len(self.lines_so_far()) >= requests)


@contextmanager
def reserved_port() -> Iterator[int]:
    """A port that nginx can take, and nobody is given by chance."""
    with socket.socket() as reserved:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind(("127.0.0.1", 0))
        yield reserved.getsockname()[1]


def listens(port: int) -> bool:
    """Whether somebody listens on a port."""
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return False
    return True


StartNginx = Callable[..., Nginx]


@pytest.fixture
def start_nginx(sandbox: Sandbox, tmp_path: Path) -> Iterator[StartNginx]:
    """Starts an nginx with directives of the test's own; it ends with the test."""
    ending = ExitStack()

    def end(process: subprocess.Popen[bytes]) -> None:
        process.terminate()
        process.wait(timeout=PATIENCE)

    def start(*directives: str) -> Nginx:
        folder = tmp_path / "nginx"
        (folder / "temporary").mkdir(parents=True)
        make_certificate(folder)
        http2, http1 = (ending.enter_context(reserved_port()) for _ in range(2))
        configuration = CONFIGURATION.format(
            # Workers of root's nginx would be somebody who may not enter the folder.
            user="user root root;" if os.geteuid() == 0 else "",
            directives=" ".join(f"{directive};" for directive in directives),
            sandbox=sandbox.base_url.removeprefix("http://"),
            http2=http2,
            http1=http1,
        )
        (folder / "nginx.conf").write_text(configuration)
        # Debian's nginx is where only root looks for programs.
        program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
        assert program is not None
        command = [program, "-p", folder, "-c", "nginx.conf", "-e", "error.log", "-g", "daemon off;"]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        ending.callback(end, process)
        wait_until(lambda: process.poll() is not None or listens(http1) and listens(http2))
        assert process.poll() is None
        return Nginx(process, folder, sandbox, {"HTTP/2.0": http2, "HTTP/1.1": http1})

    with ending:
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
    """What the program is run with."""

    program: Path
    prefix: Prefix
    nginx: Nginx
    protocol: str

    @contextmanager
    def running(
        self, count: int, in_flight: int, *steps: str, ca_file: Path | None = None
    ) -> Iterator[subprocess.Popen[str]]:
        """Lets it run meanwhile."""
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
        """Runs it to its end."""
        with self.running(count, in_flight, *steps, ca_file=ca_file) as process:
            return reports(process)


@dataclass(frozen=True)
class Report:
    """What the program tells of a step."""

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
        """Each call has exactly one result."""
        assert (self.calls, self.once) == (calls, calls)
        assert self.succeeded + sum(self.failed.values()) == calls

    def check_success(self, calls: int) -> None:
        """Each call has succeeded."""
        self.check_results(calls)
        assert self.failed == {}


def reports(process: subprocess.Popen[str]) -> list[Report]:
    """What the program has told until its end."""
    output, _ = process.communicate(timeout=900)
    assert process.returncode == 0
    objects = [json.loads(line) for line in output.splitlines()]
    return [Report(**({"ids": {}, "distinct": 0} | told)) for told in objects]


StartMany = Callable[..., Many]


@pytest.fixture
def many_against(many: Path, prefix: Prefix) -> StartMany:
    """The program for a server of nginx's that offers a protocol."""
    return lambda nginx, protocol="HTTP/2.0": Many(many, prefix, nginx, protocol)


def request(sandbox: Sandbox, method: str, path: str, body: object = None) -> Any:
    """Asks the sandbox itself."""
    key = b64encode(f"{sandbox.key_id}:{sandbox.key_secret}".encode()).decode()
    question = urllib.request.Request(
        sandbox.base_url + path,
        None if body is None else json.dumps(body).encode(),
        {"Content-Type": "application/json", "Authorization": f"Basic {key}"},
        method=method,
    )
    with urllib.request.urlopen(question, timeout=PATIENCE) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def answer_late(sandbox: Sandbox, creates: int) -> None:
    """Lets no create be answered before so many have come."""
    fault = {"kind": "delay", "milliseconds": FOREVER_MS, "method": "POST"}
    request(sandbox, "POST", "/_sandbox/faults", fault)

    def answer() -> None:
        wait_until(lambda: request(sandbox, "GET", "/_sandbox")["users"] >= creates)
        request(sandbox, "DELETE", "/_sandbox/faults")

    threading.Thread(target=answer, daemon=True).start()


def users(sandbox: Sandbox) -> list[tuple[str, int]]:
    """The ids and the numbers of all users that the sandbox has."""
    found: list[tuple[str, int]] = []
    while True:
        page = request(sandbox, "GET", f"/v1/users?limit=200&offset={len(found)}")
        if not page["results"]:
            return found
        found += [(user["id"], user["external_metadata"]["number"]) for user in page["results"]]


def most_at_once(lines: Sequence[Line]) -> int:
    """How many requests were under way at one moment."""
    # An end and a beginning in the same millisecond are no overlap.
    moments = sorted([(line.began, 1) for line in lines] + [(line.ended, -1) for line in lines])
    at_once = most = 0
    for _, change in moments:
        at_once += change
        most = max(most, at_once)
    return most


def by_connection(lines: Sequence[Line]) -> list[list[Line]]:
    """The requests of each connection."""
    return [
        [line for line in lines if line.connection == connection]
        for connection in sorted({line.connection for line in lines})
    ]


def check_both_sides(created: Report, sandbox: Sandbox) -> int:
    """Nothing is lost and nothing doubled; gives how many creates have failed and been carried out."""
    there = users(sandbox)
    assert len({id for id, _ in there}) == len(there)
    numbers = Counter(number for _, number in there)
    assert not [number for number, times in numbers.items() if times > 1]
    succeeded = {(id, int(number)) for number, id in created.ids.items()}
    assert created.distinct == created.succeeded == len(succeeded)
    assert succeeded <= set(there)
    carried_out = {number for _, number in set(there) - succeeded}
    assert carried_out <= set(created.unknown)
    return len(carried_out)


def test_calls_share_an_http2_connection(start_nginx: StartNginx, many_against: StartMany) -> None:
    nginx = start_nginx()
    answer_late(nginx.sandbox, 50)
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
    assert 40 <= most_at_once(lines) <= 50
    assert users(nginx.sandbox) == []


def test_calls_have_http1_connections_of_their_own(
    start_nginx: StartNginx, many_against: StartMany
) -> None:
    nginx = start_nginx()
    answer_late(nginx.sandbox, 50)
    steps = many_against(nginx, "HTTP/1.1").run(200, 50, "create", "get", "delete")
    for step in steps:
        step.check_success(200)
    lines = nginx.lines()
    assert {line.protocol for line in lines} == {"HTTP/1.1"}
    connections = by_connection(lines)
    assert sum(map(len, connections)) == 600
    assert 40 <= len(connections) <= 50
    assert all(most_at_once(requests) == 1 for requests in connections)
    assert 40 <= most_at_once(lines) <= 50


@pytest.mark.parametrize("protocol", ["HTTP/2.0", "HTTP/1.1"])
def test_blocking_calls_share_a_connection(
    start_nginx: StartNginx, many_against: StartMany, protocol: str
) -> None:
    nginx = start_nginx()
    for step in many_against(nginx, protocol).run(20, 0, "create", "get", "delete"):
        step.check_success(20)
    lines = nginx.lines()
    assert {line.protocol for line in lines} == {protocol}
    assert [[line.place for line in requests] for requests in by_connection(lines)] == [
        list(range(1, 61))
    ]


def test_server_that_takes_few_streams(start_nginx: StartNginx, many_against: StartMany) -> None:
    nginx = start_nginx("http2_max_concurrent_streams 8")
    answer_late(nginx.sandbox, 40)
    # The first call learns what the server takes: until then it may refuse what is more, which is made again.
    steps = many_against(nginx).run(200, 50, "create", "get", "delete")
    for step in steps:
        step.check_success(200)
    assert users(nginx.sandbox) == []
    lines = nginx.lines()
    assert {line.protocol for line in lines} == {"HTTP/2.0"}
    connections = by_connection(lines)
    assert len(connections) <= 50
    assert all(most_at_once(requests) <= 8 for requests in connections)
    assert 40 <= most_at_once(lines) <= 50


# Fewer in flight over HTTP/1.1, so that each connection comes to its end.
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
    # nginx refuses what comes after the last request that a connection takes, and says so only in HTTP/2.
    assert (created.attempts > 2000) == (protocol == "HTTP/2.0")
    assert {line.protocol for line in lines} == {protocol}
    assert max(line.place for line in lines) == 100
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
    # Those under way when the connection died.
    assert set(created.failed) <= {"connection"}
    # The dead connection is left soon.
    assert created.succeeded > 2000


def test_certificate_that_is_not_trusted(
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
