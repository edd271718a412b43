"""Calls whose HTTP/2 stream or connection is ended by the server, by error code and moment."""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import CONSUMERS, STRICT, Prefix, make_certificate, succeed
from http2_server import (
    Action,
    Http2Server,
    Proxy,
    close,
    data,
    go_away,
    headers,
    reset,
    reset_connection,
    send,
    synchronize,
)

CODES = {
    "NO_ERROR": 0,
    "PROTOCOL_ERROR": 1,
    "INTERNAL_ERROR": 2,
    "FLOW_CONTROL_ERROR": 3,
    "SETTINGS_TIMEOUT": 4,
    "STREAM_CLOSED": 5,
    "FRAME_SIZE_ERROR": 6,
    "REFUSED_STREAM": 7,
    "CANCEL": 8,
    "COMPRESSION_ERROR": 9,
    "CONNECT_ERROR": 10,
    "ENHANCE_YOUR_CALM": 11,
    "INADEQUATE_SECURITY": 12,
    "HTTP_1_1_REQUIRED": 13,
    "unknown": 0xFF01,
}
BODY = '{"id": "u1", "token": "t"}'
HEAD = headers(200, ("content-type", "application/json"), ("content-length", str(len(BODY))))
GOOD = (HEAD, data(BODY, end=True))
# What was sent of a response when its stream is reset. `synchronize` waits until the client has read that.
MOMENTS: dict[str, tuple[Action, ...]] = {
    "before the headers": (),
    "after the headers": (HEAD, synchronize),
    "in the body": (HEAD, data(BODY[:5]), synchronize),
    "after the whole response": GOOD,
    "after the whole response was read": (*GOOD, synchronize),
}
# Blocking and queued. The first call of each form opens a connection; later calls reuse it unless it was closed.
STEPS = {
    first: [*steps, *(f"queue:{step}" for step in steps)]
    for first, steps in {"get": ("get", "create", "update"), "create": ("create", "get", "update")}.items()
}


@dataclass(frozen=True)
class Report:
    """What the program reports about a call."""

    error: str
    message: str
    status: int
    attempts: int
    retryable: bool
    unknown: bool


def environment(prefix: Prefix, server: Http2Server) -> dict[str, str]:
    """Returns a program's environment for calls to a server; ARGYLE_TEST_LIBCURL may name another libcurl's folders."""
    directories = [prefix.environment()["LD_LIBRARY_PATH"], os.environ.get("ARGYLE_TEST_LIBCURL", "")]
    return {
        "LD_LIBRARY_PATH": ":".join(filter(None, directories)),
        "ARGYLE_BASE_URL": server.url,
        "ARGYLE_KEY_ID": "key-id",
        "ARGYLE_KEY_SECRET": "key-secret",
    }


def compile_consumer(prefix: Prefix, name: str, folder: Path) -> Path:
    """Builds a consumer program with the installed library."""
    flags = prefix.flags("--cflags", "--libs")
    succeed(["cc", "-std=c99", *STRICT, CONSUMERS / f"{name}.c", *flags, "-o", folder / name])
    return folder / name


@dataclass(frozen=True)
class Calls:
    """The program that makes calls one after another."""

    program: Path
    prefix: Prefix

    def run(
        self,
        server: Http2Server,
        steps: Sequence[str],
        max_retries: int = 0,
        variables: Mapping[str, str] | None = None,
    ) -> list[Report]:
        """Runs the program and returns its reports."""
        command: list[str | Path] = [self.program, server.certificate, str(max_retries), *steps]
        output = succeed(command, {**environment(self.prefix, server), **(variables or {})})
        assert server.failures == []
        reports = [Report(**json.loads(line)) for line in output.splitlines()]
        assert len(reports) == len(steps)
        return reports


@pytest.fixture(scope="module")
def calls(prefix: Prefix, tmp_path_factory: pytest.TempPathFactory) -> Calls:
    """The program, built with the installed library."""
    return Calls(compile_consumer(prefix, "calls", tmp_path_factory.mktemp("calls")), prefix)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a certificate and its key."""
    path = tmp_path_factory.mktemp("certificate")
    make_certificate(path)
    return path


def check_success(report: Report, attempts: int = 1) -> None:
    """Checks that the call succeeded."""
    assert (report.error, report.status, report.attempts) == ("", 200, attempts), report


def check_lost(step: str, report: Report) -> None:
    """Checks that the request may have been processed but the response was lost."""
    operation = step.rpartition(":")[2]
    assert report.error == "connection", report
    assert (report.status, report.attempts) == (0, 1), report
    assert report.retryable == (operation != "create"), report
    assert report.unknown == (operation != "get"), report


def check_refused(report: Report, server: Http2Server, calls: int) -> None:
    """Checks that the request was refused, then retried once, and succeeded."""
    check_success(report, attempts=2)
    assert len(server.requests) == 2 * calls


@pytest.mark.parametrize("first", STEPS)
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("code", CODES)
def test_reset(calls: Calls, folder: Path, code: str, moment: str, first: str) -> None:
    steps = STEPS[first]
    is_refused = code == "REFUSED_STREAM" and moment == "before the headers"
    end = (*MOMENTS[moment], reset(CODES[code]))
    responses = [end, GOOD] * len(steps) if is_refused else [end]
    with Http2Server(folder, responses) as server:
        reports = calls.run(server, steps)
    for step, report in zip(steps, reports, strict=True):
        if moment.startswith("after the whole response"):
            check_success(report)
        elif is_refused:
            check_refused(report, server, len(steps))
        else:
            check_lost(step, report)
    if not is_refused:
        assert len(server.requests) == len(steps)


@pytest.mark.parametrize("form", ["", "queue:"])
@pytest.mark.parametrize("code", sorted(CODES.keys() - {"REFUSED_STREAM"}))
def test_reset_once(calls: Calls, folder: Path, code: str, form: str) -> None:
    end = (reset(CODES[code]),)
    with Http2Server(folder, [end, GOOD, end, GOOD]) as server:
        first, create, last = calls.run(server, [f"{form}get", f"{form}create", f"{form}get"], 1)
    check_success(first, attempts=2)
    check_lost("create", create)
    check_success(last)
    assert [request.method for request in server.requests] == ["GET", "GET", "POST", "GET"]


LATER = (synchronize,)


@pytest.mark.parametrize("step", ["create", "get", "queue:create", "queue:get"])
@pytest.mark.parametrize("before", [(), LATER], ids=["at once", "later"])
@pytest.mark.parametrize("after", [(), (close,)], ids=["open", "closed"])
@pytest.mark.parametrize("is_reused", [False, True], ids=["new", "reused"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_go_away_that_excludes_the_stream(
    calls: Calls,
    folder: Path,
    version: ssl.TLSVersion,
    is_reused: bool,
    after: tuple[Action, ...],
    before: tuple[Action, ...],
    step: str,
) -> None:
    refusal = (*before, go_away(lambda request: max(request.stream - 2, 0)), *after)
    responses = [*([GOOD] if is_reused else []), refusal, GOOD]
    steps = [*([step] if is_reused else []), step]
    with Http2Server(folder, responses, version=version) as server:
        reports = calls.run(server, steps)
    check_success(reports[-1], attempts=2)
    assert len(server.requests) == len(responses)


@pytest.mark.parametrize("step", ["create", "get", "queue:create", "queue:get"])
@pytest.mark.parametrize("is_reused", [False, True], ids=["new", "reused"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_refused_stream(
    calls: Calls, folder: Path, version: ssl.TLSVersion, is_reused: bool, step: str
) -> None:
    responses = [*([GOOD] if is_reused else []), (synchronize, reset(7)), GOOD]
    steps = [*([step] if is_reused else []), step]
    with Http2Server(folder, responses, version=version) as server:
        reports = calls.run(server, steps)
    check_success(reports[-1], attempts=2)
    assert len(server.requests) == len(responses)


# A proxy's response to CONNECT is not the server's: it neither begins a response nor counts as header lines.
@pytest.mark.parametrize("form", ["", "queue:"])
def test_refused_stream_behind_a_proxy(calls: Calls, folder: Path, form: str) -> None:
    established = b"HTTP/1.1 200 Established\r\n" + b"X: y\r\n" * 900 + b"\r\n"
    lines = headers(200, *[("x-line", str(number)) for number in range(500)])
    responses = [(reset(7),), (lines, data(BODY, end=True)), (reset(7),), GOOD]
    with Http2Server(folder, responses) as server, Proxy(established) as proxy:
        reports = calls.run(server, [f"{form}create", f"{form}create"], 0, {"ARGYLE_PROXY": proxy.url})
    for report in reports:
        check_success(report, attempts=2)
    assert len(server.requests) == len(responses)


# A server that allows few concurrent streams refuses the others until the client has received its settings.
def test_many_refused_streams(prefix: Prefix, folder: Path, tmp_path: Path) -> None:
    program = compile_consumer(prefix, "many", tmp_path)
    with Http2Server(folder, [*[(reset(7),)] * 42, GOOD]) as server:
        command: list[str | Path] = [program, server.certificate, "50", "50", "create"]
        report = json.loads(succeed(command, environment(prefix, server)))
    assert (report["succeeded"], report["failed"], report["attempts"]) == (50, {}, 92)
    assert len(server.requests) == 92


# Ways to end a connection that do not say that the stream was not processed.
ENDS: dict[str, tuple[Action, ...]] = {
    "closed": (close,),
    "reset": (reset_connection,),
    "GOAWAY that includes the stream": (go_away(lambda request: request.stream), close),
    "GOAWAY with an error": (go_away(lambda request: request.stream, 2), reset_connection),
    "a broken frame": (send(lambda request: bytes.fromhex("000001 00 00 00000000 78")), close),
    "a broken frame for the stream": (
        send(lambda request: bytes.fromhex("000001 00 00") + request.stream.to_bytes(4, "big") + b"x"),
        close,
    ),
}


@pytest.mark.parametrize("form", ["", "queue:"])
@pytest.mark.parametrize("is_reused", [False, True], ids=["new", "reused"])
@pytest.mark.parametrize("end", ENDS)
def test_create_is_not_retried(calls: Calls, folder: Path, end: str, is_reused: bool, form: str) -> None:
    responses = [*([GOOD] if is_reused else []), ENDS[end], GOOD]
    steps = [*([f"{form}get"] if is_reused else []), f"{form}create"]
    with Http2Server(folder, responses) as server:
        reports = calls.run(server, steps, 2)
    check_lost("create", reports[-1])
    assert len(server.requests) == len(steps)


# libcurl remembers that a stream was refused, and would apply that to a later request.
@pytest.mark.parametrize("form", ["", "queue:"])
@pytest.mark.parametrize("is_reused", [False, True], ids=["new", "reused"])
def test_refusal_does_not_apply_to_a_later_request(
    calls: Calls, folder: Path, is_reused: bool, form: str
) -> None:
    refusal = (HEAD, synchronize, reset(7))
    responses = [refusal, *([GOOD] if is_reused else []), (reset_connection,), GOOD]
    steps = [f"{form}create", *([f"{form}get"] if is_reused else []), f"{form}create"]
    with Http2Server(folder, responses) as server:
        reports = calls.run(server, steps)
    check_lost("create", reports[0])
    check_lost("create", reports[-1])
    assert len(server.requests) == len(steps)


# A server may respond before it has read the whole request, and then ask the client to stop sending (RFC 9113, 8.1).
@pytest.mark.parametrize("form", ["", "queue:"])
def test_early_response(calls: Calls, folder: Path, form: str) -> None:
    detail = '{"detail": "too large"}'
    response = (headers(413), data(detail, end=True), synchronize, reset(0))
    with Http2Server(folder, [response], responds_early=True) as server:
        [report] = calls.run(server, [f"{form}create:300000"])
    assert (report.error, report.status, report.unknown) == ("http", 413, False), report


@pytest.mark.parametrize("form", ["", "queue:"])
@pytest.mark.parametrize("code", CODES)
def test_reset_during_the_request(calls: Calls, folder: Path, code: str, form: str) -> None:
    with Http2Server(folder, [(reset(CODES[code]),)], responds_early=True) as server:
        [report] = calls.run(server, [f"{form}create:300000"])
    if code == "REFUSED_STREAM":
        assert (report.error, report.unknown, report.retryable) == ("connection", False, True), report
        # The first attempt, and the maximum number of retries after a refusal.
        assert report.attempts == len(server.requests) == 11
    else:
        check_lost("create", report)
        assert len(server.requests) == 1
