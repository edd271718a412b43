"""Paths, methods, media types, connections and malformed requests."""

from __future__ import annotations

import json
import os
import random
import re
import socket

import pytest
from conftest import PATIENCE, Sandbox, basic
from test_users import UNKNOWN, UUID

USERS = "GET, POST, HEAD, OPTIONS"
USER = "GET, PATCH, DELETE, HEAD, OPTIONS"
TOKENS = "POST, OPTIONS"
LIMIT = 1 << 20


def test_every_response_has_a_trace_id(sandbox: Sandbox) -> None:
    user = sandbox.create()
    seen = set()
    for method, path, authorization, body in [
        ("GET", "/v1/users", basic(), None), ("GET", "/v1/users", None, None),
        ("POST", "/v1/users", basic(), None), ("POST", "/v1/users", basic(), b"x"),
        ("GET", "/nothing", None, None), ("PUT", "/v1/users", basic(), None),
        ("HEAD", "/v1/users", basic(), None), ("OPTIONS", "/v1/users", basic(), None),
        ("DELETE", f"/v1/users/{user}", basic(), None),
        ("DELETE", f"/v1/users/{user}", basic(), None),
    ]:
        answer = sandbox.send(method, path, body, authorization=authorization)
        assert UUID.fullmatch(answer.headers["X-Trace-Id"])
        seen.add(answer.headers["X-Trace-Id"])
    assert len(seen) == 10


@pytest.mark.parametrize("path", [
    "/", "/v3/users", "/users", "/V1/users", "/v1%2Fusers", "//v1/users", "/index.html", "/v1x",
    "/%00", "/v1%00/users", "*"])
def test_paths_outside_the_api(sandbox: Sandbox, path: str) -> None:
    for authorization in (None, basic()):
        answer = sandbox.send("GET", path, authorization=authorization)
        assert (answer.status, answer.json) == (404, {"detail": "Not found."})


@pytest.mark.parametrize("path", [
    "/v1", "/v1/", "/v1/Users", "/v1/user", "/v1/users%2F", "/v1/users%00", "/v1//users",
    "/v1/users//", "/v1/user-tokens/x", "/v1/users/a/b/c", "/v1/users%3Flimit=1", "/v1/../v1/users"])
def test_unknown_paths_in_the_api(sandbox: Sandbox, path: str) -> None:
    answer = sandbox.send("GET", path)
    assert (answer.status, answer.json) == (404, {"detail": "Not found."})


@pytest.mark.parametrize(
    "path, methods, allowed",
    [
        ("/v1/users", ["PUT", "PATCH", "DELETE", "TRACE", "FOO", "get"], USERS),
        ("/v1/users/", ["PUT"], USERS),
        (f"/v1/users/{UNKNOWN}", ["PUT", "POST", "FOO"], USER),
        ("/v1/users/x", ["PUT"], USER),
        ("/v1/user-tokens", ["GET", "HEAD", "PUT", "PATCH", "DELETE"], TOKENS),
    ],
)
def test_unsupported_methods(
    sandbox: Sandbox, path: str, methods: list[str], allowed: str
) -> None:
    for method in methods:
        answer = sandbox.send(method, path)
        assert answer.status == 405
        assert answer.headers["Allow"] == allowed
        if method != "HEAD":
            assert answer.json == {"detail": f'Method "{method}" not allowed.'}


@pytest.mark.parametrize(
    "path, allowed", [("/v1/users", USERS), ("/v1/users/x", USER), ("/v1/user-tokens", TOKENS)])
def test_options(sandbox: Sandbox, path: str, allowed: str) -> None:
    answer = sandbox.send("OPTIONS", path)
    assert (answer.status, answer.headers["Allow"]) == (200, allowed)


def test_head_is_get_without_a_body(sandbox: Sandbox) -> None:
    user = sandbox.create(b'"x"')
    for path in ("/v1/users?limit=1", f"/v1/users/{user}", f"/v1/users/{UNKNOWN}"):
        get = sandbox.send("GET", path)
        head = sandbox.send("HEAD", path)
        assert head.status == get.status
        assert head.body == b""
        for name in ("Content-Type", "Content-Length"):
            assert head.headers[name] == get.headers[name]


@pytest.mark.parametrize(
    "value, shown",
    [("text/plain", "text/plain"), ("application/x-www-form-urlencoded", None), ("", ""),
     ("application/json5", None), ("application/jso", None), ("json", None), (";", ";"),
     ('a"b\\c', 'a"b\\c'), ("text/html; charset=utf-8", None), (None, "")])
def test_unsupported_media_types(
    sandbox: Sandbox, value: str | None, shown: str | None
) -> None:
    user = sandbox.create()
    for method, path in (
            ("POST", "/v1/users"), ("POST", "/v1/user-tokens"), ("PATCH", f"/v1/users/{user}")):
        answer = sandbox.send(method, path, b"{}", {"Content-Type": value})
        assert answer.status == 415
        name = value if shown is None else shown
        assert answer.json == {"detail": f'Unsupported media type "{name}" in request.'}


@pytest.mark.parametrize(
    "value", ["application/json", "application/json; charset=utf-8", "Application/JSON",
              "application/json;x", "application/json ; charset=x"])
def test_json_media_types(sandbox: Sandbox, value: str) -> None:
    assert sandbox.send("POST", "/v1/users", b"{}", {"Content-Type": value}).status == 201


def test_media_type_that_is_not_text(sandbox: Sandbox) -> None:
    answer = sandbox.send("POST", "/v1/users", b"{}", {"Content-Type": b"\xff\x01"})
    assert answer.status == 415
    assert answer.json["detail"].startswith("Unsupported media type ")


def test_unexpected_body_is_ignored(sandbox: Sandbox) -> None:
    user = sandbox.create()
    assert sandbox.send("GET", f"/v1/users/{user}", b"rubbish").status == 200
    assert sandbox.send("DELETE", f"/v1/users/{user}", b"\xff" * 100_000).status == 204


def test_connection_is_kept(sandbox: Sandbox) -> None:
    connection = sandbox.connect()
    connection.connect()
    own = connection.sock.getsockname()
    user = sandbox.send("POST", "/v1/users", connection=connection).json["id"]
    for method, path, body in [
        ("GET", f"/v1/users/{user}", None), ("POST", "/v1/users", b"not json"),
        ("GET", "/v1/users", None), ("PUT", "/v1/users", b"{}"), ("GET", "/v1/none", None),
        ("HEAD", "/v1/users", None), ("POST", "/v1/users", sized(100_000)),
        ("DELETE", f"/v1/users/{user}", None), ("DELETE", f"/v1/users/{user}", None),
        ("OPTIONS", "/v1/users", None),
    ]:
        answer = sandbox.send(method, path, body, connection=connection)
        assert answer.headers.get("Connection", "").lower() != "close"
        assert connection.sock is not None and connection.sock.getsockname() == own
    answer = sandbox.send("GET", "/v1/users", authorization=None, connection=connection)
    assert answer.status == 401
    assert connection.sock is not None and connection.sock.getsockname() == own


def test_pipelined_requests(sandbox: Sandbox) -> None:
    request = f"POST /v1/users HTTP/1.1\r\nHost: x\r\nAuthorization: {basic()}\r\nContent-Length: 2\r\n" \
        "Content-Type: application/json\r\n\r\n{}"
    last = f"GET /v1/users HTTP/1.1\r\nHost: x\r\nAuthorization: {basic()}\r\nConnection: close\r\n\r\n"
    received = sandbox.raw((request * 3 + last).encode())
    assert re.findall(rb"HTTP/1\.1 (\d+)", received) == [b"201", b"201", b"201", b"200"]


def test_chunked_body(sandbox: Sandbox) -> None:
    connection = sandbox.connect()
    connection.request(
        "POST", "/v1/users", body=iter([b'{"external', b'_metadata"', b":[1,", b"2]}"]),
        headers={"Authorization": basic(), "Content-Type": "application/json"}, encode_chunked=True)
    response = connection.getresponse()
    user = json.loads(response.read())["id"]
    assert response.status == 201
    assert sandbox.send("GET", f"/v1/users/{user}").json["external_metadata"] == [1, 2]


def test_absolute_request_target(sandbox: Sandbox) -> None:
    received = sandbox.raw(
        f"GET http://api.example/v1/users?limit=1 HTTP/1.0\r\nAuthorization: {basic()}\r\n\r\n".encode())
    assert received.startswith(b"HTTP/1.1 200 ")


def sized(size: int) -> bytes:
    return b'{"external_metadata":"' + b"x" * (size - 24) + b'"}'


def test_largest_body(sandbox: Sandbox) -> None:
    user = sandbox.send("POST", "/v1/users", sized(LIMIT))
    assert user.status == 201
    answer = sandbox.send("GET", f"/v1/users/{user.json['id']}")
    assert answer.body.endswith(sized(LIMIT)[1:])
    assert sandbox.send("DELETE", f"/v1/users/{user.json['id']}").status == 204


@pytest.mark.parametrize("size", [LIMIT + 1, 2 * LIMIT])
def test_body_too_large(sandbox: Sandbox, size: int) -> None:
    answer = sandbox.send("POST", "/v1/users", sized(size))
    assert (answer.status, answer.json) == (413, {"detail": "Request body is too large."})
    assert sandbox.send("GET", "/v1/users").status == 200


def test_body_too_large_in_chunks(sandbox: Sandbox) -> None:
    connection = sandbox.connect()
    connection.request(
        "POST", "/v1/users", body=iter([b"x" * (1 << 20)] * 17),
        headers={"Authorization": basic(), "Content-Type": "application/json"}, encode_chunked=True)
    response = connection.getresponse()
    assert response.status == 413
    assert json.loads(response.read()) == {"detail": "Request body is too large."}


def test_body_announced_far_too_large(sandbox: Sandbox) -> None:
    received = sandbox.raw(
        (f"POST /v1/users HTTP/1.1\r\nHost: x\r\nAuthorization: {basic()}\r\n"
         "Content-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n").encode())
    assert received.startswith(b"HTTP/1.1 413 ")
    assert received.endswith(b'{"detail":"Request body is too large."}')


def test_endless_body_is_aborted(sandbox: Sandbox) -> None:
    with socket.create_connection(("127.0.0.1", sandbox.port), timeout=PATIENCE) as connection:
        connection.sendall(
            (f"POST /v1/users HTTP/1.1\r\nHost: x\r\nAuthorization: {basic()}\r\n"
             "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n").encode())
        chunk = b"%x\r\n" % (1 << 20) + b"x" * (1 << 20) + b"\r\n"
        with pytest.raises(ConnectionError):
            for _ in range(200):
                connection.sendall(chunk)
    assert sandbox.send("GET", "/v1/users").status == 200


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\r\n", b"\r\n\r\n", b"\x00" * 100, b"GET", b"GET \r\n\r\n", b"GET / HTTP/9.9\r\n\r\n",
        b"hello\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET /v1/users HTTP/1.1\r\n",
        b"GET /v1/users HTTP/1.1\r\nHost", b"GET /v1/users HTTP/1.1\r\n: x\r\n\r\n",
        b"GET /v1/users HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"GET /v1/users HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/users HTTP/1.1\r\nContent-Length: 100\r\n\r\n{",
        b"POST /v1/users HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /v1/users HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 50_000 + b"\r\n",
        b"GET /v1/users?" + b"a&" * 20_000 + b" HTTP/1.1\r\n\r\n",
        b"GET /v1/users?\x00\x01\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET \xff\xfe HTTP/1.1\r\nHost: \xff\r\n\r\n",
    ],
)
def test_malformed_http(sandbox: Sandbox, data: bytes) -> None:
    received = sandbox.raw(data)
    assert received == b"" or re.match(rb"HTTP/1\.[01] [45]\d\d ", received), received
    assert sandbox.send("GET", "/v1/users").status == 200


def test_random_bytes(sandbox: Sandbox) -> None:
    generator = random.Random(7)
    for _ in range(200):
        sandbox.raw(generator.randbytes(generator.randrange(400)))
        sandbox.raw(b"GET /v1/users?" + generator.randbytes(50).replace(b"\n", b"") + b" HTTP/1.1\r\n"
                    + b"Host: x\r\nAuthorization: " + basic().encode() + b"\r\n\r\n")
        sandbox.raw(b"PATCH /v1/users/" + generator.randbytes(20).replace(b"\n", b"") + b" HTTP/1.1\r\n"
                    + b"Host: x\r\nAuthorization: " + basic().encode() + b"\r\nContent-Length: 0\r\n\r\n")
    assert sandbox.send("GET", "/v1/users").status == 200


def test_clients_that_disconnect(sandbox: Sandbox) -> None:
    for data in (b"POST /v1/users HTTP/1.1\r\nContent-Length: 5\r\n\r\n{",
                 f"GET /v1/users HTTP/1.1\r\nAuthorization: {basic()}\r\n\r\n".encode()):
        for _ in range(50):
            connection = socket.create_connection(("127.0.0.1", sandbox.port), timeout=PATIENCE)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            connection.sendall(data)
            connection.close()
    assert sandbox.send("GET", "/v1/users").status == 200


def test_many_connections(fresh: Sandbox) -> None:
    connections = [fresh.connect() for _ in range(200)]
    for _ in range(2):
        for connection in connections:
            assert fresh.send("POST", "/v1/users", connection=connection).status == 201
    assert fresh.send("GET", "/v1/users").json["count"] == 400
    descriptors = os.listdir(f"/proc/{fresh.process.pid}/fd")
    assert len(descriptors) > 200
