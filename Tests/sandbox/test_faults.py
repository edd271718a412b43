"""Injected faults: their kinds, how often and for which requests they trigger, and how they are set."""

from __future__ import annotations

import email.utils
import http.client
import json
import os
import signal
import socket
import time
from typing import Any

import description
import pytest
from conftest import PATIENCE, Answer, Clock, Sandbox, Starter, basic, run, wait_until
from test_users import UNKNOWN, UUID


@pytest.fixture
def faulty(start: Starter) -> Sandbox:
    sandbox = start()
    sandbox.faithful = False
    return sandbox


def add(sandbox: Sandbox, **rule: Any) -> None:
    answer = sandbox.send("POST", "/_sandbox/faults", json.dumps(rule).encode(), authorization=None)
    assert answer.status == 200, answer.body
    assert answer.json[-1] == rule


def rules(sandbox: Sandbox) -> Any:
    return sandbox.send("GET", "/_sandbox/faults", authorization=None).json


def count(sandbox: Sandbox) -> int:
    return int(sandbox.send("GET", "/_sandbox", authorization=None).json["users"])


def assert_closed_without_answer(sandbox: Sandbox, method: str, path: str) -> None:
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        sandbox.send(method, path, connection=sandbox.connect())


# Rate limits and errors


def test_rate_limit(faulty: Sandbox) -> None:
    add(faulty, kind="rate_limit")
    answer = faulty.send("POST", "/v1/users")
    assert (answer.status, answer.json) == (429, {"detail": "Request was throttled."})
    assert answer.headers["Retry-After"] is None
    assert UUID.fullmatch(answer.headers["X-Trace-Id"])
    assert count(faulty) == 0


@pytest.mark.parametrize("seconds, said", [(0, "0 seconds"), (1, "1 second"), (120, "120 seconds")])
def test_rate_limit_with_seconds(faulty: Sandbox, seconds: int, said: str) -> None:
    add(faulty, kind="rate_limit", retry_after=seconds)
    answer = faulty.send("GET", "/v1/users")
    assert answer.status == 429
    assert answer.headers["Retry-After"] == str(seconds)
    assert answer.json == {"detail": f"Request was throttled. Expected available in {said}."}


def test_rate_limit_with_date(faulty: Sandbox) -> None:
    # The date is relative to the Date header, not to the shifted clock.
    faulty.send("PUT", "/_sandbox/clock", b'{"offset_seconds":100000}')
    add(faulty, kind="rate_limit", retry_after=5000, retry_after_date=True)
    answer = faulty.send("GET", "/v1/users")
    retry = email.utils.parsedate_to_datetime(answer.headers["Retry-After"])
    date = email.utils.parsedate_to_datetime(answer.headers["Date"])
    assert answer.headers["Retry-After"] == email.utils.format_datetime(retry, usegmt=True)
    assert 4990 <= (retry - date).total_seconds() <= 5010


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 502, 503, 504, 599])
def test_error(faulty: Sandbox, status: int) -> None:
    add(faulty, kind="error", status=status)
    answer = faulty.send("POST", "/v1/users")
    assert answer.status == status
    assert list(answer.json) == ["detail"]
    assert UUID.fullmatch(answer.headers["X-Trace-Id"])
    assert count(faulty) == 0


def test_error_is_500_by_default(faulty: Sandbox) -> None:
    add(faulty, kind="error")
    assert faulty.send("GET", "/v1/users").status == 500


@pytest.mark.parametrize("kind", ["rate_limit", "error"])
def test_bodies_of_errors(faulty: Sandbox, kind: str) -> None:
    for body, media_type in (
            ("json", "application/json"), ("not_json", "application/json"), ("html", "text/html"),
            ("empty", None)):
        faulty.send("DELETE", "/_sandbox/faults")
        add(faulty, kind=kind, body=body)
        answer = faulty.send("GET", "/v1/users")
        assert answer.status == (429 if kind == "rate_limit" else 500)
        assert answer.headers["Content-Type"] == media_type
        if body == "json":
            assert answer.json["detail"]
        elif body == "empty":
            assert answer.body == b"" and answer.headers["Content-Length"] == "0"
        else:
            assert (b"<html>" in answer.body) == (body == "html")
            with pytest.raises(ValueError):
                json.loads(answer.body)


def test_connection_is_kept_after_an_error(faulty: Sandbox) -> None:
    connection = faulty.connect()
    connection.connect()
    own = connection.sock.getsockname()
    for rule in ({"kind": "error"}, {"kind": "rate_limit", "body": "empty"},
                 {"kind": "body", "body": "html"}, {"kind": "delay", "milliseconds": 1}):
        add(faulty, **rule, count=1)
        faulty.send("POST", "/v1/users", b"{}", connection=connection)
        assert connection.sock is not None and connection.sock.getsockname() == own


# Bodies of responses


@pytest.mark.parametrize("body", ["not_json", "html", "empty"])
def test_body_of_a_response(faulty: Sandbox, body: str) -> None:
    add(faulty, kind="body", body=body)
    answer = faulty.send("POST", "/v1/users")
    assert answer.status == 201
    assert count(faulty) == 1
    with pytest.raises(ValueError):
        json.loads(answer.body)
    assert answer.headers["Content-Type"] == {
        "not_json": "application/json", "html": "text/html", "empty": None}[body]
    assert (answer.body == b"") == (body == "empty")


def test_body_keeps_the_other_headers(faulty: Sandbox) -> None:
    add(faulty, kind="body", body="html")
    answer = faulty.send("PUT", "/v1/users")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, POST, HEAD, OPTIONS")
    assert answer.body.startswith(b"<!DOCTYPE html>")


@pytest.mark.parametrize("kind", ["body", "rate_limit", "error"])
def test_cut_body(faulty: Sandbox, kind: str) -> None:
    user = faulty.create(b'"' + b"x" * 100_000 + b'"')
    add(faulty, kind=kind, body="cut")
    connection = faulty.connect()
    with pytest.raises(http.client.IncompleteRead) as caught:
        faulty.send("GET", f"/v1/users/{user}", connection=connection)
    assert caught.value.partial.startswith(b"{")
    assert caught.value.expected is not None and caught.value.expected > 0
    if kind == "body":
        assert len(caught.value.partial) > 50_000


def test_create_with_a_cut_response_is_carried_out(faulty: Sandbox) -> None:
    add(faulty, kind="body", body="cut", method="POST")
    with pytest.raises(http.client.IncompleteRead):
        faulty.send("POST", "/v1/users", connection=faulty.connect())
    assert count(faulty) == 1


def test_cut_without_a_body(faulty: Sandbox) -> None:
    user = faulty.create()
    add(faulty, kind="body", body="cut")
    assert faulty.send("HEAD", "/v1/users", connection=faulty.connect()).status == 200
    assert faulty.send("DELETE", f"/v1/users/{user}", connection=faulty.connect()).status == 204


def test_bare_array(faulty: Sandbox) -> None:
    users = [faulty.create(text) for text in (b'"results"', b'{"results":[1]}', b"[1.0,1e400]")]
    expected = faulty.send("GET", "/v1/users?limit=3").body
    add(faulty, kind="body", body="array")
    answer = faulty.send("GET", "/v1/users?limit=3")
    assert [user["id"] for user in answer.json] == users[::-1]
    assert b'"results":' + answer.body + b"}" == expected[expected.index(b'"results":['):]
    # Other responses are unchanged.
    assert faulty.send("GET", f"/v1/users/{users[0]}").json["id"] == users[0]
    assert faulty.send("GET", f"/v1/users/{UNKNOWN}").json == {"detail": "Not found."}
    assert faulty.send("DELETE", f"/v1/users/{users[0]}").status == 204


@pytest.mark.parametrize("opening, closing", [("[", "]"), ('{"a":', "}")])
def test_bare_array_of_the_deepest_metadata(faulty: Sandbox, opening: str, closing: str) -> None:
    # Together with the body, this is the maximum depth of a body; a list nests it more deeply.
    metadata = (opening * 4095 + "1" + closing * 4095).encode()
    faulty.create(metadata)
    add(faulty, kind="body", body="array")
    answer = faulty.send("GET", "/v1/users")
    assert answer.body.startswith(b'[{"id":')
    assert answer.body.endswith(b'"external_metadata":' + metadata + b"}]")


# Closed connections


def test_closed_before_it_is_carried_out(faulty: Sandbox) -> None:
    add(faulty, kind="close", when="before", count=1)
    assert_closed_without_answer(faulty, "POST", "/v1/users")
    assert count(faulty) == 0
    assert faulty.send("POST", "/v1/users").status == 201


def test_closed_after_it_was_carried_out(faulty: Sandbox) -> None:
    add(faulty, kind="close", when="after", count=1)
    assert_closed_without_answer(faulty, "POST", "/v1/users")
    assert count(faulty) == 1
    assert faulty.send("POST", "/v1/users").status == 201


def test_closed_on_a_reused_connection(faulty: Sandbox) -> None:
    connection = faulty.connect()
    assert faulty.send("GET", "/v1/users", connection=connection).status == 200
    add(faulty, kind="close", when="before")
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        faulty.send("GET", "/v1/users", connection=connection)


def test_closed_on_an_oversized_body(faulty: Sandbox) -> None:
    add(faulty, kind="close", when="before")
    assert faulty.raw(
        b"POST /v1/users HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n") == b""
    faulty.send("DELETE", "/_sandbox/faults")
    assert faulty.send("GET", "/v1/users").status == 200


# Delays

POST = f"POST /v1/users HTTP/1.1\r\nHost: x\r\nAuthorization: {basic()}\r\n\r\n".encode()


def request(sandbox: Sandbox, method: str, path: str) -> socket.socket:
    """Sends a request without receiving the response."""
    connection = socket.create_connection(("127.0.0.1", sandbox.port), timeout=PATIENCE)
    connection.sendall(
        f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {basic()}\r\n\r\n".encode())
    return connection


def receive(connection: socket.socket) -> Answer:
    response = http.client.HTTPResponse(connection)
    response.begin()
    answer = Answer(response.status, response.headers, response.read())
    connection.close()
    return answer


def test_delay(faulty: Sandbox) -> None:
    add(faulty, kind="delay", milliseconds=300)
    for _ in range(3):
        start = time.monotonic()
        assert faulty.send("GET", "/v1/users").status == 200
        assert time.monotonic() - start >= 0.3


@pytest.mark.parametrize("requests", [1, 3])
def test_delayed_client_that_has_finished_sending(faulty: Sandbox, requests: int) -> None:
    """A client that shuts down its sending side during the delay is not taken for disconnected."""
    add(faulty, kind="delay", milliseconds=100)
    assert faulty.raw(POST * requests).count(b"HTTP/1.1 201 ") == requests
    assert count(faulty) == requests


def test_new_delay_ends_with_its_fault(faulty: Sandbox) -> None:
    add(faulty, kind="delay", milliseconds=600_000, method="POST")
    waiting, clearing = faulty.connect(), faulty.connect()
    for connection in (waiting, clearing):
        assert faulty.send("GET", "/v1/users", connection=connection).status == 200
    # The sandbox finds both requests at once, and handles the older connection first.
    faulty.signal(signal.SIGSTOP)
    os.waitpid(faulty.process.pid, os.WUNTRACED)
    waiting.request("POST", "/v1/users", headers={"Authorization": basic()})
    clearing.request("DELETE", "/_sandbox/faults")
    faulty.signal(signal.SIGCONT)
    assert clearing.getresponse().status == 204
    assert waiting.getresponse().status == 201
    waiting.close()
    clearing.close()


def test_delay_does_not_block_other_clients(faulty: Sandbox) -> None:
    # Ten minutes: if another request had to wait, the test would time out.
    add(faulty, kind="delay", milliseconds=600_000, method="POST")
    waiting = [request(faulty, "POST", "/v1/users") for _ in range(50)]
    while count(faulty) < 50:
        assert faulty.send("GET", "/v1/users").status == 200
    for connection in waiting:
        connection.setblocking(False)
        with pytest.raises(BlockingIOError):
            connection.recv(1)
        connection.setblocking(True)
        connection.settimeout(PATIENCE)
    # Stopping the server ends the delays, and the responses are sent.
    faulty.signal(signal.SIGTERM)
    assert [receive(connection).status for connection in waiting] == [201] * 50
    assert faulty.wait() == 0


def test_clients_that_disconnect_during_a_delay(faulty: Sandbox) -> None:
    add(faulty, kind="delay", milliseconds=200, method="POST")
    for index in range(40):
        connection = request(faulty, "POST", "/v1/users")
        if index % 2:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.close()
    last = request(faulty, "POST", "/v1/users")
    assert receive(last).status == 201
    assert faulty.send("GET", "/v1/users").status == 200


def test_delays_end_in_order(start: Starter, clock: Clock) -> None:
    sandbox = start(clock=clock)
    user = sandbox.create()
    add(sandbox, kind="delay", milliseconds=600_000, path="/v1/users")
    add(sandbox, kind="delay", milliseconds=60_000, path="/v1/users/{id}")
    # Each delay begins when its request has been carried out.
    slow = request(sandbox, "POST", "/v1/users")
    wait_until(lambda: count(sandbox) == 2)
    fast = request(sandbox, "DELETE", f"/v1/users/{user}")
    wait_until(lambda: count(sandbox) == 1)
    clock.advance(60)
    assert receive(fast).status == 204
    slow.setblocking(False)
    with pytest.raises(BlockingIOError):
        slow.recv(1)
    slow.settimeout(PATIENCE)
    clock.advance(600)
    assert receive(slow).status == 201


def test_delays_add_up_and_precede_other_faults(faulty: Sandbox) -> None:
    add(faulty, kind="delay", milliseconds=200)
    add(faulty, kind="error", status=503, count=1)
    add(faulty, kind="error", status=502, count=1)
    add(faulty, kind="delay", milliseconds=200)
    for status in (503, 502, 200):
        start = time.monotonic()
        assert faulty.send("GET", "/v1/users").status == status
        assert time.monotonic() - start >= 0.4


def test_delayed_and_closed(faulty: Sandbox) -> None:
    add(faulty, kind="delay", milliseconds=100)
    add(faulty, kind="close", when="after")
    assert_closed_without_answer(faulty, "POST", "/v1/users")
    assert count(faulty) == 1


def test_each_pipelined_request_is_delayed(faulty: Sandbox) -> None:
    add(faulty, kind="delay", milliseconds=50)
    last = POST.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    with socket.create_connection(("127.0.0.1", faulty.port), timeout=PATIENCE) as connection:
        connection.sendall(POST * 2 + last)
        received = b""
        while part := connection.recv(65536):
            received += part
    assert received.count(b"HTTP/1.1 201 ") == 3


# How often, and for which requests


def test_count(faulty: Sandbox) -> None:
    add(faulty, kind="error", status=503, count=3)
    assert faulty.send("GET", "/v1/users").status == 503
    assert rules(faulty) == [{"kind": "error", "status": 503, "count": 2}]
    statuses = [faulty.send("GET", "/v1/users").status for _ in range(4)]
    assert statuses == [503, 503, 200, 200]
    assert rules(faulty) == []


def test_without_count_it_lasts(faulty: Sandbox) -> None:
    add(faulty, kind="error")
    assert {faulty.send("GET", "/v1/users").status for _ in range(50)} == {500}
    faulty.send("DELETE", "/_sandbox/faults")
    assert faulty.send("GET", "/v1/users").status == 200


def pattern(sandbox: Sandbox, **rule: Any) -> list[bool]:
    """Returns for which of 200 requests a rule triggers."""
    sandbox.faithful = False
    sandbox.send("DELETE", "/_sandbox/faults")
    add(sandbox, kind="error", **rule)
    return [sandbox.send("GET", "/v1/users").status == 500 for _ in range(200)]


def test_probability_is_repeatable(start: Starter) -> None:
    one, other = start(), start()
    first = pattern(one, probability=0.3, seed=7)
    assert 20 < sum(first) < 100
    assert pattern(one, probability=0.3, seed=7) == first
    assert pattern(other, probability=0.3, seed=7) == first
    assert pattern(other, probability=0.3, seed=-7) != first
    assert pattern(other, probability=0.3) == pattern(one, probability=0.3, seed=0)


def test_probability_at_its_bounds(faulty: Sandbox) -> None:
    assert pattern(faulty, probability=0) == [False] * 200
    assert pattern(faulty, probability=0.0) == [False] * 200
    assert pattern(faulty, probability=1) == [True] * 200
    assert pattern(faulty, probability=1.0) == [True] * 200
    assert sum(pattern(faulty, probability=0.5, count=10)) == 10


def test_other_requests_do_not_count(faulty: Sandbox) -> None:
    add(faulty, kind="error", probability=0.5, seed=3, method="GET", path="/v1/users")
    first = [faulty.send("GET", "/v1/users").status for _ in range(20)]
    faulty.send("DELETE", "/_sandbox/faults")
    add(faulty, kind="error", probability=0.5, seed=3, method="GET", path="/v1/users")
    second = []
    for _ in range(20):
        second.append(faulty.send("GET", "/v1/users").status)
        assert faulty.send("POST", "/v1/users").status == 201
        assert faulty.send("GET", "/v1/users/x").status == 404
    assert first == second


def test_method_and_path(faulty: Sandbox) -> None:
    user = faulty.create()
    token = json.dumps({"user": user}).encode()
    requests = [
        ("GET", "/v1/users", None), ("POST", "/v1/users", b"{}"), ("GET", f"/v1/users/{user}", None),
        ("PATCH", f"/v1/users/{user}", b"{}"), ("POST", "/v1/user-tokens", token),
        ("OPTIONS", "/v1/users", None), ("HEAD", "/v1/users/", None), ("PUT", "/v1/users", None)]
    for chosen, path in [(None, "/v1/users"), ("POST", None), ("POST", "/v1/user-tokens"),
                         ("GET", "/v1/users/{id}"), ("DELETE", "/v1/users/{id}"), ("HEAD", None),
                         ("PUT", "/v1/users"), ("OPTIONS", None), ("PATCH", None)]:
        faulty.send("DELETE", "/_sandbox/faults")
        rule = {"kind": "error", "status": 599, "method": chosen, "path": path}
        add(faulty, **{key: value for key, value in rule.items() if value is not None})
        for method, target, body in requests:
            template = target.replace(user, "{id}").rstrip("/")
            struck = chosen in (None, method) and path in (None, template)
            assert (faulty.send(method, target, body).status == 599) == struck, (method, target)


def test_paths_of_both_versions(faulty: Sandbox) -> None:
    user = faulty.create()
    body = json.dumps({"user": user}).encode()
    requests: list[tuple[str, str, str, bytes | None]] = [
        ("GET", f"/{version}/{path}", f"/{version}/{template}", sent)
        for version in ("v1", "v2")
        for path, template, sent in (("users", "users", None), (f"users/{user}", "users/{id}", None))]
    requests += [("POST", f"/{version}/user-tokens", f"/{version}/user-tokens", body) for version in ("v1", "v2")]
    for _, _, chosen, _ in requests:
        faulty.send("DELETE", "/_sandbox/faults")
        add(faulty, kind="error", status=599, path=chosen)
        for method, target, template, sent in requests:
            assert (faulty.send(method, target, sent).status == 599) == (template == chosen), (chosen, target)


def test_every_kind_in_v2(faulty: Sandbox) -> None:
    user = faulty.create()
    target = f"/v2/users/{user}"
    add(faulty, kind="rate_limit", retry_after=3, count=1)
    answer = faulty.send("GET", target)
    assert (answer.status, answer.headers["Retry-After"]) == (429, "3")
    # It has the headers that let a page in a browser read it.
    assert not list(description.check_answer("GET", target, answer.status, answer.headers, answer.body))
    add(faulty, kind="close", when="after", count=1)
    assert_closed_without_answer(faulty, "DELETE", target)
    assert faulty.send("GET", target).status == 404
    faulty.create()
    add(faulty, kind="body", body="array", path="/v2/users", count=1)
    assert isinstance(faulty.send("GET", "/v2/users").json, list)
    add(faulty, kind="body", body="html", method="POST", count=1)
    answer = faulty.send("POST", "/v2/users")
    assert (answer.status, answer.headers["Content-Type"]) == (201, "text/html")


def test_first_of_two_triggers(faulty: Sandbox) -> None:
    faulty.send("PUT", "/_sandbox/faults", json.dumps(
        [{"kind": "error", "status": 503, "count": 1}, {"kind": "rate_limit", "count": 1}]).encode())
    assert [faulty.send("GET", "/v1/users").status for _ in range(3)] == [503, 429, 200]


def test_faults_precede_authentication(faulty: Sandbox) -> None:
    add(faulty, kind="error", status=502)
    assert faulty.send("GET", "/v1/users", authorization=None).status == 502
    assert faulty.send("GET", "/v1/nothing", authorization=None).status == 502


def test_faults_affect_only_the_api(faulty: Sandbox) -> None:
    add(faulty, kind="error", count=1)
    assert faulty.send("GET", "/openapi.json").status == 200
    assert faulty.send("GET", "/v3/users").status == 404
    assert faulty.send("GET", "/_sandbox").status == 200
    assert rules(faulty) == [{"kind": "error", "count": 1}]


# How faults are set


def test_put_replaces_and_post_adds(faulty: Sandbox) -> None:
    one: dict[str, Any] = {"kind": "error", "status": 503}
    two: dict[str, Any] = {"kind": "delay", "milliseconds": 5}
    for value in ([one], [two, one], [], [one, one]):
        answer = faulty.send("PUT", "/_sandbox/faults", json.dumps(value).encode())
        assert (answer.status, answer.json) == (200, value)
        assert rules(faulty) == value
    answer = faulty.send("POST", "/_sandbox/faults", json.dumps(two).encode())
    assert (answer.status, answer.json) == (200, [one, one, two])
    assert faulty.send("DELETE", "/_sandbox/faults").status == 204
    assert rules(faulty) == []


WRONG: list[tuple[str, str]] = [
    ("", "invalid JSON: "), ("nonsense", "invalid JSON: "), ("{", "invalid JSON: "), ("\xff", "invalid JSON: "),
    ('{"kind":"error"} x', "invalid JSON: "), ('{"kind":"error","kind":"error"}', "invalid JSON: "),
    ("[]", "expected a JSON object"), ("1", "expected a JSON object"),
    ("{}", "'kind' is required"),
    ('{"kind":"fire"}', "'kind' must be one of 'rate_limit', 'error', 'body', 'delay', 'close'"),
    ('{"kind":1}', "'kind' must be one of 'rate_limit', 'error', 'body', 'delay', 'close'"),
    ('{"kind":"error","staus":500}', "unknown key 'staus'"),
    ('{"kind":"error","":500}', "unknown key ''"),
    ('{"kind":"delay","milliseconds":1,"status":500}', "unknown key 'status'"),
    ('{"kind":"error","status":200}', "'status' must be an integer from 400 to 599"),
    ('{"kind":"error","status":"503"}', "'status' must be an integer from 400 to 599"),
    ('{"kind":"error","status":503.0}', "'status' must be an integer from 400 to 599"),
    ('{"kind":"error","status":null}', "'status' must be an integer from 400 to 599"),
    ('{"kind":"error","body":"array"}',
     "'body' must be one of 'json', 'not_json', 'html', 'empty', 'cut'"),
    ('{"kind":"body"}', "'body' is required"),
    ('{"kind":"body","body":"json"}',
     "'body' must be one of 'not_json', 'html', 'empty', 'cut', 'array'"),
    ('{"kind":"delay"}', "'milliseconds' is required"),
    ('{"kind":"delay","milliseconds":-1}', "'milliseconds' must be an integer from 0 to 600000"),
    ('{"kind":"delay","milliseconds":600001}', "'milliseconds' must be an integer from 0 to 600000"),
    ('{"kind":"delay","milliseconds":9223372036854775808}', "invalid JSON: "),
    ('{"kind":"close"}', "'when' is required"),
    ('{"kind":"close","when":"now"}', "'when' must be one of 'before', 'after'"),
    ('{"kind":"rate_limit","retry_after":-1}', "'retry_after' must be an integer from 0 to 31536000"),
    ('{"kind":"rate_limit","retry_after_date":true}', "'retry_after_date' needs 'retry_after'"),
    ('{"kind":"rate_limit","retry_after":1,"retry_after_date":1}',
     "'retry_after_date' must be true or false"),
    ('{"kind":"error","method":"get"}',
     "'method' must be one of 'GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'"),
    ('{"kind":"error","path":"/v1/users/7"}',
     "'path' must be one of '/v1/users', '/v1/users/{id}', '/v1/user-tokens', '/v2/users', '/v2/users/{id}', "
     "'/v2/user-tokens'"),
    ('{"kind":"error","count":0}', "'count' must be an integer from 1 to 1000000000"),
    ('{"kind":"error","count":true}', "'count' must be an integer from 1 to 1000000000"),
    ('{"kind":"error","probability":1.1}', "'probability' must be a number from 0 to 1"),
    ('{"kind":"error","probability":-0.1}', "'probability' must be a number from 0 to 1"),
    ('{"kind":"error","probability":"0.5"}', "'probability' must be a number from 0 to 1"),
    ('{"kind":"error","seed":1}', "'seed' needs 'probability'"),
    ('{"kind":"error","probability":1,"seed":1.5}',
     "'seed' must be an integer from -9223372036854775808 to 9223372036854775807"),
    ("[" * 5000, "invalid JSON: "), ('{"kind":' * 2000 + "1" + "}" * 2000, "'kind' must be one of "),
]


@pytest.mark.parametrize("text, problem", WRONG, ids=[text[:40] for text, _ in WRONG])
def test_wrong_faults(sandbox: Sandbox, text: str, problem: str) -> None:
    faithful, sandbox.faithful = sandbox.faithful, False
    try:
        for method, body in (("POST", text), ("PUT", f"[{text}]")):
            answer = sandbox.send(method, "/_sandbox/faults", body.encode("latin-1"))
            if method == "PUT" and text == "":
                assert answer.status == 200
                continue
            assert answer.status == 400, answer.body
            assert list(answer.json) == ["detail"]
            if problem != "invalid JSON: " or method == "POST":
                assert answer.json["detail"].startswith(problem)
        assert rules(sandbox) == []
    finally:
        sandbox.faithful = faithful


def test_wrong_array_changes_nothing(faulty: Sandbox) -> None:
    add(faulty, kind="error", status=503)
    for value in (b'[{"kind":"error"},{"kind":"fire"}]', b"[1]", b"{}", b'"x"', b"null"):
        assert faulty.send("PUT", "/_sandbox/faults", value).status == 400
        assert rules(faulty) == [{"kind": "error", "status": 503}]


def test_many_faults(faulty: Sandbox) -> None:
    rule = {"kind": "error", "probability": 0}
    assert faulty.send("PUT", "/_sandbox/faults", json.dumps([rule] * 1001).encode()).status == 400
    assert faulty.send("PUT", "/_sandbox/faults", json.dumps([rule] * 1000).encode()).status == 200
    answer = faulty.send("POST", "/_sandbox/faults", json.dumps(rule).encode())
    assert (answer.status, answer.json) == (400, {"detail": "there must be at most 1000 faults"})
    assert faulty.send("GET", "/v1/users").status == 200


def test_numbers_are_returned_unchanged(faulty: Sandbox) -> None:
    for probability in (0, 1, 0.1, 0.3, 0.25, 0.999999, 1e-9):
        add(faulty, kind="error", probability=probability)
    shown = faulty.send("GET", "/_sandbox/faults").body
    assert b'"probability":0.1}' in shown and b'"probability":0.3}' in shown


def test_command_line(start: Starter) -> None:
    sandbox = start("--fault", '{"kind":"error","status":503,"count":1}',
                    "--fault", '{"kind": "rate_limit", "retry_after": 3, "count": 1}')
    sandbox.faithful = False
    assert rules(sandbox) == [{"kind": "error", "status": 503, "count": 1},
                              {"kind": "rate_limit", "retry_after": 3, "count": 1}]
    assert [sandbox.send("GET", "/v1/users").status for _ in range(3)] == [503, 429, 200]


@pytest.mark.parametrize("text, problem", [pair for pair in WRONG if len(pair[0]) < 200])
def test_wrong_command_line(text: str, problem: str) -> None:
    result = run("--port", "0", "--fault", text)
    assert (result.returncode, result.stdout) == (2, b"")
    said = result.stderr.decode()
    assert said.startswith(f"argyle-sandbox: fault '{text}': {problem}")
    assert said.endswith("; try 'argyle-sandbox --help'\n") and said.count("\n") == 1
