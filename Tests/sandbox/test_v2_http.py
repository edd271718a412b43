"""API v2: headers, browsers, paths, methods and bodies."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import KEY_ID, Answer, Sandbox, Starter, basic
from test_http import LIMIT, TOKENS, USER, USERS
from test_json import BAD
from test_user_tokens import claims
from test_users import UNKNOWN, UUID
from test_v2_users import create

UNAUTHORIZED = {"detail": "Authentication credentials were not provided."}
PREFLIGHT: dict[str, str | bytes | None] = {
    "Origin": "https://app.example", "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type"}
# Headers that were recorded from v2, without those of v1.
ONLY_V2 = ("X-Client-Id", "Access-Control-Allow-Origin", "Vary")


@pytest.mark.parametrize("path, allowed", [
    ("/v2/users", USERS), ("/v2/users/", USERS), (f"/v2/users/{UNKNOWN}", USER), ("/v2/users/x", USER),
    ("/v2/user-tokens", TOKENS)])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS", "PUT", "FOO"])
def test_headers_of_every_response(sandbox: Sandbox, method: str, path: str, allowed: str) -> None:
    client = claims(sandbox.send("POST", "/v2/users").json["user_token"])["client_id"]
    for authorization, body in ((basic(), None), (basic(), b"["), (basic(KEY_ID, "x"), None), (None, None)):
        answer = sandbox.send(method, path, body, authorization=authorization)
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert answer.headers["Vary"] == "Accept-Encoding,Origin"
        assert answer.headers.get_all("Allow") == [allowed]
        assert UUID.fullmatch(answer.headers["X-Trace-Id"])
        assert answer.headers["Content-Type"] == (
            None if answer.status == 204 or answer.status == 200 and method == "OPTIONS" else "application/json")
        # Without the right credentials, there is no client.
        assert answer.headers["X-Client-Id"] == (client if authorization == basic() else None)
        assert (answer.status == 401) == (authorization != basic())


def test_v1_has_no_headers_of_v2(sandbox: Sandbox) -> None:
    user = sandbox.create()
    for method, path in (("GET", "/v1/users"), ("POST", "/v1/users"), ("GET", f"/v1/users/{user}"),
                         ("GET", f"/v1/users/{UNKNOWN}"), ("PUT", "/v1/users"), ("OPTIONS", "/v1/users"),
                         ("DELETE", f"/v1/users/{user}"), ("GET", "/v1/x"), ("GET", "/x"), ("GET", "/openapi.json")):
        for authorization in (basic(), None):
            answer = sandbox.send(method, path, None, PREFLIGHT, authorization)
            assert [name for name in ONLY_V2 if name in answer.headers] == []
            assert ("Allow" in answer.headers) == (answer.status == 405 or method == "OPTIONS" and answer.status == 200)


@pytest.mark.parametrize("path, allowed", [
    ("/v2/users", USERS), (f"/v2/users/{UNKNOWN}", USER), ("/v2/user-tokens/", TOKENS)])
def test_preflight(sandbox: Sandbox, path: str, allowed: str) -> None:
    """A browser asks without credentials whether a page of another site may send its request."""
    answer = sandbox.send("OPTIONS", path, None, PREFLIGHT, authorization=None)
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Access-Control-Allow-Methods"] == allowed
    assert answer.headers["Access-Control-Allow-Headers"] == "authorization, content-type"
    assert answer.headers["X-Client-Id"] is None


def test_other_requests_need_credentials(sandbox: Sandbox) -> None:
    for method, path, headers in (("OPTIONS", "/v2/users", {"Origin": "https://app.example"}),
                                  ("POST", "/v2/users", PREFLIGHT), ("GET", "/v2/users", PREFLIGHT),
                                  ("OPTIONS", "/v2/nothing", PREFLIGHT), ("OPTIONS", "/v1/users", PREFLIGHT)):
        answer = sandbox.send(method, path, None, headers, authorization=None)
        assert (answer.status, answer.json) == (401, UNAUTHORIZED)


@pytest.mark.parametrize("path", [
    "/v2", "/v2/", "/v2/Users", "/v2/user", "/v2/users%2F", "/v2//users", "/v2/user-tokens/x",
    "/v2/users/a/b", "/v2/v1/users", "/v2/_sandbox", "/v2/accounts"])
def test_unknown_paths(sandbox: Sandbox, path: str) -> None:
    answer = sandbox.send("GET", path)
    assert (answer.status, answer.json) == (404, {"detail": "Not found."})
    assert answer.headers["Allow"] is None
    assert sandbox.send("GET", path, authorization=None).status == 401


@pytest.mark.parametrize("path, methods, allowed", [
    ("/v2/users", ["PUT", "PATCH", "DELETE", "TRACE", "get"], USERS),
    (f"/v2/users/{UNKNOWN}", ["PUT", "POST"], USER),
    ("/v2/user-tokens", ["GET", "HEAD", "PUT", "PATCH", "DELETE"], TOKENS)])
def test_unsupported_methods(sandbox: Sandbox, path: str, methods: list[str], allowed: str) -> None:
    for method in methods:
        answer = sandbox.send(method, path)
        assert (answer.status, answer.headers["Allow"]) == (405, allowed)
        if method != "HEAD":
            assert answer.json == {"detail": f'Method "{method}" not allowed.'}


def test_head_is_get_without_a_body(sandbox: Sandbox) -> None:
    for path in ("/v2/users?limit=1", f"/v2/users/{create(sandbox)}", f"/v2/users/{UNKNOWN}", "/v2/users?cursor=x"):
        get, head = sandbox.send("GET", path), sandbox.send("HEAD", path)
        assert (head.status, head.body) == (get.status, b"")
        assert head.headers["Content-Length"] == get.headers["Content-Length"]


def test_key_of_the_other_environment(start: Starter) -> None:
    sandbox = start("--other-key-id", "other", "--other-key-secret", "secret")
    for path in ("/v2/users", "/v2/user-tokens", "/v2/nothing"):
        answer = sandbox.send("GET", path, authorization=basic("other", "secret"))
        assert (answer.status, answer.json) == (401, {"detail": "Invalid environment."})
        answer = sandbox.send("GET", path, authorization=basic("other", "x"))
        assert (answer.status, answer.json) == (401, {"detail": "Invalid username/password."})


@pytest.mark.parametrize("value", ["text/plain", "", "multipart/form-data; boundary=x", "application/json5", None])
def test_unsupported_media_types(sandbox: Sandbox, value: str | None) -> None:
    user = create(sandbox)
    for method, path in (("POST", "/v2/users"), ("POST", "/v2/user-tokens"), ("PATCH", f"/v2/users/{user}")):
        answer = sandbox.send(method, path, b"{}", {"Content-Type": value})
        assert (answer.status, answer.json) == (
            415, {"detail": f'Unsupported media type "{value or ""}" in request.'})


@pytest.mark.parametrize("body", BAD)
def test_bad_json(sandbox: Sandbox, body: bytes) -> None:
    user = create(sandbox, {"external_metadata": "kept"})
    for method, path in (("POST", "/v2/users"), ("POST", "/v2/user-tokens"), ("PATCH", f"/v2/users/{user}")):
        answer = sandbox.send(method, path, body)
        assert answer.status == 400
        assert answer.json["detail"].startswith("JSON parse error - ")
    assert sandbox.send("GET", f"/v2/users/{user}").json["external_metadata"] == "kept"


@pytest.mark.parametrize("body, message", [
    (b"[]", "Invalid data. Expected a dictionary, but got list."),
    (b'"x"', "Invalid data. Expected a dictionary, but got str."),
    (b"1.5", "Invalid data. Expected a dictionary, but got float."),
    (b"false", "Invalid data. Expected a dictionary, but got bool."),
    (b"null", "No data provided")])
def test_json_that_is_not_an_object(sandbox: Sandbox, body: bytes, message: str) -> None:
    user = create(sandbox)
    for method, path in (("POST", "/v2/users"), ("POST", "/v2/user-tokens"), ("PATCH", f"/v2/users/{user}")):
        answer = sandbox.send(method, path, body)
        assert (answer.status, answer.json) == (400, {"non_field_errors": [message]})


LIST_IN_ADDRESS = {"address": {"non_field_errors": ["Invalid data. Expected a dictionary, but got list."]}}
OBJECT_IN_CITY = {"address": {"city": ["Not a valid string."]}}
NO_EMAIL = {"email": ["Not a valid string."]}


@pytest.mark.parametrize("key, opening, closing, errors", [
    ("external_metadata", "[", "]", None), ("external_metadata", '{"city":', "}", None),
    ("other", "[", "]", None), ("other", '{"city":', "}", None),
    ("address", "[", "]", LIST_IN_ADDRESS), ("address", '{"city":', "}", OBJECT_IN_CITY),
    ("email", "[", "]", NO_EMAIL), ("email", '{"city":', "}", NO_EMAIL)])
def test_depth(sandbox: Sandbox, key: str, opening: str, closing: str, errors: Any) -> None:
    """Up to 4,096 levels, the body's own included, a value is only judged by its field."""
    def send(levels: int) -> Answer:
        body = f'{{"{key}":' + opening * levels + "1" + closing * levels + "}"
        return sandbox.send("POST", "/v2/users", body.encode())

    answer = send(4095)
    if errors is None:
        assert answer.status == 201
        assert sandbox.send("DELETE", f"/v2/users/{answer.json['id']}").status == 204
    else:
        assert (answer.status, answer.json) == (400, errors)
    answer = send(4096)
    column = len(f'{{"{key}":') + 4095 * len(opening) + 1
    assert (answer.status, answer.json) == (400, {
        "detail": f"JSON parse error - Nested too deeply: line 1 column {column} (char {column - 1})"})


def test_many_members(sandbox: Sandbox) -> None:
    for member in (b'"first_name":"x",', b'"address":{"city":"x"},', b'"a":{},'):
        body = b"{" + member * (900_000 // len(member)) + b'"ssn":"1"}'
        answer = sandbox.send("POST", "/v2/users", body)
        assert answer.status == 201
        assert sandbox.send("GET", f"/v2/users/{answer.json['id']}").json["ssn"] == "1"


def test_largest_bodies(sandbox: Sandbox) -> None:
    frame = len(b'{"external_metadata":""}')
    answer = sandbox.send("POST", "/v2/users", b'{"external_metadata":"' + b"x" * (LIMIT - frame) + b'"}')
    assert len(sandbox.send("GET", f"/v2/users/{answer.json['id']}").json["external_metadata"]) == LIMIT - frame
    assert sandbox.send("DELETE", f"/v2/users/{answer.json['id']}").status == 204
    answer = sandbox.send("POST", "/v2/users", b'{"external_metadata":"' + b"x" * (LIMIT - frame + 1) + b'"}')
    assert (answer.status, answer.json) == (413, {"detail": "Request body is too large."})


@pytest.mark.parametrize("byte, size", [(b"x", 1), (b'"', 2), (b"\x01", 6), (b"\xff", 3)])
def test_largest_forms(sandbox: Sandbox, byte: bytes, size: int) -> None:
    """The limit is that of the JSON that a form stands for, in which some bytes take more space."""
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    count = (LIMIT - len(b'{"external_metadata":""}')) // size
    answer = sandbox.send("POST", "/v2/users", b"external_metadata=" + byte * count, form)
    shown = sandbox.send("GET", f"/v2/users/{answer.json['id']}").json["external_metadata"]
    assert shown == byte.decode(errors="replace") * count
    answer = sandbox.send("POST", "/v2/users", b"external_metadata=" + byte * (count + 1), form)
    assert (answer.status, answer.json) == (413, {"detail": "Request body is too large."})
